"""Faults of the events: errors in the stream, broken and strange payloads, wrong ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from chat2api.simulator.documents import Json
from chat2api.simulator.faults.lines import at_text
from chat2api.simulator.faults.model import Fault
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.turn import message, text_content
from chat2api.simulator.wire.items import DONE, Break, Frame, Items, Pause

_CONVERSATION_ID = re.compile(r'"conversation_id": ?"([^"]+)"')
FAILED = "Something went wrong while generating the response."


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _system_error(text: str) -> Json:
    content = {"content_type": "system_error", "name": "server_error", "text": text}
    return message("tool", content, name="system")


def _error_in(params: Params) -> Callable[[str | None], Frame]:
    """Makes one in-stream error in the wanted shape (sheet 5.11) for a conversation id."""
    text, code = params.text("text", FAILED), params.text("code", "")
    forms: dict[str, Callable[[Json], Frame]] = {
        "text": lambda ids: Frame(_dump({"message": None, **ids, "error": text})),
        "object": lambda ids: Frame(_dump({"error": {"message": text, "code": code or None}})),
        "code": lambda ids: Frame(_dump({"error": text, "error_code": code or "network_error"})),
        "detail": lambda ids: Frame(
            _dump({"detail": {"message": text, "code": code} if code else text})
        ),
        "v1": lambda ids: Frame(
            _dump({"p": "", "o": "add", "v": {"message": None, **ids, "error": text}, "c": 0}),
            "delta",
        ),
        "patch": lambda ids: Frame(
            _dump({"p": "", "o": "patch", "v": [{"p": "/error", "o": "replace", "v": text}]}),
            "delta",
        ),
        "system_error": lambda ids: Frame(
            _dump({"message": _system_error(text), **ids, "error": None})
        ),
    }
    form = params.text("form", "text")
    if form not in forms:
        raise BadParameter(f"form={form!r} is none of {', '.join(forms)}")
    return lambda conversation_id: forms[form]({"conversation_id": conversation_id})


def _conversation_id(frame: Frame) -> str | None:
    found = _CONVERSATION_ID.search(frame.data)
    return found[1] if found else None


def _inband(items: Items, params: Params) -> Items:
    error = _error_in(params)

    def only_error() -> Items:
        ids = (_conversation_id(item) for item in items if isinstance(item, Frame))
        yield error(next((found for found in ids if found), None))
        yield DONE

    return only_error()


def _midway(items: Items, params: Params) -> Items:
    error, done = _error_in(params), params.flag("done", True)
    conversation_id: str | None = None

    def watched() -> Items:
        nonlocal conversation_id
        for item in items:
            if conversation_id is None and isinstance(item, Frame):
                conversation_id = _conversation_id(item)
            yield item

    def interruption() -> Items:
        yield error(conversation_id)
        if done:
            yield DONE
        yield Break("close")

    return at_text(watched(), params.integer("after", 3), interruption())


_MALFORMED = (
    '{"v": "cut off',
    "not json at all",
    '{"p": "/message/content/parts/0", "o": }',
    "[1, 2",
    "{'v': 'single quotes'}",
    "",
    "\u0000",
    '{"v": "a"} trailing',
)


def _malformed(items: Items, params: Params) -> Items:
    count, endless = params.integer("count", 3), params.flag("endless")

    def broken() -> Items:
        number = 0
        while endless or number < count:
            yield Frame(_MALFORMED[number % len(_MALFORMED)])
            if endless:
                yield Pause(0.01)
            number += 1

    return at_text(items, params.integer("after", 1), broken())


_STRANGE: tuple[Any, ...] = (
    {"type": "quantum_flux", "value": {"deep": [1, None]}},
    {"type": None},
    {"type": "heartbeat"},
    {"type": "message_marker", "message_id": None, "marker": None},
    {"type": "title_generation", "title": None, "conversation_id": None},
    {"type": "moderation", "moderation_response": None},
    {"type": "server_ste_metadata", "metadata": None},
    {"type": "url_moderation", "url_moderation_result": {"full_url": "https://x", "is_safe": True}},
    {"message": None, "conversation_id": None, "error": None},
    {},
    [],
    None,
    0,
    "just a string",
    True,
)


# Only among snapshots: in a delta stream a whole message becomes the document that is edited.
_STRANGE_MESSAGES: tuple[Any, ...] = (
    {"message": {"id": None, "author": None, "content": None}, "conversation_id": None},
    {"message": {"id": "x", "author": {"role": "oracle"}, "content": {"content_type": "hologram"}}},
)


def _strange(items: Items, params: Params) -> Items:
    has_deltas = False

    def watched() -> Items:
        nonlocal has_deltas
        for item in items:
            has_deltas = has_deltas or (isinstance(item, Frame) and item.event == "delta")
            yield item

    def frames() -> Items:
        for value in _STRANGE if has_deltas else (*_STRANGE, *_STRANGE_MESSAGES):
            yield Frame(_dump(value))

    return at_text(watched(), params.integer("after", 1), frames())


# Edits that a reference reducer ignores, or that change nothing.
_HARMLESS: tuple[Json, ...] = (
    {"p": "/message/nowhere/at/all", "o": "append", "v": "LOST"},
    {"p": "/message/content/parts/99", "o": "append", "v": "LOST"},
    {"p": "/message/content/parts/0", "o": "frobnicate", "v": "LOST"},
    {"p": "/__proto__/polluted", "o": "add", "v": "LOST"},
    {"p": "/message/content/parts/0", "o": "truncate", "v": 100_000_000},
    {"p": "/message/status", "o": "replace", "v": "in_progress"},
    {"p": "/message/status", "o": "replace", "v": "in_progress"},
    {"p": "/message/metadata", "o": "append", "v": {"note": 1}},
    {"p": "/message/metadata/note", "o": "remove"},
    {"p": "", "o": "patch", "v": []},
    {
        "p": "",
        "o": "patch",
        "v": [{"p": "", "o": "patch", "v": [{"p": "/message/weight", "o": "replace", "v": 1.0}]}],
    },
)


def _scrambled(items: Items, params: Params) -> Items:
    """Between the deltas: unreachable, unknown, repeated and nested edits. The delta that follows
    names its path and operation again, as inheritance demands. Snapshots come twice, then once more
    when they are out of date."""

    def scrambled() -> Items:
        harmless = iter(_HARMLESS)
        path: Any = None
        operation: Any = None
        before: Frame | None = None
        for item in items:
            if not isinstance(item, Frame):
                yield item
                continue
            value = _as_object(item)
            if item.event == "delta":
                path, operation = value.get("p", path), value.get("o", operation)
                extra = next(harmless, None) if item.tokens else None
                if extra is not None:
                    yield Frame(_dump(extra), "delta")
                    whole = {**value, "p": path, "o": operation}
                    item = Frame(_dump(whole), "delta", item.tokens)
                yield item
            else:
                yield item
                if item.tokens and "message" in value:
                    yield Frame(item.data)
                    if before is not None:
                        yield Frame(before.data)
                    before = item

    return scrambled()


def _as_object(frame: Frame) -> Json:
    try:
        value = json.loads(frame.data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


_GHOST: Json = {
    "message": message("assistant", text_content("GHOST"), end_turn=True, message_id="ghost"),
    "conversation_id": "00000000-0000-4000-8000-0000000000aa",
    "error": None,
}


def _double_end(items: Items, params: Params) -> Items:
    def doubled() -> Items:
        for item in items:
            yield item
            if isinstance(item, Frame) and '"message_stream_complete"' in item.data:
                yield item
        yield DONE

    return doubled()


def _after_end(items: Items, params: Params) -> Items:
    def continued() -> Items:
        yield from items
        yield Frame(_dump(_GHOST))
        yield Frame(_dump({"p": "", "o": "add", "v": _GHOST, "c": 99}), "delta")
        yield Frame(_dump({"p": "/message/content/parts/0", "o": "append", "v": "GHOST"}), "delta")
        yield Frame("not json")
        yield DONE

    return continued()


_MARKS = ("done", "complete", "last_token", "status")


def _end(items: Items, params: Params) -> Items:
    """Leaves end marks out: any of `done`, `complete`, `last_token`, `status`, joined by commas."""
    dropped = params.text("drop", "done").split(",")
    unknown = [mark for mark in dropped if mark not in _MARKS]
    if unknown:
        raise BadParameter(f"drop={unknown[0]!r} is none of {', '.join(_MARKS)}")
    instead = Frame('{"type":"done"}') if params.flag("typed") else None

    def cut() -> Items:
        for item in items:
            if not isinstance(item, Frame):
                yield item
            elif item == DONE:
                if "done" not in dropped:
                    yield item
                elif instead is not None:
                    yield instead
            else:
                yield from _without(item, dropped)

    return cut()


def _without(frame: Frame, dropped: list[str]) -> Iterable[Frame]:
    value = _as_object(frame)
    if value.get("type") == "message_stream_complete" and "complete" in dropped:
        return ()
    if value.get("marker") == "last_token" and "last_token" in dropped:
        return ()
    if "status" not in dropped:
        return (frame,)
    return (_unfinished(frame, value),)


def _unfinished(frame: Frame, value: Json) -> Frame:
    """The frame without its word that an assistant message is finished."""
    if isinstance(value.get("message"), dict) and value["message"]["end_turn"]:
        if value["message"]["author"]["role"] != "assistant":
            return frame
        value["message"] |= {"status": "in_progress", "end_turn": None}
        return Frame(_dump(value), frame.event, frame.tokens)
    edits = value.get("v")
    if isinstance(edits, list) and any(one.get("p") == "/message/end_turn" for one in edits):
        # An empty patch keeps what the next delta inherits.
        return Frame(_dump({**value, "v": []}), frame.event, frame.tokens)
    return frame


FAULTS = (
    Fault(
        "inband",
        "the first event is an error",
        "form=text|object|code|detail|v1|patch|system_error code=… text=…",
        fails=True,
        items=_inband,
    ),
    Fault(
        "midway",
        "an error after so many text events",
        "after=3 form=… code=… text=… done=1",
        fails=True,
        items=_midway,
    ),
    Fault("malformed", "events that are not JSON", "count=3 after=1 endless=0", items=_malformed),
    Fault("strange", "unknown types, nulls where objects belong", "after=1", items=_strange),
    Fault("scrambled", "useless, repeated and unreachable edits", items=_scrambled),
    Fault("double_end", "every end marker twice", items=_double_end),
    Fault("after_end", "events after the end", items=_after_end),
    Fault(
        "end",
        "end markers left out",
        "drop=done,complete,last_token,status typed=0",
        items=_end,
    ),
)
