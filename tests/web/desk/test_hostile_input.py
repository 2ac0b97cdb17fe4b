"""Whatever a browser or a script sends to any page, it gets an answer and no failure of ours.

Routes, fields and parameters are read off the application and its templates, so that new ones are met as well.
"""

from __future__ import annotations

import re
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store.desk_tables import metadata
from chat2api.store.request_records import RequestRecord
from chat2api.store.traces import AttemptRecord, Trace

from .test_logins import Person
from .test_settings import Source

WEB = Path(__file__).resolve().parents[3] / "chat2api" / "web"
HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
HOSTILE = "<img src=x onerror=alert(1)>\u202etxt"
# A stream that goes on.
_NOT_HERE = ("log.stream",)
_LEAVING = ("sign_in.leave", "sessions.end", "sessions.end_others")
# Those of strangers. Signing out of the page on a request takes the token of its own session.
_FOR_ALL = (
    "sign_in.submit",
    "why.submit",
    "why.leave",
    "pages.preferences",
    "tokens.never_in_an_address",
)
_MEANT = {
    "account_acts.act": {"action": "pause"},
    "settings.review": {"revision": "x", "setting.tz": "Asia/Shanghai"},
}
_EDITS = (
    "account.0.email", "account.0.remove", "account.0.access_token", "account.new.proxy", "account.٣.email",
    "account." + "9" * 5000 + ".email", "keys.0.value", "keys.99999999999.masked", "keys.new", "proxy",
    "setting.retry_times", "setting.tz", "setting.queue_seconds", "setting.bogus", "seen", "revision",
)  # fmt: skip

NASTY = (
    "", " ", "-1", "0", "٣", "²", "1e999", "nan", "-inf", "9" * 15, "9" * 30, "9" * 5000, "0x10", "1_0",
    "0001-01-01", "9999-12-31", "10000-01-01", "2026-13-45", "2026-11-28T25:00", "9999-12-31T23:59",
    "<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "{{7*7}}%(num)d%s{left}", "a" * 3000,
    "\u202etxt.exe", "\ud7ff\ufffe\U0010ffff", "%00", "\r\nSet-Cookie: a=b", "//evil.example", "javascript:alert(1)",
    "https:evil", "/\\evil", "../../etc/passwd", "*", "[", "((((a+)+)+)+)$", "true", "null",
)  # fmt: skip


# --- a site with something in every table


class Hall(Person):
    """Somebody signed in to a site where every page has something to show."""

    def __init__(self, site: Any, folder: Path) -> None:
        site.store.clock.at = time.time()
        site.source = Source(folder)
        super().__init__(site)
        desk = site.runtime.desk
        key, _ = site.keys.create("<b>phone</b>")
        account = self._account(1, proxy=Secret("http://me:planted1@hk-1:1080"))
        removed = self._account(2)
        site.runtime.book.remove([removed])
        self.ids = {
            "key_id": key.key_id,
            "account_id": account,
            "request_id": "req_" + "0" * 32,
            "job_id": desk.jobs.create("renew", "session abc", [(account, HOSTILE)]),
            "login_id": self.login(self.begin(kind="browser")).login_id,
            "session_id": site.runtime.administration.sessions.list()[0].session_id,
            "digest": "0" * 12,
            "name": "desk.css",
        }
        desk.records.add([self._record(account, key.key_id)])

    def _account(self, number: int, **more: Any) -> str:
        token = Secret(f"rt_planted{number:030}")
        new = NewAccount(refresh_token=token, email=HOSTILE, plan=HOSTILE, note=HOSTILE, **more)
        return str(self.site.runtime.intake.add([new], HOSTILE)[0].account_id)

    def _record(self, account: str, key_id: str) -> RequestRecord:
        tried = AttemptRecord(1, "web", account, HOSTILE, 429, HOSTILE, 600.0, 0.1, 0.2, None)
        return RequestRecord(
            self.ids["request_id"], time.time() - 5, 1.0, status=429, failed=True, code=HOSTILE,
            key_id=key_id, account_id=account, model=HOSTILE, attempts=1, trace=Trace((tried,)),
        )  # fmt: skip

    # --- what there is

    def routes(self, method: str) -> list[tuple[str, str]]:
        """Endpoint and address of every page that takes this method."""
        found = []
        for rule in self.site.app.url_map.iter_rules():
            is_page = rule.rule == "/" or rule.rule.startswith(
                ("/admin", "/why", "/_ui", "/tokens")
            )
            if is_page and method in (rule.methods or ()) and rule.endpoint not in _NOT_HERE:
                path = re.sub(
                    r"<(?:\w+:)?(\w+)>", lambda name: self.ids.get(name[1], "x"), rule.rule
                )
                found.append((rule.endpoint, path))
        return sorted(found)

    def rows(self) -> dict[str, list[Any]]:
        """All that is stored, but for when somebody was seen last."""
        seen = {"seen_at"}

        def work(connection: Any) -> dict[str, list[Any]]:
            return {
                table.name: [
                    tuple(value for name, value in row._mapping.items() if name not in seen)
                    for row in connection.execute(table.select())
                ]
                for table in metadata.sorted_tables
            }

        found: dict[str, list[Any]] = self.store.database.read(work)
        return found


@pytest.fixture
def hall(site: Any, tmp_path: Path) -> Hall:
    return Hall(site, tmp_path)


