"""Encrypted reasoning as callers keep it: marked with whose it is, since nobody else can read it. Pure."""

from __future__ import annotations

import hashlib
import re

_MARK = "cx1"
_OWNER_LENGTH = 16
_SEALED = re.compile(rf"{_MARK}\.([0-9a-f]{{{_OWNER_LENGTH}}})\.(.+)", re.DOTALL)


def owner_mark(subject: str, account_id: str | None) -> str:
    """What stands for an account of the pool in a workspace. Not secret, and the same after a restart."""
    text = f"codex reasoning\0{subject}\0{account_id or ''}"
    return hashlib.sha256(text.encode()).hexdigest()[:_OWNER_LENGTH]


def seal(encrypted: str, owner: str) -> str:
    """`owner` is an `owner_mark`."""
    return f"{_MARK}.{owner}.{encrypted}"


def unseal(sealed: str, owner: str) -> str | None:
    """The encrypted text if it is this owner's, else None."""
    found = _SEALED.fullmatch(sealed)
    return found[2] if found is not None and found[1] == owner else None


def owner_of(sealed: str) -> str | None:
    """Whose it is; None for what was not sealed here."""
    found = _SEALED.fullmatch(sealed)
    return None if found is None else found[1]
