"""The load generator: raw sockets, one thread, every byte checked. Runs as a process of its own.

`Load` steers it: the job goes to its standard input as JSON, one line of JSON comes back for "all
streams have begun" and one for the outcome.
"""

from __future__ import annotations

import json
import selectors
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.wire import Check, ResponseReader, Wrong

_GIVE_UP_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Job:
    """`count` requests over `connections` kept-alive connections, one at a time on each."""

    port: int
    request: str
    check: Check
    count: int
    connections: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """`first_ms` is the median time to the first byte of the body."""

    good: int
    wrong: list[str]
    seconds: float
    first_ms: float


class Load:
    """A running load generator."""

    def __init__(self, job: Job) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        json.dump(asdict(job), self._process.stdin)
        self._process.stdin.close()

    def wait_until_all_began(self) -> None:
        """Raises Wrong if one ended before the last began: then they were not all held at once."""
        line = self._line()
        if line != {"began": True}:
            raise Wrong(f"streams were not held together: {line}")

    def outcome(self) -> Outcome:
        """Raises Wrong when any answer was not what it should be."""
        line = self._line()
        if "began" in line:
            line = self._line()
        self._process.wait(10)
        outcome = Outcome(**line)
        if outcome.wrong:
            raise Wrong(f"{len(outcome.wrong)} answers: {outcome.wrong[0]}")
        return outcome

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Wrong("the load generator died")
        parsed: dict[str, Any] = json.loads(line)
        return parsed

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()


def run(job: Job) -> Outcome:
    """The whole job."""
    with Load(job) as load:
        return load.outcome()


class _Connection:
    """Sends the request, reads the answer, checks it, and starts over as long as there is work."""

    def __init__(self, port: int, request: bytes, check: Check) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._check = check
        self._reader = ResponseReader()
        self._sent_at = 0.0
        self.first_seconds: float | None = None

    def send(self) -> None:
        self._reader = ResponseReader()
        self.first_seconds = None
        self._sent_at = time.perf_counter()
        self.socket.sendall(self._request)

    def receive(self) -> bool:
        """Whether the answer is complete. Raises Wrong."""
        data = self.socket.recv(1 << 16)
        if not data:
            raise Wrong("the connection ended early")
        self._reader.feed(data)
        if self.first_seconds is None and self._reader.body:
            self.first_seconds = time.perf_counter() - self._sent_at
        if self._reader.done:
            self._check(self._reader)
        return self._reader.done


class _Generator:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._selector = selectors.DefaultSelector()
        self._left = job.count
        self._good = 0
        self._wrong: list[str] = []
        self._first: list[float] = []
        self._began: set[_Connection] = set()

    def run(self) -> Outcome:
        begun = time.perf_counter()
        request = self._job.request.encode()
        for _ in range(min(self._job.connections, self._job.count)):
            connection = _Connection(self._job.port, request, self._job.check)
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            self._next(connection)
        while self._selector.get_map():
            ready = self._selector.select(_GIVE_UP_SECONDS)
            if not ready:
                self._wrong.append(f"silence for {_GIVE_UP_SECONDS:.0f} s")
                break
            for key, _ in ready:
                self._serve(key.data)
        return Outcome(
            self._good,
            self._wrong[:5],
            time.perf_counter() - begun,
            statistics.median(self._first or [0.0]) * 1000,
        )

    def _next(self, connection: _Connection) -> None:
        if self._left == 0:
            self._selector.unregister(connection.socket)
            connection.socket.close()
            return
        self._left -= 1
        connection.send()

    def _serve(self, connection: _Connection) -> None:
        had_begun = connection.first_seconds is not None
        try:
            complete = connection.receive()
        except (Wrong, OSError, ValueError, LookupError) as error:
            self._wrong.append(f"{type(error).__name__}: {error}")
            self._selector.unregister(connection.socket)
            connection.socket.close()
            return
        if not had_begun and connection.first_seconds is not None:
            self._first.append(connection.first_seconds)
            if len(self._first) == self._job.connections:
                _tell({"began": self._good == 0})
        if complete:
            self._good += 1
            self._next(connection)


def _tell(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def main() -> None:
    fields = json.load(sys.stdin)
    job = Job(**{**fields, "check": Check(**fields["check"])})
    _tell(asdict(_Generator(job).run()))


if __name__ == "__main__":
    main()
