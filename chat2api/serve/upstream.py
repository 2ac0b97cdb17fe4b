"""The demo's upstream: the simulator as a process of its own that lives as long as the server."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from chat2api.serve.start import ExitCode, StartError

_READY = re.compile(rb"simulator listening on (http://127\.0\.0\.1:([0-9]{1,5}))\s")
_START_SECONDS = 20
_STOP_SECONDS = 3
_SOURCE_TREE = Path(__file__).resolve().parents[2]


@contextmanager
def simulator_process(environ: Mapping[str, str], tokens_file: Path) -> Iterator[str]:
    """Run `python -m chat2api.simulator` for the time of the block; gives its address.

    Before it is ready it has written its accounts' access tokens to `tokens_file`, one a line.

    It ends when its standard input does, so it ends also when this process is killed: the workers
    hold copies of that pipe, and it outlives the last stream but not the last worker. A session of
    its own keeps Ctrl-C from ending it before the streams. Raises StartError (69).
    """
    command = [sys.executable, "-m", "chat2api.simulator", "--port", "0", "--exit-with-stdin"]
    command += ["--tokens-file", str(tokens_file)]
    path = os.pathsep.join(filter(None, (str(_SOURCE_TREE), environ.get("PYTHONPATH"))))
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**environ, "PYTHONPATH": path},
        start_new_session=True,
    )
    owner = os.getpid()
    try:
        yield _wait_until_ready(process)
    finally:
        # Forked workers leave through this block too, when they exit.
        if os.getpid() == owner:
            _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    said = _read_until(process.stdout, b"\n", time.monotonic() + _START_SECONDS)
    ready = _READY.search(said)
    if ready is None:
        raise StartError("the demo's upstream did not start", ExitCode.UNAVAILABLE)
    return ready[1].decode("ascii")


def _read_until(stream: IO[bytes], mark: bytes, deadline: float) -> bytes:
    """What the stream gives up to `mark`, its end, or the deadline."""
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while mark not in said and (left := deadline - time.monotonic()) > 0:
            if selector.select(left):
                got = os.read(stream.fileno(), 4096)
                if not got:
                    break
                said += got
    return said


def _stop(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    try:
        process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=_STOP_SECONDS)
