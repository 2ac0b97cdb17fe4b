"""Owners of keys: their sessions know a key by its hash, as long as the key counts."""

from __future__ import annotations

from chat2api.secret import Secret
from chat2api.service.access import Access, PoolKey
from chat2api.store.api_keys import ApiKeys
from chat2api.store.opening import Store


def access(store: Store, *configured: str) -> Access:
    keys = ApiKeys(store)
    return Access(
        hash_key=store.vault.hash,
        configured=[Secret(key) for key in configured],
        direct_tokens="auto",
        prefixes=[],
        allow_anonymous=True,
        now=store.now,
        stored=keys,
        uses=keys,
    )


def test_a_configured_key(key_store: Store) -> None:
    digest = access(key_store, "sk-one").digest_of(Secret(" sk-one "))
    assert digest is not None
    assert access(key_store, "sk-one").by_digest(digest) == PoolKey(digest[:12])
    assert access(key_store, "sk-two").by_digest(digest) is None


def test_a_stored_key_till_it_is_revoked(key_store: Store) -> None:
    made, secret = ApiKeys(key_store).create("phone")
    held = access(key_store)
    digest = held.digest_of(secret)
    assert digest == made.key_hash
    found = held.by_digest(made.key_hash)
    assert found is not None
    assert found.key_id == made.key_id
    ApiKeys(key_store).revoke(made.key_id)
    assert held.by_digest(made.key_hash) is None
    assert held.digest_of(secret) is None


def test_what_is_no_key_of_this_server(key_store: Store) -> None:
    held = access(key_store, "sk-one")
    for other in ("", "sk-wrong", "fk-a-token-of-an-account", "rt_" + "r" * 60):
        assert held.digest_of(Secret(other)) is None
    assert held.by_digest("") is None
