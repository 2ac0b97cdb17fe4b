"""What is measured, one function a group of figures."""

from __future__ import annotations

import base64
import hashlib
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from benchmarks.asking import asked, completion_request, exchange
from benchmarks.figures import Figure
from benchmarks.load import Job, Load, run
from benchmarks.processes import Server, Upstream, chat2api, floor
from benchmarks.wire import ResponseReader, Wrong
from chat2api.compute import pow

_T = TypeVar("_T")

_HELD = 1000
_MOST_CPU_RATIO = 3.0
_MOST_KIB_PER_STREAM = 150.0
_MOST_STALL_MS = 50.0
_MOST_SECONDS_AFTER_HANG_UP = 1.0
_DELTAS = 200
_PACE_SECONDS = 0.02


# --- CPU per request and per delta ---------------------------------------------------------------


def cpu(source: Upstream, rounds: int) -> list[Figure]:
    """CPU of the server's process tree, the two servers taking turns."""
    samples: dict[tuple[str, str], list[float]] = {}
    with floor(source) as base, chat2api(source) as ours:
        for server in (base, ours):
            _cpu_of(server, source, 1, count=100, stream=True)
        for _ in range(rounds):
            for server in (base, ours):
                for name, value in _cpu_round(server, source):
                    samples.setdefault((server.name, name), []).append(value)

    def figure(name: str, unit: str, highest_ratio: float | None = None) -> Figure:
        return Figure(
            name,
            unit,
            samples["chat2api", name],
            samples["floor", name],
            highest_ratio=highest_ratio,
        )

    return [
        figure("request, not streamed", "CPU ms"),
        figure("request, not streamed, 200 deltas", "CPU ms"),
        figure("request, streamed, 1 delta", "CPU ms"),
        figure("delta, one every 20 ms", "CPU us", _MOST_CPU_RATIO),
        figure("delta, in a burst", "CPU us", _MOST_CPU_RATIO),
    ]


def _cpu_round(server: Server, source: Upstream) -> Iterator[tuple[str, float]]:
    plain = _cpu_of(server, source, 1, count=300, stream=False)
    yield "request, not streamed", plain * 1000
    whole = _cpu_of(server, source, _DELTAS, count=100, stream=False)
    yield "request, not streamed, 200 deltas", whole * 1000
    single = _cpu_of(server, source, 1, count=300, stream=True)
    yield "request, streamed, 1 delta", single * 1000
    # What the first delta costs with all around it is taken off.
    paced = _cpu_of(server, source, _DELTAS, _PACE_SECONDS, count=16, connections=16, stream=True)
    yield "delta, one every 20 ms", (paced - single) / (_DELTAS - 1) * 1e6
    burst = _cpu_of(server, source, _DELTAS, count=100, stream=True)
    yield "delta, in a burst", (burst - single) / (_DELTAS - 1) * 1e6


def _cpu_of(
    server: Server,
    source: Upstream,
    deltas: int,
    gap: float = 0.0,
    *,
    count: int,
    stream: bool,
    connections: int = 4,
) -> float:
    """CPU seconds per request."""
    request, check = exchange(server, source, deltas, gap, stream=stream)
    job = Job(server.port, request, check, count, connections)
    return server.cpu_seconds(lambda: run(job)) / count


# --- memory --------------------------------------------------------------------------------------


def memory(source: Upstream) -> list[Figure]:
    """A thousand streams at once in one worker, begun, held, and finished with every byte right."""
    with floor(source) as base:
        bare = _kib_per_held_stream(base, source)
    with chat2api(source) as ours:
        idle = ours.cost().resident_bytes / 2**20
        held = _kib_per_held_stream(ours, source)
    return [
        Figure(f"held stream, {_HELD:,} at once", "KiB", [held], [bare], _MOST_KIB_PER_STREAM),
        Figure("server at rest", "MiB", [idle]),
    ]


def _kib_per_held_stream(server: Server, source: Upstream) -> float:
    request, check = exchange(server, source, 1)
    run(Job(server.port, request, check, 50, 5))
    before = server.cost().resident_bytes
    request, check = exchange(server, source, 12, 1.25)
    with Load(Job(server.port, request, check, _HELD, _HELD)) as load:
        load.wait_until_all_began()
        during = server.cost().resident_bytes
        load.outcome()
    return (during - before) / 1024 / _HELD


# --- proof of work -------------------------------------------------------------------------------


def proofs(rounds: int) -> list[Figure]:
    """Tries per second on one core, beside the plain loop (sheet 3.5) as the floor."""
    figures = []
    variants: tuple[pow.Variant, ...] = ("sha3", "fnv")
    for variant in variants:
        ours, plain = [], []
        for _ in range(rounds):
            plain.append(_plain_rate(variant))
            ours.append(_search_rate(variant))
        figures.append(Figure(f"proof of work, {variant}", "1000/s", ours, plain))
    return figures


_HEAD = b'[3000,"Mon Jun 01 2026 09:30:00 GMT-0400 (Eastern Daylight Time)",4294967296,'
_MIDDLE = b',"' + b"M" * 250 + b'",'
_TAIL = b',"' + b"T" * 150 + b'"]'
_IMPOSSIBLE = "0" * 16


def _search_rate(variant: pow.Variant, seconds: float = 0.7) -> float:
    tries = 0

    def clock() -> float:
        """Read after every thousand tries."""
        nonlocal tries
        tries += 1000
        return time.perf_counter()

    begun = time.perf_counter()
    pow.search(
        variant,
        "0.4242424242424242",
        _IMPOSSIBLE,
        _HEAD,
        _MIDDLE,
        _TAIL,
        index9=12,
        max_tries=10**9,
        max_seconds=seconds,
        clock=clock,
    )
    return tries / (time.perf_counter() - begun) / 1000


