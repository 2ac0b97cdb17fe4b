"""A connection: one turn at a time, refusals as events, and its ends. Turns themselves: `tests/e2e`."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Response
from werkzeug.test import EnvironBuilder

from chat2api.errors import ErrorInfo, RequestError
from chat2api.lifetime.budget import ByteBudget
from chat2api.runtime import Lifecycle
from chat2api.service.threads import Memory, Past
from chat2api.store.request_records import RequestFilter
from chat2api.web.responses_socket import (
    Connection,
    TakenOver,
    _messages,
    _turn,
    asked_for,
    error_event,
)
from chat2api.web.socket_wire import WireClosed

CREATE = json.dumps({"type": "response.create", "input": "Hi"})


class FakeWire:
    """Plays messages; a number moves the time, a callable is called, the end closes it."""

    def __init__(self, clock: Any, *steps: Any) -> None:
        self.clock = clock
        self.steps = list(steps)
        self.sent: list[Any] = []
        self.closed: int | None = None
        self.dropped = False

    def receive(self, timeout_seconds: float) -> Any:
        if not self.steps:
            raise WireClosed
        step = self.steps.pop(0)
        if callable(step):
            step = step()
        if isinstance(step, int | float):
            self.clock.now += step
            return None
        return step

    def send(self, text: str) -> None:
        self.sent.append(json.loads(text))

    def ping(self) -> None:
        self.sent.append("ping")

    def close(self, code: int, reason: str) -> None:
        self.closed = code

    def drop(self) -> None:
        self.dropped = True


class Site:
    """A connection with everything around it in reach. A turn lasts until `go_on`."""

    def __init__(self, *steps: Any) -> None:
        self.now = 1000.0
        self.wire = FakeWire(self, *steps)
        self.lifecycle = Lifecycle(25.0)
        self.taken: list[tuple[dict[str, Any], int]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        settings = SimpleNamespace(keepalive_seconds=15.0, socket_idle_seconds=60.0)
        self.memory = Memory(ByteBudget(10**6))
        threads = SimpleNamespace(memory=lambda: self.memory)
        held: Any = SimpleNamespace(lifecycle=self.lifecycle, settings=settings, threads=threads)
        wire: Any = self.wire
        self.connection = Connection(wire, held, self._turn, lambda: self.now)

    def _turn(self, body: dict[str, Any], size: int, memory: Memory) -> None:
        self.taken.append((body, size))
        self.go_on.wait(5)

    def idle(self) -> None:
        """Let the turn end."""
        self.go_on.set()
        assert self.connection._turn is not None
        self.connection._turn.join(5)

    def run(self) -> None:
        with pytest.raises(WireClosed):
            self.connection.run()


def codes(site: Site) -> list[str]:
    return [one["error"]["code"] for one in site.wire.sent if one != "ping"]


def test_a_message_is_a_turn() -> None:
    site = Site(CREATE)
    site.run()
    assert site.taken == [({"input": "Hi", "stream": True}, len(CREATE))]
    assert site.wire.sent == []


def test_a_second_while_one_runs_is_refused() -> None:
    site = Site(CREATE, CREATE, lambda: site.idle() or 0, CREATE)
    site.go_on.clear()
    site.run()
    assert codes(site) == ["response_in_progress"]
    assert len(site.taken) == 2


def test_what_is_no_request_is_told_and_forgotten() -> None:
    site = Site("nonsense", b"\x00", '{"type": "ping"}', CREATE)
    site.run()
    assert codes(site) == ["invalid_json", "invalid_value", "invalid_value"]
    assert len(site.taken) == 1


def test_silence_is_kept_alive_and_ended() -> None:
    site = Site(*[10] * 8)
    site.connection.run()
    assert site.wire.closed == 1000
    assert site.wire.sent == ["ping"] * 3
    assert len(site.wire.steps) == 1


def test_a_long_turn_is_no_silence() -> None:
    site = Site(CREATE, *[30] * 10, lambda: site.idle() or 0)
    site.go_on.clear()
    site.run()
    assert site.wire.closed is None


def test_a_draining_server_ends_it_once_the_turn_has_ended() -> None:
    def drain() -> int:
        site.lifecycle.begin_drain()
        return 1

    site = Site(CREATE, drain, 1, CREATE, lambda: site.idle() or 0, CREATE)
    site.go_on.clear()
    site.connection.run()
    assert site.wire.closed == 1001
    assert codes(site) == ["response_in_progress"]
    assert len(site.taken) == 1


def test_who_leaves_in_the_middle_ends_the_turn() -> None:
    site = Site(CREATE)
    site.go_on.clear()
    threading.Timer(0.1, site.go_on.set).start()  # as the watch over the caller does
    site.run()
    assert site.wire.dropped
    assert not site.connection.is_busy


def test_sizes_are_in_bytes() -> None:
    site = Site(json.dumps({"type": "response.create", "input": "€"}, ensure_ascii=False))
    site.run()
    assert site.taken == [({"input": "€", "stream": True}, 43)]


def test_nothing_is_remembered_of_a_connection_that_ended() -> None:
    site = Site(CREATE)
    site.memory.remember("r1", Past(), [{"type": "message"}])
    site.run()
    assert site.memory.find("r1") is None


# --- turns


@pytest.fixture
def turn(site: Any) -> Any:
    """turn(key, **body): the events of one turn of a connection that was opened with `key`."""

    def run(key: str, **body: Any) -> list[Any]:
        wire: Any = FakeWire(None)
        environ = EnvironBuilder(headers={"Authorization": f"Bearer {key}"}).get_environ()
        body = {"model": "gpt-5", "input": "Hi", "stream": True, **body}
        _turn(site.app, environ, wire, body, 100, site.runtime.threads.memory())
        return list(wire.sent)

    return run


def test_a_warm_up_is_limited_and_recorded_like_a_request(site: Any, turn: Any) -> None:
    key = site.keys.create("Bob", models=["gpt-5"], requests_per_minute=1)[1].reveal()
    (refused,) = turn(key, generate=False, model="o3")
    assert (refused["status"], refused["error"]["code"]) == (403, "model_not_allowed")
    assert turn(key, generate=False)[-1]["type"] == "response.completed"
    (refused,) = turn(key, generate=False)
    assert (refused["status"], refused["error"]["code"]) == (429, "rate_limit_exceeded")
    assert site.provider.turns == []
    site.runtime.desk.recorder.flush()
    records = site.runtime.desk.records.page(RequestFilter())
    assert sorted(record.status for record in records) == [200, 403, 429]


def test_a_key_that_was_revoked_meanwhile(site: Any, turn: Any) -> None:
    (refused,) = turn("sk-" + "x" * 40)
    assert (refused["status"], refused["error"]["code"]) == (401, "invalid_api_key")


# --- messages


def test_requests_in_either_form() -> None:
    assert asked_for(CREATE.encode()) == {"input": "Hi", "stream": True}
    nested = json.dumps({"type": "response.create", "response": {"input": "Hi", "stream": False}})
    assert asked_for(nested.encode()) == {"input": "Hi", "stream": True}


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{}", '{"type": 1}', '{"type": "response.cancel"}']
)
def test_what_is_no_request(text: str) -> None:
    with pytest.raises(RequestError):
        asked_for(text.encode())


def test_errors_are_events() -> None:
    event = json.loads(error_event(ErrorInfo(400, "invalid_request_error", "c", "m", "p")))
    assert event == {
        "type": "error",
        "status": 400,
        "error": {"type": "invalid_request_error", "code": "c", "message": "m", "param": "p"},
    }
    assert json.loads(error_event(ErrorInfo(500, "t", None, "m")))["error"]["code"] == "t"


def test_events_without_their_frames() -> None:
    frames = [
        b'event: a\ndata: {"n":1}\n\n',
        b": keep-alive\n\n",
        b'event: b\ndata: {"n"',
        b":2}\n\n",
    ]
    both = [b'event: c\ndata: {"n":3}\n\nevent: d\ndata: {"n":4}\n\n']
    assert list(_messages(frames + both)) == ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}']


def test_not_a_byte_of_http_follows() -> None:
    closing: list[str] = []
    response = TakenOver(status=101)
    response.call_on_close(lambda: closing.append("closed"))
    with pytest.raises(StopIteration):
        response({}, lambda *given: pytest.fail("an answer was begun"))
    assert isinstance(response, Response)
    assert closing == ["closed"]
