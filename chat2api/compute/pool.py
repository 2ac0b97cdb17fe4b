"""A few child processes for CPU work, so that a hard computation never delays the other requests.

Not `multiprocessing`: its spawned children run the parent's main script again, and its fork would copy a
process full of live connections. A child here is a plain program, `python -m chat2api.compute.child`, at
the other end of a socket pair. Sending, waiting and time limits are ordinary blocking socket calls, which
hold up the calling thread and nobody else, be it a real thread or a green one.

A pool belongs to the process that made it: make it after a worker has forked.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chat2api.compute import frames
from chat2api.compute.protocol import ComputeFailed, ComputeTimeout
from chat2api.compute.slots import Slots
from chat2api.lifetime.call import Call

log = logging.getLogger(__name__)

CHILD = (sys.executable, "-m", "chat2api.compute.child")
_MOST_BY_DEFAULT = 4
_IMPORT_ROOT = (
    Path(__file__).resolve().parents[2]
)  # the child's directory, so that it finds chat2api
_EXIT_SECONDS = 2.0
_NICENESS = 10


class ComputePool:
    """Runs tasks in up to `processes` children (0: one per core, at most four), started when needed.

    Implements `compute.protocol.Compute`; safe to use from many threads. `command` is what a child runs.
    """

    def __init__(self, processes: int = 0, command: Sequence[str] = CHILD) -> None:
        self._command = tuple(command)
        self._owner = os.getpid()
        self._slots = Slots(processes or min(os.cpu_count() or 1, _MOST_BY_DEFAULT))
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._closed = False

    def warm(self) -> None:
        """Start one child now: while a process is young it forks fastest, and the first task need not
        wait for an interpreter.
        """
        self._give_back(self._take())

    def run(self, task: str, *args: Any, call: Call, timeout_seconds: float) -> Any:
        """See `Compute.run`. The limit counts from when a child takes the task; waiting for a free one
        is bounded by the call. A task whose process died is tried once more, on a fresh process.
        """
        if os.getpid() != self._owner:
            raise RuntimeError("a compute pool cannot be used across a fork")
        job = frames.pack((task, args))
        self._slots.acquire(call)
        try:
            try:
                succeeded, value = self._attempt(job, call, timeout_seconds)
            except _ChildDied:
                log.warning("a compute process died during %s; trying once more", task)
                self._end_idle()  # whatever killed it may have met them too
                succeeded, value = self._attempt(job, call, timeout_seconds)
        except _ChildDied:
            raise ComputeFailed(f"the process died twice during {task}") from None
        except TimeoutError:
            raise ComputeTimeout(f"{task} was stopped at its time limit") from None
        finally:
            self._slots.release()
        if not succeeded:
            raise ComputeFailed(f"{task} failed: {value}")
        return value

    def close(self) -> None:
        """End all children; running and waiting tasks fail. The pool is of no use afterwards."""
        self._slots.close()
        with self._lock:
            self._closed = True
            busy = list(self._busy)
        for child in busy:
            child.kill()  # the thread that waits for it cleans up
        self._end_idle()

    def _attempt(self, job: bytes, call: Call, timeout_seconds: float) -> tuple[bool, Any]:
        child = self._take()
        try:
            answer: tuple[bool, Any] = child.ask(job, call, timeout_seconds)
        except (TimeoutError, _ChildDied):
            call.check()  # a child that was killed for a cancelled call did not fail
            raise
        finally:
            self._give_back(child)
        return answer

    def _take(self) -> _Child:
        with self._lock:
            if self._closed:
                raise ComputeFailed("compute is shut down")
            child = self._idle.pop() if self._idle else None
        if child is None:
            child = _Child(self._command)
        self._register(child)
        return child

    def _register(self, child: _Child) -> None:
        with self._lock:
            self._busy.add(child)
            if self._closed:  # meanwhile: starting a process takes its time
                child.kill()

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            self._busy.discard(child)
            if child.reusable and not self._closed:
                self._idle.append(child)
                return
        child.end()

    def _end_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()


class _ChildDied(Exception):
    """The process ended before it answered."""


class _Child:
    """One process and the socket to it. Serves one thread at a time; any thread may kill it."""

    def __init__(self, command: Sequence[str]) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    cwd=_IMPORT_ROOT,
                    close_fds=True,
                    start_new_session=True,  # signals of a terminal are for the server alone
                )
            except OSError as error:
                self._socket.close()
                raise ComputeFailed(f"no compute process could be started: {error}") from error
        # Set here, so that its start yields to serving as well. It may have ended already.
        with contextlib.suppress(ProcessLookupError):
            lower = os.getpriority(os.PRIO_PROCESS, 0) + _NICENESS
            os.setpriority(os.PRIO_PROCESS, self._process.pid, lower)
        self._lock = threading.Lock()
        self._turn = 0
        self._killed = False
        self.reusable = True

    def ask(self, job: bytes, call: Call, timeout_seconds: float) -> Any:
        """Send a packed job, return the answer. Raises TimeoutError or _ChildDied."""
        self.reusable = False
        with self._lock:
            self._turn += 1
            kill = functools.partial(self._kill_in, self._turn)
        try:
            with call.waking(kill):
                stream = _BoundedStream(
                    self._socket, time.monotonic() + min(timeout_seconds, call.remaining())
                )
                stream.sendall(job)
                answer = frames.receive(stream)
        except TimeoutError:
            raise
        except (EOFError, OSError) as error:
            raise _ChildDied from error
        with self._lock:
            self._turn += 1
            self.reusable = not self._killed
        return answer

    def kill(self) -> None:
        with self._lock:
            self._killed = True
            self._process.kill()

    def end(self) -> None:
        """Kill it, if it is still there, and leave nothing behind."""
        self.kill()
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_SECONDS)

    def _kill_in(self, turn: int) -> None:
        """Kill it unless it went on to another turn: the hook of a call may fire that late."""
        with self._lock:
            if turn == self._turn:
                self._killed = True
                self._process.kill()


class _BoundedStream:
    """A socket whose waits, all together, end at `give_up`, a reading of `time.monotonic()`."""

    def __init__(self, stream: socket.socket, give_up: float) -> None:
        self._stream = stream
        self._give_up = give_up

    def recv(self, size: int) -> bytes:
        self._limit()
        return self._stream.recv(size)

    def sendall(self, data: bytes) -> None:
        self._limit()
        self._stream.sendall(data)

    def _limit(self) -> None:
        left = self._give_up - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._stream.settimeout(left)
