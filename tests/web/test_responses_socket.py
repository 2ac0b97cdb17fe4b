"""A connection: one turn at a time, refusals as events, and its ends. Turns themselves: `tests/e2e`."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Response

from chat2api.errors import ErrorInfo, RequestError
from chat2api.runtime import Lifecycle
from chat2api.service.threads import Memory
from chat2api.web.responses_socket import (
    Connection,
    TakenOver,
    _messages,
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
        held: Any = SimpleNamespace(lifecycle=self.lifecycle, settings=settings)
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


# --- messages


def test_requests_in_either_form() -> None:
    assert asked_for(CREATE) == {"input": "Hi", "stream": True}
    nested = json.dumps({"type": "response.create", "response": {"input": "Hi", "stream": False}})
    assert asked_for(nested) == {"input": "Hi", "stream": True}


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{}", '{"type": 1}', '{"type": "response.cancel"}']
)
def test_what_is_no_request(text: str) -> None:
    with pytest.raises(RequestError):
        asked_for(text)


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
