"""The secrets of one browser login: a verifier whose hash goes ahead of it, and a state that comes back."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode

from chat2api.secret import Secret

_BYTES = 48  # 64 characters; RFC 7636 asks for 43 to 128


def new_verifier() -> Secret:
    return Secret(secrets.token_urlsafe(_BYTES))


def new_state() -> Secret:
    return Secret(secrets.token_urlsafe(32))


def challenge_of(verifier: Secret) -> str:
    """The S256 challenge: what may be seen of a verifier (RFC 7636)."""
    digest = hashlib.sha256(verifier.reveal().encode("ascii")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
