"""Every account's tokens renewed every four days at three in the morning (SCHEDULED_REFRESH)."""

from __future__ import annotations

import logging
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from chat2api.store.credentials import Credentials
from chat2api.store.schedule import FORCED_REFRESH, Schedule

log = logging.getLogger(__name__)

JOB = FORCED_REFRESH
EVERY_DAYS = 4
HOUR = 3
# A run begins seconds after the hour, and days differ by an hour where clocks are changed.
_LEEWAY = timedelta(hours=2)


def next_run(last_run: float, zone: ZoneInfo | None) -> float:
    """The first 03:00 on the zone's clocks at least four days after `last_run` (epoch seconds).

    Four days from the run that was, and not days of the month: no double run where a month ends.
    """
    last = datetime.fromtimestamp(last_run, zone).replace(tzinfo=None)
    earliest = last + timedelta(days=EVERY_DAYS) - _LEEWAY
    run = datetime.combine(earliest.date(), time(HOUR))
    if run < earliest:
        run += timedelta(days=1)
    return run.replace(tzinfo=zone).timestamp() if zone else run.timestamp()


def run_forced(
    schedule: Schedule,
    credentials: Credentials,
    *,
    zone: ZoneInfo | None,
    window: float,
    per_second: float,
) -> int | None:
    """Make everything due, if it is time and nobody else does; the ordinary renewals do the work.

    Returns how many, None when it is not time. Making due and being done is one short step: a process
    that dies in between leaves at worst a second round of making due.
    """
    if not schedule.begin(JOB, lambda last: next_run(last, zone)):
        return None
    count = credentials.make_all_due(window, per_second)
    schedule.finish(JOB)
    log.info("all accounts are to be renewed", extra={"accounts": count})
    return count
