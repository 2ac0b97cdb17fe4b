"""Real processes: the simulator as upstream, the server under gunicorn, official clients as judges."""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-test-key-of-the-suite"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def clean_environment() -> dict[str, str]:
    """What a process needs, without settings that the machine may carry."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ}


@dataclass
class Process:
    """A child of the suite with its output in a file. `stop` ends it by pid."""

    command: list[str]
    output: Path
    environment: dict[str, str]
    cwd: Path = ROOT
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.output.open("ab") as out:
            self.child = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.output.read_text("utf-8", "replace")

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.child is not None
            if self.child.poll() is not None:
                pytest.fail(f"process ended with {self.child.returncode}:\n{self.said()}")
            if ready():
                return
            time.sleep(0.05)
        pytest.fail(f"not ready after {seconds} s:\n{self.said()}")

    def stop(self, seconds: float = 15) -> int:
        assert self.child is not None
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(5)
        if self.child.stdin is not None:
            self.child.stdin.close()
        return int(self.child.returncode)


class Simulator:
    """The embedded upstream and its control routes."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "chat2api.simulator", "--port", str(self.port)]
        self.process = Process(command, directory / "simulator.log", clean_environment())
        self.http = requests.Session()
        self.http.trust_env = False

    def start(self) -> None:
        self.process.start()
        self.process.wait_until(lambda: "simulator listening on" in self.process.said())

    def control(self, path: str, body: Any = None) -> Any:
        """POST a JSON body to a control route, or GET it without one."""
        if body is None:
            response = self.http.get(f"{self.url}/_sim/{path}", timeout=10)
        else:
            response = self.http.post(f"{self.url}/_sim/{path}", json=body, timeout=10)
        assert response.status_code < 300, response.text
        return response.json()

    def reset(self) -> None:
        self.control("reset", {})
        self.control("config", {"pacing": 0})

    def stop(self) -> None:
        self.http.close()
        self.process.stop()


