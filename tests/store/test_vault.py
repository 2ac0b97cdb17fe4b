"""Secrets at rest: sealed, opened by whichever key sealed them, found by keyed hashes."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.secret import Secret
from chat2api.store.vault import UnknownKey, Vault, WrongKey, keyed_hash, new_pepper

OLD, NEW = Vault([Secret("old")], b"pepper"), Vault([Secret("new")], b"pepper")
BOTH = Vault([Secret("new"), Secret("old")], b"pepper")
ANY_TEXT = st.text(alphabet=st.characters())  # lone surrogates too: JSON may carry them


@given(ANY_TEXT)
def test_what_is_sealed_is_opened(text: str) -> None:
    sealed = NEW.seal(Secret(text))
    assert NEW.open(sealed) == Secret(text)
    assert NEW.seal(Secret(text)) != sealed
    assert len(text) < 8 or text not in sealed


@given(st.binary(), st.integers(0))
def test_a_changed_text_is_refused(content: bytes, at: int) -> None:
    sealed = NEW.seal_bytes(content)
    place = at % len(sealed.rstrip("=")[:-1])  # the last character may have bits that do not count
    other = "B" if sealed[place] == "A" else "A"
    with pytest.raises(WrongKey):
        NEW.open_bytes(sealed[:place] + other + sealed[place + 1 :])


@pytest.mark.parametrize(
    "sealed", ["", ":", "abc", "00000000:abc", f"{NEW.key_id}:", f"{NEW.key_id}:ä", b"x:y", 5, None]
)
def test_damaged_texts(sealed: Any) -> None:
    with pytest.raises(WrongKey) as refused:
        NEW.open_bytes(sealed)
    assert isinstance(refused.value, UnknownKey) is (sealed == "00000000:abc")


def test_every_key_opens_and_the_first_seals() -> None:
    old, new = OLD.seal(Secret("t")), BOTH.seal(Secret("t"))
    assert [vault.open(new) for vault in (NEW, BOTH)] == [Secret("t")] * 2
    assert BOTH.open(old) == Secret("t")
    assert (BOTH.is_current(old), BOTH.is_current(new)) == (False, True)
    with pytest.raises(UnknownKey, match=f"sealed with another key \\({OLD.key_id}\\)"):
        NEW.open(old)


def test_much_is_sealed_in_pieces() -> None:
    pieces = [b"one", b"", b"\n:two"]
    sealed = NEW.seal_pieces(pieces)
    assert list(NEW.open_pieces(sealed)) == pieces
    assert list(NEW.open_pieces(NEW.seal_bytes(b"one"))) == [b"one"]
    assert NEW.is_current(sealed)
    with pytest.raises(WrongKey):
        list(NEW.open_pieces(sealed + "\n"))


def test_nothing_stays_nothing() -> None:
    assert (NEW.seal_or_none(None), NEW.open_or_none(None), NEW.hash_or_none(None)) == (None,) * 3


def test_hashes_are_keyed() -> None:
    expected = hmac.new(b"pepper", b"token", hashlib.sha256).hexdigest()
    assert NEW.hash("token") == OLD.hash_or_none(Secret("token")) == expected
    assert keyed_hash("token", b"other") != expected
    assert NEW.with_pepper(b"other").hash("token") == keyed_hash("token", b"other")
    assert NEW.with_pepper(b"other").open(NEW.seal(Secret("t"))) == Secret("t")
    assert (len(new_pepper()), new_pepper() != new_pepper()) == (32, True)


def test_neither_keys_nor_texts_show() -> None:
    vault = Vault([Secret("planted-key")])
    assert "planted" not in f"{vault.key_id} {vault!r} {vault.seal(Secret('planted-text'))}"
