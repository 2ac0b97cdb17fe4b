"""Renewing what is due, ahead of its end: a few at a time, so that nobody notices."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from chat2api.errors import Chat2ApiError
from chat2api.lifetime.call import Call
from chat2api.service.renewal import CredentialDead, RenewalFailed, Renewals
from chat2api.store.credentials import Credentials

log = logging.getLogger(__name__)

RUN_SECONDS = 60.0
_MOST_PER_RUN = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """`parallel` exchanges at once and at most `per_second` begun, per process."""

    parallel: int = 4
    per_second: float = 2.0


@dataclass(frozen=True, slots=True)
class Tally:
    """How a run went. `refused` want a new login, `failed` are tried again later."""

    renewed: int = 0
    refused: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.renewed + self.refused + self.failed


class Renewing:
    """Renews credentials given as (id, version). Stops when told to, between two of them."""

    def __init__(
        self,
        renewals: Renewals,
        pace: Pace,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_over` is asked before each, as whether to stop."""
        self._renewals = renewals
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_at = 0.0
        self._stopped = False
        self._is_over = is_over

    def stop(self) -> None:
        self._stopped = True

    def run(
        self,
        due: Iterable[tuple[str, int]],
        *,
        forced: bool = False,
        tell: Callable[[Tally], None] = lambda tally: None,
    ) -> Tally:
        """`tell` hears the running total after each."""
        tally = Tally()
        with ThreadPoolExecutor(self._pace.parallel, thread_name_prefix="renew") as threads:
            for one in threads.map(lambda item: self._one(*item, forced=forced), due):
                tally = Tally(
                    tally.renewed + one.renewed,
                    tally.refused + one.refused,
                    tally.failed + one.failed,
                )
                tell(tally)
        return tally

    def _one(self, credential_id: str, version: int, *, forced: bool) -> Tally:
        if self._stopped or self._is_over():
            return Tally()
        self._wait_for_turn()
        call = Call(time.monotonic() + RUN_SECONDS)
        try:
            self._renewals.renewed(credential_id, version, call, forced=forced)
        except CredentialDead:
            return Tally(refused=1)
        except RenewalFailed:
            return Tally(failed=1)
        except Chat2ApiError as error:
            log.warning("a renewal could not be made: %s", error.code)
            return Tally(failed=1)
        except Exception:  # the boundary of one renewal: the others are made all the same
            log.exception("a renewal failed unexpectedly")
            return Tally(failed=1)
        return Tally(renewed=1)

    def _wait_for_turn(self) -> None:
        with self._lock:
            now = self._clock()
            turn = max(self._next_at, now)
            self._next_at = turn + 1 / self._pace.per_second
        if turn > now:
            self._sleep(turn - now)


def renew_due(credentials: Credentials, renewing: Renewing, pace: Pace, seconds: float) -> Tally:
    """One run of the timer that comes every `seconds`: as many as fit into that time.

    Every process does this; who renews what is decided by the claims.
    """
    most = max(1, min(_MOST_PER_RUN, round(pace.per_second * seconds)))
    due = credentials.due(most)
    if not due:
        return Tally()
    tally = renewing.run(due)
    log.info(
        "renewals",
        extra={"renewed": tally.renewed, "refused": tally.refused, "failed": tally.failed},
    )
    return tally
