"""What people set on accounts, and what an upstream's answer does to them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from chat2api.errors import ACCOUNT_CLOSED, Conflict, NotFound, UpstreamChallenge
from chat2api.pool.values import Quota, QuotaWindow
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.account_edits import AccountEdits, AccountFacts, Answer
from chat2api.store.intake import Intake
from chat2api.store.opening import Store

from .handed import NOW, account_row, handed, rows

PROXY = Secret("http://u:planted@hk-1:1")
NOTHING = Quota()


@pytest.fixture
def edits(store: Store) -> AccountEdits:
    return AccountEdits(store)


@pytest.fixture
def ids(intake: Intake) -> list[str]:
    return [one.account_id for one in intake.add([handed(name) for name in "abc"], "test")]


def set_row(store: Store, account_id: str, **values: Any) -> None:
    row = update(tables.accounts).where(tables.accounts.c.account_id == account_id)
    store.database.write(lambda connection: connection.execute(row.values(values)))


def limit(store: Store, account_id: str, model: str, until: float = NOW + 60) -> None:
    row = {"account_id": account_id, "limit_key": model, "until": until}
    store.database.write(lambda c: c.execute(tables.account_limits.insert(), row))


def limits(store: Store) -> dict[str, float]:
    return {row["limit_key"]: row["until"] for row in rows(store, tables.account_limits)}


# --- people


def test_setting_and_reading(store: Store, edits: AccountEdits, ids: list[str]) -> None:
    changes = {"label": "team", "note": "小王", "proxy": PROXY, "concurrency": 3}
    assert edits.edit(ids[0], changes) == 1
    assert edits.facts(ids[0]) == AccountFacts("team", "小王", PROXY, 3, 1)
    row = account_row(store, ids[0])
    assert "planted" not in str(row)
    assert row["proxy_hash"] == store.vault.hash(PROXY.reveal())
    assert edits.edit(ids[0], {"proxy": None, "concurrency": None}, revision=1) == 2
    assert edits.facts(ids[0]) == AccountFacts("team", "小王", None, None, 2)
    assert account_row(store, ids[0])["proxy_hash"] is None
    assert edits.facts(ids[1]) == AccountFacts("b@example.com", "", None, None, 0)


def test_what_somebody_else_changed_is_not_overwritten(edits: AccountEdits, ids: list[str]) -> None:
    edits.edit(ids[0], {"note": "theirs"}, revision=0)
    with pytest.raises(Conflict):
        edits.edit(ids[0], {"note": "mine"}, revision=0)
    facts = edits.facts(ids[0])
    assert facts is not None
    assert (facts.note, facts.revision) == ("theirs", 1)


def test_nobody_is_changed_who_is_not_there(
    store: Store, edits: AccountEdits, ids: list[str]
) -> None:
    AccountBook(store).remove(ids[:1])
    for account_id in (ids[0], "nobody"):
        assert edits.facts(account_id) is None
        with pytest.raises(NotFound):
            edits.edit(account_id, {"note": "x"})


def test_a_name_that_a_person_chose_stays(
    intake: Intake, edits: AccountEdits, ids: list[str]
) -> None:
    edits.edit(ids[0], {"label": "team-03"})
    edits.edit(ids[1], {"label": "old@example.com"})
    intake.add([handed("a"), handed("b")], "test")
    labels = [facts.label for one in ids[:2] if (facts := edits.facts(one)) is not None]
    assert labels == ["team-03", "b@example.com"]


def test_which_are_so(store: Store, edits: AccountEdits, ids: list[str]) -> None:
    set_row(store, ids[1], paused=True)
    set_row(store, ids[2], removed_at=NOW, paused=True)
    asked = [ids[2], ids[1], "nobody", ids[0], ids[1]]
    assert {how: edits.which(asked, how) for how in ("there", "running", "paused")} == {
        "there": [ids[1], ids[0]],
        "running": [ids[0]],
        "paused": [ids[1]],
    }
    assert edits.which(asked, "removed") == [ids[2]]
    assert edits.which(asked, "any") == [ids[2], ids[1], ids[0]]


def test_proxies_of_before_get_their_name(
    store: Store, edits: AccountEdits, intake: Intake
) -> None:
    ids = [one.account_id for one in intake.add(
        [handed(str(n), proxy=PROXY) for n in range(450)] + [handed("plain")], "test"
    )]  # fmt: skip
    named = account_row(store, ids[0])["proxy_hash"]
    everywhere = tables.accounts.update().values(proxy_hash=None)
    store.database.write(lambda connection: connection.execute(everywhere))
    set_row(store, ids[7], proxy="damaged")
    edits.hash_proxies()
    found = {row["account_id"]: row["proxy_hash"] for row in rows(store, tables.accounts)}
    assert found.pop(ids[7]) is None
    assert found.pop(ids[-1]) is None
    assert set(found.values()) == {named}


# --- the upstream


def test_an_answer_is_written_down(store: Store, edits: AccountEdits, ids: list[str]) -> None:
    quota = Quota((QuotaWindow("5 h", 62.0, None, NOW + 60),), ("w",), NOW + 99)
    set_row(store, ids[0], label="", plan="plus")
    answer = Answer(quota, "ann@example.com", "pro", {"gpt-5": NOW + 60, "past": NOW})
    assert edits.answered(ids[0], answer) is False
    row = AccountBook(store).find(ids[0])
    assert row is not None
    assert (row.label, row.plan, row.quota) == ("ann@example.com", "pro", quota)
    assert (row.checked_at, row.model_limits) == (NOW, {"gpt-5": NOW + 60})
    assert edits.answered("nobody", answer) is False


@pytest.mark.parametrize(
    ("columns", "told", "better", "stands"),
    [
        ({}, {}, False, "active"),
        ({"cooling_until": NOW + 9, "reason": "upstream_access_denied"}, None, True, "active"),
        ({"cooling_until": NOW + 9, "limited": True}, {}, True, "active"),
        ({"cooling_until": NOW + 9, "limited": True}, None, False, "limited"),
        ({"cooling_until": NOW + 9, "limited": True}, {"o3": NOW + 9}, False, "limited"),
        ({"cooling_until": NOW + 9, "reason": UpstreamChallenge.code}, {}, False, "cooling"),
        ({"needs_login": True, "reason": "refused"}, {}, True, "active"),
        ({"needs_login": True, "paused": True}, {}, True, "disabled"),
    ],
)
def test_what_is_not_confirmed_is_dropped(
    store: Store,
    edits: AccountEdits,
    ids: list[str],
    columns: dict[str, Any],
    told: dict[str, float] | None,
    better: bool,
    stands: str,
) -> None:
    set_row(store, ids[0], selectable=not columns, wake_at=columns.get("cooling_until"), **columns)
    assert edits.answered(ids[0], Answer(NOTHING, limits=told)) is better
    row = AccountBook(store).find(ids[0])
    assert row is not None
    assert row.state == stands
    assert account_row(store, ids[0])["selectable"] is (stands == "active")
    if stands == "active":
        assert row.reason == ""


def test_limits_of_models_follow_the_answer(
    store: Store, edits: AccountEdits, ids: list[str]
) -> None:
    limit(store, ids[0], "gpt-5")
    limit(store, ids[0], "o3", NOW + 30)
    assert edits.answered(ids[0], Answer(NOTHING)) is False
    assert limits(store) == {"gpt-5": NOW + 60, "o3": NOW + 30}
    assert edits.answered(ids[0], Answer(NOTHING, limits={"o3": NOW + 90})) is True
    assert limits(store) == {"o3": NOW + 90}
    assert edits.answered(ids[0], Answer(NOTHING, limits={})) is True
    assert limits(store) == {}


def test_refused_and_closed_ones_step_aside(
    store: Store, edits: AccountEdits, ids: list[str]
) -> None:
    edits.refused(ids[0], "upstream_account_auth_failed")
    assert edits.answered(ids[1], Answer(NOTHING, limits={}, closed=True)) is False
    for account_id, reason in (
        (ids[0], "upstream_account_auth_failed"),
        (ids[1], ACCOUNT_CLOSED),
    ):
        row = account_row(store, account_id)
        assert (row["needs_login"], row["selectable"], row["reason"]) == (True, False, reason)
        assert row["checked_at"] == NOW


def test_one_proxy_for_many_but_those_of_a_file(
    store: Store, edits: AccountEdits, intake: Intake, ids: list[str]
) -> None:
    (listed,) = [one.account_id for one in intake.add([handed("f", proxy=PROXY)], "APP.x.Yaml")]
    AccountBook(store).remove(ids[2:])
    fresh = Secret("http://us-2:1")
    assert sorted(edits.set_proxy([*ids, listed, "nobody"], fresh)) == sorted(ids[:2])
    facts = [edits.facts(one) for one in (ids[0], ids[1], listed)]
    assert [(one.proxy, one.revision) for one in facts if one is not None] == [
        (fresh, 1), (fresh, 1), (PROXY, 0),
    ]  # fmt: skip
    assert account_row(store, ids[0])["proxy_hash"] == store.vault.hash(fresh.reveal())
    assert edits.set_proxy(ids[:1], None) == ids[:1]
    assert account_row(store, ids[0])["proxy"] is None
