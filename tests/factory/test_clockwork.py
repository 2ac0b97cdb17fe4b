"""Which job runs how often, and that each does its part."""

from __future__ import annotations

import time
from typing import Any

from chat2api.factory.clockwork import job_handlers, pace_of, timers
from chat2api.jobs.renewing import Pace
from chat2api.lifetime.call import Call
from chat2api.service.job_kinds import RENEW
from chat2api.settings.model import Settings
from chat2api.store.request_records import RequestFilter, RequestRecord
from chat2api.store.workers import RENEW_SECONDS

Site = Any


def works(site: Site) -> dict[str, Any]:
    worker = site.worker
    made = timers(worker._base, lambda: worker._assembled, worker.reload)
    return {timer.name: timer for timer in made}


def test_the_timers(site: Site) -> None:
    every = {name: timer.seconds for name, timer in works(site).items()}
    assert every == {
        "show life": RENEW_SECONDS,
        "renew tokens": 5.0,
        "renew all": 30.0,
        "store kept tokens": 15.0,
        "go on with logins": 1.0,
        "look at files": 5.0,
        "look at settings": site.worker.settings.config_poll_seconds,
        "tell of the clock": 5.0,
        "work on jobs": 1.0,
        "write records": 1.0,
        "clean": 600.0,
    }


def test_every_job_can_be_run(site: Site) -> None:
    for timer in works(site).values():
        timer.work()
    assert site.worker.runtime.degraded() is False


def test_a_jump_of_the_clock_is_noted(site: Site) -> None:
    """C16"""
    jobs = works(site)
    site.worker._base.store.clock.on_jump(-3600.4)
    for _ in range(2):
        jobs["tell of the clock"].work()
    (entry,) = site.worker.runtime.audit.recent()
    assert (entry.actor, entry.action, entry.detail) == (
        "system",
        "clock_jumped",
        {"seconds": -3600},
    )


def test_files_and_settings_are_looked_at(site: Site) -> None:
    (site.folder / "token.txt").write_text("rt_filed0000000000000000\n")
    site.write("retry_times: 3\n")
    jobs = works(site)
    jobs["look at files"].work()
    jobs["look at settings"].work()
    assert site.worker.runtime.book.counts().total == 1
    assert site.worker.settings.retry_times == 3


def test_what_is_due_is_renewed_by_what_is_in_use_now(site: Site) -> None:
    jobs = works(site)
    site.write("retry_times: 3\nopenai_auth_token_url: http://127.0.0.1:1/oauth/token\n")
    site.worker.reload()
    (site.folder / "token.txt").write_text("rt_filed0000000000000000\n")
    jobs["look at files"].work()
    jobs["renew tokens"].work()
    (row,) = site.worker.runtime.book.everything()
    assert "stage: connect" in row.reason


def test_a_job_under_way_follows_changed_settings(site: Site) -> None:
    (site.folder / "token.txt").write_text("rt_filed0000000000000000\n")
    works(site)["look at files"].work()
    handlers = job_handlers(site.worker._base, lambda: site.worker._assembled)
    site.write("retry_times: 3\nopenai_auth_token_url: http://127.0.0.1:1/oauth/token\n")
    site.worker.reload()
    (row,) = site.worker.runtime.book.everything()
    done = handlers[RENEW](row.account_id, Call(time.monotonic() + 30))
    assert done.state == "failed"
    assert "stage: connect" in done.detail


def test_a_worker_that_is_to_end_renews_nothing_more(site: Site) -> None:
    (site.folder / "token.txt").write_text("rt_filed0000000000000000\n")
    jobs = works(site)
    jobs["look at files"].work()
    site.worker.runtime.lifecycle.begin_drain()
    jobs["renew tokens"].work()
    (row,) = site.worker.runtime.book.everything()
    assert row.reason == ""


def test_the_schedule_is_off_unless_wanted(site: Site) -> None:
    schedule = site.worker._base.schedule
    works(site)["renew all"].work()
    assert schedule.jobs() == {}
    site.write("scheduled_refresh: true\ntz: Asia/Shanghai\n")
    site.worker.reload()
    works(site)["renew all"].work()
    assert list(schedule.jobs()) == ["forced_refresh"]


def test_the_pace() -> None:
    settings = Settings(refresh_parallel=3, refresh_per_second=0.5)
    assert pace_of(settings) == Pace(3, 0.5)


def test_records_are_written_and_swept_as_the_settings_say(site: Site) -> None:
    site.write("retry_times: 0\nrequests_kept_days: 3\nusage_kept_days: 30\n")
    jobs = works(site)
    jobs["look at settings"].work()
    desk = site.worker.runtime.desk
    now = site.worker._base.store.now()
    for age in (40, 4, 2):
        desk.recorder.finish(
            RequestRecord(f"{age} days", now - age * 86_400.0, 1.0, 200, False, model="m")
        )
    jobs["write records"].work()
    assert desk.records.count(RequestFilter()) == 3
    jobs["clean"].work()
    assert [one.request_id for one in desk.records.page(RequestFilter())] == ["2 days"]
    hour = int(now // 3600)
    assert desk.usage.totals(0, hour + 1).requests == 2
