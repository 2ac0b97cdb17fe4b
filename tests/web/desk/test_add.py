"""Adding accounts on a page: shown first, taken as shown, and no token ever comes back."""

from __future__ import annotations

import html
import json
import logging
import re
from io import BytesIO
from typing import Any

import pytest

from chat2api.store.desk_tables import parcels
from tests.store.handed import DAY, NOW, access, refresh, rows

PASSWORD = "the admin password of the suite"
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


class Browser:
    """Somebody signed in, whose forms carry the session's token."""

    def __init__(self, site: Any) -> None:
        self.site = site
        site.store.clock.at = NOW
        site.send("POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD})
        self.csrf = site.runtime.administration.sessions.list()[0].csrf

    def page(self, path: str, status: int = 200) -> str:
        answer = self.site.send("GET", path, key=None, headers=HTML)
        assert answer.status_code == status, answer.get_data(as_text=True)
        return html.unescape(answer.get_data(as_text=True))

    def post(self, path: str, **fields: Any) -> Any:
        data = {"csrf": self.csrf, **fields}
        return self.site.send("POST", path, key=None, headers=HTML, data=data)

    def hand_in(self, *texts: Any, **fields: Any) -> str:
        """The page that tells what is in it."""
        answer = self.post("/admin/add/review", text=pasted(*texts), **fields)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/add/review")
        return self.page("/admin/add/review")

    def take(self, page: str, *groups: str) -> Any:
        return self.post("/admin/add/import", ticket=ticket_of(page), take=list(groups))


def pasted(*texts: Any) -> str:
    return "\n".join(text if isinstance(text, str) else text.reveal() for text in texts)


def ticket_of(page: str) -> str:
    (found,) = re.findall(r'name="ticket" value="([^"]+)"', page)
    return str(found)


def summary(page: str) -> list[str]:
    """ "+ 31 new" and so on."""
    (listed,) = re.findall(r'<ul class="diff".*?</ul>', page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", "", item).split()) for item in listed.split("</li>")[:-1]]


def held(site: Any) -> int:
    return len(site.runtime.book.everything())


@pytest.fixture
def browser(site: Any) -> Browser:
    return Browser(site)


# --- looking


def test_three_doors(site: Any, browser: Browser) -> None:
    page = browser.page("/admin/add")
    assert '<textarea id="text" name="text"' in page
    assert 'type="file" id="files" name="files" multiple' in page


def test_what_was_handed_in_is_shown_by_groups_and_masked(site: Any, browser: Browser) -> None:
    there, old = access("there"), access("newer", ends=NOW + DAY)
    browser.take(browser.hand_in(there, old), "new")
    new, renewal, over = access("ann", "ws-of-ann"), refresh(), access("over", ends=NOW - 1)
    page = browser.hand_in(new, renewal, there, access("newer"), over, "<b>junk</b>")
    assert summary(page) == [
        "+ 2 new", "~ 1 gets a newer token", "! 1 expired", "= 1 there already", "? 1 unreadable",
    ]  # fmt: skip
    assert "ann@example.com" in page
    assert "ws-of-ann" in page
    assert "Pasted text, line 6" in page
    assert f"{renewal.reveal()[:6]}...{renewal.reveal()[-4:]}" in page
    for secret in (new, renewal, there, over):
        assert secret.reveal() not in page
    assert "<b>junk" not in page
    assert held(site) == 2


def test_what_rests_meanwhile_is_sealed_and_belongs_to_the_session(
    site: Any, browser: Browser
) -> None:
    token = refresh()
    ticket = ticket_of(browser.hand_in(token))
    kept = repr(rows(site.store, parcels))
    assert token.reveal() not in kept
    assert ticket not in kept
    refused = site.send("POST", "/admin/add/import", key=PASSWORD, json={"ticket": ticket})
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (409, "import_gone")
    assert held(site) == 0


def test_files_of_every_kind_together(site: Any, browser: Browser) -> None:
    login = {
        "tokens": {"access_token": access("codex").reveal(), "refresh_token": refresh().reveal()}
    }
    files = [
        (BytesIO(refresh().reveal().encode()), "token.txt"),
        (BytesIO(json.dumps(login).encode()), "auth.json"),
        (BytesIO(json.dumps({"a-seed": {"token": "", "conversations": []}}).encode()), "seed_map.json"),
        (BytesIO(b"\xff\x00\x01" * 50), "../<img src=x>.bin"),
        (BytesIO(b'{"a": 1,\n"'), "refresh_map.json"),
        (BytesIO(b""), ""),
    ]  # fmt: skip
    page = browser.hand_in(files=files)
    assert summary(page) == ["+ 2 new", "? 2 unreadable", "+ 1 seat"]
    assert "auth.json" in page
    assert "Codex login" in page
    assert "Damaged in line 2." in page
    assert "Not a file this importer knows." in page
    assert "<img src=x>" not in site.responses[-1].get_data(as_text=True)


def test_hostile_texts_are_shown_as_text(site: Any, browser: Browser) -> None:
    entry = {
        "email": "<script>alert(1)</script>@x.y",
        "type": "<i>plus\u202e",
        "access_token": access("ann").reveal(),
    }
    files = [(BytesIO(json.dumps([entry]).encode()), "<svg onload=x>.json")]
    browser.hand_in(files=files)
    raw = site.responses[-1].get_data(as_text=True)
    for written in ("<script>alert", "<i>plus", "<svg onload", "\u202e"):
        assert written not in raw


@pytest.mark.parametrize("text", ["", "  \n"])
def test_nothing_handed_in(browser: Browser, text: str) -> None:
    answer = browser.post("/admin/add/review", text=text)
    assert answer.status_code == 400
    assert "Nothing was pasted and no file was chosen." in answer.get_data(as_text=True)


def test_too_much_is_refused_as_a_page(site: Any, browser: Browser) -> None:
    many = "\n".join(f"rt_{number:020}" for number in range(10_001))
    for text in (many, "x" * (8 * 1024 * 1024)):
        answer = browser.post("/admin/add/review", text=text)
        assert answer.status_code == 413
        assert "Nothing was stored; send it in parts." in answer.get_data(as_text=True)
    assert rows(site.store, parcels) == []


def test_nothing_usable(site: Any, browser: Browser) -> None:
    page = browser.hand_in("junk", "more of it")
    assert "Nothing in it could be read as an account." in page
    assert "Import" not in page.partition("<form id=")[2]


def test_cancel_keeps_nothing(site: Any, browser: Browser) -> None:
    page = browser.hand_in(refresh())
    answer = browser.post("/admin/add/cancel", ticket=ticket_of(page))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/add")
    assert rows(site.store, parcels) == []
    assert site.send("GET", "/admin/add/review", key=None, headers=HTML).status_code == 303


def test_it_is_kept_for_a_quarter_of_an_hour(site: Any, browser: Browser) -> None:
    page = browser.hand_in(refresh())
    site.store.clock.at += 900
    assert site.send("GET", "/admin/add/review", key=None, headers=HTML).status_code == 303
    answer = browser.take(page, "new")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/add")
    assert "The import is no longer kept. Hand it in again." in browser.page("/admin/add")
    assert held(site) == 0


# --- taking


def test_what_was_shown_is_taken_and_told(site: Any, browser: Browser) -> None:
    browser.take(browser.hand_in(access("newer", ends=NOW + DAY)), "new")
    page = browser.hand_in(access("a"), refresh(), access("newer"), access("o", ends=NOW - 1), "no")
    assert ">Import 3<" in page
    answer = browser.take(page, "new", "newer")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/add/done")
    done = browser.page("/admin/add/done")
    assert held(site) == 3
    (name,) = set(re.findall(r"import-[0-9a-f]{8}", done))
    assert f'<a href="/admin/accounts?source={name}">2 new</a>' in done
    for part in ("1 left out", "1 unreadable"):
        assert f"<li>{part}</li>" in done
    (newer,) = re.findall(
        r'<a href="/admin/accounts\?id=([a-z0-9_]+)">1 got a newer token</a>', done
    )
    assert site.runtime.book.find(newer).label == "newer@example.com"
    entry = site.runtime.audit.recent()[0]
    assert (entry.action, entry.target) == ("import accounts", name)
    assert entry.detail == {"new": 2, "newer": 1, "unreadable": 1, "files": 1}
    (new, _) = [row for row in site.runtime.book.everything() if row.source == name]
    (event,) = site.runtime.desk.events.of(new.account_id)
    assert (event.kind, event.detail) == ("added", {"source": name})
    assert browser.page("/admin/add/done") == done


def test_twice_says_that_there_is_nothing_to_do(site: Any, browser: Browser) -> None:
    tokens = [access("a"), access("b")]
    browser.take(browser.hand_in(*tokens), "new", "newer")
    page = browser.hand_in(*tokens)
    assert "Nothing to import: all 2 are already here." in page
    assert summary(page) == ["= 2 there already"]
    assert 'class="button primary"' not in page.partition("<form id=")[2]
    assert "Nothing to import: it is already here." in browser.hand_in(tokens[0])


def test_sending_it_twice_adds_once(site: Any, browser: Browser) -> None:
    page = browser.hand_in(refresh())
    for location in ("/admin/add/done", "/admin/add"):
        assert browser.take(page, "new").headers["Location"] == location
    assert held(site) == 1


def test_only_the_chosen_groups(site: Any, browser: Browser) -> None:
    page = browser.hand_in(refresh(), access("over", ends=NOW - 1))
    browser.take(page, "ended")
    assert "<li>1 expired one taken</li>" in browser.page("/admin/add/done")
    assert held(site) == 1
    page = browser.hand_in(refresh())
    browser.take(page)
    assert held(site) == 1


def test_a_removed_account_comes_back_as_new(site: Any, browser: Browser) -> None:
    token = access("ann")
    browser.take(browser.hand_in(token), "new")
    (row,) = site.runtime.book.everything()
    site.runtime.book.remove([row.account_id])
    page = browser.hand_in(token)
    assert summary(page) == ["+ 1 new"]
    assert "was removed, comes back" in page
    browser.take(page, "new")
    assert [event.kind for event in site.runtime.desk.events.of(row.account_id)] == [
        "restored", "added",
    ]  # fmt: skip


def test_nothing_secret_reaches_the_log(
    site: Any, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = [access("ann"), refresh()]
    page = browser.hand_in(*tokens)
    browser.take(page, "new")
    told = f"{caplog.text}{site.runtime.audit.recent()}{[vars(one) for one in caplog.records]}"
    for secret in (*[token.reveal() for token in tokens], ticket_of(page)):
        assert secret not in told


# --- scripts


def test_scripts_look_and_take(site: Any) -> None:
    token = refresh().reveal()
    looked = site.send("POST", "/admin/add/review", key=PASSWORD, json={"text": f"{token}\nno"})
    told = looked.get_json()
    ticket = told.pop("ticket")
    assert told == {
        "status": "success", "new": 1, "newer": 0, "ended": 0, "same": 0, "seeds": 0,
        "conversations": 0, "unreadable": 1, "repeated": 0,
        "skipped": [{"where": "pasted text line 2", "reason": "not a token"}],
    }  # fmt: skip
    taken = site.send("POST", "/admin/add/import", key=PASSWORD, json={"ticket": ticket})
    numbers = taken.get_json()
    assert (numbers["status"], numbers["new"], held(site)) == ("success", 1, 1)


def test_scripts_hear_of_nothing(site: Any) -> None:
    for body in ({"text": "junk"}, {"text": "\ud800"}, {"text": ""}, {}):
        refused = site.send("POST", "/admin/add/review", key=PASSWORD, json=body)
        assert refused.status_code == 400
    gone = site.send("POST", "/admin/add/import", key=PASSWORD, json={})
    assert gone.status_code == 409
    left = site.send("POST", "/admin/add/cancel", key=PASSWORD, json={"ticket": "x"})
    assert left.get_json() == {"status": "success"}


def test_chinese(site: Any, browser: Browser) -> None:
    site.client.set_cookie("lang", "zh")
    page = browser.hand_in(access("a"), access("b", ends=NOW - 1), "junk")
    assert summary(page) == ["+ 新增 1 个", "! 已过期 1 个", "? 1 行无法识别"]


def test_what_is_there_beside_what_has_ended(site: Any, browser: Browser) -> None:
    there = [access("a"), access("b"), access("c")]
    browser.take(browser.hand_in(*there), "new")
    page = browser.hand_in(*there, access("over", ends=NOW - DAY))
    assert "Nothing new: 3 are here already, 1 has expired." in page
    assert 'data-none="Import"' in page


def test_a_line_pasted_twice_is_told(browser: Browser) -> None:
    one = access("ann")
    assert summary(browser.hand_in(one, one)) == ["+ 1 new", "= 1 named twice"]


def test_what_only_begins_like_a_token_is_taken_with_a_remark(browser: Browser) -> None:
    """As on /tokens, which takes it too: only the upstream can tell."""
    doubt = "cannot be read; check it once it is taken"
    page = browser.hand_in('{"access_token": "eyJhbGciOi.not.real"}')
    assert summary(page) == ["+ 1 new"]
    assert doubt in page
    assert doubt not in browser.hand_in(access("ann"), refresh(), "fk-of-a-relay")
