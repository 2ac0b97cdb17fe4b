"""Each account once, whatever of it is handed in (C18 to C20)."""

from __future__ import annotations

import shutil
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.lifetime.breath import BREATH_SECONDS
from chat2api.pool.identity import claims_of, identity_of
from chat2api.pool.tokens import parse_line
from chat2api.pool.values import Added, Look, NewAccount
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.intake import Intake
from chat2api.store.opening import Store

from .handed import (
    DAY,
    NOW,
    Clock,
    Place,
    access,
    account_row,
    by_refresh,
    change,
    claims,
    credential_row,
    handed,
    jwt,
    refresh,
    rows,
    whole,
)


def verdicts(added: list[Added]) -> list[str]:
    return [one.verdict for one in added]


def add(intake: Intake, *accounts: NewAccount) -> list[Added]:
    return intake.add(accounts, "test")


# --- a new one


def test_a_whole_account(store: Store, intake: Intake) -> None:
    proxy, look = Secret("http://u:p@proxy"), Look("agent", "device")
    new = NewAccount(
        access_token=access("ann", "ws"), refresh_token=refresh(), id_token=Secret("id"),
        workspace_id="ws", kind="codex", client_id="app", proxy=proxy, look=look, note="mine",
        refreshed_at=NOW - DAY,
    )  # fmt: skip
    (added,) = add(intake, new)
    row, credential = account_row(store, added.account_id), credential_row(store, added.account_id)
    vault = store.vault
    assert {name: row[name] for name in (
        "provider", "kind", "label", "plan", "user_id", "workspace_id", "note", "source", "look",
        "position", "turn", "pooled", "paused", "needs_login", "selectable", "wake_at", "running",
    )} == {
        "provider": "chatgpt", "kind": "codex", "label": "ann@example.com", "plan": "plus",
        "user_id": "user-ann", "workspace_id": "ws", "note": "mine", "source": "test",
        "look": '{"user_agent": "agent", "device_id": "device"}', "position": 1, "turn": 1,
        "pooled": True, "paused": False, "needs_login": False, "selectable": True, "wake_at": None,
        "running": 0,
    }  # fmt: skip
    opened = [
        vault.open_or_none(credential[name])
        for name in ("access_token", "refresh_token", "previous_refresh_token", "id_token")
    ]
    assert opened == [new.access_token, new.refresh_token, None, Secret("id")]
    assert vault.open(row["proxy"]) == proxy
    assert (credential["expires_at"], credential["refreshed_at"]) == (NOW + 10 * DAY, NOW - DAY)
    # Due five days after the last renewal, up to the window earlier.
    assert NOW + 4 * DAY - 600 <= credential["next_refresh_at"] <= NOW + 4 * DAY


def test_what_cannot_be_renewed_is_never_due(store: Store, intake: Intake) -> None:
    ids = [one.account_id for one in add(
        intake, handed("a"), by_refresh(), replace(by_refresh(), refused="invalid_grant"),
    )]  # fmt: skip
    assert [credential_row(store, one)["next_refresh_at"] for one in ids] == [None, NOW, None]
    dead = account_row(store, ids[2])
    assert (dead["needs_login"], dead["reason"], dead["selectable"]) == (
        True, "invalid_grant", False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ends", "stored"),
    [
        (None, None),
        (str(NOW + 5), NOW + 5),
        (NOW + 0.5, NOW + 0.5),
        (1e300, None),
        ("x", None),
        (-1, None),
    ],
)
def test_odd_ends_of_tokens(store: Store, intake: Intake, ends: Any, stored: float | None) -> None:
    """C18."""
    token = Secret(jwt(claims("a", "ws", ends)))
    (added,) = add(intake, NewAccount(access_token=token))
    assert credential_row(store, added.account_id)["expires_at"] == stored


# --- again


def test_the_same_again_changes_nothing(store: Store, intake: Intake) -> None:
    accounts = [handed("a", note="n"), by_refresh(), handed("b", refresh_token=refresh())]
    assert verdicts(add(intake, *accounts)) == ["added"] * 3
    before = whole(store)
    assert verdicts(add(intake, *accounts)) == ["unchanged"] * 3
    assert whole(store) == before


