"""The list of accounts as the operator sees it: found, sorted, paged, and nothing changed by looking."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from sqlalchemy import update

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_edits import Answer

PASSWORD = "the admin password of the suite"
HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
HOSTILE = "<img src=x onerror=alert(1)>\u202etxt"
PROXY = Secret("http://user:planted-password@hk-1:1080")


class Pool:
    """Accounts of the site, and somebody signed in."""

    def __init__(self, site: Any) -> None:
        self.site = site
        site.store.clock.at = time.time()
        answer = site.send(
            "POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD}
        )
        assert answer.status_code == 303
        self.numbers = 0

    def add(self, count: int = 1, source: str = "test", **given: Any) -> list[str]:
        new = []
        for _ in range(count):
            self.numbers += 1
            email = given.get("email", f"u{self.numbers:03}@example.org")
            token = Secret(f"rt_planted{self.numbers:030}")
            new.append(NewAccount(refresh_token=token, **{**given, "email": email}))
        return [one.account_id for one in self.site.runtime.intake.add(new, source)]

    def set(self, account_id: str, **values: Any) -> None:
        row = update(tables.accounts).where(tables.accounts.c.account_id == account_id)
        self.site.store.database.write(lambda connection: connection.execute(row.values(values)))

    def rests(self, account_id: str, seconds: float = 600.0) -> None:
        until = self.site.store.now() + seconds
        self.set(
            account_id, cooling_until=until, limited=True, selectable=False, wake_at=until,
            reason="rate_limit_exceeded",
        )  # fmt: skip

    def get(self, path: str, headers: Any = HTML, status: int = 200) -> Any:
        answer = self.site.send("GET", path, key=None, headers=headers)
        assert answer.status_code == status, answer.get_data(as_text=True)[:500]
        return answer

    def text(self, path: str = "/admin/accounts", status: int = 200) -> str:
        return str(self.get(path, status=status).get_data(as_text=True))

    def json(self, path: str = "/admin/accounts") -> Any:
        return self.get(path, JSON).get_json()

    def names(self, path: str = "/admin/accounts") -> list[str]:
        return [one["name"] for one in self.json(path)["accounts"]]


@pytest.fixture
def pool(site: Any) -> Pool:
    return Pool(site)


def link(page: str, rel: str) -> str:
    (found,) = re.findall(rf'rel="{rel}" href="([^"]+)"', page)
    return str(found).replace("&amp;", "&")


# --- what it shows


def test_nobody_yet(pool: Pool) -> None:
    page = pool.text()
    assert "No account yet." in page
    assert pool.json() == {"accounts": [], "total": 0, "next": None}


def test_strangers_see_the_sign_in_page(site: Any) -> None:
    for path in ("/admin/accounts", "/admin/accounts/cells", "/admin/accounts/acct_1"):
        answer = site.send("GET", path, key=None, headers=HTML)
        assert answer.status_code == 401


def test_a_row_tells_what_there_is_and_nothing_secret(pool: Pool) -> None:
    (one,) = pool.add(proxy=PROXY, plan="pro", note="for Xiao Wang", email="ann@example.org")
    pool.rests(one)
    page = pool.text()
    for shown in ("ann@example.org", "rt_pla", "Resting", "until ", "pro", "http://***@hk-1:1080",
                  "for Xiao Wang", "never used", "0 of 1 account can be used now."):  # fmt: skip
        assert shown in page, shown
    assert "planted0" not in page
    assert "planted-password" not in page


def test_hostile_names_and_notes_are_text(pool: Pool) -> None:
    (one,) = pool.add(email=HOSTILE, note=HOSTILE, plan=HOSTILE)
    for path in ("/admin/accounts", f"/admin/accounts/{one}"):
        page = pool.text(path)
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page


def test_states_have_a_chip_and_a_part_of_the_bar(pool: Pool) -> None:
    ids = pool.add(5)
    pool.rests(ids[0])
    pool.set(ids[1], needs_login=True, reason="upstream_account_auth_failed")
    pool.set(ids[2], paused=True)
    pool.site.runtime.book.remove(ids[3:4])
    page = pool.text()
    assert "1 of 4 accounts can be used now." in page
    for state, name in (("resting", "u001"), ("login", "u002"), ("paused", "u003"),
                        ("removed", "u004"), ("ready", "u005")):  # fmt: skip
        assert f"state={state}" in page
        assert pool.names(f"/admin/accounts?state={state}") == [f"{name}@example.org"]
    assert "Restore" in pool.text("/admin/accounts?state=removed")


# --- finding, sorting, paging


def test_filters_in_the_address(pool: Pool) -> None:
    pool.add(2, source="tokens page")
    pool.add(1, source="app.x.yaml", plan="team", proxy=PROXY)
    assert pool.names("/admin/accounts?q=U002") == ["u002@example.org"]
    assert pool.names("/admin/accounts?plan=team&source=app.x.yaml") == ["u003@example.org"]
    assert pool.names("/admin/accounts?proxy=none") == ["u001@example.org", "u002@example.org"]
    page = pool.text("/admin/accounts?q=nobody&plan=team")
    assert "No account matches." in page
    assert "Clear filters" in page
    assert "from app.x.yaml" in pool.text()
    # The chosen proxy stands in the address by a hash.
    (key,) = re.findall(r'<option value="([0-9a-f]{64})"', pool.text())
    assert pool.names(f"/admin/accounts?proxy={key}") == ["u003@example.org"]


def test_what_cannot_be_meant_counts_as_empty(pool: Pool) -> None:
    pool.add(2)
    junk = "state=nope&sort=nope&size=7&expires=%ff&turned=1&after=nobody&before=&id="
    assert len(pool.names(f"/admin/accounts?{junk}")) in (0, 2)
    assert pool.names("/admin/accounts?state=nope&size=-1&after=nobody") == [
        "u001@example.org", "u002@example.org",
    ]  # fmt: skip


def test_sorting_says_its_direction(pool: Pool) -> None:
    pool.add(3)
    assert 'aria-sort="ascending"' not in pool.text()
    page = pool.text("/admin/accounts?sort=name")
    assert page.count('aria-sort="ascending"') == 1
    falling = pool.text("/admin/accounts?sort=name&turned=1")
    assert 'aria-sort="descending"' in falling
    assert pool.names("/admin/accounts?sort=name&turned=1")[0] == "u003@example.org"


def test_pages_there_and_back(pool: Pool) -> None:
    pool.add(120)
    first = pool.text()
    assert "1–50 of 120" in first
    second = pool.text(link(first, "next"))
    assert "51–100 of 120" in second
    third = pool.text(link(second, "next"))
    assert "101–120 of 120" in third
    assert 'rel="next"' not in third
    again = pool.text(link(third, "prev"))
    assert "51–100 of 120" in again
    assert "1–50 of 120" in pool.text(link(again, "prev"))
    assert "1–120 of 120" in pool.text("/admin/accounts?size=200")
    found = pool.json("/admin/accounts")
    rest = pool.json(f"/admin/accounts?after={found['next']}&size=200")
    assert (len(found["accounts"]), len(rest["accounts"]), rest["next"]) == (50, 70, None)


def test_a_few_by_their_ids(pool: Pool) -> None:
    ids = pool.add(4)
    page = pool.text(f"/admin/accounts?id={ids[2]}&id={ids[0]}&id=nobody")
    assert page.index("u003@") < page.index("u001@")
    assert "u002@" not in page


def test_rows_may_be_compact(pool: Pool) -> None:
    pool.add(1)
    page = pool.text()
    (csrf,) = set(re.findall(r'name="csrf" value="([^"]+)"', page))
    answer = pool.site.send(
        "POST", "/admin/accounts/rows", key=None, headers=HTML,
        data={"csrf": csrf, "rows": "compact", "next": "/admin/accounts?sort=name"},
    )  # fmt: skip
    assert (answer.status_code, answer.location) == (303, "/admin/accounts?sort=name")
    assert 'class="desk compact"' in pool.text()


# --- what changes by itself


def test_cells(pool: Pool) -> None:
    ids = pool.add(2)
    before = pool.json("/admin/accounts/cells?sort=name")
    assert [one["id"] for one in before["rows"]] == ids
    assert before["rows"][0]["pill"] == {
        "role": "off", "glyph": "question", "word": "Not checked", "fact": "",
    }  # fmt: skip
    pool.set(ids[0], running=2, last_used_at=time.time())
    after = pool.json("/admin/accounts/cells?sort=name")["rows"][0]
    assert after["pill"]["word"] == "In use"
    assert after["pill"]["fact"] == "2/10"
    assert after["used"] == "just now"


def test_looking_changes_nothing(pool: Pool) -> None:
    (one,) = pool.add(1)
    pool.rests(one, -1.0)

    def whole() -> Any:
        return pool.site.store.database.read(
            lambda c: [tuple(row) for row in c.execute(tables.accounts.select())]
        )

    before = whole()
    for path in ("/admin/accounts", "/admin/accounts/cells", f"/admin/accounts/{one}"):
        pool.get(path)
    assert whole() == before


# --- one


def test_the_page_of_one(pool: Pool) -> None:
    (one,) = pool.add(proxy=PROXY, note="小王")
    edits = pool.site.runtime.desk.edits
    from chat2api.pool.values import Quota, QuotaWindow

    soon = time.time() + 3600
    quota = Quota((QuotaWindow("5 h", 62.0, None, soon), QuotaWindow("image_gen", None, 7, soon)))
    edits.answered(one, Answer(quota, limits={"gpt-5": soon}))
    pool.site.runtime.desk.events.note([one], "limited", "", {"reason": HOSTILE}, "req_met")
    pool.site.runtime.desk.heat.add({(one, int(pool.site.store.now() // 300)): (3, 1)})
    page = pool.text(f"/admin/accounts/{one}")
    for shown in ("62 % used", "7 left", "Pictures", "gpt-5", "Upstream&#39;s limit for gpt-5.",
                  "reached a limit", "/admin/requests/req_met", "小王", "http://***@hk-1:1080",
                  "unknown: it was never tried", "Attempts on this account"):  # fmt: skip
        assert shown in page, shown
    assert "planted-password" not in page
    assert "<img src=x" not in page
    assert pool.json(f"/admin/accounts/{one}")["pill"]["word"] == "gpt-5"


def test_nobody_has_a_page_that_says_so(pool: Pool) -> None:
    page = pool.text("/admin/accounts/acct_nobody", status=404)
    assert "Nothing here" in page or "no such account" in page


def test_an_account_of_a_file_says_so(pool: Pool) -> None:
    (one,) = pool.add(source="app.prod.yaml")
    page = pool.text(f"/admin/accounts/{one}")
    assert "from app.prod.yaml" in page
    assert 'name="proxy"' not in page


def test_in_chinese(pool: Pool) -> None:
    (one,) = pool.add()
    pool.rests(one)
    page = pool.text("/admin/accounts?lang=zh")
    assert "冷却" in page
    assert "账号" in page
