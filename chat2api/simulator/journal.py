"""What the simulator saw: one record per request, and counters."""

from __future__ import annotations

import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from chat2api.simulator.documents import Json

_KEPT = 2_000


@dataclass(slots=True)
class Record:
    """One request. Times are epoch seconds."""

    id: int
    endpoint: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any
    started_at: float
    account: str | None = None
    status: int | None = None
    refused: str | None = None
    scenario: str | None = None
    faults: list[str] = field(default_factory=list)
    expected: Json | None = None
    first_byte_at: float | None = None
    finished_at: float | None = None
    bytes_sent: int = 0
    frames_sent: int = 0
    tokens_sent: int = 0
    completed: bool = False
    aborted: bool = False
    aborted_at: float | None = None
    broken: str | None = None  # how we broke the line on purpose
    stopped: bool = False  # by stop_conversation


class Journal:
    """Bounded memory of requests; counters are kept for ever."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._records: deque[Record] = deque(maxlen=_KEPT)
        self.counters: Counter[str] = Counter()

    def open(self, endpoint: str, **fields: Any) -> Record:
        record = Record(next(self._ids), endpoint, started_at=self._clock(), **fields)
        with self._lock:
            self._records.append(record)
            self.counters[f"calls.{endpoint}"] += 1
            self.counters["active"] += 1
        return record

    def count(self, name: str) -> None:
        with self._lock:
            self.counters[name] += 1

    def close(self, record: Record) -> None:
        """Called once per request, whatever ended it."""
        record.finished_at = self._clock()
        if record.aborted:
            record.aborted_at = record.finished_at
        with self._lock:
            self.counters["active"] -= 1
            self.counters["aborted"] += record.aborted
            self.counters["completed"] += record.completed

    def records(self, *, endpoint: str | None, since: int) -> list[Json]:
        """The records after id `since`, oldest first."""
        with self._lock:
            kept = list(self._records)
        return [
            asdict(record)
            for record in kept
            if record.id > since and endpoint in (None, record.endpoint)
        ]

    def clear(self) -> None:
        with self._lock:
            self._records.clear()
            active = self.counters["active"]
            self.counters.clear()
            self.counters["active"] = active
