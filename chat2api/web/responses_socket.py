"""The Responses API over WebSocket: `response.create` in, the events of its answer out, one turn at a time.

A turn is a request like any other: it runs through the same code, in a request context of its own with the
headers of the handshake, and its stream is sent as one message an event. So keys, limits, records and
watches hold as they do over HTTP.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from typing import Any, NoReturn

import orjson
from flask import Blueprint, Flask, Response, current_app, request

from chat2api.chat.events import Finish, Usage
from chat2api.dialects.protocol import Stamp
from chat2api.errors import (
    Chat2ApiError,
    ErrorInfo,
    Forbidden,
    InternalError,
    RequestError,
    ShuttingDown,
    TurnInProgress,
)
from chat2api.logs import set_request_id
from chat2api.runtime import Runtime
from chat2api.service.threads import Memory
from chat2api.web.admission import admit
from chat2api.web.auth import caller_address, principal
from chat2api.web.body import parse_object
from chat2api.web.chat import complete, read_ask
from chat2api.web.errors import error_response
from chat2api.web.ids import new_answer_id, new_request_id
from chat2api.web.recording import Envelope, write_record
from chat2api.web.responses import caller_of_request
from chat2api.web.socket_wire import GOING_AWAY, NORMAL, Wire, WireClosed
from chat2api.web.state import RequestState, runtime, set_state, state
from chat2api.web.threaded import ThreadedResponses

blueprint = Blueprint("responses_socket", __name__)
log = logging.getLogger("chat2api.request")

_PATH = "/v1/responses"
_CREATE = "response.create"
_LOOK_SECONDS = 1.0
_END_SECONDS = 5.0
_FRAME_END = b"\n\n"
_DATA = b"\ndata: "


class TakenOver(Response):
    """The answer of a request whose connection speaks another protocol since: not a byte of HTTP."""

    def __call__(self, environ: Any, start_response: Any) -> NoReturn:
        self.close()
        raise StopIteration  # gunicorn's word for "close this connection"


@blueprint.route(_PATH, websocket=True)
def converse() -> Response:
    principal("responses")
    _check_origin()
    held = runtime()
    if held.lifecycle.draining:
        raise ShuttingDown("The server is shutting down; try again.", retry_after=5)
    settings = held.settings
    wire = Wire(
        request.environ,
        most_bytes=settings.body_limit_bytes,
        stall_seconds=settings.write_stall_seconds,
        budget=held.bodies,
    )
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    environ = {name: value for name, value in request.environ.items() if "werkzeug" not in name}
    held.watchdog.add(wire)

    def run_turn(body: dict[str, Any], size: int, memory: Memory) -> None:
        _turn(app, environ, wire, body, size, memory)

    try:
        Connection(wire, held, run_turn).run()
    except WireClosed:
        log.debug("a connection ended")
    except Exception:  # the boundary of a connection: no answer of HTTP may follow
        log.exception("a connection failed")
    finally:
        held.watchdog.remove(wire)
        wire.drop()
    return TakenOver(status=101)


def _check_origin() -> None:
    """Browsers open a WebSocket from any page; CORS does not hold for them."""
    origins = runtime().settings.cors_origins
    origin = request.headers.get("Origin")
    if origin is not None and "*" not in origins and origin not in origins:
        raise Forbidden("This origin may not call the API.", code="forbidden_origin")


RunTurn = Callable[[dict[str, Any], int, Memory], None]


class Connection:
    """`run_turn` is given a request's body, the bytes it came in, and the turns it may continue."""

    def __init__(
        self,
        wire: Wire,
        held: Runtime,
        run_turn: RunTurn,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wire = wire
        self._lifecycle = held.lifecycle
        self._ping_seconds = held.settings.keepalive_seconds
        self._idle_seconds = held.settings.socket_idle_seconds
        self._run_turn = run_turn
        self._clock = clock
        self._memory = held.threads.memory()
        self._turn: threading.Thread | None = None
        self._asked_at = self._pinged_at = clock()

    @property
    def is_busy(self) -> bool:
        return self._turn is not None and self._turn.is_alive()

    def run(self) -> None:
        """Until either side ends it. Raises WireClosed."""
        try:
            while not self._is_over():
                message = self._wire.receive(min(_LOOK_SECONDS, self._ping_seconds))
                if message is not None:
                    self._take(message)
        finally:
            if self._turn is not None:
                if self.is_busy:
                    self._wire.drop()  # whoever watches over the turn's caller sees that it is gone
                self._turn.join(_END_SECONDS)
            self._memory.close()

    def _is_over(self) -> bool:
        now = self._clock()
        if self.is_busy:
            self._asked_at = now
        elif self._lifecycle.draining:
            self._wire.close(GOING_AWAY, "The server is shutting down.")
            return True
        elif now - self._asked_at > self._idle_seconds:
            self._wire.close(NORMAL, "Nothing was asked for a while.")
            return True
        if now - self._pinged_at >= self._ping_seconds:
            self._pinged_at = now
            self._wire.ping()
        return False

    def _take(self, message: str | bytes) -> None:
        self._asked_at = self._clock()
        try:
            if self.is_busy:
                raise TurnInProgress("The response before has not ended yet; one runs at a time.")
            if isinstance(message, bytes):
                raise RequestError("Messages are text; this one is binary.")
            data = message.encode()
            body = asked_for(data)
        except Chat2ApiError as error:
            self._wire.send(error_event(error.info))
            return
        self._turn = threading.Thread(
            target=self._run_turn,
            args=(body, len(data), self._memory),
            name="socket-turn",
            daemon=True,
        )
        self._turn.start()


def asked_for(message: bytes) -> dict[str, Any]:
    """The body of the request that a message is. Raises RequestError."""
    document = parse_object(message)
    kind = document.pop("type", None)
    if kind != _CREATE:
        raise RequestError(f"Invalid 'type': only '{_CREATE}' can be asked for here.", param="type")
    nested = document.get("response")
    body = nested if isinstance(nested, dict) else document
    return {**body, "stream": True}


def error_event(info: ErrorInfo) -> str:
    error = {
        "type": info.type,
        "code": info.code or info.type,
        "message": info.message,
        "param": info.param,
    }
    return orjson.dumps({"type": "error", "status": info.status, "error": error}).decode()


# --- one turn, in a thread of its own


def _turn(
    app: Flask,
    environ: Mapping[str, Any],
    wire: Wire,
    body: dict[str, Any],
    size: int,
    memory: Memory,
) -> None:
    with app.request_context(dict(environ)):
        dialect = ThreadedResponses(runtime().threads, caller_of_request, memory)
        set_state(RequestState(new_request_id(), dialect))
        set_request_id(state().request_id)
        response, refusal = _answer(dialect, body, size)
        try:
            if refusal is not None:
                wire.send(error_event(refusal))
            else:
                with closing(_messages(response.response)) as messages:
                    for message in messages:
                        wire.send(message)
        except WireClosed:
            log.debug("the caller is gone")
        finally:
            _end(response, dialect, body, memory)


def _answer(
    dialect: ThreadedResponses, body: dict[str, Any], size: int
) -> tuple[Response, ErrorInfo | None]:
    """The answer, and the error that it is, if it is one."""
    try:
        runtime().bodies.take(size)
        state().body_bytes = size
        if body.pop("generate", None) is False:
            return _warmed_up(dialect, body), None
        response = complete(dialect, "responses", body)
        recording = state().recording
        return response, recording.told if recording is not None else None
    except Chat2ApiError as error:
        refusal = error.info
    except Exception:  # the boundary of a turn: whatever it was, the caller gets an answer
        log.exception("unforeseen error")
        refusal = InternalError("Internal error; the log has it under this request id.").info
    return error_response(refusal), refusal


def _warmed_up(dialect: ThreadedResponses, body: dict[str, Any]) -> Response:
    """An empty answer that a later turn continues: clients send what is long ahead of time."""
    _, caller, ask = read_ask(dialect, "responses", body)
    admit(caller, ask.conversation).release()
    stream = dialect.renderer(ask, Stamp(new_answer_id(dialect.id_prefix), int(time.time())))
    data = stream.feed(0, [Usage(0, 0, estimated=False), Finish("stop")])
    return Response([data + stream.close()])


def _messages(pieces: Iterable[Any]) -> Generator[str, None, None]:
    """The events of a stream, without what SSE puts around them."""
    waiting: list[bytes] = []
    for piece in pieces:
        waiting.append(piece)
        if piece.endswith(_FRAME_END):
            for frame in b"".join(waiting).split(_FRAME_END):
                _, is_event, data = frame.partition(_DATA)
                if is_event:
                    yield data.decode()
            waiting = []


def _end(
    response: Response, dialect: ThreadedResponses, body: Mapping[str, Any], memory: Memory
) -> None:
    response.close()
    held, done = runtime(), state()
    held.bodies.give_back(done.body_bytes)
    previous = body.get("previous_response_id")
    if not dialect.succeeded and isinstance(previous, str):
        memory.forget(previous)  # as the public API does: what failed is begun anew
    seconds = round(time.monotonic() - done.started, 3)
    address = caller_address()
    facts = {"method": "WS", "path": _PATH, "status": response.status_code, "client": address}
    log.info("request", extra={**facts, "seconds": seconds})
    if done.recording is not None and done.recording.caller is not None:
        envelope = Envelope(done.request_id, _PATH, address, response.status_code, seconds)
        write_record(done.recording, held, envelope)
