"""One track for each message of a turn: follows its growth and says what is new to the outlet. Pure."""

from __future__ import annotations

from typing import Any

from chat2api.codecs.rope import Rope
from chat2api.providers.chatgpt.citations import CitationScanner
from chat2api.providers.chatgpt.growth import TextReader
from chat2api.providers.chatgpt.messages import (
    Json,
    Kind,
    first_text,
    is_finished,
    items_of,
    mapping_of,
    text_of,
    text_parts,
)
from chat2api.providers.chatgpt.outlet import Outlet
from chat2api.providers.chatgpt.references import References


class Track:
    """A message that shows nothing. Subclasses show some of theirs.

    `number` counts the messages of a turn in the order in which they appeared.
    """

    __slots__ = ("kind", "message", "message_id", "number", "outlet", "references")

    def __init__(
        self, message_id: str, kind: Kind, number: int, outlet: Outlet, references: References
    ) -> None:
        self.message_id = message_id
        self.kind = kind
        self.number = number
        self.outlet = outlet
        self.references = references
        self.message: Json = {}

    @property
    def waiting(self) -> bool:
        """Whether something complete is held back for another event."""
        return False

    def advance(self) -> None:
        """The message changed: show what can be shown. Once per event."""

    def grow(self) -> None:
        """The text that changed last became longer, and nothing else happened."""
        self.advance()

    def conclude(self) -> None:
        """Another message took over, or the turn is over: show what was held back."""


class TextTrack(Track):
    """Visible text or shown reasoning, with its marks of sources resolved. `kind` says which."""

    __slots__ = ("_at", "_part", "_reader", "_scanner")

    def __init__(
        self, message_id: str, kind: Kind, number: int, outlet: Outlet, references: References
    ) -> None:
        super().__init__(message_id, kind, number, outlet, references)
        self._at = 0  # the part that is being read; earlier ones are over
        self._part: str | Rope = ""
        self._begin()

    def _begin(self) -> None:
        self._reader = TextReader()
        self._scanner = CitationScanner(self.references)

    @property
    def waiting(self) -> bool:
        return self._scanner.waiting

    def advance(self) -> None:
        for index, part in enumerate(text_parts(self.message)):
            if index < self._at or (index > self._at and not len(part)):
                continue
            if index > self._at:
                self.conclude()
                self._begin()
                self._at = index
            self._part = part
            self.grow()

    def grow(self) -> None:
        growth = self._reader.read(self._part, self._scanner.settled)
        if growth.rewound:
            self._scanner.rewind()
        self._say(self._scanner.scan(growth.text))

    def conclude(self) -> None:
        self._say(self._scanner.conclude())

    def _say(self, text: str) -> None:
        if self.kind is Kind.ANSWER:
            self.outlet.answer(self.message_id, text)
            if self._scanner.cited:
                for source in self._scanner.cited:
                    self.outlet.cite(source)
                self._scanner.cited.clear()
        else:
            self.outlet.reason(self.message_id, text)


class ThoughtsTrack(Track):
    """A list of thoughts: summary, line end, content; an empty line between thoughts (sheet 5.8).

    Only the newest thought grows. What would belong before something already shown is left out.
    """

    __slots__ = ("_at", "_content", "_content_begun", "_said", "_summary", "_summary_begun")

    def __init__(
        self, message_id: str, kind: Kind, number: int, outlet: Outlet, references: References
    ) -> None:
        super().__init__(message_id, kind, number, outlet, references)
        self._at = 0
        self._said = False
        self._begin()

    def _begin(self) -> None:
        self._summary, self._content = TextReader(), TextReader()
        self._summary_begun = self._content_begun = False

    def advance(self) -> None:
        thoughts = items_of(mapping_of(self.message.get("content")).get("thoughts"))
        for index in range(self._at, len(thoughts)):
            thought = mapping_of(thoughts[index])
            summary, content = _growing(thought.get("summary")), _content_of(thought)
            if index > self._at:
                if not len(summary) and not len(content):
                    continue
                self._begin()
                self._at = index
            self._show(summary, content)

    def _show(self, summary: str | Rope, content: str | Rope) -> None:
        text = "" if self._content_begun else self._summary.read(summary).text
        if text:
            self._say(text, "" if self._summary_begun else "\n\n")
            self._summary_begun = True
        text = self._content.read(content).text
        if text:
            between = "\n" if self._summary_begun else "\n\n"
            self._say(text, "" if self._content_begun else between)
            self._content_begun = True

    def _say(self, text: str, before: str) -> None:
        self.outlet.reason(self.message_id, before + text if self._said else text)
        self._said = True


class ProgramTrack(Track):
    """A program for the code interpreter, in a fence (sheet T5)."""

    __slots__ = ("_reader",)

    def __init__(
        self, message_id: str, kind: Kind, number: int, outlet: Outlet, references: References
    ) -> None:
        super().__init__(message_id, kind, number, outlet, references)
        self._reader = TextReader()

    def advance(self) -> None:
        self.outlet.program(self.message_id, self._reader.read(first_text(self.message)).text)
        if is_finished(self.message):
            self.conclude()

    def conclude(self) -> None:
        self.outlet.end_program(self.message_id)


class OutputTrack(Track):
    """What a program printed, shown when it is whole: it may be rewritten while it runs."""

    __slots__ = ("_shown",)

    def __init__(
        self, message_id: str, kind: Kind, number: int, outlet: Outlet, references: References
    ) -> None:
        super().__init__(message_id, kind, number, outlet, references)
        self._shown = False

    def advance(self) -> None:
        if is_finished(self.message):
            self.conclude()

    def conclude(self) -> None:
        text = str(first_text(self.message))
        if text and not self._shown:
            self._shown = True
            self.outlet.output(text)


_BY_KIND: dict[Kind, type[Track]] = {
    Kind.ANSWER: TextTrack,
    Kind.REASONING: TextTrack,
    Kind.THOUGHTS: ThoughtsTrack,
    Kind.SOURCE: ProgramTrack,
    Kind.OUTPUT: OutputTrack,
}


def new_track(
    message_id: str,
    kind: Kind,
    number: int,
    outlet: Outlet,
    references: References,
    *,
    show_code: bool,
) -> Track:
    """The track for a message of this kind; programs are silent unless `show_code`."""
    made = _BY_KIND.get(kind, Track)
    if kind in (Kind.SOURCE, Kind.OUTPUT) and not show_code:
        made = Track
    return made(message_id, kind, number, outlet, references)


def _growing(value: Any) -> str | Rope:
    return value if isinstance(value, str | Rope) else ""


def _content_of(thought: Json) -> str | Rope:
    """A thought's content; where it has chunks only, these joined."""
    content = _growing(thought.get("content"))
    if len(content):
        return content
    return "".join(
        text_of(chunk) or text_of(mapping_of(chunk).get("content"))
        for chunk in items_of(thought.get("chunks"))
    )
