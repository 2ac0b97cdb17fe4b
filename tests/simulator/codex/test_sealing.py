"""Sealed texts open for whom they were sealed, unaltered."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.simulator.codex.sealing import seal, unseal


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(max_size=9))
def test_they_come_back(text: str, owner: str) -> None:
    sealed = seal(owner, text, 1_800_000_000.0)
    assert sealed.startswith("gAAAAA")
    assert unseal(owner, sealed) == text
    assert unseal(owner + "x", sealed) is None


@settings(max_examples=50)
@given(st.text(max_size=60))
def test_anything_else_stays_shut(text: str) -> None:
    assert unseal("me", text) is None


def test_altered_ones_stay_shut() -> None:
    raw = bytearray(base64.urlsafe_b64decode(seal("me", "a secret thought", 0)))
    assert b"secret" not in raw
    for at in range(len(raw)):
        raw[at] ^= 1
        assert unseal("me", base64.urlsafe_b64encode(raw).decode()) is None
        raw[at] ^= 1
    assert unseal("me", base64.urlsafe_b64encode(raw).decode()) == "a secret thought"
