"""The audit log as the operator sees it (G13): everything is there, nothing can be taken out."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from chat2api.store.audit import Audit
from chat2api.web.desk.audit import Detail, details_of

PASSWORD = "the admin password of the suite"
HTML = {"Accept": "text/html"}
HOSTILE = "<img src=x onerror=alert(1)>\u202etxt"
DAY = 86_400.0


@pytest.fixture
def audit(site: Any) -> Audit:
    """With somebody signed in; the sign-in is the first entry."""
    answer = site.send(
        "POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD}
    )
    assert answer.status_code == 303
    found: Audit = site.runtime.audit
    return found


def text(site: Any, path: str = "/admin/audit") -> str:
    answer = site.send("GET", path, key=None, headers=HTML)
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


def table(site: Any, path: str) -> list[list[str]]:
    answer = site.send("GET", path, key=None, headers=HTML)
    return list(csv.reader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))


def test_who_when_where_and_what(site: Any, audit: Audit) -> None:
    audit.note(
        "session abc", "203.0.113.9", "change key", "key_1",
        {"label": {"before": "phone", "after": "tablet"}, "limits": [1, 2]},
    )  # fmt: skip
    page = text(site)
    for shown in ("session abc", "203.0.113.9", "Key changed", "key_1", "<del>phone</del>", "1, 2"):
        assert shown in page
    assert "Signed in" in page


def test_newest_first_page_by_page(site: Any, audit: Audit) -> None:
    for number in range(60):
        audit.note("cli", "", "act", f"object-{number}.")
    first = text(site)
    assert "object-59." in first
    assert "object-9." not in first
    (following,) = [line for line in first.splitlines() if 'rel="next"' in line]
    path = following.split('href="')[1].split('"')[0]
    assert "object-9." in text(site, path)
    assert 'rel="next"' not in text(site, path)


def test_filters_stand_in_the_address(site: Any, audit: Audit) -> None:
    audit.note("cli", "", "add", "one.")
    audit.note("session abc", "", "add", "two.")
    audit.note("session abc", "", "drop", "three.")
    both = text(site, "/admin/audit?action=add&actor=session")
    assert "two." in both
    assert "one." not in both
    assert "three." not in both
    assert "Clear filters" in both
    assert '<option value="add" selected>' in both
    assert "one." in text(site, "/admin/audit?target=one.")
    assert "No entry matches." in text(site, "/admin/audit?actor=nobody")


def test_what_is_called_the_same_stands_once_in_the_menu(site: Any, audit: Audit) -> None:
    audit.note("cli", "", "disable accounts", "one.")
    audit.note("session abc", "", "pause accounts", "two.")
    audit.note("session abc", "", "export accounts", "three.")
    audit.note("session abc", "", "fetch export", "four.")
    for action in ("disable accounts", "pause accounts"):
        page = text(site, f"/admin/audit?action={action.replace(' ', '+')}")
        assert "one." in page
        assert "two." in page
        assert "three." not in page
        assert f'<option value="{action}" selected>' in page
        words = re.findall(r"<option[^>]*>([^<]*)<", page)
        assert len(words) == len(set(words))
    assert "the command line" in page
    assert "session abc" in page


def test_days_are_the_readers(site: Any, key_store: Any) -> None:
    site.given["tz"] = "Asia/Shanghai"
    site.send("POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD})
    audit = site.runtime.audit
    key_store.clock.at = 1_750_003_199.0  # 2025-06-15 23:59:59 there
    audit.note("cli", "", "act", "before-midnight")
    key_store.clock.at += 1
    audit.note("cli", "", "act", "after-midnight")
    found = text(site, "/admin/audit?from=2025-06-16&to=2025-06-16&action=act")
    assert "after-midnight" in found
    assert "before-midnight" not in found
    assert "before-midnight" in text(site, "/admin/audit?to=2025-06-15")


@pytest.mark.parametrize("day", ["yesterday", "2025-13-01", "9999-12-31"])
def test_what_is_no_day_is_refused(site: Any, audit: Audit, day: str) -> None:
    answer = site.send("GET", f"/admin/audit?to={day}", key=None, headers=HTML)
    assert answer.status_code == 400


def test_foreign_texts_are_texts(site: Any, audit: Audit) -> None:
    audit.note(
        HOSTILE, HOSTILE, HOSTILE, HOSTILE, {HOSTILE: HOSTILE, "b": {"was": HOSTILE, "now": 1}}
    )
    page = text(site)
    assert "<img src=x" not in page
    assert "\u202e" not in re.sub(r'"[^"]*"', "", page)  # addresses of filters hold it as it is
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_a_table_to_take_along(site: Any, audit: Audit) -> None:
    for number in range(510):
        audit.note("cli", "", "act", f"=object{number}")
    rows = table(site, "/admin/audit.csv?action=act")
    assert rows[0] == ["time", "who", "from", "action", "object", "details"]
    assert len(rows) == 511
    assert rows[1][1:5] == ["cli", "", "act", "'=object509"]


def test_scripts_get_json(site: Any, audit: Audit) -> None:
    for number in range(60):
        audit.note("cli", "", "act", str(number), {"n": number})
    first = site.send("GET", "/admin/audit?action=act", key=PASSWORD).get_json()
    assert (len(first["entries"]), first["entries"][0]["detail"]) == (50, {"n": 59})
    path = f"/admin/audit?action=act&before={first['next_before']}"
    second = site.send("GET", path, key=PASSWORD).get_json()
    assert (len(second["entries"]), second["next_before"]) == (10, None)


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
@pytest.mark.parametrize("path", ["/admin/audit", "/admin/audit.csv"])
def test_it_cannot_be_cleared(site: Any, audit: Audit, method: str, path: str) -> None:
    assert site.send(method, path, key=PASSWORD).status_code == 405
    assert len(audit.recent()) == 1


@pytest.mark.parametrize("path", ["/admin/audit", "/admin/audit.csv"])
def test_nobody_else(site: Any, path: str) -> None:
    assert site.send("GET", path, key=None).status_code == 401


def test_details(site: Any) -> None:
    with site.app.test_request_context("/"):
        assert details_of({"a": None, "b": True, "c": "x" * 300, "d": {"e": [1]}, "f": []}) == [
            Detail("a", "–"),
            Detail("b", "Yes"),
            Detail("c", "x" * 200 + "…"),
            Detail("d", '{"e": [1]}'),
            Detail("f", "–"),
        ]
        assert details_of({"rpm": {"from": None, "to": 5}}) == [Detail("rpm", "5", "–")]


def test_nought_is_a_number(site: Any) -> None:
    with site.app.test_request_context("/"):
        assert details_of({"seconds": 0, "share": 0.0}) == [
            Detail("seconds", "0"),
            Detail("share", "0.0"),
        ]
