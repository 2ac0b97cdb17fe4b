"""API keys: made once, shown once, found by hash."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from chat2api.errors import Conflict, NotFound, RequestError
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.api_keys import (
    FIRST,
    OLD_KEY_FILE,
    SCOPES,
    AlreadyMade,
    ApiKey,
    ApiKeys,
    LastKey,
    Scope,
    announce_first_key,
    hint_of,
    new_key_id,
)


@pytest.fixture
def keys(key_store: Any) -> ApiKeys:
    return ApiKeys(key_store)


def test_a_key_is_found_by_its_hash(keys: ApiKeys, key_store: Any) -> None:
    now = key_store.now()
    made, secret = keys.create(
        " Bob ",
        scopes=["models", "chat"],
        models=["gpt-*", " o3 ", "gpt-*", ""],
        expires_at=now + 60,
        requests_per_minute=10,
        daily_tokens=5_000_000_000,
    )
    assert re.fullmatch(r"sk-[A-Za-z0-9_-]{43}", secret.reveal())
    assert made == ApiKey(
        key_id=made.key_id,
        label="Bob",
        kind="named",
        hint=f"sk-…{secret.reveal()[-4:]}",
        key_hash=key_store.vault.hash(secret.reveal()),
        scopes=frozenset({"chat", "models"}),
        models=("gpt-*", "o3"),
        expires_at=now + 60,
        requests_per_minute=10,
        daily_tokens=5_000_000_000,
        created_at=now,
    )
    assert keys.find(made.key_hash) == made
    assert keys.find(key_store.vault.hash("sk-other")) is None
    assert made.key_hash not in repr(made)


def test_nothing_that_opens_a_door_is_stored(keys: ApiKeys, tmp_path: Path) -> None:
    _, named = keys.create("Bob")
    first: list[Secret] = []
    keys.first_key(first.append)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (named, *first):
        assert secret.reveal().encode() not in kept


def test_lists_show_the_newest_first(keys: ApiKeys, key_store: Any) -> None:
    old, _ = keys.create("old")
    key_store.clock.at += 1
    new, _ = keys.create("new")
    assert keys.list() == (new, old)


@pytest.mark.parametrize(
    ("given_", "param"),
    [
        ({"label": ""}, "label"),
        ({"label": "x" * 101}, "label"),
        ({"label": "a\nb"}, "label"),
        ({"scopes": ["chat", "everything"]}, "scopes"),
        ({"models": ["x" * 201]}, "models"),
        ({"models": ["a\nb"]}, "models"),
        ({"models": [str(n) for n in range(101)]}, "models"),
        ({"expires_at": 5.0}, "expires_at"),
        ({"expires_at": float("nan")}, "expires_at"),
        ({"expires_at": float("inf")}, "expires_at"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"requests_per_minute": True}, "requests_per_minute"),
        ({"daily_tokens": -1}, "daily_tokens"),
        ({"daily_tokens": float("nan")}, "daily_tokens"),
        ({"daily_tokens": 1.5}, "daily_tokens"),
        ({"daily_tokens": 10**16}, "daily_tokens"),
    ],
)
def test_what_makes_no_sense_is_refused(keys: ApiKeys, given_: dict[str, Any], param: str) -> None:
    """G06: neither negative budgets nor not-a-number."""
    with pytest.raises(RequestError) as caught:
        keys.create(**{"label": "Bob", **given_})
    assert (caught.value.status, caught.value.param) == (400, param)
    assert keys.list() == ()


def test_revoking_is_for_ever(keys: ApiKeys, key_store: Any) -> None:
    made, _ = keys.create("Bob")
    key_store.clock.at += 5
    revoked = keys.revoke(made.key_id)
    assert revoked.revoked_at == key_store.now()
    key_store.clock.at += 5
    assert keys.revoke(made.key_id) == revoked
    assert keys.find(made.key_hash) == revoked
    assert not revoked.is_usable(key_store.now())
    with pytest.raises(NotFound):
        keys.revoke("key_unknown")


def test_the_last_key_goes_only_on_purpose(keys: ApiKeys, key_store: Any) -> None:
    one, _ = keys.create("one")
    two, _ = keys.create("two", expires_at=key_store.now() + 60)
    keys.revoke(one.key_id, keep_one=True)
    with pytest.raises(LastKey) as caught:
        keys.revoke(two.key_id, keep_one=True)
    assert (caught.value.status, caught.value.code) == (409, "last_key")
    key_store.clock.at += 60  # it ended by itself; there is nothing to keep
    assert keys.revoke(two.key_id, keep_one=True).revoked_at == key_store.now()
    three, _ = keys.create("three")
    assert keys.revoke(three.key_id).revoked_at is not None


def test_a_form_sent_twice_makes_one_key(keys: ApiKeys) -> None:
    key_id = new_key_id()
    made, _ = keys.create("Bob", key_id=key_id)
    with pytest.raises(AlreadyMade):
        keys.create("Bob", key_id=key_id)
    assert keys.list() == (made,)
    assert (made.key_id, keys.get(key_id)) == (key_id, made)
    assert keys.get("key_unknown") is None
    for odd in ("first", "key_1", "key_" + "g" * 12, ""):
        with pytest.raises(RequestError):
            keys.create("Bob", key_id=odd)


def test_a_key_is_changed_as_a_whole(keys: ApiKeys, key_store: Any) -> None:
    end = key_store.now() + 60
    made, secret = keys.create("Bob", scopes=["chat"], expires_at=end, daily_tokens=9)
    wish: dict[str, Any] = {
        "label": "Eve", "scopes": [], "models": ["gpt-*"], "expires_at": end,
        "requests_per_minute": 5, "daily_tokens": None,
    }  # fmt: skip
    before, after = keys.change(made.key_id, **wish)
    assert before == made
    assert keys.find(key_store.vault.hash(secret.reveal())) == after
    assert (after.label, after.scopes, after.models) == ("Eve", frozenset(), ("gpt-*",))
    assert (after.expires_at, after.requests_per_minute, after.daily_tokens) == (end, 5, None)
    assert (after.key_hash, after.hint) == (made.key_hash, made.hint)
    key_store.clock.at += 100
    keys.change(made.key_id, **{**wish, "label": "ended"})  # an end that passed may stay
    with pytest.raises(RequestError):
        keys.change(made.key_id, **{**wish, "expires_at": end + 1})
    with pytest.raises(RequestError):
        keys.change(made.key_id, **{**wish, "daily_tokens": -1})
    keys.revoke(made.key_id)
    with pytest.raises(Conflict):
        keys.change(made.key_id, **wish)
    with pytest.raises(NotFound):
        keys.change("key_unknown", **wish)
    keys.first_key(lambda secret: None)
    with pytest.raises(RequestError):
        keys.change(FIRST, **wish)


def test_pages_of_valid_and_of_ended_keys(keys: ApiKeys, key_store: Any) -> None:
    made = []
    for number in range(5):
        key_store.clock.at += number % 2
        made.append(keys.create(str(number))[0])
    gone = keys.revoke(made[2].key_id)
    left = sorted(
        (key for key in made if key.key_id != gone.key_id),
        key=lambda key: (-key.created_at, key.key_id),
    )
    first = keys.page(usable=True, most=3)
    second = keys.page(usable=True, most=3, before=first[-1].key_id)
    assert [*first, *second] == left
    assert keys.page(usable=True, before=left[-1].key_id) == ()
    assert keys.page(usable=False) == (gone,)
    assert keys.page(usable=True, before="key_unknown") == ()


@pytest.mark.parametrize(
    ("expires_at", "revoked_at", "usable"),
    [(None, None, True), (100.1, None, True), (100.0, None, False), (None, 1.0, False)],
)
def test_which_keys_count(expires_at: float | None, revoked_at: float | None, usable: bool) -> None:
    key = ApiKey("k", "Bob", "named", "", "h", expires_at=expires_at, revoked_at=revoked_at)
    assert key.is_usable(100.0) is usable


def test_uses_only_move_forward(keys: ApiKeys) -> None:
    one, _ = keys.create("one")
    other, _ = keys.create("other")
    keys.note_use({one.key_id: 20.0, other.key_id: 30.0, "gone": 1.0})
    keys.note_use({one.key_id: 10.0, other.key_id: 40.0})
    assert {key.label: key.last_used_at for key in keys.list()} == {"one": 20.0, "other": 40.0}


def test_a_scope_of_a_later_version_grants_nothing(keys: ApiKeys, key_store: Any) -> None:
    """Were it left out, no scope would be left, and that means all."""
    made, _ = keys.create("Bob", scopes=["chat"])
    key_store.database.write(
        lambda connection: connection.execute(update(tables.api_keys).values(scopes="video"))
    )
    found = keys.find(made.key_hash)
    assert found is not None
    assert found.scopes == {"video"}


def test_every_scope_is_described() -> None:
    assert set(SCOPES) == set(get_args(Scope))
    assert all(SCOPES.values())


# --- the first key


def test_the_first_key_is_made_and_told_once(keys: ApiKeys, key_store: Any) -> None:
    told: list[Secret] = []
    made = keys.first_key(told.append)
    (secret,) = told
    assert made == ApiKey(
        FIRST,
        "first key",
        "first",
        hint_of(secret),
        key_store.vault.hash(secret.reveal()),
        created_at=key_store.now(),
    )
    assert keys.first_key(told.append) == made == keys.first()
    assert told == [secret]


def test_exactly_one_is_made_however_many_start(key_store: Any) -> None:
    told: list[Secret] = []
    made: list[ApiKey] = []
    barrier = threading.Barrier(8, timeout=10)

    def start() -> None:
        barrier.wait()
        made.append(ApiKeys(key_store).first_key(told.append))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(made), len(set(made)), len(told)) == (8, 1, 1)
    assert made[0].key_hash == key_store.vault.hash(told[0].reveal())


def test_a_revoked_first_key_is_not_made_again(keys: ApiKeys) -> None:
    told: list[Secret] = []
    keys.first_key(told.append)
    keys.revoke(FIRST)
    assert keys.first_key(told.append).revoked_at is not None
    assert len(told) == 1


def test_the_key_of_an_earlier_version_goes_on(keys: ApiKeys, key_store: Any) -> None:
    digest = key_store.vault.hash("sk-from-before")
    content = {"key_hash": digest, "hint": "sk-…fore"}
    (key_store.data_dir / OLD_KEY_FILE).write_text(json.dumps(content), "utf-8")
    told: list[Secret] = []
    taken = keys.first_key(told.append)
    assert (taken.kind, taken.key_hash, taken.hint) == ("first", digest, "sk-…fore")
    assert keys.first_key(told.append) == taken
    assert told == []


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"key_hash": "short"}', "\x00"])
def test_a_damaged_file_of_an_earlier_version(keys: ApiKeys, key_store: Any, content: str) -> None:
    (key_store.data_dir / OLD_KEY_FILE).write_text(content, "utf-8")
    told: list[Secret] = []
    keys.first_key(told.append)
    assert len(told) == 1


def test_it_is_told_on_the_terminal_and_not_in_the_log(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    announce_first_key(Secret("sk-planted"))
    assert capfd.readouterr().out == (
        "\nNo API key is configured, so one was made for you. It is shown this once:\n\n"
        "    sk-planted\n\n"
        "Set AUTHORIZATION to use keys of your own.\n\n"
    )
    assert caplog.text == ""


@given(st.text(min_size=1, max_size=60))
def test_a_hint_tells_four_characters_at_most(text: str) -> None:
    assert hint_of(Secret(text)) == f"sk-…{text[-4:]}"


def test_columns_are_what_they_were(key_store: Any, keys: ApiKeys) -> None:
    """What other servers on the same database read."""
    keys.create("Bob", scopes=["models", "chat"], models=["a", "b c"])
    row = key_store.database.read(
        lambda connection: connection.execute(select(tables.api_keys)).one()
    )
    assert (row.scopes, row.models, row.kind) == ("chat models", "a\nb c", "named")
