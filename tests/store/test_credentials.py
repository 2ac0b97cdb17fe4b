"""One renewal at a time, no token lost, no older one over a newer (C01 to C13)."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from chat2api.errors import StorageUnavailable
from chat2api.pool.values import Grant, NewAccount, RenewalClaim, StoredCredential
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.credentials import (
    CLAIM_SECONDS,
    Busy,
    Credentials,
    Dead,
    Renewed,
    Resting,
)
from chat2api.store.intake import Intake
from chat2api.store.opening import Store

from .handed import (
    DAY,
    NOW,
    Clock,
    access,
    account_row,
    change,
    credential_row,
    handed,
    refresh,
    rows,
)


@pytest.fixture
def token() -> Secret:
    return refresh()


@pytest.fixture
def account(intake: Intake, token: Secret) -> str:
    """An account with both tokens."""
    (added,) = intake.add([handed("ann", refresh_token=token)], "test")
    return added.account_id


@pytest.fixture
def credential(store: Store, account: str) -> str:
    return str(account_row(store, account)["credential_id"])


@pytest.fixture
def one(store: Store) -> Credentials:
    return Credentials(store, "one")


@pytest.fixture
def two(store: Store) -> Credentials:
    return Credentials(store, "two")


def claimed(credentials: Credentials, credential_id: str, version: int = 1) -> RenewalClaim:
    answer = credentials.claim(credential_id, version)
    assert isinstance(answer, RenewalClaim)
    return answer


def grant(user: str = "ann", *, rotated: bool = True, ends: float = NOW + 20 * DAY) -> Grant:
    return Grant(access(user, ends=ends), refresh() if rotated else None, None, ends)


# --- claiming


def test_one_of_many_may_renew(store: Store, credential: str) -> None:
    """C01 to C03."""
    answers: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda n=n: answers.append(Credentials(store, f"w{n}").claim(credential, 1))
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(type(answer).__name__ for answer in answers) == ["Busy"] * 7 + ["RenewalClaim"]


def test_a_claim_leaves_a_mark_before_anything_is_sent(
    store: Store, account: str, credential: str, one: Credentials, two: Credentials
) -> None:
    claim = claimed(one, credential)
    assert claim == RenewalClaim(claim.stored, 1, NOW + CLAIM_SECONDS, after_crash=False)
    row = credential_row(store, account)
    assert [row[name] for name in ("fence", "refresh_owner", "refresh_until", "sent_at")] == [
        1, "one", NOW + CLAIM_SECONDS, NOW,
    ]  # fmt: skip
    assert two.claim(credential, 1) == Busy(NOW + CLAIM_SECONDS)


def test_what_died_in_the_middle_is_known(
    credential: str, one: Credentials, two: Credentials, now: Clock
) -> None:
    """C04."""
    claimed(one, credential)
    now.at += CLAIM_SECONDS
    claim = claimed(two, credential)
    assert (claim.fence, claim.after_crash) == (2, True)
    two.save(claim, grant())
    assert claimed(one, credential, 2).after_crash is False


def test_a_newer_token_needs_no_renewal(
    credential: str, one: Credentials, two: Credentials
) -> None:
    stored = one.save(claimed(one, credential), grant())
    assert two.claim(credential, 1) == Renewed(stored)
    assert isinstance(two.claim(credential, 2), RenewalClaim)


def test_there_is_nothing_to_renew_with(
    store: Store, intake: Intake, one: Credentials, credential: str
) -> None:
    (added,) = intake.add([handed("bob")], "test")
    bare = str(account_row(store, added.account_id)["credential_id"])
    assert one.claim(bare, 1) == Dead("there is no refresh token")
    assert isinstance(one.claim("cred_none", 1), Dead)
    assert one.read("cred_none") is None
    one.refuse(claimed(one, credential), "invalid_grant", access_refused=False)
    assert one.claim(credential, 1, forced=True) == Dead("invalid_grant")


# --- saving


def test_new_tokens_are_stored(
    store: Store, account: str, credential: str, one: Credentials, token: Secret
) -> None:
    claim = claimed(one, credential)
    given = replace(grant(), id_token=Secret("id"))
    stored = one.save(claim, given)
    assert stored == one.read(credential) == StoredCredential(
        credential, 2, given.access_token, given.refresh_token, token, Secret("id"),
        given.expires_at, "", None, account,
    )  # fmt: skip
    row = credential_row(store, account)
    assert [row[name] for name in ("refresh_owner", "refresh_until", "sent_at", "failures")] == [
        None, 0.0, None, 0,
    ]  # fmt: skip
    assert NOW + 5 * DAY - 600 <= row["next_refresh_at"] <= NOW + 5 * DAY
    assert given.refresh_token is not None
    known = {row["token_hash"] for row in rows(store, tables.known_tokens)}
    assert known == {store.vault.hash(one.reveal()) for one in (token, given.refresh_token)}


@pytest.mark.parametrize("nothing", [None, Secret("")])
def test_without_a_new_refresh_token_the_old_one_stays(
    credential: str, one: Credentials, token: Secret, nothing: Secret | None
) -> None:
    """C08."""
    stored = one.save(claimed(one, credential), replace(grant(), refresh_token=nothing))
    assert (stored.refresh_token, stored.previous_refresh_token) == (token, None)


def test_without_an_access_token_the_old_one_stays(
    store: Store, account: str, credential: str, one: Credentials
) -> None:
    before = one.read(credential)
    assert before is not None
    stored = one.save(claimed(one, credential), Grant(None, refresh()))
    assert (stored.access_token, stored.expires_at) == (before.access_token, before.expires_at)
    row = credential_row(store, account)
    assert (row["failures"], row["refresh_error"]) == (
        1,
        "the token endpoint gave no access token",
    )
    assert NOW + 30 <= row["next_refresh_at"] <= NOW + 37.5


def test_a_very_short_life_does_not_make_us_ask_without_end(
    store: Store, account: str, credential: str, one: Credentials
) -> None:
    one.save(claimed(one, credential), grant(ends=NOW + 1))
    assert credential_row(store, account)["next_refresh_at"] == NOW + 5


def test_a_late_holder_cannot_undo_a_newer_one(
    credential: str, one: Credentials, two: Credentials, now: Clock
) -> None:
    """C06."""
    late = claimed(one, credential)
    now.at += CLAIM_SECONDS
    newer = two.save(claimed(two, credential), grant())
    assert one.save(late, grant()) == newer
    assert one.refuse(late, "reused", access_refused=True) is False
    one.postpone(late, "timeout")
    assert two.read(credential) == newer


def test_a_late_holder_may_bring_the_only_valid_token(
    credential: str, one: Credentials, two: Credentials, now: Clock
) -> None:
    late = claimed(one, credential)
    now.at += CLAIM_SECONDS
    second = claimed(two, credential)
    given = grant()
    assert one.save(late, given).refresh_token == given.refresh_token
    assert two.refuse(second, "refresh_token_reused", access_refused=True) is False


def test_other_columns_survive(
    store: Store, account: str, credential: str, one: Credentials
) -> None:
    """C07: a note written while the exchange is under way, and the other way round."""
    book, claim, given = AccountBook(store), claimed(one, credential), grant()
    book.describe(account, {"note": "mine"})
    stored = one.save(claim, given)
    book.describe(account, {"note": "mine again"})
    assert account_row(store, account)["note"] == "mine again"
    assert one.read(credential) == stored


def test_a_token_handed_in_meanwhile_is_not_overwritten(
    intake: Intake, credential: str, one: Credentials
) -> None:
    """C11: the old one is refused, and nobody is marked for it."""
    claim, newer = claimed(one, credential), refresh()
    intake.add([handed("ann", refresh_token=newer, ends=NOW + 11 * DAY)], "test")
    assert one.refuse(claim, "invalid_grant", access_refused=True) is False
    assert one.save(claim, grant()).refresh_token == newer
    answer = one.claim(credential, 1)
    assert isinstance(answer, Renewed)
    assert answer.stored.refresh_token == newer


def test_an_account_that_is_no_more(store: Store, credential: str, one: Credentials) -> None:
    claim = claimed(one, credential)
    store.database.write(lambda c: c.execute(tables.accounts.delete()))
    store.database.write(lambda c: c.execute(tables.credentials.delete()))
    assert one.save(claim, grant()) == claim.stored
    assert one.refuse(claim, "x", access_refused=True) is False
    assert one.postpone(claim, "x") >= NOW + 30


def test_what_cannot_be_saved_is_told(
    store: Store, credential: str, one: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C05: whoever asked keeps it elsewhere."""
    claim = claimed(one, credential)

    def away(*_: object, **__: object) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(store.database, "write", away)
        with pytest.raises(StorageUnavailable):
            one.save(claim, grant())
    given = grant()
    assert one.save(claim, given).refresh_token == given.refresh_token


