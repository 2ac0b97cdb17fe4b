"""The outside world of a provider, without sockets or waits: upstreams scripted or simulated, a call."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from requests.structures import CaseInsensitiveDict
from werkzeug.test import EnvironBuilder, run_wsgi_app

from chat2api.chat.conversation import Conversation, Message, Text
from chat2api.chat.events import Event, EventStream
from chat2api.compute.tasks import TASKS
from chat2api.errors import (
    Chat2ApiError,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamTimeout,
    UpstreamTruncated,
)
from chat2api.lifetime.call import Call
from chat2api.pool.values import Credential
from chat2api.providers.chatgpt.provider import ChatGptOptions, ChatGptProvider
from chat2api.providers.oauth.endpoint import OAuthOptions, TokenEndpoint
from chat2api.providers.protocol import Io
from chat2api.secret import Secret
from chat2api.simulator.app import create_app
from chat2api.simulator.config import Config
from chat2api.transport.protocol import Outgoing

BASE = "https://upstream.test"
LOGIN = OAuthOptions(token_url=f"{BASE}/oauth/token")
START = 1_780_000_000.0
PREFIXES = ("/backend-api", "/backend-anon")
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) Chrome/124.0.0.0 Safari/537.36"
PAGE = (
    '<html data-build="prod-0123" data-seq="6549031"><script src="https://cdn.test/a.js"></script>'
)

ACCOUNT = Credential("subject-a", Secret("eyJhbGci.token-of-a"))

Piece = bytes | Exception | Callable[[], object]
"""A part of a body, what goes wrong while reading it, or something that happens meanwhile."""


# --- an upstream that plays a script


@dataclass
class Reply:
    """One scripted answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Iterable[Piece] = ()


class Script:
    """Composes what an upstream answers, and reads what it was asked."""

    @staticmethod
    def json(document: Any, status: int = 200, **headers: str) -> Reply:
        body = json.dumps(document).encode()
        return Reply(status, {"Content-Type": "application/json", **headers}, (body,))

    @staticmethod
    def page(text: str, status: int = 200, **headers: str) -> Reply:
        return Reply(status, {"Content-Type": "text/html", **headers}, (text.encode(),))

    @staticmethod
    def stream(*pieces: Piece) -> Reply:
        return Reply(200, {"Content-Type": "text/event-stream; charset=utf-8"}, pieces)

    @staticmethod
    def events(*payloads: Any) -> bytes:
        """Server-sent events; texts as they are, everything else as JSON."""
        texts = (one if isinstance(one, str) else json.dumps(one) for one in payloads)
        return b"".join(b"data: %b\n\n" % text.encode() for text in texts)

    @staticmethod
    def said(text: str, *, done: bool = False, message_id: str = "a", **more: Any) -> Any:
        """A whole message of the assistant in conversation "c"."""
        message = {
            "id": message_id,
            "author": {"role": "assistant"},
            "content": {"content_type": "text", "parts": [text]},
            "status": "finished_successfully" if done else "in_progress",
            "end_turn": True if done else None,
            "metadata": {},
            "recipient": "all",
            **more,
        }
        return {"message": message, "conversation_id": "c", "error": None}

    @staticmethod
    def body(request: Outgoing) -> Any:
        return json.loads(request.body or b"null")


MISSING = Script.json({"detail": "Not Found"}, 404)


def whole(chunks: Iterable[bytes], limit_bytes: int) -> bytes:
    body = b"".join(chunks)
    if len(body) > limit_bytes:
        raise UpstreamBadResponse("The upstream's answer is too large.")
    return body


class FakeResponse:
    """Notes how it is treated: `closed`, `hurried`, and how many `taken` pieces there were."""

    def __init__(self, reply: Reply, call: Call) -> None:
        self.status = reply.status
        self.headers: Mapping[str, str] = CaseInsensitiveDict(reply.headers)
        self.closed = False
        self.hurried: float | None = None
        self.taken = 0
        self._pieces = reply.pieces
        self._call = call

    def chunks(self) -> Generator[bytes, None, None]:
        """Leaves closing to whoever reads."""
        for piece in self._pieces:
            self._call.check()
            self.taken += 1
            if isinstance(piece, Exception):
                raise piece
            if callable(piece):
                piece()
            else:
                yield piece
        self._call.check()

    def hurry(self, seconds: float) -> None:
        self.hurried = seconds

    def read(self, limit_bytes: int) -> bytes:
        with closing(self):
            return whole(self.chunks(), limit_bytes)

    def close(self) -> None:
        self.closed = True


