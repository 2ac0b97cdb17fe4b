"""How chat completions tell of calls, whole and streamed, to requests with `tools` and legacy ones.

The legacy shape has room for one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from chat2api.chat.events import FinishReason, ToolCallDelta
from chat2api.chat.fold import FoldedCall


def told_reason(reason: FinishReason, *, legacy: bool) -> str:
    """The finish reason in the words of the request's generation."""
    return "function_call" if legacy and reason == "tool_calls" else reason


def told_calls(calls: Sequence[FoldedCall], *, legacy: bool) -> dict[str, Any]:
    """The keys of a whole message that hold its calls; none without calls."""
    if not calls:
        return {}
    if legacy:
        return {"function_call": {"name": calls[0].name, "arguments": calls[0].arguments}}
    return {"tool_calls": [_whole(call) for call in calls]}


def _whole(call: FoldedCall) -> dict[str, Any]:
    kind, field = _fields(custom=call.custom)
    return {
        "id": call.call_id,
        "type": kind,
        kind: {"name": call.name, field: call.arguments},
    }


def _fields(*, custom: bool) -> tuple[str, str]:
    return ("custom", "input") if custom else ("function", "arguments")


class CallTeller(Protocol):
    """The calls of one choice, as they come."""

    def deltas(self, event: ToolCallDelta) -> Iterator[dict[str, Any]]:
        """The `delta` objects that `event` is worth: the first of a call opens it with empty arguments.

        Id and name are told once, for clients join what they are sent twice.
        """


def call_teller(*, legacy: bool) -> CallTeller:
    """For one choice."""
    return _LegacyCall() if legacy else _Calls()


class _Calls:
    __slots__ = ("_fields",)

    def __init__(self) -> None:
        self._fields: dict[int, tuple[str, str]] = {}

    def deltas(self, event: ToolCallDelta) -> Iterator[dict[str, Any]]:
        known = self._fields.get(event.index)
        if known is None:
            known = self._fields[event.index] = _fields(custom=event.custom)
            kind, field = known
            opened = {"name": event.name, field: ""}
            head = {"index": event.index, "id": event.call_id, "type": kind, kind: opened}
            yield {"tool_calls": [head]}
        kind, field = known
        if event.arguments:
            yield {"tool_calls": [{"index": event.index, kind: {field: event.arguments}}]}


class _LegacyCall:
    __slots__ = ("_named",)

    def __init__(self) -> None:
        self._named = False

    def deltas(self, event: ToolCallDelta) -> Iterator[dict[str, Any]]:
        if event.index > 0:
            return
        if not self._named:
            self._named = True
            yield {"function_call": {"name": event.name, "arguments": ""}}
        if event.arguments:
            yield {"function_call": {"arguments": event.arguments}}
