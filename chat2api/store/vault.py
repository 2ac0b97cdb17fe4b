"""Secrets at rest: sealed with a key that is not in the database, and found again by keyed hashes.

A sealed text is `KEYID:TOKEN`, the token being Fernet's (AES-128-CBC with HMAC-SHA-256). The key id tells
which of several keys was used, so that a change of keys can be carried out row by row.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import overload

from cryptography.fernet import Fernet, InvalidToken

from chat2api.secret import Secret

_SALT = b"chat2api store key 1"
_SCRYPT_N = 2**14  # 16 MiB and some 40 ms, once per process and key
_KEY_ID = re.compile("[0-9a-f]{8}")
_BETWEEN_PIECES = "\n"


class WrongKey(Exception):
    """A sealed text cannot be opened."""


class UnknownKey(WrongKey):
    """A sealed text was made with a key that is not at hand here; to others it may be as good as ever."""


class Vault:
    """`keys` are texts of any length; the first seals, all of them open."""

    def __init__(self, keys: Sequence[Secret], pepper: bytes = b"") -> None:
        derived = [_derive(key.reveal()) for key in keys]
        self._fernets = {_key_id(raw): Fernet(urlsafe_b64encode(raw)) for raw in derived}
        self.key_id = _key_id(derived[0])
        self._pepper = pepper

    def with_pepper(self, pepper: bytes) -> Vault:
        """The same keys with the secret of keyed hashes, once it was read from the store."""
        peppered = object.__new__(Vault)
        peppered._fernets, peppered.key_id = self._fernets, self.key_id
        peppered._pepper = pepper
        return peppered

    def seal(self, secret: Secret) -> str:
        return self.seal_bytes(secret.reveal().encode("utf-8", "surrogatepass"))

    def seal_bytes(self, content: bytes) -> str:
        return f"{self.key_id}:{self._fernets[self.key_id].encrypt(content).decode('ascii')}"

    def seal_pieces(self, pieces: Iterable[bytes]) -> str:
        """Much in one text: sealed, and opened again, a piece at a time."""
        return _BETWEEN_PIECES.join(map(self.seal_bytes, pieces))

    @overload
    def seal_or_none(self, secret: Secret) -> str: ...
    @overload
    def seal_or_none(self, secret: None) -> None: ...
    def seal_or_none(self, secret: Secret | None) -> str | None:
        return None if secret is None else self.seal(secret)

    def open(self, sealed: str) -> Secret:
        """Raises WrongKey."""
        return Secret(self.open_bytes(sealed).decode("utf-8", "surrogatepass"))

    def open_bytes(self, sealed: str) -> bytes:
        try:
            key_id, _, token = sealed.partition(":")
        except (AttributeError, TypeError):  # a column of SQLite may hold anything
            raise WrongKey("the sealed text is damaged") from None
        fernet = self._fernets.get(key_id)
        if fernet is None and token and _KEY_ID.fullmatch(key_id):
            raise UnknownKey(f"sealed with another key ({key_id})")
        if fernet is None:
            raise WrongKey("the sealed text is damaged")
        try:
            return fernet.decrypt(token.encode("ascii"))
        except (InvalidToken, UnicodeEncodeError):
            raise WrongKey("the sealed text is damaged") from None

    def open_pieces(self, sealed: str) -> Iterator[bytes]:
        """The pieces of any sealed text, in order. Raises WrongKey."""
        return map(self.open_bytes, sealed.split(_BETWEEN_PIECES))

    def open_or_none(self, sealed: str | None) -> Secret | None:
        return None if sealed is None else self.open(sealed)

    def is_current(self, sealed: str) -> bool:
        """Whether it is sealed with the first key."""
        return sealed.startswith(f"{self.key_id}:")

    def hash(self, text: str) -> str:
        """The keyed hash under which a secret is looked up (HMAC-SHA-256, hex)."""
        return keyed_hash(text, self._pepper)

    def hash_or_none(self, secret: Secret | None) -> str | None:
        return None if secret is None else self.hash(secret.reveal())


def keyed_hash(text: str, pepper: bytes) -> str:
    return hmac.new(pepper, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def new_pepper() -> bytes:
    return os.urandom(32)


@lru_cache(8)  # a server derives its key before its workers are forked, and they need not again
def _derive(text: str) -> bytes:
    """32 bytes. The operator may have chosen a phrase: guessing it must cost something."""
    return hashlib.scrypt(
        text.encode("utf-8", "surrogatepass"), salt=_SALT, n=_SCRYPT_N, r=8, p=1, dklen=32
    )


def _key_id(raw: bytes) -> str:
    """Tells keys apart and says nothing about them."""
    return hashlib.sha256(b"key id\0" + raw).hexdigest()[:8]
