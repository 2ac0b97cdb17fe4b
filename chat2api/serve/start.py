"""What must hold before the server starts: a writable data directory and a free address."""

from __future__ import annotations

import errno
import logging
import os
import resource
import socket
import tempfile
from enum import IntEnum
from pathlib import Path

log = logging.getLogger(__name__)

_OTHER_FILES = 64


class ExitCode(IntEnum):
    """Why the process ended early; the numbers are those of sysexits(3)."""

    UNAVAILABLE = 69  # the address is taken, or the demo's upstream did not start
    CANNOT_CREATE = 73  # the data directory cannot be made or written
    CONFIG = 78  # the settings are wrong


class StartError(Exception):
    """The server cannot start; the text tells the operator why."""

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def prepare_data_dir(path: Path) -> None:
    """Make the directory if it is missing and try a write; a full or read-only disk shows here.

    Raises StartError (73).
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(b"chat2api")
            probe.flush()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = (
            f"the data directory {path} cannot be written: {reason}; set DATA_DIR to another one"
        )
        raise StartError(message, ExitCode.CANNOT_CREATE) from error


def make_room(connections: int) -> None:
    """Let the workers hold that many connections: a held stream needs two files, ours and the upstream's."""
    wanted = 2 * connections + _OTHER_FILES
    allowed = raise_file_limit(wanted)
    if allowed < wanted:
        log.warning(
            "only %d files may be open (ulimit -n), enough for about %d streams a worker",
            allowed,
            max(0, allowed - _OTHER_FILES) // 2,
        )


def raise_file_limit(wanted: int) -> int:
    """Raise the limit on open files to `wanted` if the system allows; returns how many it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        return allowed
    return wanted if soft == resource.RLIM_INFINITY else soft


def check_address(host: str, port: int) -> None:
    """Bind once and let go, so that a taken port is told before anything else happens.

    Raises StartError (69; 78 when `host` is no address of this machine).
    """
    # Names become IPv4 addresses, as gunicorn takes them.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server itself will do; connections of an earlier run in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except socket.gaierror:
            message = f"HOST={host} cannot be resolved to an address"
            raise StartError(message, ExitCode.CONFIG) from None
        except OSError as error:
            raise _cannot_listen(host, port, error) from error


def _cannot_listen(host: str, port: int, error: OSError) -> StartError:
    if error.errno == errno.EADDRINUSE:
        message = f"port {port} on {host} is in use by another process; choose one with --port"
        return StartError(message, ExitCode.UNAVAILABLE)
    if error.errno == errno.EADDRNOTAVAIL:
        return StartError(f"HOST={host} is no address of this machine", ExitCode.CONFIG)
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return StartError(f"cannot listen on {host} port {port}: {reason}", ExitCode.UNAVAILABLE)
