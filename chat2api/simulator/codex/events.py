"""An answer as the events of its stream, in the order in which they come. Ids, time and owner are given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from chat2api.simulator.codex.acting import Called, Drawn, Item, Outcome, Searched, Thought, Words
from chat2api.simulator.codex.asking import Asked
from chat2api.simulator.codex.sealing import seal
from chat2api.simulator.documents import Json
from chat2api.simulator.turn import tokens
from chat2api.simulator.wire.items import Frame

_PIECE = 12
"""Characters of arguments in one event."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How an answer is told. `output`: whether its end repeats the items; `usage`: with all counts,
    only the sums, or null; `deltas`: whether arguments come in pieces."""

    output: str = "empty"
    usage: str = "full"
    deltas: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """What is known before the first event. `response` is the id in hexadecimal."""

    asked: Asked
    outcome: Outcome
    response: str
    owner: str
    now: float
    cached: int
    manner: Manner


def frames(told: Told, limits: Json | None = None) -> Iterator[Frame]:
    """All events; there is no end mark. `limits` comes first, without a number."""
    if limits is not None:
        yield _frame(limits)
    yield from _Teller(told).all()


def usage(told: Told) -> Json | None:
    """Counts in tokens about as large as real ones."""
    outcome = told.outcome
    read = sum(len(tokens(part)) for part in told.asked.parts)
    thought, made = len(tokens(outcome.thought)), outcome.tokens
    if told.manner.usage == "null":
        return None
    sums: Json = {"input_tokens": read, "output_tokens": made, "total_tokens": read + made}
    if told.manner.usage == "bare":
        return sums
    return {
        **sums,
        "input_tokens_details": {"cached_tokens": told.cached},
        "output_tokens_details": {"reasoning_tokens": thought},
    }


def _frame(value: Json, weight: int = 0) -> Frame:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Frame(text, value["type"], weight)


class _Teller:
    def __init__(self, told: Told) -> None:
        self.told = told
        self.numbers = count()
        self.index = 0
        self.item_id = ""
        self.done: list[Json] = []

    def tell(self, kind: str, weight: int = 0, /, **fields: Any) -> Frame:
        return _frame({"type": kind, "sequence_number": next(self.numbers), **fields}, weight)

    def of_item(self, kind: str, weight: int = 0, /, **fields: Any) -> Frame:
        """An event about the present item."""
        where = {"item_id": self.item_id, "output_index": self.index}
        return self.tell(f"response.{kind}", weight, **where, **fields)

    def all(self) -> Iterator[Frame]:
        for kind in ("created", "in_progress"):
            yield self.tell(f"response.{kind}", response=self._response("in_progress"))
        items = self.told.outcome.items
        for index, item in enumerate(items):
            self.index = index
            is_cut = self.told.outcome.end != "stop" and index == len(items) - 1
            yield from self._item(item, "incomplete" if is_cut else "completed")
        is_whole = self.told.outcome.end == "stop"
        end = "completed" if is_whole else "incomplete"
        yield self.tell(f"response.{end}", response=self._response(end))

    def _response(self, status: str) -> Json:
        told, asked = self.told, self.told.asked
        is_over = status != "in_progress"
        details = {"reason": told.outcome.end} if status == "incomplete" else None
        value: Json = {
            "id": f"resp_{told.response}",
            "object": "response",
            "created_at": int(told.now),
            "status": status,
            "error": None,
            "incomplete_details": details,
            "model": asked.model.slug,
            "output": self.done if is_over and told.manner.output == "full" else [],
            "parallel_tool_calls": asked.situation.parallel,
            "tool_choice": asked.body.get("tool_choice") or "auto",
            "reasoning": {"effort": asked.effort, "summary": asked.summary},
            "service_tier": asked.body.get("service_tier") or "default",
            "store": False,
            "prompt_cache_key": asked.cache_key,
            "usage": usage(told) if is_over else None,
        }
        if is_over:
            searches = sum(isinstance(item, Searched) for item in told.outcome.items)
            value["end_turn"] = not told.outcome.calls
            value["tool_usage"] = {"image_gen": {}, "web_search": {"num_requests": searches}}
        return value

    # --- items

    def _item(self, item: Item, status: str) -> Iterator[Frame]:
        match item:
            case Thought():
                yield from self._thought(item)
            case Words():
                yield from self._words(item, status)
            case Called():
                yield from self._called(item, status)
            case Drawn():
                yield from self._drawn(item)
            case Searched(query):
                yield from self._searched(query)

    def _added(self, prefix: str, item: Json) -> Frame:
        self.item_id = f"{prefix}_{self.told.response}{self.index:02x}"
        return self._of_output("added", {"id": self.item_id, **item})

    def _finished(self, item: Json) -> Frame:
        whole = {"id": self.item_id, **item}
        self.done.append(whole)
        return self._of_output("done", whole)

    def _of_output(self, kind: str, item: Json) -> Frame:
        return self.tell(f"response.output_item.{kind}", output_index=self.index, item=item)

    def _thought(self, item: Thought) -> Iterator[Frame]:
        asked = self.told.asked
        yield self._added("rs", {"type": "reasoning", "summary": []})
        summary: list[Json] = []
        for at, text in enumerate(item.parts if asked.summary else ()):
            part = {"type": "summary_text", "text": text}
            kind, where = "reasoning_summary_part", {"summary_index": at}
            yield self.of_item(f"{kind}.added", **where, part={**part, "text": ""})
            for token in tokens(text):
                yield self.of_item("reasoning_summary_text.delta", 1, **where, delta=token)
            yield self.of_item("reasoning_summary_text.done", **where, text=text)
            yield self.of_item(f"{kind}.done", **where, part=part)
            summary.append(part)
        whole: Json = {"type": "reasoning", "summary": summary}
        if asked.wants_sealed:
            text = "\n\n".join(item.parts)
            whole["encrypted_content"] = seal(self.told.owner, text, self.told.now)
        yield self._finished(whole)

    def _words(self, item: Words, status: str) -> Iterator[Frame]:
        head: Json = {"type": "message", "role": "assistant"}
        if item.phase is not None:
            head["phase"] = item.phase
        yield self._added("msg", {**head, "status": "in_progress", "content": []})
        kind = "refusal" if item.is_refusal else "output_text"
        field = "refusal" if item.is_refusal else "text"
        extra: Json = {} if item.is_refusal else {"annotations": []}
        where = {"content_index": 0}
        part = {"type": kind, **extra, field: ""}
        yield self.of_item("content_part.added", **where, part=part)
        for piece in item.pieces:
            more: Json = {"delta": piece}
            if not item.is_refusal:
                # Padding, so that the length of a piece cannot be seen from outside.
                more |= {"logprobs": [], "obfuscation": "x" * (-len(piece) % 16)}
            yield self.of_item(f"{kind}.delta", 1, **where, **more)
        cited = list(_citations(item))
        for at, annotation in enumerate(cited):
            told = {"annotation_index": at, "annotation": annotation}
            yield self.of_item("output_text.annotation.added", **where, **told)
        if cited:
            extra = {"annotations": cited}
        part = {"type": kind, **extra, field: item.text}
        yield self.of_item(f"{kind}.done", **where, **{field: item.text})
        yield self.of_item("content_part.done", **where, part=part)
        yield self._finished({**head, "status": status, "content": [part]})

    def _called(self, item: Called, status: str) -> Iterator[Frame]:
        kind, field, prefix, event = "function_call", "arguments", "fc", "function_call_arguments"
        if item.custom:
            kind, field, prefix = "custom_tool_call", "input", "ctc"
            event = "custom_tool_call_input"
        head: Json = {"type": kind, "call_id": item.call_id, "name": item.name}
        if item.namespace is not None:
            head["namespace"] = item.namespace
        yield self._added(prefix, {**head, "status": "in_progress", field: ""})
        if self.told.manner.deltas:
            for start in range(0, len(item.arguments), _PIECE):
                piece = item.arguments[start : start + _PIECE]
                yield self.of_item(f"{event}.delta", 1, delta=piece)
            yield self.of_item(f"{event}.done", **{field: item.arguments})
        yield self._finished({**head, "status": status, field: item.arguments})

    def _drawn(self, item: Drawn) -> Iterator[Frame]:
        kind = "image_generation_call"
        yield self._added("ig", {"type": kind, "status": "in_progress", "result": None})
        look = {
            "size": item.options.get("size") or "1024x1024",
            "quality": item.options.get("quality") or "auto",
            "output_format": item.options.get("output_format") or "png",
            "background": item.options.get("background") or "auto",
        }
        yield self.of_item(f"{kind}.in_progress")
        yield self.of_item(f"{kind}.generating")
        for at in range(min(int(item.options.get("partial_images") or 0), 3)):
            part = {"partial_image_index": at, "partial_image_b64": item.picture, **look}
            yield self.of_item(f"{kind}.partial_image", 1, **part)
        yield self.of_item(f"{kind}.completed", 1)
        whole = {"type": kind, "status": "completed", "result": item.picture, **look}
        action = item.options.get("action") or "generate"
        yield self._finished({**whole, "revised_prompt": item.prompt, "action": action})

    def _searched(self, query: str) -> Iterator[Frame]:
        kind = "web_search_call"
        yield self._added("ws", {"type": kind, "status": "in_progress"})
        for step in ("in_progress", "searching", "completed"):
            yield self.of_item(f"{kind}.{step}")
        action = {"type": "search", "query": query}
        yield self._finished({"type": kind, "status": "completed", "action": action})


def _citations(item: Words) -> Iterator[Json]:
    """Each source stands for a sentence of its own."""
    start = 0
    for source in item.sources:
        end = item.text.find(".", start) + 1 or len(item.text)
        yield {"type": "url_citation", **source, "start_index": start, "end_index": end}
        start = end
