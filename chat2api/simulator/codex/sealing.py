"""Sealed texts: what a model thought, as only the account that it thought for can send it back."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

# A simulator that is started anew still opens what it sealed before.
_KEY = b"chat2api simulator"
_HEAD = struct.Struct(">BQ8s")
_VERSION = 0x80
_MAC_BYTES = 32


def seal(owner: str, text: str, now: float) -> str:
    """Looks like the upstream's `gAAAAA…`; nobody reads the text in it without the key."""
    plain = text.encode("utf-8", "backslashreplace")
    nonce = hashlib.sha256(plain + owner.encode()).digest()[:8]
    head = _HEAD.pack(_VERSION, int(now), nonce)
    body = head + _veiled(plain, head)
    return base64.urlsafe_b64encode(body + _mac(owner, body)).decode()


def unseal(owner: str, sealed: str) -> str | None:
    """The text; None when it was altered, or sealed for somebody else."""
    try:
        raw = base64.b64decode(sealed.encode("ascii", "replace"), b"-_", validate=True)
    except binascii.Error:
        return None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(body) < _HEAD.size or not hmac.compare_digest(mac, _mac(owner, body)):
        return None
    head, veiled = body[: _HEAD.size], body[_HEAD.size :]
    return _veiled(veiled, head).decode()


def _mac(owner: str, body: bytes) -> bytes:
    return hmac.new(_KEY, owner.encode() + b"\0" + body, hashlib.sha256).digest()


def _veiled(text: bytes, head: bytes) -> bytes:
    stream = hashlib.shake_256(_KEY + head).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, stream, strict=True))
