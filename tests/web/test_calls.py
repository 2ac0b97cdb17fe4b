"""The life of a request: its call and who watches it, and its body within limits."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chat2api.dialects.openai_chat import OpenAIChat
from chat2api.errors import ClientGone, InternalError, ShuttingDown
from chat2api.web.calls import WatchedCall, begin_call, read_json, watched_call
from chat2api.web.state import RequestState, set_state, state

HELLO = json.dumps({"messages": [{"role": "user", "content": "Say hi"}]}).encode()
PATH = "/v1/chat/completions"


class Deaf:
    """The socket of a caller that hung up."""

    family = socket.AF_INET

    def getsockopt(self, *names: int) -> bytes:
        return b"\x08"  # the kernel's CLOSE_WAIT

    def shutdown(self, how: int) -> None:
        pass


@contextmanager
def request(site: Any, **given: Any) -> Iterator[RequestState]:
    """A request before any view has looked at it."""
    with site.app.test_request_context(PATH, method="POST", **given):
        set_state(RequestState("req_1", OpenAIChat()))
        yield state()


# --- calls


def test_a_call_is_watched_from_its_beginning_to_its_end(site: Any) -> None:
    site.given["request_seconds"] = 60
    with request(site):
        watched = begin_call()
        assert site.watchdog.entries == [watched.watch]
        assert (watched.call.request_id, watched.call.error) == ("req_1", None)
        assert 59 < watched.call.remaining() <= 60
        watched.end()
        watched.end()
        assert (site.watchdog.entries, watched.call.error) == ([], None)


def test_an_abandoned_call_ends_whatever_works_for_it(site: Any) -> None:
    with request(site):
        watched = begin_call()
        watched.abandon()
    assert isinstance(watched.call.error, InternalError)
    assert site.watchdog.entries == []


def test_a_caller_that_hangs_up_is_seen(site: Any) -> None:
    with request(site, environ_overrides={"gunicorn.socket": Deaf()}):
        watched = begin_call()
        site.watchdog.tick(time.monotonic())
    assert isinstance(watched.call.error, ClientGone)


def test_without_a_socket_nobody_hangs_up(site: Any) -> None:
    with request(site):
        watched = begin_call()
        site.watchdog.tick(time.monotonic())
    assert watched.call.error is None


def test_a_draining_worker_takes_no_call(site: Any) -> None:
    site.lifecycle.begin_drain()
    with request(site), pytest.raises(ShuttingDown) as raised:
        begin_call()
    assert raised.value.retry_after == 5
    assert site.watchdog.entries == []


def test_calls_that_run_are_cut_when_draining_takes_too_long(site: Any) -> None:
    with request(site):
        watched = WatchedCall(site.runtime)
        site.lifecycle.begin_drain()
        site.watchdog.tick(time.monotonic())
        assert watched.call.error is None
        site.lifecycle.cut_at = 0.0
        site.watchdog.tick(time.monotonic())
    assert isinstance(watched.call.error, ShuttingDown)


def test_a_watched_block(site: Any) -> None:
    with request(site):
        with watched_call() as call:
            assert len(site.watchdog.entries) == 1
            assert call.error is None
        assert site.watchdog.entries == []
        with pytest.raises(RuntimeError), watched_call():
            raise RuntimeError
        assert site.watchdog.entries == []


# --- bodies


def test_a_body_that_was_read_is_counted(site: Any) -> None:
    with request(site, data=HELLO) as now:
        assert (now.body_read, now.body_bytes) == (False, 0)
        assert read_json() == json.loads(HELLO)
        assert (now.body_read, now.body_bytes) == (True, len(HELLO))
    assert site.watchdog.entries == []


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZIP "])
def test_a_compressed_body_counts_as_what_it_becomes(site: Any, encoding: str) -> None:
    headers = {"Content-Encoding": encoding}
    with request(site, data=gzip.compress(HELLO), headers=headers) as now:
        assert read_json() == json.loads(HELLO)
        assert now.body_bytes == len(HELLO)


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_body_that_turns_out_too_large(site: Any, encoding: str) -> None:
    """413, whatever its length was said to be."""
    site.given["body_limit_bytes"] = 2048
    body = b'{"a":"' + b"x" * 4096 + b'"}'
    sent = gzip.compress(body) if encoding else body
    headers = {"Content-Encoding": encoding, "Transfer-Encoding": "chunked"}
    environ = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    response = site.send("POST", PATH, data=sent, headers=headers, environ_overrides=environ)
    error = response.get_json()["error"]
    assert (response.status_code, error["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b'{"a": NaN}', "invalid_json"),
        (b"[]", "invalid_value"),
        (b"null", "invalid_value"),
        (b"[" * 100_000, "json_too_deep"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "json_too_deep"),
    ],
)
def test_a_body_that_is_no_object(site: Any, body: bytes, code: str) -> None:
    response = site.send("POST", PATH, data=body)
    assert (response.status_code, response.get_json()["error"]["code"]) == (400, code)
    assert site.provider.turns == []


def test_an_encoding_that_is_not_taken(site: Any) -> None:
    response = site.send("POST", PATH, data=HELLO, headers={"Content-Encoding": "br"})
    error = response.get_json()["error"]
    assert (response.status_code, error["code"]) == (415, "unsupported_media_type")


class Body:
    """A body in pieces; `meanwhile` happens before each."""

    def __init__(self, *pieces: bytes, meanwhile: Any = lambda: None) -> None:
        self.pieces = list(pieces)
        self.meanwhile = meanwhile

    def read(self, size: int) -> bytes:
        self.meanwhile()
        return self.pieces.pop(0) if self.pieces else b""


def post(site: Any, body: Any) -> Any:
    environ = {"wsgi.input": body, "CONTENT_LENGTH": str(len(HELLO))}
    return site.send("POST", PATH, environ_overrides=environ)


def test_a_body_that_says_it_is_too_large_is_not_read(site: Any) -> None:
    site.given["body_limit_bytes"] = 1024
    body = Body(HELLO)
    environ = {"wsgi.input": body, "CONTENT_LENGTH": "1025"}
    response = site.send("POST", PATH, environ_overrides=environ)
    error = response.get_json()["error"]
    assert (response.status_code, error["code"]) == (413, "request_too_large")
    assert body.pieces == [HELLO]


def test_a_body_may_come_in_pieces(site: Any) -> None:
    assert post(site, Body(*(HELLO[at : at + 9] for at in range(0, 99, 9)))).status_code == 200


def test_a_body_that_does_not_come_in_time(site: Any) -> None:
    """The watch ends the read; the caller is told why."""
    response = post(site, Body(HELLO[:9], meanwhile=site.watchdog.tick))
    error = response.get_json()["error"]
    assert (response.status_code, error["code"]) == (408, "request_timeout")
    assert (site.watchdog.entries, site.provider.turns) == ([], [])


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        (ConnectionResetError(), 499, "client_closed_request"),
        (ValueError("bad chunk size: sk-secret"), 400, "invalid_value"),
    ],
)
def test_a_body_that_breaks_off(site: Any, trouble: Exception, status: int, code: str) -> None:
    def fail() -> None:
        raise trouble

    response = post(site, Body(meanwhile=fail))
    assert (response.status_code, response.get_json()["error"]["code"]) == (status, code)
    assert "secret" not in response.get_data(as_text=True)
    assert site.watchdog.entries == []


# --- all bodies of a worker


def test_bodies_share_a_budget_and_give_it_back(site: Any) -> None:
    site.given["bodies_limit_bytes"] = 2048
    budget, body = site.runtime.bodies, HELLO + b" " * 1024
    assert site.send("POST", PATH, data=body).status_code == 200
    site.is_idle()
    budget.take(2048)  # all of it is there again
    response = site.send("POST", PATH, data=body)
    error = response.get_json()["error"]
    assert (response.status_code, error["code"]) == (503, "server_overloaded")
    assert response.headers["Retry-After"] == "5"
    site.is_idle()
    budget.give_back(len(body))
    assert site.send("POST", PATH, data=body).status_code == 200
