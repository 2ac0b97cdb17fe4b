"""Whatever a browser or a script sends to any page, it gets an answer and no failure of ours.

Routes, fields and parameters are read off the application and its templates, so that new ones are met as well.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store.request_records import RequestRecord
from chat2api.store.traces import AttemptRecord, Trace

from .test_logins import Person
from .test_settings import Source

WEB = Path(__file__).resolve().parents[3] / "chat2api" / "web"
HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
HOSTILE = "<img src=x onerror=alert(1)>\u202etxt"
# What begins work at the upstream, or a stream that goes on.
_NOT_HERE = ("keys.try_now", "keys.test", "log.stream")

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

    def routes(self, method: str) -> list[tuple[str, str, str]]:
        """Endpoint, address and module of every page that takes this method."""
        found = []
        for rule in self.site.app.url_map.iter_rules():
            blueprint = rule.endpoint.partition(".")[0]
            if method not in (rule.methods or ()) or rule.endpoint in _NOT_HERE:
                continue
            if not rule.rule.startswith(("/admin", "/why", "/_ui", "/tokens")) and rule.rule != "/":
                continue
            if rule.endpoint == "config.show" or rule.rule.startswith("/admin/api"):
                continue
            path = re.sub(r"<(?:\w+:)?(\w+)>", lambda name: self.ids.get(name[1], "x"), rule.rule)
            view = self.site.app.view_functions[rule.endpoint]
            found.append((rule.endpoint, path, view.__module__, blueprint))
        return sorted((one[0], one[1], one[2]) for one in found)


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


def checked(answer: Any, sent: object) -> Any:
    text = answer.get_data(as_text=True)
    assert answer.status_code < 500, (sent, answer.status_code, text[:300])
    assert "Traceback" not in text
    assert "<script>alert" not in text and "<img src=x" not in text
    assert "planted" not in text
    place = answer.headers.get("Location", "")
    assert not place or re.match(r"/(?![/\\])", place), (sent, place)
    assert "\n" not in str(answer.headers.get("Content-Disposition", ""))
    return answer
