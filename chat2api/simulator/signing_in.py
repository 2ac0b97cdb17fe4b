"""Logins that begin with a person: device codes and what becomes of them, authorization codes."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from chat2api.simulator.config import Config
from chat2api.simulator.documents import Json

Decision = Literal["pending", "approved", "denied"]
Unfit = Literal["unknown", "used", "expired", "wrong_client", "wrong_redirect", "wrong_verifier"]

DEVICE_REDIRECT = "/deviceauth/callback"
_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
_CODE_SECONDS = 600.0


@dataclass(slots=True)
class DeviceLogin:
    """A code that somebody asked for and somebody may enter."""

    device_auth_id: str
    user_code: str
    client_id: str
    created_at: float
    expires_at: float
    decision: Decision = "pending"
    account: str | None = None
    polled_at: float | None = None
    polls: int = 0
    too_fast: int = 0

    def as_json(self, now: float) -> Json:
        return {
            "user_code": self.user_code,
            "client_id": self.client_id,
            "state": "expired" if self.expires_at <= now else self.decision,
            "account": self.account,
            "expires_at": self.expires_at,
            "polls": self.polls,
            "too_fast": self.too_fast,
        }


@dataclass(slots=True)
class AuthorizationCode:
    """Good once, for whoever knows the verifier of its challenge."""

    code: str
    account: str
    client_id: str
    redirect_uri: str
    challenge: str
    expires_at: float
    used: bool = False


class SigningIn:
    def __init__(self, config: Callable[[], Config], clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self._devices: dict[str, DeviceLogin] = {}  # by user code
        self._codes: dict[str, AuthorizationCode] = {}

    # --- device codes

    def begin(self, client_id: str) -> DeviceLogin:
        now = self._clock()
        letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
        login = DeviceLogin(
            device_auth_id=f"deviceauth_{secrets.token_urlsafe(24)}",
            user_code=f"{letters[:4]}-{letters[4:]}",
            client_id=client_id,
            created_at=now,
            expires_at=now + self._config().device_seconds,
        )
        with self._lock:
            self._devices[login.user_code] = login
        return login

    def find(self, user_code: str) -> DeviceLogin | None:
        """However a person writes it."""
        return self._devices.get(user_code.strip().upper())

    def all(self) -> list[DeviceLogin]:
        with self._lock:
            return list(self._devices.values())

    def decide(self, user_code: str, account: str | None) -> DeviceLogin | None:
        """Approve as an account, or deny (None). None for a code that is not to be had any more."""
        with self._lock:
            login = self.find(user_code)
            if login is None or login.decision != "pending" or self.is_over(login):
                return None
            login.account = account
            login.decision = "approved" if account is not None else "denied"
            return login

    def expire(self, login: DeviceLogin) -> None:
        login.expires_at = self._clock()

    def is_over(self, login: DeviceLogin) -> bool:
        return login.expires_at <= self._clock()

    def polled(self, login: DeviceLogin) -> bool:
        """Books a question; False when it came too soon after the last."""
        now = self._clock()
        with self._lock:
            last, login.polled_at = login.polled_at, now
            login.polls += 1
            # A poller's clock and ours may differ by a breath.
            is_fine = last is None or now - last >= self._config().device_interval * 0.8
            login.too_fast += not is_fine
        return is_fine

    # --- authorization codes

    def grant(self, account: str, client_id: str, redirect_uri: str, challenge: str) -> str:
        code = f"ac_{secrets.token_urlsafe(32)}"
        end = self._clock() + _CODE_SECONDS
        with self._lock:
            self._codes[code] = AuthorizationCode(
                code, account, client_id, redirect_uri, challenge, end
            )
        return code

    def redeem(
        self, code: str, client_id: str, redirect_uri: str, verifier: str
    ) -> AuthorizationCode | Unfit:
        """Once; a code that was presented wrongly is spent, too."""
        with self._lock:
            found = self._codes.get(code)
            if found is None:
                return "unknown"
            if found.used:
                return "used"
            found.used = True
            if found.expires_at <= self._clock():
                return "expired"
            if found.client_id != client_id:
                return "wrong_client"
            if found.redirect_uri != redirect_uri:
                return "wrong_redirect"
            return found if challenge_of(verifier) == found.challenge else "wrong_verifier"


def new_verifier() -> str:
    return secrets.token_urlsafe(48)


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("utf-8", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
