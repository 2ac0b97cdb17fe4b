"""What needs a person: points that depend on time; the others are tested with the overview."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chat2api.pool.forecast import Forecast
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.outlook import Outlook
from chat2api.store.backups import note_backup
from chat2api.store.schedule import FORCED_REFRESH
from chat2api.web.desk import needs as module
from chat2api.web.desk.needs import needs

DAY = 86_400.0


def names(site: Any, ending: int = 0) -> dict[str, str]:
    site.runtime.desk.summary.forget()
    outlook = Outlook(Forecast("unknown"), None, 0, ending)
    with site.app.test_request_context("/"):
        return {need.name: need.text for need in needs(outlook)}


def test_accounts_that_end_soon(site: Any) -> None:
    assert "ending" not in names(site)
    assert names(site, 5)["ending"] == "5 accounts expire within 2 days and cannot renew."


def test_a_backup_older_than_a_week(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    site.runtime.intake.add([NewAccount(access_token=Secret("fk-ann"))], "suite")
    path = Path(site.store.database.engine.url.database)
    monkeypatch.setattr(module.time, "time", lambda: 100 * DAY)
    note_backup(path, 94 * DAY)
    assert "no_backup" not in names(site)
    note_backup(path, 92 * DAY)
    assert names(site)["no_backup"] == "The last backup is 8 d old. On the server:"


@pytest.mark.parametrize(
    ("ahead", "said"),
    [(29.0, None), (-29.0, None), (180.0, "ahead of upstream's by 3 min"),
     (-180.0, "behind upstream's by 3 min")],
)  # fmt: skip
def test_a_clock_that_is_wrong(site: Any, ahead: float, said: str | None) -> None:
    far = site.runtime.desk.far_clock
    far._offsets.extend([ahead] * 3)
    found = names(site).get("clock")
    assert (found is None) if said is None else (said in (found or ""))


def test_a_renewal_that_did_not_run(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = site.runtime.desk.schedule
    schedule.begin(FORCED_REFRESH, lambda last: last + 1)
    last = schedule.last_run(FORCED_REFRESH)
    assert last is not None
    monkeypatch.setattr(module.time, "time", lambda: last + 5 * DAY + 60)
    assert "refresh_overdue" not in names(site)
    object.__setattr__(site.runtime, "settings", site.runtime.settings.model_copy(
        update={"scheduled_refresh": True}
    ))  # fmt: skip
    assert "5 d" in names(site)["refresh_overdue"]


@pytest.mark.parametrize(
    ("host", "is_near"),
    [("localhost:5005", True), ("[::1]", True), ("chat.test", False), ("[::::]", False)],
)
def test_plain_http_from_elsewhere(site: Any, host: str, is_near: bool) -> None:
    with site.app.test_request_context("/", headers={"Host": host}):
        found = {need.name for need in needs(None)}
    assert ("plain_http" not in found) is is_near
