"""The accounts the simulator knows, and the tokens that open them (claims: sheet 1.4)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

PAID_PLANS = {"go", "plus", "pro", "prolite", "pro_lite", "team", "business", "enterprise", "edu"}
_TEN_DAYS = 10 * 86_400


@dataclass(frozen=True, slots=True)
class Account:
    """One person upstream. The first workspace is the personal one, used when none is named."""

    name: str
    token: str
    plan: str
    workspaces: tuple[str, ...]
    expires_at: float
    user_id: str
    email: str

    @property
    def is_paid(self) -> bool:
        return self.plan in PAID_PLANS

    @property
    def persona(self) -> str:
        return "chatgpt-paid" if self.is_paid else "chatgpt-freeaccount"


def _segment(value: dict[str, Any]) -> str:
    text = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def make_access_token(
    subject: str,
    *,
    plan: str = "plus",
    account_id: str | None = None,
    email: str | None = None,
    now: float,
    lifetime_seconds: float = _TEN_DAYS,
) -> str:
    """A token that looks like the upstream's: an RS256 header, the known claims, a made-up signature."""
    account_id = account_id or stable_uuid(subject, "personal")
    claims = {
        "aud": ["https://api.openai.com/v1"],
        "client_id": "app_SIMULATOR",
        "exp": int(now + lifetime_seconds),
        "iat": int(now),
        "iss": "https://auth.openai.com",
        "jti": secrets.token_hex(8),
        "https://api.openai.com/auth": {
            "chatgpt_account_id": account_id,
            "chatgpt_plan_type": plan,
            "chatgpt_user_id": f"user-{subject}",
            "user_id": f"user-{subject}",
        },
        "https://api.openai.com/profile": {
            "email": email or f"{subject}@example.com",
            "email_verified": True,
        },
        "sub": f"auth0|{subject}",
    }
    signed = f"{_segment({'alg': 'RS256', 'typ': 'JWT', 'kid': 'simulator'})}.{_segment(claims)}"
    signature = hashlib.sha512(signed.encode()).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def stable_uuid(subject: str, purpose: str) -> str:
    """The same version 4-shaped UUID for the same words."""
    raw = hashlib.sha256(f"{purpose}:{subject}".encode()).digest()[:16]
    return str(uuid.UUID(bytes=raw, version=4))


def make_account(
    name: str,
    *,
    plan: str = "plus",
    workspaces: Sequence[str] = (),
    now: float,
    lifetime_seconds: float = _TEN_DAYS,
) -> Account:
    """An account with a fresh token; its ids follow from its name."""
    ids = tuple(workspaces) or (stable_uuid(name, "personal"),)
    token = make_access_token(
        name, plan=plan, account_id=ids[0], now=now, lifetime_seconds=lifetime_seconds
    )
    return Account(
        name, token, plan, ids, now + lifetime_seconds, f"user-{name}", f"{name}@example.com"
    )


def demo_accounts(now: float) -> tuple[Account, ...]:
    """Two accounts to start with: one paid with a second workspace, one free."""
    plus = (stable_uuid("demo-plus", "personal"), stable_uuid("demo-plus", "team"))
    return (
        make_account("demo-plus", plan="plus", workspaces=plus, now=now),
        make_account("demo-free", plan="free", now=now),
    )


class Accounts:
    """The accounts by token; grows through the control routes."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._lock = threading.Lock()
        self._by_token = {account.token: account for account in accounts}

    def add(self, account: Account) -> None:
        """Adds an account, in place of an earlier one of the same name."""
        with self._lock:
            kept = {t: a for t, a in self._by_token.items() if a.name != account.name}
            self._by_token = {**kept, account.token: account}

    def find(self, token: str) -> Account | None:
        return self._by_token.get(token)

    def all(self) -> tuple[Account, ...]:
        return tuple(self._by_token.values())

    def label(self, token: str) -> str:
        """How a bearer is written down: the account's name, or a short hash of the stranger."""
        account = self.find(token)
        if account is not None:
            return account.name
        return f"unknown:{hashlib.sha256(token.encode()).hexdigest()[:8]}"
