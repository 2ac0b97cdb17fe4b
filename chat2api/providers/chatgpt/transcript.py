"""The messages of one turn as far as they are known, each followed by a track. Pure.

Snapshots, deltas and stored conversations all end here as "this message now looks like this"; a message
is known by its id, so whatever comes again says nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from chat2api.chat.events import Citation
from chat2api.errors import UpstreamRateLimited
from chat2api.providers.chatgpt.messages import (
    Json,
    Kind,
    first_text,
    is_finished,
    kind_of,
    mapping_of,
    may_quote,
    role_of,
    text_of,
)
from chat2api.providers.chatgpt.outlet import Outlet
from chat2api.providers.chatgpt.pictures import Pictures
from chat2api.providers.chatgpt.references import References, SearchResults
from chat2api.providers.chatgpt.refusals import image_quota
from chat2api.providers.chatgpt.tracks import Track, new_track

Ending = Literal["stop", "length", "interrupted"]
Metadata = Literal["same", "grown", "rewritten"]
"""What happened to a message's metadata: nothing, lists became longer, or anything."""

_TEXTUAL = frozenset({Kind.ANSWER, Kind.REASONING})
_ENDINGS: dict[str, Ending] = {
    "max_tokens": "length",
    "finished_partial_completion": "length",
    "interrupted": "interrupted",
}


