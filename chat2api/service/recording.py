"""What requests leave behind, written off their path: appended to queues in memory, stored in batches.

The queues are bounded. While the database is away they hold what came last; what they could not hold is
counted, and told once a minute.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from chat2api.errors import StorageUnavailable
from chat2api.lifetime.breath import BREATH_SECONDS
from chat2api.logs import NO_REQUEST, current_request_id
from chat2api.service.tracing import CLIENT_GONE
from chat2api.store.account_events import AccountEvent, AccountEvents, EventKind
from chat2api.store.account_heat import AccountHeat, slot_of
from chat2api.store.request_records import RequestRecord, RequestRecords
from chat2api.store.usage_hours import UsageHours, UsagePoint

log = logging.getLogger(__name__)

MOST_WAITING = 5_000
# Contents are big: while more records than that wait, they wait without theirs.
MOST_WITH_CONTENT = 500
BATCH = 500
_TELL_SECONDS = 60.0

T = TypeVar("T")


class Recorder:
    """Made once per process; every method may be called from many threads at once. None of them fails.

    `now` is the store's time.
    """

    def __init__(
        self,
        records: RequestRecords,
        usage: UsageHours,
        events: AccountEvents,
        heat: AccountHeat,
        now: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.now = now
        self._clock = clock
        self._records = _Queue[tuple[RequestRecord, str | None]](
            lambda batch: _write(records, batch)
        )
        self._points = _Queue[RequestRecord](lambda batch: usage.add(map(point_of, batch)))
        self._tries = _Queue[RequestRecord](lambda batch: heat.add(tries_of(batch)))
        self._events = _Queue[AccountEvent](events.add)
        self._told_at = clock()
        self._dropped = 0

    def finish(self, record: RequestRecord, content: str | None = None) -> None:
        """A request has ended. `content`, where it is given, is kept sealed beside it."""
        if len(self._records) >= MOST_WITH_CONTENT:
            content = None
        self._records.put((record, content))
        self._points.put(record)
        self._tries.put(record)

    def event(self, event: AccountEvent) -> None:
        """Something happened to an account."""
        self._events.put(event)

    def renewal(self, account_id: str, kind: EventKind, reason: str) -> None:
        """How the renewal of an account's token went."""
        self._happened(account_id, kind, {"reason": reason} if reason else {})

    def recovered(self, account_id: str) -> None:
        """An account serves again after something spoke against it."""
        self._happened(account_id, "recovered", {})

    def _happened(self, account_id: str, kind: EventKind, detail: dict[str, str]) -> None:
        request_id = current_request_id()
        request_id = "" if request_id == NO_REQUEST else request_id
        self.event(AccountEvent(0, account_id, self.now(), kind, "", request_id, detail))

    def flush(self) -> None:
        """Write what waits. Where the database is away it goes on waiting."""
        # What people ask for first is written first.
        for queue in (self._records, self._points, self._events, self._tries):
            if not queue.flush():
                break
        self._tell()

    @property
    def waiting(self) -> int:
        return len(self._records)

    def _tell(self) -> None:
        queues = (self._records, self._points, self._tries, self._events)
        dropped = sum(queue.dropped for queue in queues)
        now = self._clock()
        if dropped > self._dropped and now >= self._told_at + _TELL_SECONDS:
            log.error("records are lost", extra={"lost": dropped - self._dropped})
            self._dropped, self._told_at = dropped, now


class _Queue(Generic[T]):
    """A bounded queue before a writer that may fail for a while."""

    def __init__(self, write: Callable[[Sequence[T]], None]) -> None:
        self._write = write
        self._items: deque[T] = deque(maxlen=MOST_WAITING)
        self._batch: list[T] = []
        self._flushing = threading.Lock()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items) + len(self._batch)

    def put(self, item: T) -> None:
        """The oldest makes room."""
        if len(self._items) == MOST_WAITING:
            self.dropped += 1
        self._items.append(item)

    def flush(self) -> bool:
        """Write batch by batch; False when that has to wait."""
        with self._flushing:
            for _ in range(1 + len(self) // BATCH):
                while self._items and len(self._batch) < BATCH:
                    self._batch.append(self._items.popleft())
                if not self._batch:
                    break
                try:
                    self._write(self._batch)
                except StorageUnavailable:
                    return False
                except (
                    Exception
                ):  # a batch that can never be written must not keep the others waiting
                    log.exception("a batch of records could not be written")
                    self.dropped += len(self._batch)
                self._batch = []
                if (
                    self._items
                ):  # after an outage there are many: others are to be served between them
                    time.sleep(BREATH_SECONDS)
        return True


def _write(records: RequestRecords, batch: Sequence[tuple[RequestRecord, str | None]]) -> None:
    contents = {record.request_id: content for record, content in batch if content is not None}
    records.add([record for record, _ in batch], contents)


def point_of(record: RequestRecord) -> UsagePoint:
    return UsagePoint(
        hour=int(record.at // 3600),
        model=record.model,
        key_id=record.key_id,
        account_id=record.account_id,
        code=record.code,
        failed=record.failed,
        prompt_tokens=record.prompt_tokens,
        completion_tokens=record.completion_tokens,
        estimated=record.estimated,
        first_byte_seconds=record.first_byte_seconds,
    )


def tries_of(records: Sequence[RequestRecord]) -> dict[tuple[str, int], tuple[int, int]]:
    """By account and slot of five minutes: attempts that went well, and those that did not. One that its
    caller left says nothing about the account."""
    good: Counter[tuple[str, int]] = Counter()
    bad: Counter[tuple[str, int]] = Counter()
    for record in records:
        for attempt in record.trace.attempts:
            if not attempt.account_id or attempt.code == CLIENT_GONE:
                continue
            cell = (attempt.account_id, slot_of(record.at + attempt.began))
            (bad if attempt.code else good)[cell] += 1
    return {cell: (good[cell], bad[cell]) for cell in good.keys() | bad.keys()}
