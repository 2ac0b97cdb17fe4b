"""A turn on a configured upstream: how often it is asked, by which way, and what is noted of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import Event, EventStream, Finish, TextDelta, Usage
from chat2api.errors import (
    Chat2ApiError,
    ClientGone,
    RequestError,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamTruncated,
)
from chat2api.providers.protocol import Io
from chat2api.secret import Secret
from chat2api.service.access import PoolKey
from chat2api.service.entry_backend import EntryBackend
from chat2api.service.tracing import Tracer
from chat2api.settings.compatible_entry import CompatibleEntry

Stage = Any
KEY = PoolKey("key-id")
HELLO: list[Event] = [
    TextDelta("Hel"),
    TextDelta("lo"),
    Usage(1, 2, estimated=False),
    Finish("stop"),
]
LOCAL = CompatibleEntry("local", "http://models.test/v1")


class Forwarding:
    """What the provider of the stage cannot: pass a request on, or refuse it."""

    def __init__(self, answer: Any) -> None:
        self.name = "local"
        self.answer = answer
        self.asked: list[tuple[str, bytes, str, Io]] = []

    def forward(self, path: str, body: bytes, content_type: str, io: Io) -> Any:
        self.asked.append((path, body, content_type, io))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Ask:
    def __init__(self, stage: Stage, hello: Conversation) -> None:
        self.stage = stage
        self.hello = hello
        self.entry = LOCAL
        self.tracer = Tracer()
        stage.provider.name = "local"

    def backend(self, provider: Any = None) -> EntryBackend:
        return EntryBackend(
            self.entry, provider or self.stage.provider, self.stage.egress(), self.stage.retry_times
        )

    def turn(self) -> EventStream:
        return self.backend().events(self.hello, KEY, self.stage.call, self.tracer.turn())

    def codes(self) -> list[str]:
        trace = self.tracer.trace(self.stage.call.error, "turn", None)
        return [attempt.code for attempt in trace.attempts]


@pytest.fixture
def ask(stage: Stage, hello: Conversation) -> Ask:
    return Ask(stage, hello)


def test_a_turn_and_what_is_noted_of_it(ask: Ask) -> None:
    ask.stage.provider.scripts = [HELLO]
    assert list(ask.turn()) == HELLO
    (attempt,) = ask.tracer.trace(None, "turn", None).attempts
    assert (attempt.route, attempt.provider, attempt.account_id) == ("entry", "local", "")
    assert (ask.tracer.provider, ask.tracer.asked_for) == ("local", "auto")
    assert ask.tracer.turns[0].usage == Usage(1, 2, estimated=False)
    assert ask.stage.pool.needs == []


@pytest.mark.parametrize("kind", [UpstreamConnectionError, UpstreamBadResponse, UpstreamTruncated])
def test_what_may_pass_is_tried_again(ask: Ask, kind: type[Chat2ApiError]) -> None:
    ask.stage.provider.scripts = [[kind("x")], [kind("x")], HELLO]
    assert list(ask.turn()) == HELLO
    assert ask.codes() == [kind.code, kind.code, ""]
    assert len(ask.stage.pauses) == 2
    assert ask.stage.pauses[0] < ask.stage.pauses[1]


def test_attempts_are_counted_exactly(ask: Ask) -> None:
    ask.stage.provider.scripts = [[UpstreamBadResponse("x")]]
    with pytest.raises(UpstreamBadResponse):
        list(ask.turn())
    assert len(ask.stage.provider.turns) == ask.stage.retry_times + 1


@pytest.mark.parametrize(
    "error",
    [
        UpstreamTimeout("x"),
        UpstreamRateLimited("x", retry_after=9),
        UpstreamAuthFailed("x"),
        RequestError("x"),
    ],
)
def test_what_does_not_pass_is_told_at_once(ask: Ask, error: Chat2ApiError) -> None:
    ask.stage.provider.scripts = [[error]]
    with pytest.raises(type(error)):
        list(ask.turn())
    assert len(ask.stage.provider.turns) == 1
    assert ask.stage.provider.open == 0


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (307, 1), (503, 2), (200, 2)])
def test_definite_answers_are_not_asked_for_again(ask: Ask, status: int, asked: int) -> None:
    error = UpstreamBadResponse("x")
    error.upstream_status = status
    ask.stage.retry_times = 1
    ask.stage.provider.scripts = [[error]]
    with pytest.raises(UpstreamBadResponse):
        list(ask.turn())
    assert len(ask.stage.provider.turns) == asked


def test_never_after_the_first_event(ask: Ask) -> None:
    ask.stage.provider.scripts = [[TextDelta("a"), UpstreamConnectionError("x")], HELLO]
    turn = ask.turn()
    assert next(turn) == TextDelta("a")
    with pytest.raises(UpstreamConnectionError):
        next(turn)


def test_an_end_without_a_finish_is_none(ask: Ask) -> None:
    ask.stage.retry_times = 0
    ask.stage.provider.scripts = [[TextDelta("a")]]
    with pytest.raises(UpstreamTruncated):
        list(ask.turn())


def test_a_caller_who_left_is_not_served_again(ask: Ask) -> None:
    def leave() -> None:
        ask.stage.call.cancel(ClientGone("Gone."))

    ask.stage.provider.scripts = [[leave, UpstreamConnectionError("x")], HELLO]
    with pytest.raises(ClientGone):
        list(ask.turn())
    assert len(ask.stage.provider.turns) == 1


def test_closing_the_turn_closes_the_upstream(ask: Ask) -> None:
    ask.stage.provider.scripts = [HELLO]
    turn = ask.turn()
    next(turn)
    assert ask.stage.provider.open == 1
    turn.close()
    assert ask.stage.provider.open == 0


# --- the way out

GLOBAL = Secret("http://proxy.test:1")


@pytest.mark.parametrize(
    ("own", "address", "proxy"),
    [
        (None, "http://models.test/v1", GLOBAL),
        (None, "http://localhost:11434/v1", None),
        (None, "http://127.0.0.1:8000", None),
        (None, "http://[::1]:8000", None),
        (Secret("http://own.test:2"), "http://localhost/v1", Secret("http://own.test:2")),
        (Secret("direct"), "http://models.test/v1", None),
    ],
)
def test_proxies(ask: Ask, own: Secret | None, address: str, proxy: Secret | None) -> None:
    ask.stage.proxies = (GLOBAL,)
    ask.entry = replace(LOCAL, base_url=address, proxy=own)
    ask.stage.provider.scripts = [HELLO]
    list(ask.turn())
    ((_, credential, io),) = ask.stage.provider.turns
    assert io.proxy == proxy
    assert credential.access_token is None


# --- passing on


def test_a_request_passed_on(ask: Ask) -> None:
    provider = Forwarding("the answer")
    passing = ask.backend(provider).forward(
        "/images/edits", b"body", "text/x", ask.stage.call, ask.tracer.turn(), "painter"
    )
    assert (passing.response, passing.provider) == ("the answer", "local")
    assert provider.asked[0][:3] == ("/images/edits", b"body", "text/x")
    assert ask.tracer.is_unfinished
    passing.ended(None)
    assert not ask.tracer.is_unfinished
    (attempt,) = ask.tracer.trace(None, "turn", None).attempts
    assert attempt.first_byte is not None
    assert ask.tracer.asked_for == "painter"


def test_a_refused_one_is_asked_once(ask: Ask) -> None:
    provider = Forwarding(UpstreamBadResponse("x"))
    with pytest.raises(UpstreamBadResponse):
        ask.backend(provider).forward(
            "/x", b"", "text/x", ask.stage.call, ask.tracer.turn(), "painter"
        )
    assert len(provider.asked) == 1
    assert ask.codes() == ["upstream_bad_response"]
    assert ask.tracer.error is not None


def test_one_that_broke_off(ask: Ask) -> None:
    passing = ask.backend(Forwarding("x")).forward(
        "/x", b"", "text/x", ask.stage.call, ask.tracer.turn(), "painter"
    )
    passing.ended(UpstreamConnectionError("x"))
    assert ask.codes() == ["upstream_connection_error"]
