"""The timers of a worker: which job runs how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from chat2api.factory.assembly import Assembled
from chat2api.factory.desk import DeskBase
from chat2api.factory.foundation import Foundation
from chat2api.jobs.forced import run_forced
from chat2api.jobs.logging_in import EVERY_SECONDS, go_on_with_logins
from chat2api.jobs.renewing import Pace, Renewing, renew_due
from chat2api.jobs.timers import Timer
from chat2api.jobs.upkeep import ClockJumps, clean, show_life, store_kept_tokens
from chat2api.jobs.working import Working
from chat2api.lifetime.call import Call
from chat2api.service.checks import checking
from chat2api.service.job_kinds import CHECK, RENEW, ItemDone, JobHandler, renewing
from chat2api.settings.model import Settings
from chat2api.store.responses import StoredResponses
from chat2api.store.workers import RENEW_SECONDS

_DUE_SECONDS = 5.0
_FILES_SECONDS = 5.0
_KEPT_SECONDS = 15.0
_JUMPS_SECONDS = 5.0
_FORCED_SECONDS = 30.0
_RECORDS_SECONDS = 1.0
_CLEAN_SECONDS = 600.0
_JOBS_SECONDS = 1.0
_JOBS_KEPT_DAYS = 30.0
_BEARER_UNUSED_SECONDS = 30 * 86_400.0


def timers(
    base: Foundation, current: Callable[[], Assembled], reload: Callable[[], None]
) -> list[Timer]:
    """`current` gives what is assembled now; `reload` looks for changed settings."""
    settings = current().runtime.settings

    def renew() -> None:
        held = current()
        pace = pace_of(held.runtime.settings)
        # A worker that is to end must not be kept by what others can renew.
        renewing = Renewing(held.renewals, pace, is_over=lambda: base.lifecycle.draining)
        renew_due(base.credentials, renewing, pace, _DUE_SECONDS)

    def force() -> None:
        now = current().runtime.settings
        if now.scheduled_refresh:
            run_forced(
                base.schedule,
                base.credentials,
                zone=ZoneInfo(now.tz) if now.tz else None,
                window=now.refresh_window_seconds,
                per_second=now.refresh_per_second,
            )

    def log_in() -> None:
        go_on_with_logins(current().runtime.desk.logins, lambda: base.lifecycle.draining)

    def note(action: str, facts: Mapping[str, object]) -> None:
        base.audit.note("system", "", action, detail=facts)

    jumps = ClockJumps()
    base.store.clock.on_jump = jumps.saw
    sweeps = {
        "accounts": base.book.purge,
        "conversations": base.conversations.forget_old,
        "responses": lambda: prune_responses(base.responses, current().runtime.settings),
        "bearers": lambda: base.credentials.forget_bearers(_BEARER_UNUSED_SECONDS),
        "key_usage": base.key_usage.prune,
        "parcels": base.desk.parcels.prune,
        "proxies": base.desk.edits.hash_proxies,
        **record_sweeps(base.desk, lambda: current().runtime.settings),
        "logins": lambda: current().runtime.desk.logins.prune(),
        "jobs": lambda: base.desk.jobs.prune(_JOBS_KEPT_DAYS),
    }
    return [
        Timer("show life", RENEW_SECONDS, lambda: show_life(base.workers, base.pool)),
        Timer("renew tokens", _DUE_SECONDS, renew, 1.0),
        Timer("renew all", _FORCED_SECONDS, force, 2.0),
        Timer("store kept tokens", _KEPT_SECONDS, lambda: store_kept_tokens(current().renewals)),
        Timer("go on with logins", EVERY_SECONDS, log_in, 1.0),
        Timer("look at files", _FILES_SECONDS, lambda: current().arrivals.look(), 1.0),
        Timer("look at settings", settings.config_poll_seconds, reload),
        Timer("tell of the clock", _JUMPS_SECONDS, lambda: jumps.tell(note)),
        Timer("work on jobs", _JOBS_SECONDS, lambda: work_on_jobs(base, current), 1.0),
        Timer("write records", _RECORDS_SECONDS, base.desk.recorder.flush),
        Timer("clean", _CLEAN_SECONDS, lambda: clean(sweeps), 60.0),
    ]


def prune_responses(stored: StoredResponses, settings: Settings) -> int:
    return stored.prune(settings.responses_kept_most, settings.responses_kept_bytes)


def work_on_jobs(base: Foundation, current: Callable[[], Assembled]) -> None:
    pace, handlers = pace_of(current().runtime.settings), job_handlers(base, current)
    Working(base.desk.jobs, handlers, pace, lambda: base.lifecycle.draining).run()


def job_handlers(base: Foundation, current: Callable[[], Assembled]) -> Mapping[str, JobHandler]:
    """What people may have done to many accounts at once; each by the settings of its moment, for a job
    takes longer than it takes to change them."""

    def renew(account_id: str, call: Call) -> ItemDone:
        return renewing(current().renewals, base.book)(account_id, call)

    def check(account_id: str, call: Call) -> ItemDone:
        return checking(current().runtime.desk.actions.checks)(account_id, call)

    return {RENEW: renew, CHECK: check}


def record_sweeps(desk: DeskBase, settings: Callable[[], Settings]) -> dict[str, Callable[[], int]]:
    """What is kept for people to look at, as long as the settings say."""
    return {
        "requests": lambda: desk.records.prune(
            settings().requests_kept_days, settings().requests_kept_most
        ),
        "usage": lambda: desk.usage.prune(settings().usage_kept_days),
        "account_events": lambda: desk.events.prune(settings().usage_kept_days),
        "account_heat": desk.heat.prune,
    }


def pace_of(settings: Settings) -> Pace:
    return Pace(settings.refresh_parallel, settings.refresh_per_second)
