"""What keeps a process and the store in order: signs of life, leftovers of the dead, old rows."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping

from chat2api.errors import StorageUnavailable
from chat2api.service.renewal import Renewals
from chat2api.store.sql_pool import SqlPool
from chat2api.store.workers import Workers

log = logging.getLogger(__name__)

_MOST_JUMPS = 10


class ClockJumps:
    """Jumps of the system's clock, for the audit log (C16). Written by a job: whoever asks for the time and
    finds one may be in the middle of a transaction."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=_MOST_JUMPS)

    def saw(self, seconds: float) -> None:
        self._seen.append(seconds)

    def tell(self, note: Callable[[str, Mapping[str, object]], None]) -> None:
        """`note` is given an action and its facts."""
        while self._seen:
            note("clock_jumped", {"seconds": round(self._seen.popleft())})


def show_life(workers: Workers, pool: SqlPool) -> None:
    """Renew this process's leases, free those of dead ones, write down what waits in memory."""
    try:
        workers.renew()
        freed = workers.clear_up()
        if freed:
            log.warning("freed what dead processes held", extra={"leases": freed})
    except StorageUnavailable:
        log.debug("the database is away; life is shown later")
        pool.tick(is_away=True)
        return
    pool.tick()


def store_kept_tokens(renewals: Renewals) -> None:
    """Tokens that the database could not take earlier."""
    done = renewals.store_escrow()
    if done:
        log.info("kept tokens are in the database now", extra={"credentials": done})


def clean(sweeps: Mapping[str, Callable[[], int]]) -> dict[str, int]:
    """Run each sweep once; one that fails does not keep the others from running."""
    counts: dict[str, int] = {}
    for name, sweep in sweeps.items():
        try:
            counts[name] = sweep()
        except StorageUnavailable:
            log.debug("no sweep of %s: the database is away", name)
    swept = {name: count for name, count in counts.items() if count}
    if swept:
        log.info("old rows removed", extra=swept)
    return counts
