"""One real request, made in the server for whoever looks after it: does it answer, and how soon?

It goes the way that every request goes, limits of its key included, but for the trip over HTTP. What comes
back says nothing of the account.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from flask import Response

from chat2api.chat.conversation import Conversation, Limits, Message, Text
from chat2api.chat.events import EventStream, Failure, TextDelta, Usage
from chat2api.errors import Chat2ApiError, ErrorInfo
from chat2api.service.access import Principal, check_scope
from chat2api.service.tracing import Tracer
from chat2api.web.admission import admit
from chat2api.web.calls import WatchedCall, begin_call
from chat2api.web.recording import Recording
from chat2api.web.state import runtime, state

PROMPT = "Say hello in one short sentence."

_MOST_TOKENS = 200
_LONGEST_TEXT = 2_000
_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went. `status` as a client would have got it; `code` is empty where it worked.

    `first_seconds` is the time to the first piece of text, None when none came.
    """

    status: int
    code: str
    message: str
    model: str
    seconds: float
    first_seconds: float | None
    text: str
    tokens: int | None
    request_id: str

    @property
    def worked(self) -> bool:
        return not self.code

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


Trying = Generator[str, None, Trial]
"""The answer's text as it comes; the `Trial` is the generator's value."""


def tried(caller: Principal, model: str) -> Trial:
    """The request, waited for. Raises ShuttingDown."""
    running = trying(caller, model)
    while True:
        try:
            next(running)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]


def streamed(running: Trying) -> Response:
    """Lines of JSON: `text` again and again, then `trial`. The first is waited for."""
    first = _next_line(running)

    def lines() -> Iterator[bytes]:
        line = first
        try:
            while True:
                yield orjson.dumps(line) + b"\n"
                if "trial" in line:
                    return
                line = _next_line(running)
        finally:
            running.close()

    response = Response(lines(), content_type="application/x-ndjson")
    response.headers["X-Accel-Buffering"] = "no"  # proxies must not wait for more
    return response


def _next_line(running: Trying) -> dict[str, object]:
    try:
        return {"text": next(running)}
    except StopIteration as ended:
        return {"trial": ended.value.as_json()}


def trying(caller: Principal, model: str) -> Trying:
    """The same piece by piece. What may be refused at once is asked at once. Raises ShuttingDown."""
    watched = begin_call()
    begun = _Begun(model, time.monotonic(), state().request_id)
    tracer = Tracer(keep_text=runtime().settings.log_content)
    recording = Recording(tracer, caller, model, stream=True, call=watched.call)
    state().recording = recording  # it is a request like any other, and stands among them
    try:
        turn = _turn(caller, model, watched, recording)
    except Chat2ApiError as error:
        watched.end()
        recording.told = error.info
        return _refused(begun, error.info)
    except BaseException:
        watched.abandon()
        raise
    return _read(turn, begun, watched)


@dataclass(frozen=True, slots=True)
class _Begun:
    """`at` is a reading of `time.monotonic()`."""

    model: str
    at: float
    request_id: str

    def ended(
        self,
        failure: ErrorInfo | None,
        first_seconds: float | None = None,
        text: str = "",
        tokens: int | None = None,
    ) -> Trial:
        return Trial(
            status=200 if failure is None else failure.status,
            code="" if failure is None else failure.code or "error",
            message="" if failure is None else failure.message[:_LONGEST_MESSAGE],
            model=self.model,
            seconds=round(time.monotonic() - self.at, 2),
            first_seconds=None if first_seconds is None else round(first_seconds, 2),
            text=text,
            tokens=tokens,
            request_id=self.request_id,
        )


def _turn(caller: Principal, model: str, watched: WatchedCall, recording: Recording) -> EventStream:
    """Raises KeyScope, ModelNotAllowed, RateLimited, InsufficientQuota, StorageUnavailable."""
    check_scope(caller, "chat")
    message = Message("user", (Text(PROMPT),))
    asked = Conversation(
        model, (message,), limits=Limits(max_tokens=_MOST_TOKENS), keep_history=False
    )
    recording.note_conversation(asked)
    admission = admit(caller, asked)
    completions = runtime().completions
    conversation = admission.limited(asked)
    plan = completions.plan(conversation, caller, watched.call)
    events = completions.events(
        plan, caller, watched.call, count_usage=True, tracer=recording.tracer
    )
    return admission.metered([events])[0]


def _refused(begun: _Begun, failure: ErrorInfo) -> Trying:
    yield from ()
    return begun.ended(failure)


def _read(turn: EventStream, begun: _Begun, watched: WatchedCall) -> Trying:
    said: list[str] = []
    length = 0
    first: float | None = None
    tokens: int | None = None
    failure: ErrorInfo | None = None
    try:
        with closing(turn):
            for event in turn:
                match event:
                    case TextDelta(text):
                        if first is None:
                            first = time.monotonic() - begun.at
                        if length < _LONGEST_TEXT:
                            said.append(text)
                            length += len(text)
                            yield text
                    case Usage():
                        tokens = event.prompt_tokens + event.completion_tokens
                    case Failure(info):
                        failure = info
                    case _:
                        pass
    finally:
        watched.end()
    return begun.ended(failure, first, "".join(said)[:_LONGEST_TEXT], tokens)