def names_of(folder: Path = WEB) -> list[str]:
    """Every name of a field or a parameter that is written somewhere."""
    found: set[str] = set()
    for path in folder.rglob("*.html"):
        found.update(re.findall(r'\bname="([\w.]+)"', path.read_text("utf-8")))
    asked = r'\b(?:get|first|all|text|one_of|_day|_number|values)\(\s*"(\w+)"'
    for path in folder.rglob("*.py"):
        found.update(re.findall(asked, path.read_text("utf-8")))
    return sorted(found)


def checked(answer: Any, *sent: object) -> str:
    """The text of an answer that may be anything but a failure of ours."""
    text = str(answer.get_data(as_text=True))
    assert answer.status_code < 500, (sent, answer.status_code, text[:300])
    assert "Traceback" not in text
    assert "planted" not in text, sent
    if answer.mimetype == "text/html":
        assert not re.search("<script>alert|<img src=x", text), sent
    else:
        assert answer.headers["X-Content-Type-Options"] == "nosniff", sent
    place = answer.headers.get("Location", "")
    assert not place or re.match(r"/(?![/\\])", place), (sent, place)
    assert "Set-Cookie: a=b" not in str(answer.headers)
    answer.close()
    return text


# --- looking


@pytest.mark.parametrize("value", ["9" * 5000, "-1", "nan", "9999-12-31", NASTY[21], "\u202e"])
def test_every_page_takes_any_parameter(hall: Hall, value: str) -> None:
    query = dict.fromkeys(names_of()[:90], value)
    for _, path in hall.routes("GET"):
        checked(hall.site.client.get(path, query_string=query, headers=HTML), path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_every_page_takes_a_few_of_them(hall: Hall, data: st.DataObject) -> None:
    _, path = data.draw(st.sampled_from(hall.routes("GET")))
    value = st.sampled_from(NASTY) | st.text(max_size=40)
    query = data.draw(st.dictionaries(st.sampled_from(names_of()), value, max_size=4))
    headers = data.draw(st.sampled_from([HTML, JSON, {}]))
    checked(hall.site.client.get(path, query_string=query, headers=headers), path, query)


def test_looking_changes_nothing(hall: Hall) -> None:
    before = hall.rows()
    for method in ("GET", "HEAD", "OPTIONS"):
        for _, path in hall.routes("GET"):
            for headers in (HTML, JSON):
                hall.site.client.open(path, method=method, headers=headers).close()
    after = hall.rows()
    assert {name for name in after if after[name] != before[name]} == set()


def test_no_page_turns_a_line_around(hall: Hall) -> None:
    """Whoever may name a model or an account could make a page say the opposite."""
    for _, path in hall.routes("GET"):
        text = checked(hall.site.client.get(path, headers=HTML), path)
        outside = re.sub(
            r"<(bdi|option|code|textarea)\b.*?</\1>|<[^>]*>", "", text, flags=re.DOTALL
        )
        assert "\u202e" not in outside or not text.startswith("<!doctype"), path


# --- changing


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_every_form_takes_anything(hall: Hall, data: st.DataObject) -> None:
    stays = [one for one in hall.routes("POST") if one[0] not in _LEAVING]
    endpoint, path = data.draw(st.sampled_from(stays))
    value = st.sampled_from([*NASTY, *hall.ids.values()]) | st.text(max_size=40)
    fields = data.draw(st.dictionaries(st.sampled_from([*names_of(), *_EDITS]), value, max_size=6))
    fields |= {"csrf": hall.csrf, **_MEANT.get(endpoint, {})}
    headers = data.draw(st.sampled_from([HTML, JSON]))
    how = data.draw(st.sampled_from(["data", "json"]))
    checked(hall.site.client.post(path, headers=headers, **{how: fields}), path, fields)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\0\0", b"{" * 100_000, b"eyJ" * 9000, b"\r\n", b"PK\3\4"]
)
def test_every_file_can_be_looked_at(hall: Hall, content: bytes) -> None:
    name = "../../\u202e<img src=x onerror=alert(1)>\r\nSet-Cookie: a=b" + "n" * 500
    for path in ("/admin/add/review", "/tokens/upload"):
        data = {"csrf": hall.csrf, "files": (BytesIO(content), name)}
        answer = hall.site.client.post(path, data=data, headers=HTML)
        checked(answer, path)
        if answer.status_code == 303:
            text = checked(hall.get(answer.headers["Location"]))
            assert "\u202e" not in text


def test_no_form_goes_without_a_session_and_its_token(hall: Hall) -> None:
    strange = hall.site.app.test_client()
    before = hall.rows()
    asked = 0
    for endpoint, path in hall.routes("POST"):
        if endpoint in _FOR_ALL:
            continue
        asked += 1
        for headers in (HTML, JSON):
            meant = {**_MEANT.get(endpoint, {}), "id": hall.ids["account_id"], "all": "1"}
            for sent in ({}, {"csrf": "x"}, {"csrf": hall.csrf}):
                answer = strange.post(path, data={**meant, **sent}, headers=headers)
                assert answer.status_code == 401, (path, sent)
            for sent in ({}, {"csrf": "x"}, {"csrf": ""}):
                answer = hall.site.client.post(path, data={**meant, **sent}, headers=headers)
                assert answer.status_code == 403, (path, sent)
            elsewhere = {**headers, "Sec-Fetch-Site": "same-site"}
            right = {**meant, "csrf": hall.csrf}
            answer = hall.site.client.post(path, data=right, headers=elsewhere)
            assert answer.status_code == 403, path
    assert asked > 25
    after = hall.rows()
    assert {name for name in after if after[name] != before[name]} == set()
