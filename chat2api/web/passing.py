"""Requests that go to an upstream as they are, and answers that come back so, under watch."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import orjson
from flask import Response, request

from chat2api.chat.conversation import Conversation, Message, Text
from chat2api.codecs.errors import CodecError
from chat2api.codecs.multipart import boundary_of, field_of, with_field
from chat2api.errors import Chat2ApiError, ClientGone, MissingParameter, RequestError
from chat2api.service.access import check_scope
from chat2api.service.entry_backend import Passing
from chat2api.service.passage import Body
from chat2api.service.tracing import Tracer
from chat2api.store.api_keys import Scope
from chat2api.web.admission import admit
from chat2api.web.auth import principal
from chat2api.web.body import parse_object
from chat2api.web.calls import WatchedCall, begin_call, read_bytes
from chat2api.web.recording import Recording
from chat2api.web.state import runtime, state
from chat2api.web.streaming import HEADERS

log = logging.getLogger(__name__)

_JSON = "application/json"
_EVENTS = "text/event-stream"


def pass_on(path: str, scope: Scope) -> Response:
    """The answer of the upstream that has the model. `path` is below its base address."""
    recording = Recording(Tracer())
    state().recording = recording
    caller = recording.caller = principal()
    check_scope(caller, scope)
    model, prompt, body, content_type = _read()
    conversation = Conversation(model, (Message("user", (Text(prompt),)),))
    recording.note_conversation(conversation)
    watched = begin_call()
    settings = runtime().settings
    watched.call.deadline += settings.slow_request_seconds - settings.request_seconds
    recording.call = watched.call
    admission = None
    try:
        admission = admit(caller, conversation)
        trace = recording.tracer.turn()
        passing = runtime().passage.open(
            path, model, body, content_type, caller, watched.call, trace
        )
    except BaseException:
        watched.abandon()
        if admission is not None:
            admission.release()
        raise
    admission.settle(0)  # upstreams count pictures and sounds in their own ways
    return _answer(passing, watched)


# --- what is asked


def _read() -> tuple[str, str, Body, str]:
    """Model, prompt, the body under another model's name, and its type. Raises RequestError."""
    sent = read_bytes(runtime().settings.body_limit_bytes)
    content_type = request.headers.get("Content-Type", "")
    boundary = boundary_of(content_type)
    if boundary is not None:
        return (*_read_form(sent, boundary), content_type)
    document = parse_object(sent)
    model, prompt = document.get("model"), document.get("prompt", document.get("input"))
    if not isinstance(model, str):
        raise _no_model(model)
    return model, prompt if isinstance(prompt, str) else "", _renamed(document), _JSON


def _renamed(document: dict[str, Any]) -> Body:
    return lambda name: orjson.dumps({**document, "model": name})


def _read_form(sent: bytes, boundary: bytes) -> tuple[str, str, Body]:
    try:
        model = field_of(sent, boundary, "model")
        prompt = field_of(sent, boundary, "prompt")
    except CodecError as error:
        raise RequestError(f"The form cannot be read: {error}.") from None
    if not model:
        raise _no_model(None)
    return model, prompt or "", lambda name: with_field(sent, boundary, "model", name)


def _no_model(value: object) -> RequestError:
    if value is None:
        return MissingParameter(
            "Missing required parameter: 'model'. Name a model of an upstream that can do this.",
            param="model",
        )
    return RequestError("Invalid 'model': expected a string.", param="model")


# --- what is answered


def _answer(passing: Passing, watched: WatchedCall) -> Response:
    theirs = passing.response.headers
    kind = theirs.get("content-type", "application/octet-stream")
    headers = {**(HEADERS if kind.lower().startswith(_EVENTS) else {}), "Content-Type": kind}
    length = theirs.get("content-length", "")
    if length.isdecimal() and theirs.get("content-encoding", "identity").lower() == "identity":
        headers["Content-Length"] = length
    headers["x-chat2api-provider"] = passing.provider
    body = PassedOn(passing, watched, kind.lower().startswith(_EVENTS))
    response = Response(body, 200, headers, direct_passthrough=True)
    # As it is passed through, only the body's own close is called.
    body.on_close = response.close
    response.call_on_close(watched.end)
    return response


class PassedOn:
    """An answer's bytes for the WSGI server. What breaks off is seen to break off: by an error event
    where there are events, else by the connection's end."""

    def __init__(self, passing: Passing, watched: WatchedCall, is_events: bool) -> None:
        self._passing = passing
        self._watched = watched
        self._is_events = is_events
        self._dialect = state().dialect
        self._chunks: Iterator[bytes] = passing.response.chunks()
        self._over = False
        self._closed = False
        self.on_close: Callable[[], None] = lambda: None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._watched.watch.written()
        if self._over:
            raise StopIteration
        try:
            data = next(self._chunks)
        except StopIteration:
            self._over = True
            self._passing.ended(None)
            raise
        except Chat2ApiError as error:
            self._over = True
            data = self._broken(error)
        self._watched.watch.writing()
        return data

    def _broken(self, error: Chat2ApiError) -> bytes:
        log.info("an answer that is passed on broke off: %s", error.code)
        self._passing.ended(error)
        if not self._is_events:
            # gunicorn takes this for a lost caller and ends the connection, unfinished as the answer is.
            raise OSError(errno.EPIPE, "the upstream's answer broke off")
        document = self._dialect.render_error(error.info)
        return b"event: error\ndata: " + orjson.dumps(document) + b"\n\n"

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if not self._over:
            self._watched.call.cancel(ClientGone("The caller hung up."))
        with suppress(Chat2ApiError):
            self._passing.response.close()
        self.on_close()