class FakeTransport:
    """Answers `METHOD /path` from the list played for it, the last one for ever; 404 otherwise."""

    def __init__(self) -> None:
        self.requests: list[Outgoing] = []
        self.responses: list[FakeResponse] = []
        self._scripts: dict[str, list[Reply | Exception]] = {}

    def plays(self, route: str, *replies: Reply | Exception) -> None:
        self._scripts[route] = list(replies)

    def open(self, request: Outgoing, call: Call) -> FakeResponse:
        call.check()
        self.requests.append(request)
        script = self._scripts.get(route_of(request), [MISSING])
        reply = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(reply, Exception):
            raise reply
        self.responses.append(FakeResponse(reply, call))
        return self.responses[-1]

    @property
    def calls(self) -> list[str]:
        """`METHOD /path` of everything asked, in order."""
        return [route_of(request) for request in self.requests]

    def sent(self, route: str) -> list[Outgoing]:
        return [request for request in self.requests if route_of(request) == route]

    @property
    def all_closed(self) -> bool:
        return all(response.closed for response in self.responses)


def route_of(request: Outgoing) -> str:
    return f"{request.method} {urlsplit(request.url).path}"


def scripted_upstream() -> FakeTransport:
    """Everything that a turn of either generation asks for; the answer is "Hello!"."""
    transport = FakeTransport()
    transport.plays("GET /", Script.page(PAGE, 200, **{"Set-Cookie": "__cf_bm=cookie-1; Path=/"}))
    script_requirements(transport)
    said = Script.events(Script.said("Hel"), Script.said("Hello!", done=True), "[DONE]")
    for prefix in PREFIXES:
        prepared = Script.json({"status": "ok", "conduit_token": "conduit-1"})
        transport.plays(f"POST {prefix}/f/conversation/prepare", prepared)
        transport.plays(f"POST {prefix}/f/conversation", Script.stream(said))
        transport.plays(f"POST {prefix}/conversation", Script.stream(said))
    transport.plays("POST /backend-api/stop_conversation", Script.json({"status": "ok"}))
    return transport


def script_requirements(transport: FakeTransport, **demands: Any) -> None:
    """Both sentinel flows for both kinds of callers; no proof unless `demands` asks for one."""
    answer = {"persona": "chatgpt-paid", "proofofwork": {"required": False}, **demands}
    for prefix in PREFIXES:
        route = f"POST {prefix}/sentinel/chat-requirements"
        transport.plays(route, Script.json({**answer, "token": "single-token"}))
        transport.plays(f"{route}/prepare", Script.json({**answer, "prepare_token": "prepared"}))
        transport.plays(f"{route}/finalize", Script.json({"token": "final-token"}))


# --- the simulator


class WsgiTransport:
    """A WSGI application as upstream. Silence is measured when it is over: one thread does it all."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.requests: list[Outgoing] = []

    def open(self, request: Outgoing, call: Call) -> WsgiResponse:
        call.check()
        self.requests.append(request)
        address = urlsplit(request.url)
        builder = EnvironBuilder(
            path=address.path,
            query_string=address.query,
            method=request.method,
            headers=list(request.headers.items()),
            data=request.body,
        )
        began = time.monotonic()
        try:
            body, status, headers = run_wsgi_app(self.app, builder.get_environ())
        except OSError:
            raise UpstreamConnectionError("Closed before it answered (stage: response).") from None
        response = WsgiResponse(body, int(status.split()[0]), headers, request, call)
        if time.monotonic() - began > request.first_byte_seconds:
            response.close()
            raise UpstreamTimeout("The upstream was silent before it answered.")
        return response


class WsgiResponse:
    def __init__(self, body: Any, status: int, headers: Any, request: Outgoing, call: Call) -> None:
        self.status = status
        # Repeated headers are joined as an HTTP client joins them.
        self.headers: Mapping[str, str] = CaseInsensitiveDict(
            {name: ", ".join(headers.getlist(name)) for name in headers.keys()}  # noqa: SIM118
        )
        self._body = body
        self._idle_seconds = request.idle_seconds
        self._call = call

    def chunks(self) -> Generator[bytes, None, None]:
        pieces = iter(self._body)
        try:
            while True:
                self._call.check()
                began = time.monotonic()
                piece = next(pieces, None)
                if time.monotonic() - began > self._idle_seconds:
                    raise UpstreamTimeout("The upstream was silent in mid-stream.")
                if piece is None:
                    return
                if piece:
                    yield piece
        except ConnectionResetError:
            raise UpstreamConnectionError("The connection broke in mid-stream.") from None
        except OSError:
            raise UpstreamTruncated("The upstream's answer was cut short.") from None
        finally:
            self.close()

    def hurry(self, seconds: float) -> None:
        pass

    def read(self, limit_bytes: int) -> bytes:
        return whole(self.chunks(), limit_bytes)

    def close(self) -> None:
        self._body.close()


# --- compute and call


class InlineCompute:
    """Runs tasks on the spot; `failure` is raised instead. `ran` notes names and time limits."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.ran: list[tuple[str, tuple[Any, ...], float]] = []

    def run(self, task: str, *args: Any, call: Call, timeout_seconds: float) -> Any:
        call.check()
        self.ran.append((task, args, timeout_seconds))
        if self.failure is not None:
            raise self.failure
        return TASKS[task](*args)


