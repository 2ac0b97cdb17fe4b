"""Real processes: the simulator as upstream, the server under gunicorn, official clients as judges."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from .answers import Answer, read_answer
from .processes import KEY, OwnSimulator, Server, Simulator
from .wire import Wire, chat_body, sse_payloads


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    running = Simulator(tmp_path_factory.mktemp("simulator"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def upstream(simulator: Simulator) -> Simulator:
    """The simulator, forgetful of what other tests did."""
    simulator.reset()
    return simulator


@pytest.fixture(scope="session")
def demo_tokens(simulator: Simulator) -> list[str]:
    return [account["access_token"] for account in simulator.control("accounts")["accounts"]]


@pytest.fixture(scope="session")
def start_server(
    simulator: Simulator, demo_tokens: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """Start servers with settings of a test's own; all end with the session."""
    started: list[Server] = []

    def start(
        *arguments: str,
        tokens: list[str] | None = None,
        upstream: str | None = None,
        wait: bool = True,
        **settings: str,
    ) -> Server:
        server = Server(
            tmp_path_factory.mktemp("server"),
            upstream or simulator.url,
            demo_tokens if tokens is None else tokens,
            settings,
            list(arguments),
        )
        started.append(server)
        if wait:
            server.start()
        return server

    yield start
    for server in started:  # all at once: each takes a moment to drain
        if server.process.child is not None and server.process.child.poll() is None:
            server.process.child.terminate()
    for server in started:
        if server.process.child is not None:
            server.stop()


@pytest.fixture(scope="session")
def server(start_server: Callable[..., Server]) -> Server:
    """One server for all tests that need no settings of their own."""
    return start_server(ALLOW_ANONYMOUS="true", RETRY_TIMES="1")


# --- one connection, byte by byte


@pytest.fixture
def dial() -> Iterator[Callable[[Server], Wire]]:
    """Open connections to a server; all are closed with the test."""
    opened: list[Wire] = []

    def connect(to: Server) -> Wire:
        opened.append(Wire(to.port))
        return opened[-1]

    yield connect
    for wire in opened:
        wire.sock.close()


@pytest.fixture(scope="session")
def asking() -> Callable[..., dict[str, Any]]:
    """asking(text, stream=True, **more): the body of a chat request."""
    return chat_body


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """eventually(look, seconds): what `look` gives once it is true; fails after `seconds`."""

    def wait(look: Callable[[], Any], seconds: float = 5.0) -> Any:
        end = time.monotonic() + seconds
        while not (seen := look()):
            assert time.monotonic() < end, f"waited {seconds} s in vain"
            time.sleep(0.02)
        return seen

    return wait


@pytest.fixture(scope="session")
def payloads() -> Callable[[bytes], list[Any]]:
    """What the data lines of a stream's bytes say; comments are left out."""
    return lambda body: sse_payloads(body.decode())


@pytest.fixture(scope="session")
def streamed_text() -> Callable[[list[Any]], str]:
    """The content of the chunks, joined."""

    def text(payloads: list[Any]) -> str:
        chunks = [one for one in payloads if isinstance(one, dict)]
        deltas = [choice["delta"] for one in chunks for choice in one.get("choices", ())]
        return "".join(delta.get("content") or "" for delta in deltas)

    return text


@pytest.fixture(scope="session")
def stream_server(start_server: Callable[..., Server]) -> Server:
    """As `server`, but it only ever met an upstream of the newer generation."""
    return start_server(ALLOW_ANONYMOUS="true", RETRY_TIMES="1")


@pytest.fixture(scope="session")
def narrow_server(start_server: Callable[..., Server], demo_tokens: list[str]) -> Server:
    """One account that takes one turn at a time, and short limits."""
    return start_server(
        tokens=demo_tokens[:1],
        ACCOUNT_CONCURRENCY="1",
        RETRY_TIMES="1",
        KEEPALIVE_SECONDS="0.4",
        IDLE_SECONDS="1.5",
        RESUME_AFTER_SECONDS="0.7",
        WRITE_STALL_SECONDS="1",
        QUEUE_SECONDS="10",
        EVENT_LIMIT_BYTES="1048576",
    )


@pytest.fixture
def own_upstream(tmp_path: Path) -> Iterator[OwnSimulator]:
    """A simulator for one test, paced like the others only where asked."""
    running = OwnSimulator(tmp_path)
    running.start()
    running.reset()
    yield running
    running.stop()


# --- whole exchanges


@pytest.fixture(scope="session")
def ask() -> Callable[..., Answer]:
    """ask(server, text, **more): one chat request read to its end. `key` and `headers` are not body."""

    def one(to: Server, text: str = "/sim text", **more: Any) -> Answer:
        sent = {name: more.pop(name) for name in ("key", "headers") if name in more}
        more.setdefault("stream", False)
        return read_answer(to.post(chat_body(text, **more), **sent))

    return one


@pytest.fixture
def turns(upstream: Simulator) -> Callable[[], list[Any]]:
    """The conversation calls the upstream saw in this test, oldest first."""
    return lambda: list(upstream.control("requests?endpoint=conversation")["requests"])


@pytest.fixture(scope="session")
def new_tokens(simulator: Simulator) -> Callable[[int], list[str]]:
    """new_tokens(n): the tokens of n accounts that nobody else uses."""
    numbers = itertools.count(1)

    def make(count: int) -> list[str]:
        names = [f"account-{next(numbers)}" for _ in range(count)]
        return [simulator.control("accounts", {"name": name})["access_token"] for name in names]

    return make


@pytest.fixture(scope="session")
def keeps_secrets() -> Callable[[Server], None]:
    """Fails when a server's log holds a key, an account's token or a prompt (G09).

    Every prompt of this suite begins with "/sim ".
    """

    def check(server: Server) -> None:
        log = server.log
        for secret in (KEY, "/sim ", *server.tokens):
            assert secret not in log
            assert secret[-24:] not in log

    return check


@pytest.fixture
def sdk() -> Iterator[Callable[..., openai.OpenAI]]:
    """sdk(server, key): the official client; closed with the test."""
    with ExitStack() as open_clients:

        def client(of: Server, key: str = KEY, **more: Any) -> openai.OpenAI:
            return open_clients.enter_context(of.client(key, **more))

        yield client


@pytest.fixture
def brief_server(start_server: Callable[..., Server]) -> Iterator[Callable[..., Server]]:
    """As `start_server`, for one test: what it starts is killed after it, without the time of a drain."""
    started: list[Server] = []

    def start(*arguments: str, **settings: Any) -> Server:
        started.append(start_server(*arguments, **settings))
        return started[-1]

    yield start
    for server in started:
        assert server.process.child is not None
        if server.process.child.poll() is None:
            root = psutil.Process(server.process.child.pid)
            for process in (root, *root.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            server.process.child.wait(5)
        server.stop()
