"""A dialect: one public API's JSON on one side, conversations and events on the other. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import Event
from chat2api.chat.fold import Completion
from chat2api.errors import ErrorInfo


@dataclass(frozen=True, slots=True)
class Ask:
    """A parsed request: the turn, and how the caller wants it told.

    `legacy_functions`: calls are told as `function_call`. `echo` holds what a dialect repeats in its
    answers as it was sent. `ignored` names parameters that no upstream of ours takes.
    """

    conversation: Conversation
    stream: bool = False
    choices: int = 1
    include_usage: bool = False
    legacy_functions: bool = False
    echo: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stamp:
    """What one answer carries on every piece: ids and times are given, so that dialects stay pure.

    `created` in epoch seconds.
    """

    answer_id: str
    created: int


class Renderer(Protocol):
    """Turns the events of one answer into wire frames, in order."""

    def feed(self, index: int, events: Sequence[Event]) -> bytes:
        """Frames for `events` of choice `index`; b"" when nothing is due yet."""

    def beat(self) -> bytes:
        """A keep-alive that no client mistakes for an answer."""

    def close(self) -> bytes:
        """What ends the stream once every choice has finished; b"" after a failure."""


class Dialect(Protocol):
    """`single_writes`: each event of a stream must reach the socket in a write of its own, as some readers
    forget a half-read event at every read."""

    name: str
    id_prefix: str
    single_writes: bool

    def parse(self, body: Mapping[str, Any]) -> Ask:
        """Raises RequestError with the `param` path of what is wrong."""

    def render(self, ask: Ask, stamp: Stamp, completions: Sequence[Completion]) -> dict[str, Any]:
        """The whole answer of a non-stream request."""

    def renderer(self, ask: Ask, stamp: Stamp) -> Renderer: ...

    def render_error(self, info: ErrorInfo) -> dict[str, Any]: ...