# --- refusals


@pytest.mark.parametrize(
    ("access_refused", "later", "needs_login"),
    [(True, 0.0, True), (False, 0.0, False), (False, 10 * DAY, True)],
)
def test_a_refused_token_is_kept_and_not_tried_again(
    store: Store, account: str, credential: str, one: Credentials, now: Clock, token: Secret,
    access_refused: bool, later: float, needs_login: bool,
) -> None:  # fmt: skip
    now.at += later
    claim = claimed(one, credential)
    assert one.refuse(claim, "invalid_grant", access_refused=access_refused) is True
    row, found = account_row(store, account), credential_row(store, account)
    assert (row["needs_login"], row["selectable"]) == (needs_login, not needs_login)
    assert row["reason"] == ("invalid_grant" if needs_login else "")
    assert store.vault.open(found["refresh_token"]) == token
    assert (found["next_refresh_at"], found["refresh_error"]) == (None, "invalid_grant")
    assert one.renewable() == one.due(10) == []


# --- failures for now


def test_failures_pause_and_never_mark(
    store: Store, account: str, credential: str, one: Credentials, now: Clock
) -> None:
    """C10."""
    pauses = []
    for _ in range(9):
        claim = claimed(one, credential)
        again = one.postpone(claim, "timeout")
        pauses.append(again - now.at)
        answer = one.claim(credential, 1)
        assert isinstance(answer, Resting)
        assert (answer.until, answer.reason) == (again, "timeout")
        assert isinstance(one.claim(credential, 1, forced=True), RenewalClaim)
        now.at = again + CLAIM_SECONDS
    expected = [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert all(
        least <= pause <= least * 1.25 for least, pause in zip(expected, pauses, strict=True)
    )
    row = account_row(store, account)
    assert (row["needs_login"], row["selectable"]) == (False, True)


def test_without_a_usable_token_the_account_rests_meanwhile(
    store: Store, account: str, credential: str, one: Credentials, now: Clock
) -> None:
    now.at += 10 * DAY
    again = one.postpone(claimed(one, credential), "timeout")
    row = account_row(store, account)
    assert [row[name] for name in ("cooling_until", "selectable", "wake_at", "reason")] == [
        again, False, again, "timeout",
    ]  # fmt: skip
    one.save(claimed_forced(one, credential), grant())
    row = account_row(store, account)
    assert [row[name] for name in ("cooling_until", "selectable", "wake_at", "reason")] == [
        0.0, True, None, "",
    ]  # fmt: skip


def claimed_forced(credentials: Credentials, credential_id: str) -> RenewalClaim:
    answer = credentials.claim(credential_id, 1, forced=True)
    assert isinstance(answer, RenewalClaim)
    return answer


def test_a_paused_one_stays_paused_whatever_its_renewal_does(
    store: Store, account: str, credential: str, one: Credentials, now: Clock
) -> None:
    AccountBook(store).pause([account])
    now.at += 10 * DAY
    one.postpone(claimed(one, credential), "timeout")
    assert picking(store, account) == (False, None)
    one.save(claimed_forced(one, credential), grant())
    assert picking(store, account) == (False, None)


def picking(store: Store, account: str) -> tuple[bool, float | None]:
    row = account_row(store, account)
    return row["selectable"], row["wake_at"]


def test_an_exchange_that_may_have_happened_keeps_its_mark(
    credential: str, one: Credentials, now: Clock
) -> None:
    again = one.postpone(claimed(one, credential), "cut off", unsure=True)
    now.at = again
    claim = claimed(one, credential)
    assert claim.after_crash is True
    now.at = one.postpone(claim, "refused to connect")
    assert claimed(one, credential).after_crash is False


# --- the schedule


def test_due_ones_in_their_order(
    store: Store, intake: Intake, one: Credentials, now: Clock
) -> None:
    """C13: also of those that are paused, cooling or limited; not of those that are gone."""
    ids = [added.account_id for added in intake.add(
        [handed(f"u{n}", refresh_token=refresh()) for n in range(6)], "test"
    )]  # fmt: skip
    credentials = [str(account_row(store, each)["credential_id"]) for each in ids]
    due = {0: NOW - 10, 1: NOW - 30, 2: NOW + 1, 3: NOW - 20, 4: NOW - 40, 5: NOW}
    for number, at in due.items():
        row = update(tables.credentials).where(
            tables.credentials.c.credential_id == credentials[number]
        )
        store.database.write(lambda c, row=row, at=at: c.execute(row.values(next_refresh_at=at)))
    AccountBook(store).remove([ids[4]])
    AccountBook(store).pause([ids[1]])
    claimed(one, credentials[3])
    assert one.due(10) == [(credentials[n], 1) for n in (1, 0, 5)]
    assert one.due(1) == [(credentials[1], 1)]
    assert one.is_anything_under_way() is True


def test_all_due_spread_over_a_window(store: Store, intake: Intake, one: Credentials) -> None:
    """C14."""
    token = refresh()
    new = [handed(f"u{n}", refresh_token=refresh()) for n in range(3)] + [handed("bare")]
    new += [NewAccount(refresh_token=token, workspace_id=name) for name in ("w1", "w2")]
    intake.add(new, "test")
    assert one.make_all_due(600.0, 100.0) == 4
    due = sorted(row["next_refresh_at"] for row in rows(store, tables.credentials)
                 if row["next_refresh_at"] is not None)  # fmt: skip
    assert due == [NOW, NOW + 150, NOW + 300, NOW + 450]
    assert one.make_all_due(1.0, 0.1) == 4
    assert max(row["next_refresh_at"] or 0 for row in rows(store, tables.credentials)) == NOW + 30
    assert len(one.renewable()) == len(set(one.renewable())) == 4


def test_many_are_made_due_in_pieces(sqlite_store: Store) -> None:
    new = [handed(f"u{n}", refresh_token=refresh()) for n in range(1_100)]
    Intake(sqlite_store).add(new, "test")
    assert Credentials(sqlite_store, "one").make_all_due(0.0, 1e9) == 1_100
    found = {row["next_refresh_at"] for row in rows(sqlite_store, tables.credentials)}
    assert max(found) - NOW < 1


def test_nothing_is_under_way(store: Store, credential: str, one: Credentials) -> None:
    assert one.is_anything_under_way() is False
    change(store, tables.credentials, next_refresh_at=NOW + 1)
    assert one.is_anything_under_way() is True
