"""The append-only output of a turn: texts of several messages become one answer (sheet 5.6, T1 to T9). Pure."""

from __future__ import annotations

from chat2api.chat.events import Citation, Event, ImageRef, ReasoningDelta, TextDelta, Thread

_BETWEEN_MESSAGES = "\n\n"


class Outlet:
    """Collects what goes out; neighbouring texts become one delta. `drain` hands the events over.

    `answered` says that visible text went out; `shown` counts what of an answer did, in any form.
    """

    __slots__ = (
        "_cited",
        "_events",
        "_fenced",
        "_run",
        "_run_is_reasoning",
        "_speaker",
        "_thinker",
        "answered",
        "shown",
    )

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._run: list[str] = []  # the delta that is being gathered
        self._run_is_reasoning = False
        self._speaker: str | None = None  # the message whose visible text came last
        self._thinker: str | None = None  # and the same of reasoning
        self._fenced: str | None = None  # the message whose program stands in an open fence
        self._cited: set[str] = set()
        self.answered = False
        self.shown = 0

    def answer(self, message_id: str, text: str) -> None:
        """Visible text; that of another message begins after an empty line."""
        if not text:
            return
        if message_id != self._speaker:
            between = "" if self._speaker is None else _BETWEEN_MESSAGES
            self._speaker = message_id
            self.answered = True
            text = between + text
        self._show(text)

    def reason(self, message_id: str, text: str) -> None:
        if not text:
            return
        if message_id != self._thinker:
            text = text if self._thinker is None else _BETWEEN_MESSAGES + text
            self._thinker = message_id
        self._gather(text, reasoning=True)

    def program(self, message_id: str, text: str) -> None:
        """Source code, in a fence that stays open until something else is shown."""
        if not text:
            return
        if message_id != self._fenced:
            self._show("\n```python\n")
            self._fenced = message_id
        self._gather(text, reasoning=False)

    def end_program(self, message_id: str) -> None:
        if message_id == self._fenced:
            self.end_fence()

    def end_fence(self) -> None:
        """Close the fence that is still open, if one is."""
        if self._fenced is not None:
            self._fenced = None
            self._gather("\n```\n", reasoning=False)

    def output(self, text: str) -> None:
        """What a program printed."""
        self._show(f"\n```Output\n{text}\n```\n")

    def picture(self, picture: ImageRef) -> None:
        self.end_fence()
        self._add(picture)
        self.shown += 1

    def cite(self, source: Citation) -> None:
        """Name a source, once for each address."""
        if source.url not in self._cited:
            self._cited.add(source.url)
            self._add(source)

    def thread(self, thread: Thread) -> None:
        self._add(thread)

    def drain(self) -> list[Event]:
        """The events since the last time."""
        self._flush()
        events, self._events = self._events, []
        return events

    def _show(self, text: str) -> None:
        if self._fenced is not None:
            self.end_fence()
        self.shown += 1
        self._gather(text, reasoning=False)

    def _gather(self, text: str, *, reasoning: bool) -> None:
        if reasoning is not self._run_is_reasoning:
            self._flush()
            self._run_is_reasoning = reasoning
        self._run.append(text)

    def _add(self, event: Event) -> None:
        self._flush()
        self._events.append(event)

    def _flush(self) -> None:
        if self._run:
            text = "".join(self._run)
            self._run.clear()
            self._events.append(ReasoningDelta(text) if self._run_is_reasoning else TextDelta(text))
