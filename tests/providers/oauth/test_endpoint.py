"""The exchange on the wire: what is sent for which kind of token, and what a failure says."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import pytest

from chat2api.lifetime.call import Call
from chat2api.lifetime.watchdog import Watchdog
from chat2api.pool.values import StoredCredential
from chat2api.providers.oauth import endpoint
from chat2api.providers.oauth.endpoint import OAuthOptions, TokenEndpoint
from chat2api.providers.protocol import Io, RefreshFailed, RefreshRefused
from chat2api.secret import Secret
from chat2api.transport.http import HttpTransport

MODERN = "rt_" + "a1" * 20
LEGACY = "b2-c4" * 9
NOW = 1_780_000_000.0
Step = bytes | str


def stored(token: str | None, client_id: str = "") -> StoredCredential:
    secret = None if token is None else Secret(token)
    return StoredCredential("cred_1", 1, None, secret, client_id=client_id)


# --- what is sent


def asked(stage: Any, token: str, issued_to: str = "", **options: Any) -> tuple[str, str, Any]:
    """URL, content type and fields of the request for a token."""
    tokens = TokenEndpoint(OAuthOptions(**options), lambda: NOW)
    with pytest.raises(RefreshFailed):  # nobody is there
        tokens.refresh(stored(token, issued_to), stage.io)
    (request,) = stage.upstream.requests
    assert (request.method, request.repeatable) == ("POST", False)
    assert (request.first_byte_seconds, request.idle_seconds) == (20.0, 20.0)
    kind = request.headers["Content-Type"]
    if kind == "application/json":
        return request.url, "json", json.loads(request.body)
    assert kind == "application/x-www-form-urlencoded"
    fields = {name: texts[0] for name, texts in parse_qs(request.body.decode()).items()}
    return request.url, "form", fields


def test_the_mobile_kind(stage: Any) -> None:
    assert asked(stage, LEGACY) == (
        "https://auth0.openai.com/oauth/token",
        "json",
        {
            "grant_type": "refresh_token",
            "client_id": "pdlLIX2Y72MIl2rhLhTE9VV9bN905kBh",
            "redirect_uri": "com.openai.chat://auth0.openai.com/ios/com.openai.chat/callback",
            "refresh_token": LEGACY,
        },
    )


def test_the_codex_kind(stage: Any) -> None:
    assert asked(stage, MODERN) == (
        "https://auth.openai.com/oauth/token",
        "form",
        {
            "grant_type": "refresh_token",
            "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
            "scope": "openid profile email offline_access",
            "refresh_token": MODERN,
        },
    )


@pytest.mark.parametrize("token", [MODERN, LEGACY])
def test_settings_override_each(stage: Any, token: str) -> None:
    url, encoding, fields = asked(
        stage,
        token,
        "known-client",
        token_url="https://login.test/token",
        client_id="app_own",
        redirect_uri="https://login.test/back",
        encoding="form" if token == LEGACY else "json",
    )
    assert url == "https://login.test/token"
    assert encoding == ("form" if token == LEGACY else "json")
    assert (fields["client_id"], fields["redirect_uri"]) == ("app_own", "https://login.test/back")
    assert fields["refresh_token"] == token


def test_the_client_it_was_issued_to_is_known_best(stage: Any) -> None:
    _, _, fields = asked(stage, MODERN, "app_of_the_file", scope="")
    assert fields["client_id"] == "app_of_the_file"
    assert "scope" not in fields


def test_the_proxy_is_the_accounts(stage: Any) -> None:
    stage.proxy = Secret("http://own.test:1")
    with pytest.raises(RefreshFailed):
        TokenEndpoint(OAuthOptions(user_agent="chat2api/9")).refresh(stored(MODERN), stage.io)
    (request,) = stage.upstream.requests
    assert request.proxy == stage.proxy
    assert request.headers["User-Agent"] == "chat2api/9"
    assert MODERN not in request.url + repr(request.headers)


def test_without_a_refresh_token_nothing_is_asked(stage: Any) -> None:
    with pytest.raises(RefreshRefused, match="there is no refresh token"):
        TokenEndpoint(OAuthOptions()).refresh(stored(None), stage.io)
    assert stage.upstream.requests == []


# --- over real sockets


class Server:
    """One connection: reads a request, then plays bytes, "hold" (says nothing), or "reset"."""

    def __init__(self, *steps: Step) -> None:
        self._steps = steps
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/oauth/token"
        self.requests = 0
        self._sock: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                self._sock, _ = self._listener.accept()
                self._sock.settimeout(5)
                with self._sock:
                    self._read(self._sock)
                    self.requests += 1
                    for step in self._steps:
                        if isinstance(step, bytes):
                            self._sock.sendall(step)
                        elif step == "hold":
                            self._sock.recv(65_536)
                        else:
                            linger = b"\1\0\0\0\0\0\0\0"
                            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    @staticmethod
    def _read(sock: socket.socket) -> None:
        seen = b""
        while MODERN.encode() not in seen and not seen.startswith(b"\x16\x03"):
            piece = sock.recv(65_536)
            if not piece:
                raise OSError("left early")
            seen += piece

    def close(self) -> None:
        for sock in (self._listener, self._sock):
            with suppress(OSError):
                if sock is not None:
                    sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        assert not self._thread.is_alive()
        self._listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*steps: Step) -> Server:
        servers.append(Server(*steps))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """exchange(url): one exchange over a real transport; what it gave or raised."""
    watchdog = Watchdog(interval_seconds=0.02)
    transport = HttpTransport(watchdog, connect_seconds=2.0)
    monkeypatch.setattr(endpoint, "_FIRST_BYTE_SECONDS", 0.3)

    def trade(url: str, call: Call | None = None, proxy: str | None = None) -> Any:
        nothing: Any = None
        secret = None if proxy is None else Secret(proxy)
        io = Io(transport, nothing, call or Call(time.monotonic() + 10), secret)
        try:
            return TokenEndpoint(OAuthOptions(url), lambda: NOW).refresh(stored(MODERN), io)
        except (RefreshFailed, RefreshRefused) as error:
            return error

    yield trade
    transport.close()
    watchdog.stop()


def answer(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {length or len(body)}\r\n\r\n"
    return head.encode() + body


def access(**claims: Any) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{part}.signature"


GRANT = json.dumps({"access_token": access(exp=NOW + 60), "refresh_token": "rt_next_one"}).encode()


def test_a_grant_over_the_wire(serve: Any, exchange: Any) -> None:
    given = exchange(serve(answer(GRANT)).url)
    assert (given.refresh_token, given.expires_at) == (Secret("rt_next_one"), NOW + 60)


def test_a_refusal_over_the_wire(serve: Any, exchange: Any) -> None:
    refused = exchange(serve(answer(b'{"error": "invalid_grant"}', "400 Bad Request")).url)
    assert isinstance(refused, RefreshRefused)


@pytest.mark.parametrize(
    ("steps", "told", "after_dispatch"),
    [
        (["hold"], "silent", True),
        ([], "before it answered", True),
        (["reset"], "before it answered", True),
        ([b"nonsense\r\n\r\n"], "not HTTP", True),
        ([answer(GRANT[:20], length=len(GRANT))], "cut short", True),
        ([answer(GRANT[:20], length=len(GRANT)), "hold"], "silent", True),
        ([answer(b"{", "503 No", 9)], "cut short", False),
        ([answer(b" " * 300_000)], "too large", True),
        ([answer(b"", "302 Found\r\nLocation: http://elsewhere.test/")], "answered 302", False),
    ],
)
def test_whether_it_may_have_been_carried_out(
    serve: Any, exchange: Any, steps: list[Step], told: str, after_dispatch: bool
) -> None:
    server = serve(*steps)
    failed = exchange(server.url)
    assert isinstance(failed, RefreshFailed)
    assert told in failed.reason
    assert failed.after_dispatch is after_dispatch
    assert server.requests == 1  # never sent twice
    assert MODERN not in failed.reason


@pytest.mark.parametrize(
    ("url", "proxy", "stage"),
    [
        ("http://127.0.0.1:1/oauth/token", None, "connect"),
        ("http://no.such.name.invalid/oauth/token", None, "dns"),
        ("http://login.test/oauth/token", "http://user:planted@127.0.0.1:1", "proxy"),
    ],
)
def test_what_was_never_sent(exchange: Any, url: str, proxy: str | None, stage: str) -> None:
    failed = exchange(url, proxy=proxy)
    assert isinstance(failed, RefreshFailed)
    assert f"stage: {stage}" in failed.reason
    assert not failed.after_dispatch
    assert "planted" not in failed.reason


def test_no_tls_where_it_is_expected(serve: Any, exchange: Any) -> None:
    failed = exchange(serve(b"HTTP/1.1 200 OK\r\n\r\n").url.replace("http:", "https:"))
    assert "stage: tls" in failed.reason
    assert not failed.after_dispatch


def test_an_address_that_is_none(exchange: Any) -> None:
    failed = exchange("http://")
    assert isinstance(failed, RefreshFailed)
    assert not failed.after_dispatch
