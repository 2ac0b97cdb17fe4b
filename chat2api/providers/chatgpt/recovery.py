"""When a stream ends before its answer does: resume it, else read the stored conversation (sheet 5.10)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing

from chat2api.chat.events import EventStream
from chat2api.errors import Chat2ApiError, UpstreamError, UpstreamTimeout, UpstreamTruncated
from chat2api.providers.chatgpt.decode import TurnDecoder
from chat2api.providers.chatgpt.reading import StreamReader
from chat2api.providers.chatgpt.request import Turn
from chat2api.providers.chatgpt.session import Session, new_id, refusal
from chat2api.transport.protocol import Response

log = logging.getLogger(__name__)

_MOST_RESUMES = 12
_FIRST_PAUSE_SECONDS = 0.3
_PAUSE_GROWTH = 1.5
_LONGEST_PAUSE_SECONDS = 5.0
_POLL_SECONDS = 5.0
_LAST_LOOK_SECONDS = 0.5
_MOST_POLL_FAILURES = 30
_RETRIED_STATUSES = frozenset({408, 409, 425, 429, 502, 504})


class Recovery:
    """One turn's second chances. `idle_seconds` bounds the time without any news."""

    def __init__(
        self,
        session: Session,
        turn: Turn,
        decoder: TurnDecoder,
        reader: StreamReader,
        *,
        idle_seconds: float,
        poll_seconds: float = _POLL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._turn = turn
        self._decoder = decoder
        self._reader = reader
        self._idle_seconds = idle_seconds
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._last_news = clock()
        self._seen = decoder.facts.events_seen
        self._refused = False

    def events(self, cut: UpstreamError | None) -> EventStream:
        """Go on until the turn is complete. Raises `cut`, or that the stream was truncated."""
        facts = self._decoder.facts
        ended = cut or UpstreamTruncated("The upstream's stream ended before the answer did.")
        known = facts.resume_token is not None and facts.conversation_id is not None
        if known and (facts.handoff or not self._turn.temporary):
            yield from self._resumed()
        if self._decoder.complete:
            return
        if self._turn.temporary or facts.conversation_id is None:
            if not self._decoder.settled:
                raise ended
            return
        yield from self._polled(ended)

    # --- resuming

    def _resumed(self) -> EventStream:
        pause = _FIRST_PAUSE_SECONDS
        for _ in range(_MOST_RESUMES):
            self._give_up_when_idle()
            response: Response | None = None
            try:
                response = self._resume()
                if response is not None:
                    with closing(self._reader.events(response)) as events:
                        yield from events
            except UpstreamError as error:
                self._session.io.call.check()
                log.info("resume: %s", error.code)
            if self._decoder.complete:
                return
            if response is None and self._refused:
                return
            self._note_news()
            self._session.io.call.pause(pause)
            pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)

    def _resume(self) -> Response | None:
        """The stream that goes on, or None; `_refused` then says whether asking again is pointless."""
        facts = self._decoder.facts
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "x-conduit-token": facts.resume_token or "",
            "x-oai-turn-trace-id": new_id(),
        }
        offset = 0 if facts.handoff else facts.events_seen
        body = {"conversation_id": facts.conversation_id, "offset": offset}
        path = f"{self._session.prefix}/f/conversation/resume"
        response = self._session.open(
            "POST", path, body, headers, idle_seconds=self._idle_seconds, repeatable=True
        )
        content_type = response.headers.get("content-type", "").lower()
        if response.status == 200 and content_type.startswith("text/event-stream"):
            return response
        self._refused = response.status not in _RETRIED_STATUSES
        problem = refusal(response)
        log.info("resume refused: %s", problem.code)
        return None

    # --- polling

    def _polled(self, ended: UpstreamError) -> EventStream:
        """Read the stored conversation until it is whole. Only kept conversations can be read.

        Raises `ended` when the upstream says that it works on it no more, or cannot be asked.
        """
        call = self._session.io.call
        path = f"{self._session.prefix}/conversation/{self._decoder.facts.conversation_id}"
        failures = 0
        over = False
        while True:
            pause = self._poll_seconds
            try:
                document = self._session.ask("GET", path)
                failures = 0
            except Chat2ApiError as error:
                call.check()
                failures += 1
                if failures > _MOST_POLL_FAILURES or not isinstance(error, UpstreamError):
                    raise ended from None
            else:
                events = self._decoder.absorb_document(document)
                yield from events
                if self._decoder.complete:
                    return
                if over:
                    raise ended
                if events:
                    self._last_news = self._clock()
                if not self._decoder.async_pending:
                    status = self._stream_status(path)
                    if status == "FAILURE":
                        raise ended
                    if status == "COMPLETE":  # perhaps only since we read
                        over, pause = True, _LAST_LOOK_SECONDS
            self._give_up_when_idle()
            call.pause(pause)

    def _stream_status(self, path: str) -> str | None:
        """IS_STREAMING, COMPLETE or FAILURE (sheet 4.7); None where the upstream does not tell."""
        try:
            answer = self._session.ask("GET", f"{path}/stream_status")
        except Chat2ApiError as error:
            self._session.io.call.check()
            log.debug("stream status: %s", error.code)
            return None
        status = answer.get("status") if isinstance(answer, dict) else None
        return status if isinstance(status, str) else None

    # --- time

    def _note_news(self) -> None:
        seen = self._decoder.facts.events_seen
        if seen != self._seen:
            self._seen = seen
            self._last_news = self._clock()

    def _give_up_when_idle(self) -> None:
        if self._clock() - self._last_news > self._idle_seconds:
            raise UpstreamTimeout("The upstream did not go on with its answer.")
