"""The first page: health, forecast, what needs a person, the last day, the first steps."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from sqlalchemy import update

from chat2api.errors import StorageUnavailable
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.request_records import RequestRecord
from chat2api.store.usage_hours import UsagePoint

HTML = {"Accept": "text/html"}
PASSWORD = "the admin password of the suite"


@pytest.fixture
def csrf(site: Any) -> str:
    site.send("POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD})
    return str(site.runtime.administration.sessions.list()[0].csrf)


def page(site: Any, query: str = "") -> str:
    site.runtime.desk.summary.forget()
    answer = site.send("GET", f"/admin{query}", key=None, headers=HTML)
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


def sentence(text: str) -> str:
    found = re.search(r"<h1>([^<]+)</h1>", text)
    assert found
    return found[1]


def add(site: Any, *names: str) -> list[str]:
    accounts = [NewAccount(access_token=Secret(f"fk-{name}"), email=name) for name in names]
    return [one.account_id for one in site.runtime.intake.add(accounts, "suite")]


def stand(site: Any, account_id: str, **values: Any) -> None:
    change = update(tables.accounts).where(tables.accounts.c.account_id == account_id)
    site.store.database.write(lambda connection: connection.execute(change.values(values)))


def asked(site: Any, count: int, *, failed: bool = False, code: str = "") -> None:
    now = time.time()
    records = [
        RequestRecord(f"req_{n}", now, 1.0, 502 if failed else 200, failed, code, model="gpt-<5>")
        for n in range(count)
    ]
    point = UsagePoint(int(now // 3600), "gpt-<5>", "k", "a", code, failed, 1, 1, False, 0.5)
    site.runtime.desk.records.add(records)
    site.runtime.desk.usage.add([point] * count)


def test_the_first_run_shows_the_first_steps(site: Any, csrf: str) -> None:
    text = page(site)
    assert sentence(text) == "There are no accounts yet."
    steps = text[text.index('class="steps"') :].split("</ol>", 1)[0]
    links = re.findall(r'<a href="([^"]+)">([^<]+)</a>', steps)
    assert links[0] == ("/admin/add", "Add an account")
    assert links[-1] == ("/admin/try", "Try it here")
    add(site, "ann")
    asked(site, 1)
    assert 'class="steps"' not in page(site)


@pytest.mark.parametrize(
    ("standings", "expected"),
    [
        ([{}], "All well. The only account can answer now."),
        ([{}, {}], "All well. All 2 accounts can answer now."),
        ([{}, {"paused": True}], "All well. 1 of 2 accounts can answer now."),
        ([{}] + [{"paused": True}] * 4, "Few are left: 1 of 5 accounts can answer now."),
        ([{"needs_login": True}], "No account can answer now."),
        ([{"cooling_until": 1e11}], "No account can answer now; some come back by themselves."),
    ],
)
def test_health_in_a_sentence(
    site: Any, csrf: str, standings: list[dict[str, Any]], expected: str
) -> None:
    ids = add(site, *[f"n{number}" for number in range(len(standings))])
    for account_id, values in zip(ids, standings, strict=True):
        if values:
            stand(site, account_id, **values)
    assert sentence(page(site)) == expected
    assert sentence(page(site, "?lang=zh")) != expected


def limits(site: Any, ids: list[str], model: str, seconds: float) -> None:
    until = site.store.now() + seconds
    made = [{"account_id": one, "limit_key": model, "until": until} for one in ids]
    insert = tables.account_limits.insert()
    site.store.database.write(lambda connection: connection.execute(insert, made))


def test_accounts_that_are_limited_for_what_is_asked_are_no_comfort(site: Any, csrf: str) -> None:
    site.store.clock.at = time.time()
    site.send("POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD})
    ids = add(site, *"abcde")
    limits(site, ids[:3], "gpt-<5>", 3600)
    asked(site, 3)
    text = page(site)
    assert sentence(text) == "All well. All 5 accounts can answer now."
    assert "cannot be told yet" in text
    limits(site, ids[3:], "gpt-<5>", 60)
    text = page(site)
    assert re.fullmatch(
        r"No account is free for gpt-&lt;5&gt; now; the first comes back at [\d:]{8}\.",
        sentence(text),
    )
    assert 'class="verdict bad"' in text
    assert "0 of 5 free for gpt-&lt;5&gt;" in text
    assert "at this pace" not in text
    assert "cannot be told yet" not in text
    assert sentence(page(site, "?lang=zh")).startswith("目前没有账号可用于 gpt-&lt;5&gt;")
    pulse = site.send("GET", "/admin/pulse", key=PASSWORD).get_json()
    assert (pulse["role"], pulse["short"]) == ("bad", "0 of 5 free for gpt-<5>")


def test_few_that_are_free_for_what_is_asked(site: Any, csrf: str) -> None:
    site.store.clock.at = time.time()
    site.send("POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD})
    limits(site, add(site, *"abcde")[:4], "gpt-<5>", 86_400 * 2)
    asked(site, 3)
    text = page(site)
    found = "Few are left for gpt-&lt;5&gt;: 1 of 5 accounts. The next comes back at "
    assert sentence(text).startswith(found)
    assert 'class="verdict wait"' in text


def test_how_long_it_lasts_is_told_only_with_a_pace(site: Any, csrf: str) -> None:
    add(site, "ann")
    assert "cannot be told yet: 0 requests in the last hour" in page(site)


def test_what_needs_a_person_and_its_cure(site: Any, csrf: str) -> None:
    ids = add(site, "ann", "bob")
    stand(site, ids[0], needs_login=True)
    text = page(site)
    needs = text[text.index('class="needs"') :].split("</ul>", 1)[0]
    assert "1 account needs a new login." in needs
    assert 'href="/admin/logins/again"' in needs
    assert "No backup was made yet." in needs
    assert needs.index("new login") < needs.index("backup")  # the gravest first
    assert 'value="no_backup"' in needs
    assert 'value="login"' not in needs  # what is broken cannot be put off


def test_what_can_wait_is_put_off_for_a_week(site: Any, csrf: str) -> None:
    add(site, "ann")
    data = {"csrf": csrf, "name": "no_backup"}
    answer = site.send("POST", "/admin/remind", key=None, headers=HTML, data=data)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin")
    text = page(site)
    assert "No backup was made yet." not in text
    assert "Put off for 7 days." in text
    entry = site.runtime.audit.recent()[0]
    assert (entry.action, entry.target) == ("put off", "no_backup")
    site.store.clock.at += 8 * 86_400
    site.send("POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD})
    assert "No backup was made yet." in page(site)


@pytest.mark.parametrize("name", ["", "login", "<b>"])
def test_nothing_else_is_put_off(site: Any, csrf: str, name: str) -> None:
    answer = site.send("POST", "/admin/remind", key=PASSWORD, data={"name": name})
    assert (answer.status_code, answer.get_json()["error"]["param"]) == (400, "name")


def test_an_admin_secret_that_is_an_api_key_is_told(site: Any) -> None:
    site.given["admin_password"] = None
    site.given["authorization"] = (Secret("sk-key-of-the-suite"),)
    data = {"password": "sk-key-of-the-suite"}
    site.send("POST", "/admin/sign-in", key=None, headers=HTML, data=data)
    assert "ADMIN_PASSWORD is not set: whoever has an API key" in page(site)


@pytest.mark.parametrize(
    ("host", "told"), [("localhost", False), ("127.0.0.1:5005", False), ("203.0.113.9", True)]
)
def test_plain_http_is_told_where_it_matters(site: Any, host: str, told: bool) -> None:
    place = {"base_url": f"http://{host}", "headers": HTML, "key": None}
    site.send("POST", "/admin/sign-in", data={"password": PASSWORD}, **place)
    answer = site.send("GET", "/admin", **place)
    assert answer.status_code == 200
    assert ("your password travels unprotected" in answer.get_data(as_text=True)) is told


def test_the_last_day_and_its_failures(site: Any, csrf: str) -> None:
    add(site, "ann")
    asked(site, 3)
    asked(site, 1, failed=True, code="upstream_timeout")
    text = page(site)
    assert '<strong class="number">4</strong> requests' in text
    assert "25.0 % failed" in text
    assert 'href="/admin/requests?state=failed"' in text
    failures = text[text.index('class="failures"') :]
    assert "gpt-&lt;5&gt;" in failures
    assert 'href="/admin/requests/req_0"' in failures


def test_parts_that_the_database_does_not_tell_are_named(
    site: Any, csrf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*given: Any, **more: Any) -> None:
        raise StorageUnavailable("away")

    desk = site.runtime.desk
    for part, name in (
        (desk.outlooks, "look"),
        (desk.usage, "series"),
        (desk.records, "page"),
        (desk.search, "tallies"),
        (desk.reminders, "resting"),
        (desk.jobs, "running"),
    ):
        monkeypatch.setattr(type(part), name, away)
    assert "Some figures are missing: the database does not answer." in page(site)


def test_the_pulse(site: Any, csrf: str) -> None:
    add(site, "ann")
    site.runtime.desk.summary.forget()
    answer = site.send("GET", "/admin/pulse", key=None)
    assert answer.get_json() == {
        "role": "ok",
        "short": "1 of 1 usable",
        "jobs": [],
        "problem": "",
        "degraded": False,
    }
    job = site.runtime.desk.jobs.create("renew", "suite", [("a", "A"), ("b", "B")])
    jobs = site.send("GET", "/admin/pulse", key=None).get_json()["jobs"]
    assert jobs == [{"text": "0 of 2", "href": f"/admin/jobs/{job}"}]
