"""What is done to accounts from pages and by scripts: to one, to some, to all; asked before, told after, undone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chat2api.errors import UpstreamConnectionError
from chat2api.service.renewal import RenewalFailed
from chat2api.store.audit import AuditEntry

from .test_accounts import HTML, Pool

ACT = "/admin/accounts/act"


class Desk(Pool):
    def __init__(self, site: Any) -> None:
        super().__init__(site)
        (self.csrf,) = set(re.findall(r'name="csrf" value="([^"]+)"', self.text("/admin/audit")))

    def post(self, path: str = ACT, *, status: int = 303, **fields: Any) -> Any:
        answer = self.site.send(
            "POST", path, key=None, headers=HTML, data={"csrf": self.csrf, **fields}
        )
        assert answer.status_code == status, answer.get_data(as_text=True)[:800]
        return answer

    def script(self, path: str = ACT, *, status: int = 200, **fields: Any) -> Any:
        answer = self.site.send(
            "POST", path, key=None, json=fields, headers={"X-CSRF-Token": self.csrf}
        )
        assert answer.status_code == status, answer.get_json()
        return answer.get_json()

    def told(self, path: str = "/admin/accounts") -> str:
        """What the next page says of what was just done."""
        found = re.search(r'id="told".*?</div>\s*(<form.*?</form>)?', self.text(path), re.DOTALL)
        return found.group(0) if found else ""

    def undo(self, told: str) -> None:
        (ticket,) = re.findall(r'name="ticket" value="([^"]+)"', told)
        self.post("/admin/accounts/undo", ticket=ticket)

    def states(self, ids: list[str]) -> list[str]:
        return [row.state for row in self.site.runtime.book.rows_of(ids)]

    @property
    def newest(self) -> AuditEntry:
        return self.site.runtime.audit.recent(1)[0]  # type: ignore[no-any-return]

    def kinds(self, account_id: str) -> list[str]:
        return [one.kind for one in self.site.runtime.desk.events.of(account_id)]


@pytest.fixture
def desk(site: Any) -> Desk:
    return Desk(site)


# --- checking and renewing


def test_checking_some(desk: Desk) -> None:
    ids = desk.add(2, access_token=None)
    answer = desk.post(action="check", id=ids, next="/admin/accounts?sort=name")
    assert answer.location == "/admin/accounts?sort=name"
    assert "Checked 2 accounts." in desk.told()
    assert len(desk.site.provider.checked) == 2
    assert desk.kinds(ids[0]) == ["checked"]
    assert (desk.newest.action, desk.newest.detail["accounts"]) == ("check accounts", 2)


def test_what_failed_can_be_looked_at(desk: Desk) -> None:
    ids = desk.add(2)
    desk.site.provider.answer = UpstreamConnectionError("No way there.")
    assert desk.script(action="check", id=ids) == {
        "done": 0,
        "failed": [{"id": one, "reason": "No way there."} for one in ids],
        "job": None,
    }
    desk.post(action="check", id=ids)
    told = desk.told()
    assert "2 failed: No way there." in told
    (href,) = re.findall(r'href="([^"]+)"', told)
    assert desk.names(href.replace("&amp;", "&")) == ["u001@example.org", "u002@example.org"]
    assert desk.newest.detail["failed"] == 2


def test_renewing(desk: Desk) -> None:
    (one,) = desk.add()
    desk.post(action="renew", id=one)
    assert "Renewed 1 account." in desk.told()
    assert len(desk.site.renewer.renewed_ones) == 1
    desk.site.renewer.refusal = RenewalFailed("another process is still renewing it")
    assert desk.script(action="renew", id=[one])["failed"][0]["reason"].startswith("another")
    assert (desk.newest.action, desk.newest.target) == ("renew accounts", one)


def test_many_become_a_job(desk: Desk) -> None:
    ids = desk.add(21)
    job = desk.script(action="renew", id=ids)["job"]
    assert desk.site.runtime.desk.jobs.get(job).total == 21
    assert "/admin/jobs/" in desk.post(action="check", all="1").location
    assert desk.site.renewer.renewed_ones == []
    assert desk.newest.detail["accounts"] == 21


# --- pausing, and back


def test_pausing_can_be_undone(desk: Desk) -> None:
    ids = desk.add(3)
    desk.post(action="pause", id=ids[:2])
    assert desk.states(ids) == ["disabled", "disabled", "active"]
    told = desk.told()
    assert "Paused 2 accounts." in told
    desk.undo(told)
    assert desk.states(ids) == ["active"] * 3
    assert desk.kinds(ids[0]) == ["resumed", "paused"]
    desk.post("/admin/accounts/undo", status=404, ticket="made up")


def test_undoing_keeps_the_filter_of_the_list(desk: Desk) -> None:
    ids = desk.add(2, plan="team")
    there = "/admin/accounts?plan=team"
    answer = desk.post(action="pause", id=ids, next=there)
    assert answer.headers["Location"] == there
    told = desk.told(there)
    fields = dict(re.findall(r'name="(ticket|next)" value="([^"]*)"', told))
    assert fields["next"] == there
    answer = desk.post("/admin/accounts/undo", **fields)
    assert answer.headers["Location"] == there
    assert desk.states(ids) == ["active"] * 2


def test_the_header_knows_of_a_change_at_once(desk: Desk) -> None:
    ids = desk.add(2)
    desk.site.runtime.desk.summary.forget()
    assert "2 of 2 usable" in desk.text()
    desk.script(action="pause", id=ids[:1])
    assert "1 of 2 usable" in desk.text()
    desk.post(action="resume", id=ids[:1])
    assert desk.site.runtime.desk.summary.counts().usable == 2
    desk.site.runtime.book.pause(ids)  # as another process would, whose answer led here
    assert "0 of 2 usable" in desk.text()


def test_all_that_match(desk: Desk) -> None:
    ids = desk.add(3, plan="team") + desk.add(2, plan="free")
    assert desk.script(action="pause", all="1", plan="team")["done"] == 3
    assert desk.states(ids) == ["disabled"] * 3 + ["active"] * 2
    desk.post(action="resume", all="1", plan="team", id=ids[3:4])
    assert "Resumed 3 accounts." in desk.told()


def test_nobody_selected(desk: Desk) -> None:
    desk.add(1)
    desk.post(action="pause")
    assert "No account was selected." in desk.told()
    assert desk.script(action="pause", all="1", plan="none")["done"] == 0
    desk.script(action="pause", status=400)


# --- what is asked before


def test_lifting_asks_first(desk: Desk) -> None:
    (one,) = desk.add()
    desk.rests(one)
    page = desk.post(action="lift", id=one, status=200).get_data(as_text=True)
    assert "Upstream may refuse at once and rest it longer." in page
    assert desk.states([one]) == ["limited"]
    desk.post(action="lift", id=one, sure="1")
    assert (desk.states([one]), desk.kinds(one)) == (["active"], ["lifted"])


def test_removing_restoring_and_for_good(desk: Desk) -> None:
    ids = desk.add(3)
    page = desk.post(action="remove", id=ids[:2], status=200).get_data(as_text=True)
    assert "Remove 2 accounts?" in page
    assert "u001@example.org" in page
    assert 'name="count"' not in page
    desk.post(action="remove", id=ids[:2], sure="1")
    assert desk.json()["total"] == 1
    desk.undo(desk.told())
    assert desk.json()["total"] == 3
    desk.post(action="remove", id=ids[:1], sure="1", for_good="1")
    assert desk.site.runtime.book.find(ids[0]) is None
    assert desk.newest.action == "forget accounts"
    desk.script(action="remove", id=ids[1:2])
    assert desk.names("/admin/accounts?state=removed") == ["u002@example.org"]
    desk.post(action="restore", id=ids[1])
    assert desk.json()["total"] == 2


def test_removing_many_asks_for_their_number(desk: Desk) -> None:
    desk.add(11)
    page = desk.post(action="remove", all="1", status=200).get_data(as_text=True)
    assert "Type 11 to go on." in page
    wrong = desk.post(action="remove", all="1", sure="1", count="10", status=400)
    assert "Nothing was removed." in wrong.get_data(as_text=True)
    assert desk.json()["total"] == 11
    refused = desk.script(action="remove", all="1", status=400)
    assert "count=11" in refused["error"]["message"]
    desk.post(action="remove", all="1", sure="1", count="11")
    assert desk.json()["total"] == 0


# --- one proxy for many


def test_one_proxy_for_many(desk: Desk) -> None:
    ids = desk.add(2) + desk.add(1, source="app.x.yaml")
    proxies = "/admin/accounts/proxy"
    page = desk.post(proxies, id=ids, status=200).get_data(as_text=True)
    assert "One proxy for 3 accounts" in page
    wrong = desk.post(proxies, id=ids, sure="1", new_proxy="ftp://u:planted@x", status=400)
    assert "planted" not in wrong.get_data(as_text=True)
    desk.post(proxies, id=ids, sure="1", new_proxy="http://u:planted@hk-1:1")
    assert "Changed the proxies of 2 accounts." in desk.told()
    shown = [one["proxy"] for one in desk.json()["accounts"]]
    assert shown == ["http://***@hk-1:1", "http://***@hk-1:1", "–"]
    noted = dict(desk.newest.detail)
    assert sorted(noted.pop("ids")) == sorted(ids[:2])
    assert noted == {"accounts": 2, "proxy": "http://***@hk-1:1"}
    assert [desk.kinds(one) for one in ids] == [["described"], ["described"], []]
    assert desk.script(proxies, all="1", proxy_removed="1") == {"done": 2}
    assert [one["proxy"] for one in desk.json()["accounts"]] == ["–"] * 3
    desk.script(proxies, all="1", new_proxy="http://***@hk-1:1", status=400)
    desk.post(proxies)
    assert "No account was selected." in desk.told()


# --- who may


def test_nobody_acts_without_the_token_of_a_page(desk: Desk) -> None:
    (one,) = desk.add()
    answer = desk.site.send(
        "POST", ACT, key=None, headers=HTML, data={"action": "pause", "id": one}
    )
    assert answer.status_code == 403
    assert desk.states([one]) == ["active"]
    answer = desk.site.send("POST", ACT, key="wrong", json={"action": "pause", "id": one})
    assert answer.status_code == 401
    answer = desk.site.send(
        "POST", ACT, key="the admin password of the suite", json={"action": "pause", "id": one}
    )
    assert answer.get_json()["done"] == 1
    assert desk.newest.actor == "bearer"


@pytest.mark.parametrize("action", ["", "nope", "rows_of", "purge"])
def test_there_are_no_other_actions(desk: Desk, action: str) -> None:
    (one,) = desk.add()
    desk.script(action=action, id=one, status=400)
    desk.post(action=action, id=one, status=400)


def test_it_leads_back_to_pages_of_ours_only(desk: Desk) -> None:
    (one,) = desk.add()
    for wish in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        answer = desk.post(action="pause", id=one, next=wish)
        assert answer.location == "/admin/accounts"