def test_members_of_one_workspace(intake: Intake) -> None:
    """C20."""
    people = [handed("a", workspace="ws"), handed("b", workspace="ws"), handed("a", workspace="x")]
    assert verdicts(add(intake, *people)) == ["added"] * 3


def test_a_newer_token_renews_the_account(store: Store, intake: Intake) -> None:
    (added,) = add(intake, handed("a", ends=NOW + DAY))
    newer = handed("a", ends=NOW + 2 * DAY)
    older = handed("a", ends=NOW + DAY / 2)
    assert add(intake, newer, older) == [
        Added("updated", added.account_id), Added("unchanged", added.account_id),
    ]  # fmt: skip
    credential = credential_row(store, added.account_id)
    assert store.vault.open(credential["access_token"]) == newer.access_token
    assert (credential["version"], credential["expires_at"]) == (2, NOW + 2 * DAY)


def test_a_token_that_was_spent_is_recognised(store: Store, intake: Intake) -> None:
    first, second = refresh(), refresh()
    (added,) = add(intake, handed("a", refresh_token=first))
    assert verdicts(add(intake, handed("a", refresh_token=second))) == ["updated"]
    credential = credential_row(store, added.account_id)
    assert store.vault.open(credential["previous_refresh_token"]) == first
    assert add(intake, NewAccount(refresh_token=first)) == [Added("unchanged", added.account_id)]
    assert store.vault.open(credential_row(store, added.account_id)["refresh_token"]) == second


def test_a_token_for_two_workspaces_is_renewed_once(store: Store, intake: Intake) -> None:
    """It is single-use: two credentials would spend it twice."""
    token = refresh()
    lines = [NewAccount(refresh_token=token, workspace_id=name) for name in ("ws-1", "ws-2")]
    added = add(intake, *lines)
    assert verdicts(added) == ["added", "added"]
    assert len({row["credential_id"] for row in rows(store, tables.accounts)}) == 1
    assert add(intake, *lines) == [Added("unchanged", one.account_id) for one in added]
    third = NewAccount(refresh_token=token, workspace_id="ws-3")
    assert verdicts(add(intake, third, third)) == ["added", "unchanged"]
    assert (len(rows(store, tables.accounts)), len(rows(store, tables.credentials))) == (3, 1)


def test_a_bare_token_that_gets_a_name_keeps_its_account(store: Store, intake: Intake) -> None:
    token = refresh()
    (added,) = add(intake, NewAccount(refresh_token=token))
    named = handed("a", refresh_token=token)
    assert add(intake, named, handed("a", ends=NOW + 9 * DAY)) == [
        Added("updated", added.account_id), Added("unchanged", added.account_id),
    ]  # fmt: skip
    assert account_row(store, added.account_id)["identity"].startswith("user:")


def test_a_dead_token_does_not_displace_a_good_one(store: Store, intake: Intake) -> None:
    good, dead = refresh(), refresh()
    (added,) = add(intake, handed("a", refresh_token=good))
    told = replace(handed("a", ends=NOW + 20 * DAY), refresh_token=dead, refused="invalid_grant")
    assert verdicts(add(intake, told)) == ["unchanged"]
    assert store.vault.open(credential_row(store, added.account_id)["refresh_token"]) == good
    assert verdicts(add(intake, replace(told, refresh_token=good))) == ["updated"]
    row, credential = account_row(store, added.account_id), credential_row(store, added.account_id)
    # Its access token still works.
    assert (row["needs_login"], credential["dead_hash"], credential["next_refresh_at"]) == (
        False, credential["refresh_hash"], None,
    )  # fmt: skip


