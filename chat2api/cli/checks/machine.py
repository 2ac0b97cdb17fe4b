"""Checks of this machine: the data directory, the port, limits of the system, processes for CPU work."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

from chat2api.cli.checks.finding import Finding, fail, ok, warn
from chat2api.compute.protocol import Compute, ComputeFailed
from chat2api.errors import Chat2ApiError
from chat2api.lifetime.call import Call
from chat2api.serve.start import StartError, check_address, prepare_data_dir
from chat2api.settings.model import Settings
from chat2api.store.opening import KEY_FILE
from chat2api.store.places import file_system, is_shared
from chat2api.transport.protocol import Outgoing, Transport

_MIB = 1024 * 1024
_SCARCE_BYTES, _TOO_LITTLE_BYTES = 1024 * _MIB, 50 * _MIB
_OTHER_FILES = 64
_ASK_SECONDS = 3.0
_PROOF_SECONDS = 20.0
_SLOW_TRIES = 30_000
# A search whose end is known: the nonce that is found does not depend on the machine.
_PROOF = (
    *("sha3", "chat2api doctor 1", "00003a"),
    *((b'["a",', b',"b",', b',"c"]'), 5, 5_000_000, _PROOF_SECONDS),
)
_USUAL_TRIES = 16**6 / 0x3B  # for a difficulty of 00003a, on average


# --- the data directory


def check_data_dir(settings: Settings) -> list[Finding]:
    check, path = "data directory", settings.data_dir
    if not path.exists():
        return [_missing(check, path)]
    try:
        prepare_data_dir(path)
    except StartError as error:
        return [fail(check, str(error), "Change its owner, or set DATA_DIR to another one.")]
    found = [_space(check, path)]
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        found.append(warn(check, f"{path} is open to other users", f"chmod 700 {path}"))
    if is_shared(path) and settings.database_url is None:
        kind = file_system(path)
        cure = "Use a local disk, or PostgreSQL through DATABASE_URL."
        found.append(fail(check, f"SQLite on a network file system ({kind}) gets damaged", cure))
    return [*found, *check_key_file(settings)]


def _missing(check: str, path: Path) -> Finding:
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if above.is_dir() and os.access(above, os.W_OK):
        return ok(check, f"{path} is made at the first start")
    return fail(check, f"{path} cannot be made", "Set DATA_DIR to a place that can be written.")


def _space(check: str, path: Path) -> Finding:
    free = shutil.disk_usage(path).free
    text, cure = f"{path}, {free // _MIB:,} MiB free", "Make room on its disk."
    if free < _TOO_LITTLE_BYTES:
        return fail(check, text, cure)
    return warn(check, text, cure) if free < _SCARCE_BYTES else ok(check, f"{text}, writable")


def check_key_file(settings: Settings) -> list[Finding]:
    check, path = "secret key", settings.data_dir / KEY_FILE
    if not path.exists():
        where = "SECRET_KEY" if settings.secret_key else f"{path}, made at the first start"
        return [ok(check, where)]
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return [fail(check, f"{path} can be read by other users", f"chmod 600 {path}")]
    return [ok(check, f"{path}, mode {mode:04o}")]


# --- the port


def check_port(settings: Settings, transport: Transport) -> Finding:
    check, host, port = "port", settings.host, settings.port
    if port == 0:
        return ok(check, "a free one is chosen at the start")
    try:
        check_address(host, port)
    except StartError as error:
        if _is_ours(host, port, transport):
            return ok(check, f"{port} is served by chat2api")
        return fail(check, str(error), "Set PORT or HOST, or end the other process.")
    return ok(check, f"{port} is free")


def _is_ours(host: str, port: int, transport: Transport) -> bool:
    """Only our own answer counts: others have a /healthz as well."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    name = f"[{local}]" if ":" in local else local
    request = Outgoing(
        "GET",
        f"http://{name}:{port}/ping",
        {},
        first_byte_seconds=_ASK_SECONDS,
        idle_seconds=_ASK_SECONDS,
    )
    try:
        response = transport.open(request, Call(time.monotonic() + _ASK_SECONDS))
        return response.read(_MIB).replace(b" ", b"") == b'{"message":"pong"}'
    except Chat2ApiError:
        return False


# --- limits and processes


def check_files(settings: Settings, allowed: Callable[[], int] | None = None) -> Finding:
    """`allowed` tells how many files a process may open at most."""
    check, wanted = "open files", 2 * settings.worker_connections + _OTHER_FILES
    most = (allowed or _hard_limit)()
    if most >= wanted:
        return ok(check, f"{wanted:,} are needed and allowed")
    streams = max(0, most - _OTHER_FILES) // 2
    cure = "Raise the limit (ulimit -n, LimitNOFILE), or lower WORKER_CONNECTIONS."
    return warn(check, f"{most:,} are allowed, enough for {streams:,} streams a worker", cure)


def _hard_limit() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 2**31 if hard == resource.RLIM_INFINITY else hard


def check_compute(compute: Compute, clock: Callable[[], float] = time.perf_counter) -> Finding:
    """A proof of work in a process of its own, as turns need it; how long one takes here."""
    check = "proof of work"
    call = Call(time.monotonic() + 2 * _PROOF_SECONDS)
    try:
        compute.run("count_tokens", ["a first task, so that starting is not timed"], call=call,
                    timeout_seconds=_PROOF_SECONDS)  # fmt: skip
        began = clock()
        found = compute.run("search_proof", *_PROOF, call=call, timeout_seconds=_PROOF_SECONDS)
        seconds = clock() - began
    except (ComputeFailed, OSError) as error:
        cure = "Look at limits on processes and memory (ulimit -u, containers)."
        return fail(check, f"processes for CPU work do not start: {error}", cure)
    speed = (found[0] + 1) / max(seconds, 1e-6) if found else 0.0
    if speed < _SLOW_TRIES:
        return warn(check, f"{speed:,.0f} tries a second", "Give this machine more CPU.")
    usual = _USUAL_TRIES / speed
    return ok(check, f"{speed:,.0f} tries a second; a usual one takes {usual:.1f} s")
