"""Encrypted reasoning, and whose it is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.providers.codex.sealing import owner_mark, owner_of, seal, unseal


@settings(max_examples=50)
@given(st.text(min_size=1), st.text(), st.none() | st.text())
def test_the_owner_gets_back_what_was_sealed(encrypted: str, subject: str, account: str) -> None:
    owner = owner_mark(subject, account)
    sealed = seal(encrypted, owner)
    assert unseal(sealed, owner) == encrypted
    assert owner_of(sealed) == owner


def test_nobody_else_does() -> None:
    sealed = seal("gAAAA", owner_mark("a", "w"))
    assert unseal(sealed, owner_mark("a", "v")) is None
    assert unseal(sealed, owner_mark("b", "w")) is None
    assert len({owner_mark("a", None), owner_mark("a", "w"), owner_mark("b", "w")}) == 3


def test_what_comes_from_elsewhere_belongs_to_nobody() -> None:
    for text in ("gAAAAABfremote", "", "cx1.short.x", "cx1.0123456789abcdef."):
        assert owner_of(text) is None
        assert unseal(text, owner_mark("a", None)) is None