def test_an_account_reported_dead_that_lives_on_nothing_else(store: Store, intake: Intake) -> None:
    only, bare = handed("a"), by_refresh()
    ids = [one.account_id for one in add(intake, only, bare)]
    dead = [replace(only, refused="x"), replace(bare, refused="x")]
    assert verdicts(add(intake, *dead, *dead)) == ["updated"] * 2 + ["unchanged"] * 2
    assert [account_row(store, one)["reason"] for one in ids] == ["x", "x"]
    assert [account_row(store, one)["selectable"] for one in ids] == [False, False]


def test_a_new_token_makes_it_fit_again(store: Store, intake: Intake, now: Clock) -> None:
    (added,) = add(intake, handed("a"))
    change(store, tables.accounts, needs_login=True, reason="x", reason_at=NOW, selectable=False,
           cooling_until=NOW + 60)  # fmt: skip
    assert verdicts(add(intake, handed("a", ends=NOW + 11 * DAY))) == ["updated"]
    row = account_row(store, added.account_id)
    assert [row[name] for name in ("needs_login", "reason", "cooling_until", "selectable")] == [
        False, "", 0.0, True,
    ]  # fmt: skip


def test_a_limit_survives_a_new_token(store: Store, intake: Intake) -> None:
    (added,) = add(intake, handed("a"))
    change(store, tables.accounts, limited=True, reason="limit", selectable=False,
           cooling_until=NOW + 60, wake_at=NOW + 60)  # fmt: skip
    add(intake, handed("a", ends=NOW + 11 * DAY))
    row = account_row(store, added.account_id)
    assert [row[name] for name in ("reason", "cooling_until", "selectable", "wake_at")] == [
        "limit", NOW + 60, False, NOW + 60,
    ]  # fmt: skip


def test_a_dead_refresh_token_is_not_due_for_a_new_access_token(
    store: Store, intake: Intake
) -> None:
    (added,) = add(intake, replace(handed("a", refresh_token=refresh()), refused="dead"))
    add(intake, handed("a", ends=NOW + 11 * DAY))
    assert credential_row(store, added.account_id)["next_refresh_at"] is None


def test_one_that_was_removed_comes_back(store: Store, intake: Intake) -> None:
    new = handed("a")
    (added,) = add(intake, new)
    AccountBook(store).remove([added.account_id])
    assert add(intake, new) == [Added("revived", added.account_id)]
    row = account_row(store, added.account_id)
    assert (row["removed_at"], row["selectable"]) == (None, True)


def test_facts_are_completed(store: Store, intake: Intake) -> None:
    new = handed("a", pooled=False)
    (added,) = add(intake, new)
    richer = replace(
        new, pooled=True, note="n", plan="team", email="e@x", proxy=Secret("http://p"),
        look=Look("agent"),
    )  # fmt: skip
    assert verdicts(add(intake, richer, richer, replace(richer, note="other"))) == [
        "updated", "unchanged", "unchanged",
    ]  # fmt: skip
    row = account_row(store, added.account_id)
    assert [row[name] for name in ("pooled", "note", "plan", "label", "look")] == [
        True, "n", "team", "e@x", '{"user_agent": "agent"}',
    ]  # fmt: skip
    assert store.vault.open(row["proxy"]) == Secret("http://p")


# --- many


