"""The way to the upstream: proxies, names that do not resolve, doors that are shut (A15)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

PASSWORD = "pl4nted-pr0xy-passw0rd"
NOWHERE = "upstream.invalid"  # a name that only a proxy may be asked for


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@dataclass
class Proxy:
    """A proxy that takes every connection to one port, whatever host it was asked for."""

    kind: str  # http, socks5, or what an http proxy answers instead
    leads_to: int
    heads: list[bytes] = field(
        default_factory=list
    )  # what callers opened with, credentials included
    sockets: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = self._kept(socket.create_server(("127.0.0.1", 0)))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for sock in self.sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _kept(self, sock: socket.socket) -> socket.socket:
        self.sockets.append(sock)
        return sock

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller = self._kept(self.listener.accept()[0])
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with suppress(OSError):
            opening = b""
            if self.kind == "socks5":
                self.heads.append(self._socks_handshake(caller))
            else:
                while b"\r\n\r\n" not in opening:
                    opening += caller.recv(65_536)
                self.heads.append(opening.partition(b"\r\n\r\n")[0])
                if self.kind != "http":
                    caller.sendall(self.kind.encode())
                    caller.close()
                    return
            upstream = self._kept(socket.create_connection(("127.0.0.1", self.leads_to)))
            for sock in (caller, upstream):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            upstream.sendall(opening)
            threading.Thread(target=pump, args=(upstream, caller), daemon=True).start()
            pump(caller, upstream)

    @staticmethod
    def _socks_handshake(caller: socket.socket) -> bytes:
        """Version 5 with a user name; returns credentials and target as they came."""
        assert caller.recv(1) == b"\x05"
        methods = caller.recv(caller.recv(1)[0])
        assert b"\x02" in methods
        caller.sendall(b"\x05\x02")
        credentials = caller.recv(512)
        caller.sendall(b"\x01\x00")
        target = caller.recv(512)
        caller.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        return credentials + target


@pytest.fixture
def proxy(simulator: Any) -> Iterator[Callable[[str], Proxy]]:
    """proxy(kind): a proxy that leads to the simulator."""
    with ExitStack() as running:

        def start(kind: str) -> Proxy:
            one = Proxy(kind, simulator.port)
            running.callback(one.close)
            return one

        yield start


@pytest.fixture
def start(brief_server: Any, simulator: Any, new_tokens: Any, keeps_secrets: Any) -> Iterator[Any]:
    """start(upstream, …): a server for one test, whose log must not tell the proxy's password."""
    servers = []

    def begin(upstream: str | None = None, accounts: int = 1, **settings: str) -> Any:
        settings = {"RETRY_TIMES": "1", "LOG_LEVEL": "debug", **settings}
        where = upstream or f"http://{NOWHERE}:{simulator.port}"
        servers.append(brief_server(tokens=new_tokens(accounts), upstream=where, **settings))
        return servers[-1]

    yield begin
    for server in servers:
        keeps_secrets(server)
        assert PASSWORD not in server.log


# --- proxies that work


def test_an_http_proxy(start: Any, proxy: Any, upstream: Any, ask: Any, turns: Any) -> None:
    relay = proxy("http")
    server = start(PROXY_URL=f"http://operator:{PASSWORD}@127.0.0.1:{relay.port}")
    answers = [ask(server, stream=stream) for stream in (False, True)]
    assert [answer.status for answer in answers] == [200, 200]
    assert {turn["headers"]["host"].split(":")[0] for turn in turns()} == {NOWHERE}
    assert relay.heads[0].startswith(f"GET http://{NOWHERE}:".encode())  # the home page, too
    assert all(b"proxy-authorization: basic " in head.lower() for head in relay.heads)


def test_a_socks_proxy_resolves_names(start: Any, proxy: Any, upstream: Any, ask: Any) -> None:
    relay = proxy("socks5")
    server = start(PROXY_URL=f"socks5://operator:{PASSWORD}@127.0.0.1:{relay.port}")
    assert ask(server).status == 200
    assert all(f"operator{chr(len(PASSWORD))}{PASSWORD}".encode() in head for head in relay.heads)
    assert all(b"\x03" + bytes([len(NOWHERE)]) + NOWHERE.encode() in head for head in relay.heads)


def test_a_scheme_is_optional(start: Any, proxy: Any, upstream: Any, ask: Any) -> None:
    relay = proxy("http")
    assert ask(start(PROXY_URL=f"127.0.0.1:{relay.port}")).status == 200
    assert relay.heads


def test_an_account_keeps_its_proxy(
    start: Any, proxy: Any, upstream: Any, ask: Any, turns: Any
) -> None:
    """And `{}` gives each account a user name of its own, for sessions that stick."""
    relays = [proxy("http"), proxy("http")]
    urls = [f"http://user-{{}}:{PASSWORD}@127.0.0.1:{relay.port}" for relay in relays]
    server = start(accounts=6, PROXY_URL=",".join(urls), RANDOM_TOKEN="false")
    for _ in range(12):
        assert ask(server).status == 200
    ways = set()
    for relay in relays:
        for head in relay.heads:
            lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            ways.add((relay.port, lines[b"proxy-authorization"]))
    assert len(ways) == len({user for _, user in ways}) == 6
    assert len({turn["account"] for turn in turns()}) == 6


# --- ways that are shut


def shut_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def plain_port(stack: ExitStack) -> int:
    """A port that answers TLS with something else."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def answer() -> None:
        with suppress(OSError):
            while True:
                caller, _ = listener.accept()
                with caller:
                    caller.recv(1000)
                    caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    threading.Thread(target=answer, daemon=True).start()
    stack.callback(listener.shutdown, socket.SHUT_RDWR)
    return int(listener.getsockname()[1])


def check_shut(server: Any, ask: Any, stage: str) -> None:
    for stream in (False, True):
        answer = ask(server, stream=stream)
        assert (answer.status, answer.code) == (502, "upstream_connection_error")
        assert f"stage: {stage}" in answer.error["message"]
        assert "Retry-After" in answer.headers
        assert PASSWORD not in str(answer.error)
        assert "127.0.0.1" not in answer.error["message"]


def test_a_name_that_does_not_resolve(start: Any, ask: Any) -> None:
    check_shut(start(), ask, "dns")


def test_a_refused_connection(start: Any, ask: Any) -> None:
    check_shut(start(f"http://127.0.0.1:{shut_port()}"), ask, "connect")


def test_tls_that_is_none(start: Any, ask: Any) -> None:
    with ExitStack() as stack:
        check_shut(start(f"https://127.0.0.1:{plain_port(stack)}"), ask, "tls")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_is_away(start: Any, ask: Any, scheme: str) -> None:
    url = f"{scheme}://operator:{PASSWORD}@127.0.0.1:{shut_port()}"
    check_shut(start(PROXY_URL=url), ask, "proxy")


def test_a_proxy_that_refuses(start: Any, proxy: Any, ask: Any) -> None:
    refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    for upstream in (None, f"https://{NOWHERE}"):
        url = f"http://operator:{PASSWORD}@127.0.0.1:{proxy(refusal).port}"
        check_shut(start(upstream, PROXY_URL=url), ask, "proxy")


def test_waiting_for_a_connection_ends(start: Any, ask: Any) -> None:
    """A door where nobody opens: the queue of a listener that never accepts is full."""
    with socket.socket() as listener, ExitStack() as callers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        port = listener.getsockname()[1]
        server = start(f"http://127.0.0.1:{port}", CONNECT_SECONDS="0.3", RETRY_TIMES="0")
        began = time.monotonic()
        check_shut(server, ask, "connect")
        assert time.monotonic() - began < 4