class Clock:
    """Moves only when it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class PatientCall(Call):
    """Its pauses move the clock and take no time; `pauses` notes them, `meanwhile` is run in each."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(math.inf, "req_test")
        self._clock = clock
        self.pauses: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._clock.now += seconds
        self.meanwhile()
        self.check()


# --- a provider and all it meets


@dataclass
class Stage:
    """A provider with its upstream, `call` and `compute`; `options` count until its first use."""

    upstream: Any
    clock: Clock
    call: PatientCall
    compute: InlineCompute
    options: dict[str, Any] = field(default_factory=dict)
    credential: Credential = ACCOUNT
    proxy: Secret | None = None
    settle: Callable[[], None] = field(default=lambda: settle())

    @cached_property
    def provider(self) -> ChatGptProvider:
        given = {"bases": (BASE,), "user_agent": USER_AGENT, **self.options}
        return ChatGptProvider(ChatGptOptions(**given), TokenEndpoint(LOGIN, self.clock))

    @property
    def io(self) -> Io:
        return Io(self.upstream, self.compute, self.call, self.proxy)

    @property
    def simulator(self) -> Any:
        """The state of the simulated upstream."""
        return self.upstream.app.extensions["simulator"]

    def requires(self, **demands: Any) -> None:
        """What the scripted upstream's requirements ask for."""
        script_requirements(self.upstream, **demands)

    def leave_account(self) -> None:
        """Go on without an account."""
        self.credential = Credential("anonymous", None)

    def begin(self, text: str = "Say hi", **fields: Any) -> EventStream:
        asked = {"model": "gpt-5-5", "messages": (Message("user", (Text(text),)),), **fields}
        return self.provider.stream(Conversation(**asked), self.credential, self.io)

    def turn(self, text: str = "Say hi", **fields: Any) -> list[Event]:
        return list(self.begin(text, **fields))

    def played(
        self, text: str = "Say hi", **fields: Any
    ) -> tuple[list[Event], Chat2ApiError | None]:
        """The events of a turn, and the error that ended it if one did."""
        events: list[Event] = []
        try:
            events.extend(self.begin(text, **fields))
        except Chat2ApiError as error:
            return events, error
        return events, None

    def fails(self, text: str = "Say hi", **fields: Any) -> Any:
        """The error of a turn that must fail before its first event."""
        events, error = self.played(text, **fields)
        assert events == []
        assert error is not None
        return error


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def script() -> type[Script]:
    return Script


@pytest.fixture
def stage(clock: Clock) -> Iterator[Stage]:
    """The ChatGPT provider before an upstream that plays a script."""
    yield Stage(scripted_upstream(), clock, PatientCall(clock), InlineCompute())
    settle()


@pytest.fixture(scope="session")
def simulator() -> tuple[Flask, Clock]:
    """Made once: its routes take longer to build than a turn takes."""
    clock = Clock()
    return create_app(Config(pacing=0), clock=clock), clock


@pytest.fixture
def simulated(simulator: tuple[Flask, Clock]) -> Iterator[Callable[..., Stage]]:
    """simulated(**config): the ChatGPT provider before a simulator, on its paid account."""
    app, clock = simulator
    clock.now = START

    def build(**config: Any) -> Stage:
        stage = Stage(WsgiTransport(app), clock, PatientCall(clock), InlineCompute())
        stage.simulator.reset()
        stage.simulator.configure(config)
        account = stage.simulator.accounts.all()[0]
        stage.credential = Credential(account.name, Secret(account.token))
        return stage

    yield build
    settle()


def settle() -> None:
    """Wait for what a turn leaves behind."""
    for thread in threading.enumerate():
        if thread.name == "stop-conversation":
            thread.join(timeout=5)
            assert not thread.is_alive()
