"""The turn decoder: the upstream's records in, chat events out (sheet section 5). No I/O.

Records of one stream, of the streams that resume it, and stored conversations may all be fed to the same
decoder: messages are known by their ids, and only what is new goes out. Text that may still be corrected
is held back; what went out is never repeated and never contradicted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

import orjson

from chat2api.chat.events import Event, Finish, FinishReason, Thread
from chat2api.codecs.patch import Change, PatchDecoder, plain
from chat2api.codecs.sse import SseRecord
from chat2api.errors import Chat2ApiError, UpstreamBadResponse, UpstreamTruncated
from chat2api.providers.chatgpt.documents import is_running, turn_messages
from chat2api.providers.chatgpt.facts import TurnFacts
from chat2api.providers.chatgpt.headers import header_text
from chat2api.providers.chatgpt.messages import (
    Json,
    mapping_of,
    role_of,
    text_of,
)
from chat2api.providers.chatgpt.outlet import Outlet
from chat2api.providers.chatgpt.payloads import (
    ENCODING,
    Shape,
    encoding_of,
    names_encoding,
    shape_of,
    type_of,
)
from chat2api.providers.chatgpt.refusals import classify
from chat2api.providers.chatgpt.tracks import Track
from chat2api.providers.chatgpt.transcript import Metadata, Transcript

logger = logging.getLogger(__name__)

# So many unreadable events in a row, and this is no stream that we understand.
_MOST_SKIPPED = 20

_METADATA_PATH = ("message", "metadata")
_ECHOING_ROLES = frozenset({"user", "system"})

# Typed events that mean nothing to an answer, but are no surprise (sheet 5.4).
_IGNORED_TYPES = frozenset(
    {
        "message_marker",
        "title_generation",
        "conversation_detail_metadata",
        "server_ste_metadata",
        "url_moderation",
        "safety_review_update",
        "content_references_patch",
        "writing_blocks_metadata_patch",
        "toast",
        "perf_stats",
        "heartbeat",
    }
)


class TurnDecoder:
    """Decodes one turn.

    `sent_message_ids` are ours: their echoes are dropped. `own_file_ids` are uploads: never an answer.
    `keep_history` asks for `Thread` events. `resume_token` is one that came before the stream.
    `clock` gives epoch seconds, for reset times in errors.
    """

    def __init__(
        self,
        sent_message_ids: Iterable[str],
        keep_history: bool,
        code_output: Literal["markdown", "hide"] = "markdown",
        *,
        own_file_ids: Iterable[str] = (),
        resume_token: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.facts = TurnFacts(resume_token=resume_token)
        self._clock = clock
        self._keep_history = keep_history
        self._outlet = Outlet()
        self._transcript = Transcript(
            sent_message_ids,
            own_file_ids,
            self._outlet,
            show_code=code_output == "markdown",
            on_answer=self._note_answer,
            clock=clock,
        )
        self._patches = PatchDecoder()
        self._growing: tuple[Change, Track] | None = None  # what a bare append goes to
        self._thread: Thread | None = None
        self._skipped_in_row = 0
        self._running = False  # the upstream says that work goes on after the stream
        self._whole = False  # a stored conversation was
        self._blocked = False
        self._stream_over = False

    # --- how it stands

    @property
    def done(self) -> bool:
        """Whether the stream being read has nothing more to say: stop reading it."""
        return self._stream_over or (self.facts.ended and not self.async_pending)

    @property
    def complete(self) -> bool:
        """Whether the whole answer is here: neither a resume nor a stored conversation could add to it."""
        return self.settled and not self.async_pending

    @property
    def settled(self) -> bool:
        """Whether the upstream said how the turn ended, by a marker or by a finished answer."""
        return self.facts.ended or self._transcript.is_answered

    @property
    def async_pending(self) -> bool:
        """Whether a picture or a research report is being made that comes after the stream, if at all."""
        if self._blocked or self._whole:
            return False
        pictures = self._transcript.pictures.is_pending(answered=self._outlet.answered)
        return self._running or pictures or self._transcript.is_researching

    # --- feeding

    def feed(self, record: SseRecord) -> list[Event]:
        """The events that one record brings.

        Raises Chat2ApiError: an error inside the stream, classified as the matching HTTP status would
        be; UpstreamBadResponse for an encoding we do not know or too many unreadable events in a row.
        """
        data = record.data
        if record.event == "ping" or not data or data.isspace():
            return []
        if self.facts.ended and not self.async_pending:
            return []  # the first end marker counts, whatever follows it
        if data.startswith("[DONE]"):
            return self._end_stream()
        self._stream_over = False
        self.facts.events_seen += 1
        self._read(record.event, data)
        return self._outlet.drain()

    def absorb_document(self, document: Any) -> list[Event]:
        """What a stored conversation adds. `complete` tells afterwards whether it was whole.

        Raises Chat2ApiError when the document is a refusal instead.
        """
        if not isinstance(document, dict):
            raise UpstreamBadResponse("The upstream's stored conversation is not an object.")
        if "mapping" not in document:
            raise classify(200, "application/json", {}, document, self._clock())
        self.facts.note_conversation(document)
        self._running = is_running(document.get("async_status"))
        tracks = []
        for index, message in enumerate(turn_messages(document, self._transcript.own_ids)):
            tracks.append(self._transcript.see(message, f"stored {index}"))
        if not self._running:
            self._transcript.show_leftover_pictures()
            self._whole = self._transcript.is_whole(tracks)
        if self._whole:
            self._end()
        self._announce()
        return self._outlet.drain()

    def finish(self) -> list[Event]:
        """The closing events, of which the last is `Finish`. Call once, when nothing more will come.

        Raises UpstreamTruncated when the turn did not end, UpstreamBadResponse (or what a system error
        says) when it ended without an answer.
        """
        if not self._blocked:
            self._transcript.conclude()
            self._transcript.show_leftover_pictures()
        reason = self._reason()
        self._outlet.end_fence()
        for source in self._transcript.sources():
            self._outlet.cite(source)
        self._announce()
        return [*self._outlet.drain(), Finish(reason)]

    # --- one payload

    def _read(self, event: str, data: str) -> None:
        if event == "delta_encoding" or names_encoding(data):
            self._check_encoding(data)
            return
        try:
            payload = orjson.loads(data)
        except orjson.JSONDecodeError:
            payload = None
        if not isinstance(payload, dict):
            self._skip("not an object")
            return
        match shape_of(payload, event):
            case Shape.DELTA:
                self._read_delta(payload)
            case Shape.SNAPSHOT:
                self._read_snapshot(payload)
            case Shape.TYPED:
                self._read_typed(payload, type_of(payload, event))
            case Shape.REFUSAL:
                raise self._refused(payload)
            case Shape.UNKNOWN:
                self._skip("of unknown shape")

    def _check_encoding(self, data: str) -> None:
        version = encoding_of(data)
        if version != ENCODING:
            raise UpstreamBadResponse(
                f"The upstream streams in an encoding that is not known here: {version[:20]!r}."
            )
        self._skipped_in_row = 0

    def _skip(self, why: str) -> None:
        self.facts.events_skipped += 1
        self._skipped_in_row += 1
        logger.debug("skipped an event: %s", why)
        if self._skipped_in_row >= _MOST_SKIPPED:
            raise UpstreamBadResponse("The upstream's stream makes no sense.")

    # --- messages

    def _read_delta(self, payload: dict[str, Any]) -> None:
        change = self._patches.apply(payload)
        if self._growing is not None and change is self._growing[0]:
            self._skipped_in_row = 0
            self._transcript.grow(self._growing[1])
            return
        self._growing = None
        document = change.document
        if not isinstance(document, dict):
            self._skip("a delta without a document")
            return
        message = document.get("message")
        is_new = any(len(path) < 2 for path in change.paths)
        if is_new:
            if document.get("error") or document.get("error_code"):
                raise self._refused(document)
            self.facts.note_conversation(document)
            if not isinstance(message, dict):
                self._skip("a document without a message")
                return
        self._skipped_in_row = 0
        if change.paths and isinstance(message, dict):
            track = self._see(message, f"channel {change.channel}", _metadata_change(change))
            if change.grew:
                self._growing = (change, track)

    def _read_snapshot(self, payload: dict[str, Any]) -> None:
        self._growing = None
        self._skipped_in_row = 0
        self.facts.note_conversation(payload)
        message = payload["message"]
        self._place(payload, message)
        self._see(message, "snapshot", "rewritten")

    def _place(self, document: dict[str, Any], message: Json) -> None:
        """Make a snapshot the document that later deltas edit.

        It replaces the document of the same message, and becomes that of the current channel, except
        that an echo does not push aside an answer in the middle of its deltas.
        """
        message_id = message.get("id")
        for channel, known in list(self._patches.documents.items()):
            if mapping_of(mapping_of(known).get("message")).get("id") == message_id:
                self._patches.put(document, channel)
        if role_of(message) not in _ECHOING_ROLES or not self._patches.documents:
            self._patches.put(document)

    def _see(self, message: Json, fallback_id: str, metadata: Metadata) -> Track:
        track = self._transcript.see(message, fallback_id, metadata)
        self._announce()
        return track

    # --- typed events

    def _read_typed(self, payload: dict[str, Any], kind: str) -> None:
        self.facts.note_conversation(payload)
        match kind:
            case "message_stream_complete" | "main_stream_complete":
                self._end()
            case "done":
                self._stream_over = True
                self._end_unless_elsewhere()
            case "moderation":
                if mapping_of(payload.get("moderation_response")).get("blocked") is True:
                    self._blocked = True
                    self._end()
            case "resume_conversation_token":
                self.facts.resume_token = (
                    header_text(payload.get("token")) or self.facts.resume_token
                )
            case "stream_handoff":
                self.facts.handoff = True
            case "conversation_async_status":
                self._running = is_running(payload.get("async_status"))
            case "input_message":
                self._note_input(mapping_of(payload.get("input_message")))
            case _:
                # Well formed and new: a type the upstream adds must not break long silent turns.
                if kind not in _IGNORED_TYPES:
                    self.facts.events_skipped += 1
                    return
        self._skipped_in_row = 0
        self._announce()

    def _note_input(self, message: Json) -> None:
        message_id = text_of(message.get("id"))
        if message_id:
            self._transcript.own_ids.add(message_id)
        self._transcript.pictures.learn_own(message)

    # --- where the turn is kept

    def _note_answer(self, message_id: str) -> None:
        self.facts.message_id = message_id
        self._announce()

    def _announce(self) -> None:
        """Say where the turn is kept, once both ids are known and whenever one changes."""
        facts = self.facts
        if not self._keep_history or facts.conversation_id is None or facts.message_id is None:
            return
        thread = Thread(facts.conversation_id, facts.message_id)
        if thread != self._thread:
            self._thread = thread
            self._outlet.thread(thread)

    # --- endings

    def _end_stream(self) -> list[Event]:
        self._stream_over = True
        self._end_unless_elsewhere()
        return self._outlet.drain()

    def _end_unless_elsewhere(self) -> None:
        """After a hand-off the end of this stream is the end of the answer only if the answer says so."""
        if not self.facts.handoff or self._transcript.is_answered:
            self._end()

    def _end(self) -> None:
        self.facts.ended = True
        if not self._blocked:
            self._transcript.conclude()

    def _reason(self) -> FinishReason:
        if self._blocked:
            return "content_filter"
        failure = self._transcript.failure
        if failure is not None:
            raise self._refused({"error": {"code": failure[0], "message": failure[1]}})
        if not self.settled:
            raise UpstreamTruncated(
                "The answer goes on elsewhere and could not be followed."
                if self.facts.handoff
                else "The upstream's stream ended before the answer did."
            )
        if self._transcript.ending == "interrupted":
            raise UpstreamTruncated("The upstream interrupted its answer.")
        if not self._outlet.shown:
            if self.async_pending:
                raise UpstreamTruncated("What the upstream was making did not become ready.")
            raise UpstreamBadResponse("The upstream's answer is empty.")
        return "length" if self._transcript.ending == "length" else "stop"

    def _refused(self, payload: dict[str, Any]) -> Chat2ApiError:
        """The error that a payload tells; the rest of a document is none of its business."""
        told = {key: plain(value) for key, value in payload.items() if key != "message"}
        if isinstance(payload.get("message"), str):
            told["message"] = payload["message"]
        return classify(200, "text/event-stream", {}, told, self._clock())


def _metadata_change(change: Change) -> Metadata:
    """Lists that become longer are read from where they were; anything else from the start."""
    found: Metadata = "same"
    for path in change.paths:
        if len(path) < 2 or (path[:2] == _METADATA_PATH and len(path) > 3):
            return "rewritten"
        if path[:2] == _METADATA_PATH:
            found = "grown"
    return found
