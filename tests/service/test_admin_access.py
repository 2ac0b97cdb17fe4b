"""What opens administration (decision 5), and what no longer does (H06)."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any

import pytest

from chat2api.errors import AdminClosed
from chat2api.secret import Secret
from chat2api.service.admin_access import AdminAccess
from chat2api.store.api_keys import ApiKey
from chat2api.store.vault import keyed_hash

NOW = 1000.0
FIRST = "sk-" + "f" * 43
NAMED = "sk-" + "n" * 43
PASSWORD = Secret("correct horse")
KEYS = (Secret("sk-one"), Secret("sk-two"))


def hash_key(text: str) -> str:
    return keyed_hash(text, b"pepper")


class Shelf:
    """A first key and a named one."""

    def __init__(self, **facts: Any) -> None:
        first = ApiKey("first", "first key", "first", "sk-…ffff", hash_key(FIRST))
        self.first_key: ApiKey | None = replace(first, **facts)
        self.named = ApiKey("key_1", "Bob", "named", "sk-…nnnn", hash_key(NAMED))

    def find(self, key_hash: str) -> ApiKey | None:
        keys = [self.named, *([self.first_key] if self.first_key else [])]
        return next((key for key in keys if key.key_hash == key_hash), None)

    def first(self) -> ApiKey | None:
        return self.first_key


def access(
    password: Secret | None = None, keys: tuple[Secret, ...] = (), shelf: Shelf | None = None
) -> AdminAccess:
    shelf = shelf or Shelf()
    return AdminAccess(
        hash_key=hash_key,
        password=password,
        configured=keys,
        now=lambda: NOW,
        stored=shelf,
        first=shelf,
    )


@pytest.mark.parametrize(
    ("opened", "by", "openers"),
    [
        (access(PASSWORD, KEYS), "password", ["correct horse"]),
        (access(PASSWORD), "password", ["correct horse"]),
        (access(None, KEYS), "keys", ["sk-one", "sk-two"]),
        (access(Secret(""), KEYS), "keys", ["sk-one", "sk-two"]),
        (access(), "first_key", [FIRST]),
    ],
)
def test_what_opens_administration(opened: AdminAccess, by: str, openers: list[str]) -> None:
    tried = ["correct horse", "sk-one", "sk-two", FIRST, NAMED, "", "correct", "x" * 100_000]
    assert [text for text in tried if opened.hash_of(Secret(text))] == openers
    assert (opened.opened_by, opened.weak) == (by, by != "password")
    assert not opened.is_closed()


def test_a_secret_is_known_by_its_hash() -> None:
    assert access(PASSWORD).hash_of(PASSWORD) == hash_key("correct horse")
    assert access(PASSWORD).still_opens(hash_key("correct horse"))
    assert not access(Secret("a new one")).still_opens(hash_key("correct horse"))
    assert not access(PASSWORD, KEYS).still_opens(hash_key("sk-one"))


@pytest.mark.parametrize("facts", [{"revoked_at": 5.0}, {"expires_at": NOW}])
def test_where_nothing_opens_it_that_is_told(facts: dict[str, float]) -> None:
    closed = access(shelf=Shelf(**facts))
    assert closed.is_closed()
    assert not closed.still_opens(hash_key(FIRST))
    with pytest.raises(AdminClosed, match="set ADMIN_PASSWORD") as caught:
        closed.hash_of(Secret(FIRST))
    assert (caught.value.status, caught.value.code) == (403, "admin_closed")


def test_without_a_database_and_a_secret_it_is_closed() -> None:
    closed = AdminAccess(hash_key=hash_key, password=None, configured=(), now=lambda: NOW)
    assert closed.is_closed()
    with pytest.raises(AdminClosed):
        closed.hash_of(Secret(FIRST))


def test_a_weak_door_is_told_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    access(PASSWORD).warn_if_weak()
    assert caplog.messages == []
    access(None, KEYS).warn_if_weak()
    assert caplog.messages == ["ADMIN_PASSWORD is not set: whoever has an API key can administer"]


@pytest.mark.parametrize("sent", ["correct horse", "wrong", ""])
def test_secrets_are_compared_in_constant_time(sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    doors = [access(PASSWORD), access(None, KEYS), access()]
    compared: list[object] = []
    real = hmac.compare_digest
    monkeypatch.setattr(
        hmac, "compare_digest", lambda one, other: compared.append(one) or real(one, other)
    )
    for door in doors:
        door.hash_of(Secret(sent))
    assert compared == [hash_key(sent)] * 4


def test_no_secret_is_held() -> None:
    held = str(vars(access(PASSWORD, KEYS))) + str(vars(access(None, KEYS)))
    assert "horse" not in held
    assert "sk-one" not in held
