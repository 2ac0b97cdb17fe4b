"""Tool calls out of chunks, however a server numbers, names and cuts them. Pure.

The public API gives each call an index, an id and a name once, and appends to its arguments. Servers leave
the index out, count every call as 0, repeat the name, leave the id out, give one id to several calls, or
send an object as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from chat2api.chat.events import ToolCallDelta


@dataclass(slots=True)
class _Call:
    """`number` counts from 0 once the call was told, which takes a name."""

    index: int | None
    call_id: str = ""
    name: str = ""
    custom: bool = False
    number: int | None = None
    held: str = ""
    told: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether its arguments are a whole JSON object by now."""
        text = "".join(self.told) + self.held
        if not text.rstrip().endswith("}"):
            return False
        try:
            return isinstance(orjson.loads(text), dict)
        except orjson.JSONDecodeError:
            return False


class CallReader:
    """Reads the calls of one answer. `new_id` makes an id for a call that came without."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._calls: list[_Call] = []
        self._given: set[str] = set()
        self.told = 0

    @property
    def nameless(self) -> int:
        """Calls that were never named, and so never told of."""
        return sum(call.number is None for call in self._calls)

    def feed(self, deltas: object) -> list[ToolCallDelta]:
        """`deltas` is a chunk's `tool_calls`; what is no call in it is left out."""
        if not isinstance(deltas, list):
            return []
        several = len(deltas) > 1
        return [
            event
            for place, delta in enumerate(deltas)
            for event in self._one(delta, place if several else None)
        ]

    def feed_legacy(self, delta: object) -> list[ToolCallDelta]:
        """`delta` is a chunk's `function_call`: there is only one."""
        if not isinstance(delta, Mapping):
            return []
        return self._one({"index": 0, "function": delta}, None)

    def close(self) -> list[ToolCallDelta]:
        """No more will come: a call without arguments gets the object that its caller reads."""
        return [
            ToolCallDelta(call.number, arguments="{}")
            for call in self._calls
            if call.number is not None and not call.custom and not any(call.told)
        ]

    def _one(self, delta: object, place: int | None) -> list[ToolCallDelta]:
        """`place` stands in for an index: what stands side by side in a chunk are several calls."""
        if not isinstance(delta, Mapping):
            return []
        custom = isinstance(delta.get("custom"), Mapping)
        inner = delta.get("custom") if custom else delta.get("function")
        inner = inner if isinstance(inner, Mapping) else {}
        index, call_id = delta.get("index"), _text(delta.get("id"))
        name = _text(inner.get("name"))
        call = self._find(index if isinstance(index, int) else place, call_id, name)
        call.call_id = call.call_id or call_id
        call.name = call.name or name
        call.custom = call.custom or custom
        call.held += _arguments(inner.get("input" if custom else "arguments"))
        return self._tell(call)

    def _find(self, index: int | None, call_id: str, name: str) -> _Call:
        same = [call for call in self._calls if index is None or call.index == index]
        if index is None and call_id:
            same = [call for call in same if call.call_id == call_id] or (same if not name else [])
        found = same[-1] if same else None
        if found is None or self._is_another(found, call_id, name):
            found = _Call(index)
            self._calls.append(found)
        return found

    def _is_another(self, call: _Call, call_id: str, name: str) -> bool:
        """Whether a delta that names a call begins a new one although its index is taken."""
        if not name or not call.name:
            return False
        if call_id and call.call_id:
            return call_id != call.call_id or (name != call.name and any(call.told))
        return name != call.name or call.is_complete

    def _tell(self, call: _Call) -> list[ToolCallDelta]:
        if not call.name:
            return []
        arguments, call.held = call.held, ""
        call.told.append(arguments)
        if call.number is not None:
            return [ToolCallDelta(call.number, arguments=arguments)] if arguments else []
        call.number, self.told = self.told, self.told + 1
        call_id = call.call_id
        if not call_id or call_id in self._given:
            call_id = self._new_id()  # results are told apart by it
        self._given.add(call_id)
        return [ToolCallDelta(call.number, call_id, call.name, arguments, call.custom)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: Any) -> str:
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    return _text(value)