@dataclass
class Server:
    """chat2api itself, started for real."""

    directory: Path
    upstream: str
    tokens: list[str]
    settings: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = self.directory / "data"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        (self.data_dir / "token.txt").write_text("\n".join(self.tokens) + "\n")
        environment = {
            **clean_environment(),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "AUTHORIZATION": KEY,
            "CHATGPT_BASE_URL": self.upstream,
            "DATA_DIR": str(self.data_dir),
            **self.settings,
        }
        command = [sys.executable, str(ROOT / "app.py"), *self.arguments]
        self.process = Process(
            command, self.directory / "server.log", environment, cwd=self.directory
        )

    def start(self) -> Server:
        self.process.start()
        self.process.wait_until(self.is_ready)
        return self

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=1).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    def stop(self) -> int:
        return self.process.stop()

    @property
    def log(self) -> str:
        return self.process.said()

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def client(self, key: str = KEY, **more: Any) -> openai.OpenAI:
        more.setdefault("max_retries", 0)
        return openai.OpenAI(base_url=self.base_url, api_key=key, timeout=30, **more)

    def post(self, body: Any, *, key: str | None = KEY, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers.update(more.pop("headers", {}))
        return requests.post(
            f"{self.base_url}/chat/completions", json=body, headers=headers, timeout=30, **more
        )


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


def sse_payloads(text: str) -> list[Any]:
    """The JSON of every data line; "[DONE]" as itself."""
    lines = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


# --- one connection, byte by byte


def chat_body(text: str, *, stream: bool = True, **more: Any) -> dict[str, Any]:
    """The body of a chat request with one message."""
    messages = [{"role": "user", "content": text}]
    return {"model": "gpt-5-5", "messages": messages, "stream": stream, **more}


class Wire:
    """A raw HTTP connection to a server. Reads what has come, without waiting for the end."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.headers: dict[str, str] = {}
        self._got = b""
        self._left: int | None = None  # of the body or of its chunk; None: until the end

    def ask(self, text: str, *, headers: str = "", stream: bool = True, **more: Any) -> Wire:
        """POST a chat request; `headers` are further lines, each ended by CR LF."""
        self.post(json.dumps(chat_body(text, stream=stream, **more)).encode(), headers)
        return self

    def post(self, body: bytes, headers: str = "", version: str = "1.1") -> None:
        self.send(self.post_head(len(body), headers, version) + body)

    @staticmethod
    def post_head(length: int, headers: str = "", version: str = "1.1") -> bytes:
        return (
            f"POST /v1/chat/completions HTTP/{version}\r\nHost: x\r\n{headers}"
            f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()

    def get(self, path: str) -> int:
        """The status of a GET, its body read."""
        self.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode())
        status = self.head()
        self.body()
        return status

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def head(self) -> int:
        """Read status line and headers; the status."""
        status, *lines = self._line_block().decode("latin-1").split("\r\n")
        self.headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        length = self.headers.get("content-length")
        self._left = int(length) if length is not None else None
        return int(status.split()[1])

    def piece(self) -> bytes:
        """The next piece of the body; empty at its end. Raises EOFError where it is cut."""
        if self.headers.get("transfer-encoding") == "chunked":
            return self._chunk()
        if self._left == 0:
            return b""
        if not self._got and not self._more():
            assert self._left is None, "the body is cut"
            return b""
        size = len(self._got) if self._left is None else self._left
        data, self._got = self._got[:size], self._got[size:]
        if self._left is not None:
            self._left -= len(data)
        return data

    def body(self) -> bytes:
        """What is left of the body."""
        return b"".join(iter(self.piece, b""))

    def until(self, mark: bytes) -> bytes:
        """The body up to the piece that completes `mark`."""
        data = b""
        while mark not in data:
            piece = self.piece()
            assert piece, f"the body ended without {mark!r}: {data!r}"
            data += piece
        return data

    def hang_up(self, how: str = "close") -> None:
        """`close` as programs do; `reset` by RST; `half`: only the sending side is shut."""
        if how == "half":
            self.sock.shutdown(socket.SHUT_WR)
            return
        if how == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def is_closed(self) -> bool:
        """Whether the server closes the connection, with nothing more on it."""
        return not self._got and self._more() == b""

    def _more(self) -> bytes:
        data = self.sock.recv(262_144)
        self._got += data
        return data

    def _take(self, size: int) -> bytes:
        while len(self._got) < size:
            if not self._more():
                raise EOFError("the connection ended inside an answer")
        data, self._got = self._got[:size], self._got[size:]
        return data

    def _line_block(self, end: bytes = b"\r\n\r\n") -> bytes:
        while end not in self._got:
            if not self._more():
                raise EOFError("the connection ended inside an answer")
        block, _, self._got = self._got.partition(end)
        return block

    def _chunk(self) -> bytes:
        size = int(self._line_block(b"\r\n"), 16)
        data = self._take(size)
        assert self._take(2) == b"\r\n"
        if size == 0:
            self.headers = {"content-length": "0"}
            self._left = 0
        return data


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


class OwnSimulator(Simulator):
    """One that a test may kill."""

    def kill(self) -> None:
        """Ends it without a word: its master and its worker."""
        assert self.process.child is not None
        family = psutil.Process(self.process.child.pid).children(recursive=True)
        for process in (psutil.Process(self.process.child.pid), *family):
            process.kill()
        self.process.child.wait(5)
        self.process.stop()
        self.http.close()

    def start_again(self) -> None:
        self.process.start()
        self.process.wait_until(self._is_up)

    def _is_up(self) -> bool:
        try:
            return self.http.get(f"{self.url}/_sim/health", timeout=1).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False


@pytest.fixture
def own_upstream(tmp_path: Path) -> Iterator[OwnSimulator]:
    """A simulator for one test, paced like the others only where asked."""
    running = OwnSimulator(tmp_path)
    running.start()
    running.reset()
    yield running
    running.stop()


# --- whole exchanges


_PICTURE = re.compile(r"!\[image[^\]]*\]\(([^)]*)\)\n?")


@dataclass(frozen=True)
class Answer:
    """What a caller makes of an answer, streamed or whole."""

    status: int
    headers: Any
    text: str = ""
    images: tuple[str, ...] = ()
    reasoning: str = ""
    finish_reason: str | None = None
    error: Any = None
    done: bool = True
    conversation_id: str | None = None
    message_id: str | None = None

    @property
    def code(self) -> str | None:
        return None if self.error is None else str(self.error["code"])


def read_answer(response: requests.Response) -> Answer:
    """The whole answer of a request that asked for one choice."""
    if not response.headers["Content-Type"].startswith("text/event-stream"):
        document = response.json()
        if "error" in document:
            return Answer(response.status_code, response.headers, error=document["error"])
        (choice,) = document["choices"]
        return _answer(
            response, [{**document, "choices": [{**choice, "delta": choice["message"]}]}]
        )
    payloads = sse_payloads(response.content.decode())
    done = bool(payloads) and payloads[-1] == "[DONE]"
    return _answer(response, payloads[:-1] if done else payloads, done)


def _answer(response: requests.Response, chunks: list[Any], done: bool = True) -> Answer:
    choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
    content = "".join(choice["delta"].get("content") or "" for choice in choices)
    ends = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    assert len(ends) <= 1, "more than one finish_reason"
    return Answer(
        response.status_code,
        response.headers,
        text=_PICTURE.sub("", content),
        images=tuple(_PICTURE.findall(content)),
        reasoning="".join(choice["delta"].get("reasoning_content") or "" for choice in choices),
        finish_reason=ends[0] if ends else None,
        error=next((chunk["error"] for chunk in chunks if "error" in chunk), None),
        done=done,
        conversation_id=next(
            (c["conversation_id"] for c in chunks if "conversation_id" in c), None
        ),
        message_id=next((c["message_id"] for c in reversed(chunks) if "message_id" in c), None),
    )


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