class Transcript:
    """Feeds messages to their tracks and knows how the turn stands.

    `on_answer` is called with the id of a visible message before any of its text goes out.
    """

    __slots__ = (
        "_clock",
        "_current",
        "_failure",
        "_number",
        "_on_answer",
        "_outlet",
        "_research",
        "_results",
        "_show_code",
        "_shown_before_failure",
        "_tracks",
        "_waiting",
        "answer",
        "own_ids",
        "pictures",
    )

    def __init__(
        self,
        own_ids: Iterable[str],
        own_file_ids: Iterable[str],
        outlet: Outlet,
        *,
        show_code: bool,
        on_answer: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self.own_ids = set(own_ids)
        self.pictures = Pictures(own_file_ids)
        self.answer: Track | None = None  # the newest visible message
        self._outlet = outlet
        self._show_code = show_code
        self._on_answer = on_answer
        self._clock = clock
        self._results = SearchResults()
        self._tracks: dict[str, Track] = {}
        self._current: Track | None = None  # the newest message that is not hidden
        self._waiting: Track | None = None
        self._research: Track | None = None
        self._failure: Track | None = None  # the newest system error
        self._shown_before_failure = 0
        self._number = 0

    # --- seeing

    def see(self, message: Json, fallback_id: str, metadata: Metadata = "rewritten") -> Track:
        """A message as it is now. Raises UpstreamRateLimited for a picture quota that is used up."""
        message_id = text_of(message.get("id")) or fallback_id
        track = self._track_of(message_id, message)
        self._take_turns(track)
        if metadata != "same":
            self._read_metadata(track, rewritten=metadata == "rewritten")
        if track.kind is Kind.ANSWER and (self.answer is None or track.number > self.answer.number):
            self.answer = track
            self._on_answer(message_id)
        track.advance()
        self._look_around(track)
        self._waiting = track if track.waiting else None
        return track

    def grow(self, track: Track) -> None:
        """The text of a message seen before became longer, and nothing else happened."""
        if self._waiting is not None and self._waiting is not track:
            self._waiting.advance()
        track.grow()
        self._waiting = track if track.waiting else None

    def conclude(self) -> None:
        """No more is expected: everything held back goes out."""
        for track in self._tracks.values():
            track.conclude()

    def _track_of(self, message_id: str, message: Json) -> Track:
        kind = Kind.HIDDEN if message_id in self.own_ids else kind_of(message)
        known = self._tracks.get(message_id)
        if known is not None and known.kind is not kind:
            if {known.kind, kind} <= _TEXTUAL:
                known.kind = kind  # what went out stays where it is, the rest goes elsewhere
            else:
                known.conclude()
                known = None
        if known is None:
            self._number += 1
            known = self._tracks[message_id] = new_track(
                message_id,
                kind,
                self._number,
                self._outlet,
                References(self._results),
                show_code=self._show_code,
            )
        known.message = message
        return known

    def _take_turns(self, track: Track) -> None:
        """What other messages hold back must come before this one's text."""
        if self._waiting is not None and self._waiting is not track:
            self._waiting.advance()
        if track.kind is Kind.HIDDEN or track is self._current:
            return
        if self._current is not None:
            self._current.conclude()
        self._current = track

    def _read_metadata(self, track: Track, *, rewritten: bool) -> None:
        metadata = mapping_of(track.message.get("metadata"))
        self._results.add(metadata)
        track.references.update(metadata, rewritten=rewritten)
        task = text_of(metadata.get("async_task_type"))
        if task and not task.startswith("image"):
            self._research = track

    def _look_around(self, track: Track) -> None:
        """Everything but the text."""
        message = track.message
        if role_of(message) == "user":
            self.pictures.learn_own(message)
            return
        self.pictures.note_work(message)
        for picture in self.pictures.finished(track.message_id, track.kind, message):
            self._outlet.picture(picture)
        if track.kind is Kind.SYSTEM_ERROR:
            self._failure = track
            self._shown_before_failure = self._outlet.shown
        elif track.kind is Kind.TOOL_TEXT and not may_quote(message):
            spent = self._spent_quota(message)
            if spent is not None:
                raise spent

    def _spent_quota(self, message: Json) -> UpstreamRateLimited | None:
        return image_quota(str(first_text(message)), self._clock())

    # --- how it stands

    @property
    def is_answered(self) -> bool:
        """Whether the newest visible message says by itself that the turn is over (sheet 5.6)."""
        if self.answer is None:
            return False
        message = self.answer.message
        if not is_finished(message):
            return False
        if self.ending == "length" or message.get("end_turn") is True:
            return True
        return message.get("end_turn") is None and self.answer is self._current

    @property
    def ending(self) -> Ending:
        """How the newest visible message ended, "stop" unless it says otherwise."""
        if self.answer is None:
            return "stop"
        message = self.answer.message
        details = mapping_of(mapping_of(message.get("metadata")).get("finish_details"))
        ending = _ENDINGS.get(text_of(details.get("type")))
        return ending or _ENDINGS.get(text_of(message.get("status"))) or "stop"

    @property
    def failure(self) -> tuple[str, str] | None:
        """Name and text of a system error that nothing followed and no finished answer preceded."""
        if self._failure is None or self.is_answered:
            return None
        if self._outlet.shown > self._shown_before_failure:
            return None
        content = mapping_of(self._failure.message.get("content"))
        return text_of(content.get("name")), text_of(content.get("text"))

    @property
    def is_researching(self) -> bool:
        """Whether long work was begun whose report has not come yet."""
        if self._research is None:
            return False
        report = self.answer
        if report is None or report.number < self._research.number:
            return True
        return not self.is_answered

    def is_whole(self, tracks: Sequence[Track]) -> bool:
        """Whether these messages of an idle stored conversation, to its end, are a whole turn.

        An answer must be the last of them, or a picture; nothing may still be in the making.
        """
        if not tracks or self.is_researching or any(map(_is_in_work, tracks)):
            return False
        last = tracks[-1]
        if last.kind is Kind.ANSWER:
            return last is self.answer and self.is_answered
        return last.kind is Kind.PICTURES and self.pictures.any_sent

    def show_leftover_pictures(self) -> None:
        for picture in self.pictures.leftovers():
            self._outlet.picture(picture)

    def sources(self) -> Iterable[Citation]:
        """All sources that visible messages name."""
        for track in self._tracks.values():
            if track.kind is Kind.ANSWER:
                yield from track.references.sources()


def _is_in_work(track: Track) -> bool:
    return track.kind is Kind.PICTURES and not is_finished(track.message)