def lines(number: int) -> str:
    """What people paste: duplicates, blanks, comments, CRLF, BOM, workspaces, AT and RT of one account."""
    made: list[str] = []
    for index in range(number // 5):
        token = access(f"user{index}").reveal()
        made += [token, f"{refresh().reveal()},ws-{index}", token, "", "# comment"]
    return "\ufeff" + "\r\n".join(made)


def parsed(text: str) -> list[NewAccount]:
    found = []
    for line in text.lstrip("\ufeff").splitlines():
        token = parse_line(line)
        if token is not None:
            kind = f"{token.kind}_token"
            found.append(NewAccount(**{kind: token.token}, workspace_id=token.workspace_id))
    return found


def test_ten_thousand_lines(sqlite_store: Store) -> None:
    """C19: the preview is the result, the second run does nothing, and others have their turn meanwhile."""
    breaths: list[float] = []
    intake = Intake(sqlite_store, breathe=breaths.append)
    accounts = parsed(lines(10_000))
    assert len(accounts) == 6_000
    preview = intake.preview(accounts, "test")
    assert rows(sqlite_store, tables.accounts) == []
    added = intake.add(accounts, "test", at_once=True)
    assert verdicts(added) == verdicts(preview) == ["added", "added", "unchanged"] * 2_000
    assert verdicts(intake.add(accounts, "test")) == ["unchanged"] * 6_000
    assert len(breaths) > 4 * len(accounts) / 50


def test_no_partial_import_on_an_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    intake = Intake(store, breathe=lambda seconds: None)
    accounts = [handed(f"u{number}") for number in range(300)]
    take, seen = Intake._take, []

    def failing(self: Intake, *given: Any, **more: Any) -> Added:
        seen.append(1)
        return fail() if len(seen) == 250 else take(self, *given, **more)  # type: ignore[return-value]

    monkeypatch.setattr(Intake, "_take", failing)
    with pytest.raises(ZeroDivisionError):
        intake.add(accounts, "test", at_once=True)
    assert rows(store, tables.accounts) == []
    assert rows(store, tables.credentials) == []


def test_two_workers_that_take_the_same_file(place: Place) -> None:
    stores = [place.open(), place.open()]
    accounts = [handed(f"u{number}", refresh_token=refresh()) for number in range(100)]
    found: list[list[str]] = []
    threads = [
        threading.Thread(
            target=lambda store=store: found.append(verdicts(add(Intake(store), *accounts)))
        )
        for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(found) == [["added"] * 100, ["unchanged"] * 100]
    positions = [row["position"] for row in rows(stores[0], tables.accounts)]
    assert sorted(positions) == list(range(1, 101))
    for store in stores:
        store.close()


def test_a_renewal_that_finds_out_the_same_person_meanwhile(postgres_store: Store) -> None:
    store, new, done = postgres_store, handed("ann"), list[float]()
    (there,) = Intake(store).add([by_refresh()], "test")
    identity = identity_of(new, claims_of(new.access_token, None), store.vault.hash)

    def renewed(seconds: float) -> None:
        if not done:
            done.append(seconds)
            change(store, tables.accounts, identity=identity)

    assert Intake(store, breathe=renewed).add([new], "test") == [Added("updated", there.account_id)]
    assert done == [BREATH_SECONDS]


# --- whatever is handed in, and in whatever order

USERS = ("ann", "bob")
ACCESS = {(user, end): access(user, ends=NOW + end * DAY) for user in USERS for end in (1, 2)}
REFRESH = {user: [refresh(), refresh()] for user in USERS}


@st.composite
def accounts(draw: st.DrawFn) -> NewAccount:
    """Of two people; their facts agree, as they do in files. The last refresh token of each is dead."""
    user = draw(st.sampled_from(USERS))
    end = draw(st.sampled_from([None, 1, 2]))
    token = draw(st.sampled_from([None, *REFRESH[user]]))
    if end is None and token is None:
        end = 1
    return NewAccount(
        access_token=None if end is None else ACCESS[user, end],
        refresh_token=token,
        workspace_id=draw(st.sampled_from([None, f"ws-{user}"])),
        note=draw(st.sampled_from(["", user])),
        pooled=draw(st.booleans()),
        refused="dead" if token == REFRESH[user][-1] else "",
    )


@given(st.lists(accounts(), max_size=8))
def test_a_second_time_changes_nothing(sqlite_template: Path, new: list[NewAccount]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(sqlite_template, f"{folder}/chat2api.db")
        store = Place(f"sqlite:///{folder}/chat2api.db", Path(folder)).open()
        intake = Intake(store, breathe=lambda seconds: None)
        preview, added = intake.preview(new, "test"), intake.add(new, "test")
        assert verdicts(preview) == verdicts(added)
        before = whole(store)
        again = intake.add(new, "test")
        assert verdicts(again) == ["unchanged"] * len(new)
        assert whole(store) == before
        store.close()
