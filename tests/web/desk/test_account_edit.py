"""Name, note, proxy and turns of an account, changed on its page."""

from __future__ import annotations

from typing import Any

import pytest

from .test_account_acts import Desk
from .test_accounts import HOSTILE, PROXY


@pytest.fixture
def desk(site: Any) -> Desk:
    return Desk(site)


def path(account_id: str) -> str:
    return f"/admin/accounts/{account_id}/edit"


def facts(desk: Desk, account_id: str) -> Any:
    return desk.site.runtime.desk.edits.facts(account_id)


def test_saving_and_undoing(desk: Desk) -> None:
    (one,) = desk.add(note="before", proxy=PROXY)
    fields = {
        "label": "team-03", "note": "给小王\r\nline", "concurrency": "3", "revision": "0",
        "proxy": "socks5://u:planted-new@us-2:1080",
    }  # fmt: skip
    answer = desk.post(path(one), **fields)
    assert answer.location == f"/admin/accounts/{one}"
    now = facts(desk, one)
    assert (now.label, now.note, now.concurrency) == ("team-03", "给小王\nline", 3)
    assert now.proxy.reveal() == "socks5://u:planted-new@us-2:1080"
    assert desk.kinds(one) == ["described"]
    detail = desk.newest.detail
    assert detail["proxy"] == {
        "before": "http://***@hk-1:1080", "after": "socks5://***@us-2:1080",
    }  # fmt: skip
    assert "planted" not in str(desk.newest)
    told = desk.told(f"/admin/accounts/{one}")
    assert "planted" not in told
    desk.undo(told)
    now = facts(desk, one)
    assert (now.label, now.note, now.concurrency) == ("u001@example.org", "before", None)
    assert now.proxy == PROXY


def test_blank_keeps_the_proxy_and_a_tick_removes_it(desk: Desk) -> None:
    (one,) = desk.add(proxy=PROXY)
    desk.post(path(one), note="x", proxy="", revision="0")
    assert facts(desk, one).proxy == PROXY
    desk.post(path(one), proxy="", proxy_removed="1", revision="1")
    assert facts(desk, one).proxy is None


def test_nothing_changed_is_said(desk: Desk) -> None:
    (one,) = desk.add()
    before = desk.newest.entry_id
    desk.post(path(one), label="u001@example.org", note="", concurrency="", revision="0")
    assert "Nothing was changed." in desk.told(f"/admin/accounts/{one}")
    assert (facts(desk, one).revision, desk.newest.entry_id) == (0, before)


def test_somebody_else_was_faster(desk: Desk) -> None:
    (one,) = desk.add()
    desk.site.runtime.desk.edits.edit(one, {"note": "theirs"})
    page = desk.post(path(one), status=409, note=HOSTILE, revision="0").get_data(as_text=True)
    assert "Someone else saved first. Your edits are kept below." in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<img src=x" not in page
    assert facts(desk, one).note == "theirs"
    refused = desk.script(path(one), status=409, note="mine", revision=0)
    assert refused["error"]["code"] == "version_conflict"
    # The page that was shown knows the newer revision, so the next try goes through.
    assert 'name="revision" value="1"' in page


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("concurrency", "0", "A number from 1 to 1000."),
        ("concurrency", "many", "A number from 1 to 1000."),
        ("concurrency", "1001", "A number from 1 to 1000."),
        ("label", "x" * 201, "At most 200 characters."),
        ("note", "x" * 2001, "At most 2000 characters."),
        ("proxy", "ftp://x", "An address such as"),
        ("proxy", "http://***@hk-1:1080", "This is a masked proxy."),
    ],
)
def test_what_cannot_be_saved_is_kept_and_said(
    desk: Desk, name: str, value: str, said: str
) -> None:
    (one,) = desk.add(note="before")
    page = desk.post(path(one), status=400, **{"label": "kept", name: value})
    text = page.get_data(as_text=True)
    assert said in text
    assert name == "label" or 'value="kept"' in text
    assert facts(desk, one).note == "before"
    refused = desk.script(path(one), status=400, **{name: value})
    assert refused["error"]["param"] == name


def test_the_proxy_of_a_file_is_changed_there(desk: Desk) -> None:
    (one,) = desk.add(source="app.prod.yaml")
    desk.script(path(one), status=400, proxy="http://x:1")
    assert desk.script(path(one), note="mine")["changed"] == ["note"]


def test_nobody_there(desk: Desk) -> None:
    (one,) = desk.add()
    desk.site.runtime.book.remove([one])
    desk.script(path(one), status=404, note="x")
    desk.post(path("acc_nobody"), status=404, note="x")