def _plain_rate(variant: pow.Variant, seconds: float = 0.7) -> float:
    after = _MIDDLE + b"12" + _TAIL
    give_up = time.perf_counter() + seconds
    nonce = 0
    while time.perf_counter() < give_up:
        text = b"0.4242424242424242" + base64.b64encode(_HEAD + str(nonce).encode() + after)
        digest = hashlib.sha3_512(text).hexdigest() if variant == "sha3" else _fnv(text)
        assert digest[:16] > _IMPOSSIBLE
        nonce += 1
    return nonce / seconds / 1000


def _fnv(text: bytes) -> str:
    h = 2166136261
    for byte in text:
        h = (h ^ byte) * 16777619 & 0xFFFFFFFF
    h = (h ^ h >> 16) * 2246822507 & 0xFFFFFFFF
    h = (h ^ h >> 13) * 3266489909 & 0xFFFFFFFF
    return f"{h ^ h >> 16:08x}"


# --- the event loop ------------------------------------------------------------------------------


def stalls(source: Upstream, seconds: float = 4.0) -> list[Figure]:
    """How late /ping is answered while two proofs that cannot be solved are searched, and at rest.

    They are the server's first requests, so that starting the compute processes is part of it.
    """
    with chat2api(source, POW_DIFFICULTY="0", PROOF_SECONDS=str(seconds)) as server:
        at_rest = _ping_ms(server.port, seconds / 2)
        source.configure(difficulty=_IMPOSSIBLE)
        try:
            with _hard_requests(server.port, 2):
                busy = _ping_ms(server.port, seconds - 0.5)
        finally:
            source.configure(difficulty="0fffff")
    return [
        Figure("/ping at rest, median", "ms", [statistics.median(at_rest)]),
        Figure("/ping at rest, worst", "ms", [max(at_rest)]),
        Figure("/ping during two hard proofs, median", "ms", [statistics.median(busy)]),
        Figure("/ping during two hard proofs, p99", "ms", [statistics.quantiles(busy, n=100)[98]]),
        Figure("/ping during two hard proofs, worst", "ms", [max(busy)], highest=_MOST_STALL_MS),
    ]


def _ping_ms(port: int, seconds: float) -> list[float]:
    """Latencies of a request every few milliseconds."""
    latencies = []
    give_up = time.perf_counter() + seconds
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while time.perf_counter() < give_up:
            begun = time.perf_counter()
            connection.sendall(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            _read(connection, lambda reader: reader.done)
            latencies.append((time.perf_counter() - begun) * 1000)
            time.sleep(0.003)
    return latencies


@contextmanager
def _hard_requests(port: int, count: int) -> Iterator[None]:
    """Requests whose proof is searched until time is up; that they end as errors is right."""

    def ask() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(completion_request(asked(1), stream=False).encode())
            statuses.append(_read(connection, lambda reader: reader.done).status)

    statuses: list[int | None] = []
    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield
    if statuses:
        raise Wrong("the proofs did not last as long as the measurement")
    for thread in threads:
        thread.join()
    if statuses != [502] * count:
        raise Wrong(f"expected 502 for proofs that are not found, got {statuses}")


def _read(connection: socket.socket, enough: Callable[[ResponseReader], bool]) -> ResponseReader:
    connection.settimeout(60)
    reader = ResponseReader()
    while not enough(reader):
        data = connection.recv(1 << 16)
        if not data:
            raise Wrong("the connection ended early")
        reader.feed(data)
    return reader


# --- vanished clients ----------------------------------------------------------------------------


def hang_ups(source: Upstream, rounds: int) -> list[Figure]:
    """Seconds from when a client hangs up to when the upstream sees its own connection end.

    The simulator looks five times a second when it need not be cheap; that is part of the figure.
    """
    cases = (
        ("stream, upstream active", 0.02, True),
        ("stream, upstream silent", 2.5, True),
        ("not streamed, upstream silent", 2.5, False),
    )
    source.configure(cheap=False)
    try:
        with chat2api(source) as server:
            return [
                Figure(
                    f"client gone: {name}",
                    "s",
                    [_hang_up(server, source, gap, n, stream=stream) for n in range(rounds)],
                    highest=_MOST_SECONDS_AFTER_HANG_UP,
                )
                for name, gap, stream in cases
            ]
    finally:
        source.configure(cheap=True)


def _hang_up(server: Server, source: Upstream, gap: float, number: int, *, stream: bool) -> float:
    since = max((record["id"] for record in source.conversations()), default=0)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(completion_request(asked(1000, gap), stream=stream).encode())
        if stream:
            _read(client, lambda reader: b'"    0"' in reader.body)
        else:
            _poll(lambda: source.conversations(since), "the turn to begin")
        time.sleep(0.2 + 0.07 * number)  # at different points of everybody's periods
    gone = time.time()
    ended = _poll(lambda: _ended(source, since), "the upstream's connection to end")
    return max(ended - gone, 0.0)


def _ended(source: Upstream, since: int) -> float | None:
    for record in source.conversations(since):
        if record["aborted"]:
            return float(record["aborted_at"])
    return None


def _poll(condition: Callable[[], _T | None], what: str) -> _T:
    give_up = time.monotonic() + 20
    while not (result := condition()):
        if time.monotonic() > give_up:
            raise Wrong(f"waited in vain for {what}")
        time.sleep(0.05)
    return result
