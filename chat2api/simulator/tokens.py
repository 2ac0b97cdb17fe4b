"""Tokens as the upstream makes them: access and id tokens with their claims, refresh tokens of two kinds
(sheet 1.3, 1.4)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["legacy", "rt"]

TEN_DAYS = 10 * 86_400.0
_ONE_HOUR = 3_600
LEGACY_LENGTH = 45

# Public ids of the two official programs whose refresh tokens people have.
PHONE_CLIENT = "pdlLIX2Y72MIl2rhLhTE9VV9bN905kBh"
TERMINAL_CLIENT = "app_EMoamEEZ73f0CkXaXp7hrann"
OWN_CLIENT = "app_SIMULATOR"

_AUTH = "https://api.openai.com/auth"
_ISSUER = "https://auth.openai.com"


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a token speaks of: what all its claims are made from."""

    subject: str
    plan: str
    account_id: str
    email: str
    client_id: str = OWN_CLIENT

    @property
    def user_id(self) -> str:
        return f"user-{self.subject}"


def stable_uuid(subject: str, purpose: str) -> str:
    """The same version 4-shaped UUID for the same words."""
    raw = hashlib.sha256(f"{purpose}:{subject}".encode()).digest()[:16]
    return str(uuid.UUID(bytes=raw, version=4))


def fingerprint(token: str) -> str:
    """How a token is written down: a short hash."""
    return hashlib.sha256(token.encode()).hexdigest()[:8]


def client_of(kind: Kind) -> str:
    """The program that refresh tokens of a kind are issued to."""
    return PHONE_CLIENT if kind == "legacy" else TERMINAL_CLIENT


def make_refresh_token(kind: Kind) -> str:
    """`legacy`: exactly 45 characters; `rt`: `rt_` and 64 more."""
    if kind == "legacy":
        return f"v1.{secrets.token_urlsafe(LEGACY_LENGTH)}"[:LEGACY_LENGTH]
    return f"rt_{secrets.token_urlsafe(48)}"


def make_access_token(person: Person, *, now: float, lifetime_seconds: float = TEN_DAYS) -> str:
    """A token that looks like the upstream's: an RS256 header, the known claims, a made-up signature."""
    return _signed(
        {
            "aud": ["https://api.openai.com/v1"],
            "client_id": person.client_id,
            "exp": int(now + lifetime_seconds),
            "iat": int(now),
            "iss": _ISSUER,
            "jti": secrets.token_hex(8),
            _AUTH: _who(person),
            "https://api.openai.com/profile": {"email": person.email, "email_verified": True},
            "sub": f"auth0|{person.subject}",
        }
    )


def make_id_token(person: Person, *, now: float) -> str:
    """What the person is, for the program that logged in; good for an hour."""
    organization = {
        "id": f"org-{person.subject}",
        "is_default": True,
        "role": "owner",
        "title": "Personal",
    }
    return _signed(
        {
            "aud": [person.client_id],
            "auth_provider": "password",
            "email": person.email,
            "email_verified": True,
            "exp": int(now) + _ONE_HOUR,
            "iat": int(now),
            "iss": _ISSUER,
            "jti": secrets.token_hex(8),
            _AUTH: {**_who(person), "organizations": [organization]},
            "sub": f"auth0|{person.subject}",
        }
    )


def _who(person: Person) -> dict[str, Any]:
    return {
        "chatgpt_account_id": person.account_id,
        "chatgpt_plan_type": person.plan,
        "chatgpt_user_id": person.user_id,
        "user_id": person.user_id,
    }


def _segment(value: dict[str, Any]) -> str:
    text = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _signed(claims: dict[str, Any]) -> str:
    signed = f"{_segment({'alg': 'RS256', 'typ': 'JWT', 'kid': 'simulator'})}.{_segment(claims)}"
    signature = hashlib.sha512(signed.encode()).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
