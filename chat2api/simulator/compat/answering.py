"""What a model did as a chat completion: one object, or chunks. Ids are given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from chat2api.simulator.compat.asking import Asked
from chat2api.simulator.documents import Json
from chat2api.simulator.mind.situation import Call, Decision, Say, Think, Value
from chat2api.simulator.turn import tokens
from chat2api.simulator.wire.items import DONE, Frame

_PIECE = 12


@dataclass(frozen=True, slots=True)
class Done:
    """An answer in this API's terms. `calls` are ids with what is called; `custom` names tools that
    take any text."""

    text: str = ""
    thought: str = ""
    refusal: str = ""
    calls: tuple[tuple[str, Call], ...] = ()
    custom: frozenset[str] = frozenset()
    finish: str = "stop"

    @property
    def tokens(self) -> int:
        parts = [self.text, self.thought, self.refusal]
        parts += [call.name + call.arguments for _, call in self.calls]
        return sum(len(tokens(part)) for part in parts)


def done(decision: Decision, asked: Asked, new_id: Callable[[], str]) -> Done:
    """The acts as an answer; calls without tools are only spoken of."""
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[tuple[str, Call]] = []
    for act in decision.acts:
        match act:
            case Think(text):
                thoughts.append(text)
            case Call(name) if not asked.situation.tools:
                texts.append(f"I have no way to call {name}.")
            case Call() if asked.situation.parallel or not calls:
                calls.append((f"call_{new_id().replace('-', '')[:24]}", act))
            case Say(text) | Value(text):
                texts.append(text)
    if "prose" in decision.styles and calls:
        texts.insert(0, "Let me see.")
    custom = frozenset(tool.name for tool in asked.situation.tools if tool.schema is None)
    answer = Done("\n".join(texts), "\n\n".join(thoughts), "", tuple(calls), custom)
    if calls:
        answer = replace(answer, finish="tool_calls")
    return _halved(answer) if "length" in decision.styles else answer


def _halved(answer: Done) -> Done:
    """Stops in the middle of the last call, or of the text."""
    if not answer.calls:
        return replace(answer, text=answer.text[: len(answer.text) // 2], finish="length")
    call_id, call = answer.calls[-1]
    half = Call(call.name, call.arguments[: len(call.arguments) // 2])
    return replace(answer, calls=(*answer.calls[:-1], (call_id, half)), finish="length")


def limited(answer: Done, asked: Asked) -> Done:
    """The answer as far as `stop` and the limit of tokens let it go. Thoughts count, too."""
    at = [found for one in asked.stop if (found := answer.text.find(one)) >= 0]
    if at:
        answer = replace(answer, text=answer.text[: min(at)], calls=(), finish="stop")
    limit = asked.max_tokens
    if limit is None or answer.tokens <= limit:
        return answer
    thought = "".join(tokens(answer.thought)[:limit])
    left = limit - len(tokens(thought))
    text = "".join(tokens(answer.text)[:left])
    left -= len(tokens(text))
    calls: list[tuple[str, Call]] = []
    for call_id, call in answer.calls:
        if left <= 0:
            break
        left -= len(tokens(call.name))
        arguments = "".join(tokens(call.arguments)[: max(left, 0)])
        left -= len(tokens(arguments))
        calls.append((call_id, Call(call.name, arguments)))
    return replace(answer, text=text, thought=thought, calls=tuple(calls), finish="length")


def usage(asked: Asked, answers: Iterable[Done]) -> Json:
    """Counts in tokens about as large as real ones."""
    answers = list(answers)
    sent = 3 + sum(3 + len(tokens(line.text)) for line in asked.situation.lines)
    made = sum(answer.tokens for answer in answers)
    thought = sum(len(tokens(answer.thought)) for answer in answers)
    return {
        "prompt_tokens": sent,
        "completion_tokens": made,
        "total_tokens": sent + made,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": thought,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def completion(asked: Asked, answers: list[Done], completion_id: str, now: float) -> Json:
    """The `chat.completion` object."""
    return {
        "id": completion_id,
        "object": "chat.completion",
        "created": int(now),
        "model": asked.model,
        "choices": [_choice(index, answer) for index, answer in enumerate(answers)],
        "usage": usage(asked, answers),
        "service_tier": "default",
        "system_fingerprint": "fp_simulator",
    }


def _choice(index: int, answer: Done) -> Json:
    message: Json = {
        "role": "assistant",
        "content": answer.text or (None if answer.calls or answer.refusal else ""),
        "refusal": answer.refusal or None,
        "annotations": [],
    }
    if answer.thought:
        message["reasoning_content"] = answer.thought
    if answer.calls:
        message["tool_calls"] = [
            {"id": call_id, **_called(call, answer, call.arguments)}
            for call_id, call in answer.calls
        ]
    return {"index": index, "message": message, "logprobs": None, "finish_reason": answer.finish}


def _called(call: Call, answer: Done, arguments: str) -> Json:
    if call.name in answer.custom:
        return {"type": "custom", "custom": {"name": call.name, "input": arguments}}
    return {"type": "function", "function": {"name": call.name, "arguments": arguments}}


def frames(asked: Asked, answers: list[Done], completion_id: str, now: float) -> Iterator[Frame]:
    """The `chat.completion.chunk` events with their end mark."""
    common = {
        "id": completion_id,
        "object": "chat.completion.chunk",
        "created": int(now),
        "model": asked.model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulator",
    }

    def frame(choices: list[Json], weight: int = 0, counted: Json | None = None) -> Frame:
        value: Json = {**common, "choices": choices}
        if asked.include_usage:
            value["usage"] = counted
        return Frame(json.dumps(value, ensure_ascii=False, separators=(",", ":")), tokens=weight)

    for index, answer in enumerate(answers):
        for delta, finish in _deltas(answer):
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
            yield frame([choice], weight=1 if delta and "role" not in delta else 0)
    if asked.include_usage:
        yield frame([], counted=usage(asked, answers))
    yield DONE


def _deltas(answer: Done) -> Iterator[tuple[Json, str | None]]:
    yield {"role": "assistant", "content": None if answer.calls else "", "refusal": None}, None
    for name, text in (("reasoning_content", answer.thought), ("content", answer.text)):
        for token in tokens(text):
            yield {name: token}, None
    for token in tokens(answer.refusal):
        yield {"refusal": token}, None
    for index, (call_id, call) in enumerate(answer.calls):
        yield {"tool_calls": [{"index": index, "id": call_id, **_called(call, answer, "")}]}, None
        kind, field = (
            ("custom", "input") if call.name in answer.custom else ("function", "arguments")
        )
        for start in range(0, len(call.arguments), _PIECE):
            piece = {field: call.arguments[start : start + _PIECE]}
            yield {"tool_calls": [{"index": index, kind: piece}]}, None
    yield {}, answer.finish
