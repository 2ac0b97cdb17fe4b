"""Who is calling, judged by the key they sent (decisions 2 to 4). Pure but for the hash secret it is given."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from chat2api.errors import LoginRequired, RequestError, Unauthorized
from chat2api.pool.values import Credential
from chat2api.secret import Secret
from chat2api.store.token_file import credential_of, looks_like_access_token

_WORKSPACE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_REFUSAL = (
    "Incorrect API key provided, or none. Send a key of this server as `Authorization: Bearer KEY`."
)


@dataclass(frozen=True, slots=True)
class PoolKey:
    """A key of this server: an account of the pool serves. `key_id` is safe to log."""

    key_id: str
    workspace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Direct:
    """The caller brought an access token; it serves this request only."""

    credential: Credential


@dataclass(frozen=True, slots=True)
class Anonymous:
    """No key, and ALLOW_ANONYMOUS is on."""


Principal = PoolKey | Direct | Anonymous


def hash_key(key: str, pepper: bytes) -> str:
    """The keyed hash under which a key is stored and compared (HMAC-SHA-256, hex)."""
    return hmac.new(pepper, key.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


class Access:
    """Knows keys only as keyed hashes."""

    def __init__(
        self,
        *,
        pepper: bytes,
        key_hashes: Iterable[str],
        direct_tokens: Literal["auto", "prefix", "off"],
        prefixes: Iterable[Secret],
        allow_anonymous: bool,
    ) -> None:
        self._pepper = pepper
        self._key_hashes = tuple(key_hashes)
        self._direct_tokens = direct_tokens
        # The longest matching prefix wins when one begins another.
        self._prefixes = sorted(
            {prefix.reveal().strip() for prefix in prefixes if prefix.reveal().strip()},
            key=len,
            reverse=True,
        )
        self._allow_anonymous = allow_anonymous

    def identify(self, authorization: str | None, workspace_header: str | None = None) -> Principal:
        """Raises Unauthorized, with one message for every reason; RequestError for a bad workspace id.

        `authorization` is the header's value, with or without the word Bearer.
        """
        key = _bare(authorization)
        if not key:
            if not self._allow_anonymous:
                raise Unauthorized(_REFUSAL)
            check_workspace(workspace_header, "ChatGPT-Account-ID")
            return Anonymous()
        name, _, suffix = key.partition(",")
        name = name.strip()
        known = self._knows(name)
        token = None if known else self._direct_token(name)
        if not known and token is None:
            raise Unauthorized(_REFUSAL)
        workspace = check_workspace(workspace_header, "ChatGPT-Account-ID") or check_workspace(
            suffix, "Authorization"
        )
        if token is not None:
            return Direct(credential_of(token, workspace))
        return PoolKey(hash_key(name, self._pepper)[:12], workspace)

    def _knows(self, key: str) -> bool:
        """Compare with every key, so that the time says nothing about which one came close."""
        digest = hash_key(key, self._pepper)
        found = False
        for known in self._key_hashes:
            found |= hmac.compare_digest(digest, known)
        return found

    def _direct_token(self, key: str) -> str | None:
        if self._direct_tokens == "off":
            return None
        for prefix in self._prefixes:
            if key.startswith(prefix):
                token = key[len(prefix) :]
                return token if looks_like_access_token(token) else None
        bare_allowed = self._direct_tokens == "auto" and not self._prefixes
        return key if bare_allowed and looks_like_access_token(key) else None


def check_workspace(value: str | None, where: str) -> str | None:
    if value is None or not value.strip():
        return None
    value = value.strip()
    if not _WORKSPACE.fullmatch(value):
        raise RequestError(
            "The workspace id may hold letters, digits, - and _ only, 64 at most.", param=where
        )
    return value


def _bare(authorization: str | None) -> str:
    """The key without the word Bearer; other schemes are no key."""
    if authorization is None:
        return ""
    text = authorization.strip()
    scheme, _, rest = text.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if rest:  # Basic, Digest, … or something with blanks: never a key of ours
        raise Unauthorized(_REFUSAL)
    return "" if scheme.lower() == "bearer" else text


def login_required_for(principal: Principal, message: str) -> LoginRequired | None:
    """A forced upstream login is the keyless caller's to cure (decision 21)."""
    return LoginRequired(message) if isinstance(principal, Anonymous) else None
