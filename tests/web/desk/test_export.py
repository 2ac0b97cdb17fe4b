"""Exports: a list without anything secret at once; tokens behind the password, once, for a minute."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from typing import Any

import pytest

from chat2api.pool.values import NewAccount
from chat2api.store.desk_tables import parcels
from tests.store.handed import NOW, access, refresh, rows

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

    def prepare(self, **fields: Any) -> str:
        """The ticket of a file that is ready."""
        answer = self.post("/admin/export/prepare", **{"password": PASSWORD, **fields})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/export/ready")
        (ticket,) = re.findall(r'name="ticket" value="([^"]+)"', self.page("/admin/export/ready"))
        return str(ticket)

    def fetch(self, ticket: str) -> Any:
        return self.post("/admin/export/fetch", ticket=ticket)


@pytest.fixture
def browser(site: Any) -> Browser:
    return Browser(site)


def put(site: Any, *accounts: NewAccount) -> list[str]:
    return [one.account_id for one in site.runtime.intake.add(accounts, "suite")]


def noted(site: Any) -> list[Any]:
    entries = site.runtime.audit.recent()
    return [(one.action, one.detail) for one in entries if "export" in one.action]


# --- choosing


def test_nothing_to_export_yet(browser: Browser) -> None:
    assert "There are no accounts yet." in browser.page("/admin/export")


def test_the_page_offers_what_was_chosen(site: Any, browser: Browser) -> None:
    ids = put(
        site, NewAccount(refresh_token=refresh(), plan="plus"), NewAccount(refresh_token=refresh())
    )
    assert "selected" not in browser.page("/admin/export")
    some = browser.page(f"/admin/export?id={ids[0]}&id={ids[1]}")
    assert 'value="selected" checked' in some
    assert "The 2 selected" in some
    matching = browser.page("/admin/export?plan=plus&state=nonsense")
    assert 'value="matching" checked' in matching
    assert "The one that matches the filter" in matching
    assert '<input type="hidden" name="plan" value="plus">' in matching
    sent = browser.post("/admin/export/select", id=ids).get_data(as_text=True)
    assert "The 2 selected" in sent
    everything = browser.post("/admin/export/select", id=ids, all="1", plan="plus")
    assert 'value="matching" checked' in everything.get_data(as_text=True)


# --- without tokens


def test_a_list_is_safe_in_a_spreadsheet_and_holds_no_token(site: Any, browser: Browser) -> None:
    tokens = [access("ann"), refresh()]
    put(site, NewAccount(access_token=tokens[0], note="=cmd()|' /C calc'"),
        NewAccount(refresh_token=tokens[1], note="好"))  # fmt: skip
    answer = browser.post("/admin/export/list", list="csv")
    text = answer.get_data().decode("utf-8-sig")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="accounts.csv"'
    listed = list(csv.DictReader(io.StringIO(text)))
    assert [one["note"] for one in listed] == ["'=cmd()|' /C calc'", "好"]
    assert listed[0]["name"] == "ann@example.com"
    for token in tokens:
        assert token.reveal() not in text
        assert token.reveal()[-4:] not in text
    assert noted(site) == [("export list", {"accounts": 2, "format": "csv"})]


def test_a_list_as_json_of_some(site: Any, browser: Browser) -> None:
    ids = put(site, *(NewAccount(refresh_token=refresh()) for _ in range(3)))
    answer = browser.post("/admin/export/list", list="json", id=ids[1:], scope="selected")
    assert [one["id"] for one in answer.get_json()] == ids[1:]
    assert answer.headers["Cache-Control"] == "no-store"
    assert browser.post("/admin/export/list", list="exe").status_code == 400


def test_a_list_of_those_that_match(site: Any, browser: Browser) -> None:
    ids = put(
        site, NewAccount(refresh_token=refresh(), plan="plus"), NewAccount(refresh_token=refresh())
    )
    answer = browser.post("/admin/export/list", list="json", plan="plus", scope="matching")
    assert [one["id"] for one in answer.get_json()] == ids[:1]


# --- with tokens


def test_a_file_is_fetched_once(site: Any, browser: Browser) -> None:
    token = refresh()
    put(site, NewAccount(refresh_token=token))
    ticket = browser.prepare(format="tokens")
    assert token.reveal() not in repr(rows(site.store, parcels))
    assert token.reveal() not in browser.page("/admin/export/ready")
    answer = browser.fetch(ticket)
    assert answer.get_data(as_text=True) == f"{token.reveal()}\n"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tokens.txt"'
    assert answer.headers["Cache-Control"] == "no-store"
    again = browser.fetch(ticket)
    assert (again.status_code, again.headers["Location"]) == (303, "/admin/export")
    assert "It was fetched already, or its minute is over." in browser.page("/admin/export")
    assert noted(site) == [
        ("fetch export", {"accounts": 1, "format": "tokens"}),
        ("export accounts", {"accounts": 1, "format": "tokens", "scope": "all"}),
    ]


def test_after_a_minute_it_is_gone(site: Any, browser: Browser) -> None:
    put(site, NewAccount(refresh_token=refresh()))
    ticket = browser.prepare()
    site.store.clock.at += 60
    assert browser.fetch(ticket).status_code == 303
    assert site.send("GET", "/admin/export/ready", key=None, headers=HTML).status_code == 303


def test_nobody_else_fetches_it(site: Any, browser: Browser) -> None:
    put(site, NewAccount(refresh_token=refresh()))
    ticket = browser.prepare()
    answer = site.send("POST", "/admin/export/fetch", key=PASSWORD, json={"ticket": ticket})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "export_gone")
    assert site.send("GET", "/admin/export/fetch", key=None, headers=HTML).status_code == 405
    assert browser.fetch(ticket).status_code == 200


@pytest.mark.parametrize("fields", [{}, {"password": ""}, {"password": "guess"}])
def test_the_password_is_asked_for_again(site: Any, browser: Browser, fields: Any) -> None:
    token = refresh()
    (account_id,) = put(site, NewAccount(refresh_token=token))
    answer = browser.post("/admin/export/prepare", id=account_id, scope="selected", **fields)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 403
    assert "That password is wrong. Nothing was exported." in page
    assert 'value="selected" checked' in page
    refused = [one for one in site.runtime.audit.recent() if one.action == "password refused"]
    assert [one.detail for one in refused] == ([{"tries": 1}] if fields.get("password") else [])
    assert all(one.actor.startswith("session ") for one in refused)
    assert (noted(site), rows(site.store, parcels)) == ([], [])
    headers = {"X-CSRF-Token": browser.csrf}
    script = site.send("POST", "/admin/export/prepare", key=None, headers=headers, json=fields)
    assert script.get_json()["error"]["code"] == "password_required"


def test_nothing_chosen(browser: Browser) -> None:
    for fields in ({"scope": "selected"}, {"scope": "matching", "plan": "none"}):
        answer = browser.post("/admin/export/prepare", password=PASSWORD, **fields)
        assert answer.status_code == 400


def test_a_script_gets_it_at_once(site: Any) -> None:
    token = access("ann")
    put(site, NewAccount(access_token=token))
    answer = site.send("POST", "/admin/export/prepare", key=PASSWORD, json={"format": "auth.json"})
    login = json.loads(answer.get_data(as_text=True))
    assert login["tokens"]["access_token"] == token.reveal()
    assert answer.headers["Cache-Control"] == "no-store"
    assert noted(site)[0][0] == "export accounts"
    for body in ({"format": "zip"}, {"id": "acc_none", "scope": "selected"}):
        refused = site.send("POST", "/admin/export/prepare", key=PASSWORD, json=body)
        assert refused.status_code == 400


def test_enter_in_the_field_of_the_password_makes_the_file(site: Any, browser: Browser) -> None:
    """What Enter means in a form is its first button, wherever that stands."""
    put(site, NewAccount(refresh_token=refresh()))
    page = browser.page("/admin/export")
    form = page.split('action="/admin/export/prepare"')[1].split("</form>")[0]
    first = re.findall(r"<button[^>]*>", form)[0]
    assert "formaction" not in first
    assert "formnovalidate" not in first
    assert "disabled" not in first
