"""Scripts into frames: the growing snapshots of 2024 (sheet 5.2) and the v1 deltas (sheet 5.3)."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from chat2api.simulator.documents import Json, Operation, apply
from chat2api.simulator.script import Edit, Open, Remark, Step, Tell, Wait, Write
from chat2api.simulator.wire.items import Comment, Frame, Items, Pause

Encoding = Literal["v1", "snapshot"]

# A long snapshot is not repeated for every token: from here on it grows by a twentieth each time.
_EVERY_TOKEN_UP_TO = 2_000
_GROWTH = 20


@dataclass(frozen=True, slots=True)
class Spelling:
    """How JSON is written: the older server escapes and spaces, the newer one does neither."""

    conversation_id: str
    escaped: bool = False
    error_code: bool = True  # the newer root document names `error_code` too

    def dump(self, value: Any) -> str:
        if self.escaped:
            return json.dumps(value)
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def root(self, message: Json | None, error: Any = None) -> Json:
        document = {"message": message, "conversation_id": self.conversation_id, "error": error}
        return {**document, "error_code": None} if self.error_code else document


def text_path(message: Json) -> str:
    """Where a message's running text lives."""
    return "/message/content/parts/0" if "parts" in message["content"] else "/message/content/text"


def is_answer(message: Json) -> bool:
    """Whether the message's text is shown to the user (sheet 5.6)."""
    return (
        message["author"]["role"] == "assistant"
        and message["recipient"] == "all"
        and message["channel"] in (None, "final")
        and message["content"]["content_type"] in ("text", "multimodal_text")
    )


def render(
    steps: Iterable[Step], encoding: Encoding, spelling: Spelling, catchup: int = 0
) -> Items:
    """The frames of a script, end markers included only as far as the script has them.

    With `catchup`, every so many text deltas a full snapshot stands between them (sheet 5.3, 7).
    """
    if encoding == "v1":
        yield Frame('"v1"', "delta_encoding")
        deltas = _Deltas(spelling).render(steps)
        yield from _caught_up(steps, deltas, spelling, catchup) if catchup else deltas
    else:
        yield from _Snapshots(spelling).render(steps)


def _caught_up(steps: Iterable[Step], deltas: Items, spelling: Spelling, every: int) -> Items:
    """Deltas with snapshots in between. Both come from the same steps: in every text delta's place
    the snapshot renderer, asked for one step more, knows the whole message."""
    whole = _Snapshots(spelling)
    written = 0
    for step, delta in zip(steps, deltas, strict=True):
        yield delta
        for _ in whole.render((step,)):
            pass
        if isinstance(step, Write):
            written += 1
            if written % every == 0:
                yield whole.snapshot()


class _Snapshots:
    """Repeats the whole message whenever it changed."""

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling
        self._message: Json = {}
        self._pending: list[str] = []  # text not yet in the message
        self._pending_chars = 0
        self._shown_chars = 0
        self._tokens = 0

    def render(self, steps: Iterable[Step]) -> Items:
        for step in steps:
            if isinstance(step, Write):
                if self._write(step.text):
                    yield self.snapshot()
                continue
            # Text first: nothing may overtake it. An edit brings the whole message anyway.
            if self._pending and not isinstance(step, Edit):
                yield self.snapshot()
            match step:
                case Open(message):
                    self._message, self._shown_chars = copy.deepcopy(message), 0
                    yield self.snapshot()
                case Edit(operations):
                    self._apply(operations)
                    yield self.snapshot()
                case Tell(event):
                    yield Frame(self._spelling.dump(event))
                case Wait(seconds=seconds):
                    yield Pause(seconds)
                case Remark(text):
                    yield Comment(text)
                case _:
                    assert_never(step)
        if self._pending:
            yield self.snapshot()

    def _apply(self, operations: Sequence[Operation]) -> None:
        self._flush()
        root = {"message": self._message}
        for operation in operations:
            apply(root, copy.deepcopy(operation))

    def _write(self, text: str) -> bool:
        """Takes text in; tells whether it is time to show it."""
        self._pending.append(text)
        self._pending_chars += len(text)
        self._tokens += is_answer(self._message)
        length = self._shown_chars + self._pending_chars
        return self._pending_chars >= (length - _EVERY_TOKEN_UP_TO) / _GROWTH

    def _flush(self) -> None:
        if not self._pending:
            return
        text = Operation(text_path(self._message), "append", "".join(self._pending))
        apply({"message": self._message}, text)
        self._shown_chars += self._pending_chars
        self._pending, self._pending_chars = [], 0

    def snapshot(self) -> Frame:
        """The message as it stands."""
        self._flush()
        tokens, self._tokens = self._tokens, 0
        return Frame(self._spelling.dump(self._spelling.root(self._message)), tokens=tokens)


class _Deltas:
    """Sends edits only, and leaves out whatever repeats the previous delta's path or operation."""

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling
        self._path: str | None = None
        self._operation: str | None = None
        self._channel = 0
        self._message: Json = {}

    def render(self, steps: Iterable[Step]) -> Items:
        for step in steps:
            match step:
                case Open(message):
                    self._message = message
                    root = self._spelling.root(message)
                    yield self._delta("", "add", root, channel=self._channel)
                    self._channel += 1
                case Write(text):
                    tokens = int(is_answer(self._message))
                    yield self._delta(text_path(self._message), "append", text, tokens=tokens)
                case Edit((operation,)):
                    yield self._delta(operation.path, operation.kind, operation.value)
                case Edit(operations):
                    yield self._delta("", "patch", [one.as_json() for one in operations])
                case Tell(event):
                    yield Frame(self._spelling.dump(event))
                case Wait(seconds=seconds):
                    yield Pause(seconds)
                case Remark(text):
                    yield Comment(text)
                case _:
                    assert_never(step)

    def _delta(
        self, path: str, operation: str, value: Any, *, channel: int | None = None, tokens: int = 0
    ) -> Frame:
        delta: Json = {}
        if path != self._path:
            delta["p"] = path
        if operation != self._operation:
            delta["o"] = operation
        if operation != "remove":
            delta["v"] = value
        if channel is not None:
            delta["c"] = channel
        self._path, self._operation = path, operation
        return Frame(self._spelling.dump(delta), "delta", tokens)
