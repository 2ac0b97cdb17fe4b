"""A compute child: reads tasks from its standard input, a socket, and answers on it, one at a time.

Started by the pool as `python -m chat2api.compute.child`. It imports nothing of the server. The socket is
read by a thread of its own, so that the end of the parent, however sudden, ends the child even in the
middle of a task.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from chat2api.compute import frames
from chat2api.compute.tasks import TASKS

_STDIN = 0

Tasks = Mapping[str, Callable[..., Any]]
Jobs = queue.SimpleQueue[tuple[str, tuple[Any, ...]]]


def main(tasks: Tasks = TASKS) -> None:
    """Serve until the parent closes its end; never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then closes us
    stream = socket.socket(fileno=_STDIN)
    stream.setblocking(True)  # the parent may have made the pair for green threads
    jobs: Jobs = queue.SimpleQueue()
    threading.Thread(target=_read, args=(stream, jobs), daemon=True).start()
    while True:
        name, args = jobs.get()
        stream.sendall(_answer(tasks, name, args))


def _read(stream: socket.socket, jobs: Jobs) -> None:
    try:
        while True:
            jobs.put(frames.receive(stream))
    finally:
        os._exit(0)  # not sys.exit: that would wait for the task the main thread is busy with


def _answer(tasks: Tasks, name: str, args: tuple[Any, ...]) -> bytes:
    """A frame of (True, result) or (False, what went wrong)."""
    try:
        return frames.pack((True, tasks[name](*args)))
    except Exception as error:  # noqa: BLE001 - a boundary: reported here, raised in the parent
        return frames.pack((False, f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    main()
