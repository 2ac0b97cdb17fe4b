"""Logins at the upstream's login server that a person is finishing in their browser.

All of a login is in its row, so that any worker goes on with it, also after a restart. Whoever asks the login
server claims the row for that time; the row says when the next question is due, over all workers.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, or_, select, update

from chat2api.errors import StorageUnavailable
from chat2api.secret import Secret
from chat2api.store.desk_tables import logins
from chat2api.store.opening import Store
from chat2api.store.vault import WrongKey

LoginKind = Literal["device", "browser"]
LoginState = Literal["waiting", "exchanging", "done", "refused", "expired", "cancelled"]

SEEN_SECONDS = 300.0
LEASE_SECONDS = 45.0
_OPEN = ("waiting", "exchanging")
_SEEN_EVERY_SECONDS = 15.0
_TOUCH_WAIT_SECONDS = 0.2
_KEPT_SECONDS = 7 * 86_400.0
_LONGEST_TEXT = 300
_MOST_RUNNING = 50

_l = logins.c


@dataclass(frozen=True, slots=True)
class LoginSecret:
    """What nobody but us may know of a login; sealed in its row.

    `device_auth_id` is what to ask with; `verifier` and `redirect_uri` go with `code`, once there is one.
    `proxy` is the way out that was chosen for it, and the account's afterwards.
    """

    device_auth_id: Secret | None = None
    verifier: Secret | None = None
    code: Secret | None = None
    redirect_uri: str = ""
    proxy: Secret | None = None


@dataclass(frozen=True, slots=True)
class LoginResult:
    """How a login ended. `label` and `detail` hold foreign text.

    `verdict` is that of `Added`, for one that is done; `why` a word for one that is not.
    """

    verdict: str = ""
    account_id: str = ""
    label: str = ""
    why: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """A login as people see it: no secret in it. Times are epoch seconds.

    `account_id` is whose login it has to be, "" for anybody's. `trouble` is what kept the last question from
    being answered. `fell_back`: a device code was asked for, and is not offered.
    """

    login_id: str
    kind: LoginKind
    state: LoginState
    actor: str
    account_id: str
    user_code: str
    address: str
    interval_seconds: float
    created_at: float
    expires_at: float
    seen_at: float
    ended_at: float | None
    result: LoginResult
    trouble: str = ""
    fell_back: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in _OPEN

    def rests(self, now: float) -> bool:
        """Whether nobody is asked, because nobody has looked for a while."""
        is_asking = self.state == "waiting" and self.kind == "device"
        return is_asking and self.seen_at <= now - SEEN_SECONDS


@dataclass(frozen=True, slots=True)
class ClaimedLogin:
    """The sole right to go on with a login, for `LEASE_SECONDS`; `ticket` proves it."""

    login: Login
    secret: LoginSecret = field(repr=False)
    ticket: str


class LoginBook:
    """All methods raise StorageUnavailable. `owner` names this process in claims."""

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner

    # --- by people

    def add(
        self,
        login: Login,
        secret: LoginSecret,
        state: Secret | None = None,
    ) -> None:
        """`state` is the one that has to come back with the code."""
        is_device = login.kind == "device"
        first = login.created_at + login.interval_seconds if is_device else login.expires_at
        row = {
            "login_id": login.login_id,
            "kind": login.kind,
            "state": login.state,
            "actor": login.actor,
            "account_id": login.account_id,
            "user_code": login.user_code,
            "address": login.address,
            "secret": self._seal(secret),
            "state_hash": self._store.vault.hash_or_none(state),
            "interval_seconds": login.interval_seconds,
            "next_poll_at": first,
            "created_at": login.created_at,
            "expires_at": login.expires_at,
            "seen_at": login.seen_at,
            "result": _result_text(login.result, fell_back=login.fell_back),
        }
        self._store.database.write(
            lambda connection: connection.execute(logins.insert().values(row)), durable=True
        )

    def find(self, login_id: str) -> Login | None:
        query = select(logins).where(_l.login_id == login_id[:80])
        row = self._store.database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _login_of(row)

    def look(self, login_id: str) -> Login | None:
        """The same, for somebody who waits for it: the login server is asked as long as anybody does."""
        login = self.find(login_id)
        now = self._store.now()
        if login is None or not login.is_open or login.seen_at > now - _SEEN_EVERY_SECONDS:
            return login
        seen = update(logins).where(_l.login_id == login_id).values(seen_at=now)
        with suppress(StorageUnavailable):  # then it is seen at the next look
            self._store.database.write(
                lambda connection: connection.execute(seen), wait_seconds=_TOUCH_WAIT_SECONDS
            )
        return replace(login, seen_at=now)

    def running(self) -> list[Login]:
        """Those that may still succeed, the newest first; fifty at most."""
        query = (
            select(logins)
            .where(_l.state.in_(_OPEN), _l.expires_at > self._store.now())
            .order_by(_l.created_at.desc())
            .limit(_MOST_RUNNING)
        )
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return [_login_of(row) for row in rows]

    def cancel(self, login_id: str) -> bool:
        """Whether it was waiting; one whose code is here already sees itself through."""
        return self._end(
            and_(_l.login_id == login_id, _l.state == "waiting"), "cancelled", LoginResult()
        )

    def is_state(self, login_id: str, state: str) -> bool:
        """Whether a `state` that came back is the one that this login was begun with."""
        query = select(_l.state_hash).where(_l.login_id == login_id)
        known = self._store.database.read(lambda connection: connection.execute(query).scalar())
        return hmac.compare_digest(known or "", self._store.vault.hash(state))

    def refuse(self, login_id: str, result: LoginResult) -> bool:
        """End one that waits for its person, who brought an error."""
        return self._end(and_(_l.login_id == login_id, _l.state == "waiting"), "refused", result)

    def receive(self, login_id: str, code: Secret, lasts_seconds: float) -> ClaimedLogin | None:
        """A code that the person brought; None for a login that waits for none any more (single use)."""
        waits = and_(_l.state == "waiting", _l.expires_at > self._store.now())
        found = self._claimed(and_(_l.login_id == login_id, waits))
        if found is None:
            return None
        return self.keep_code(found, replace(found.secret, code=code), lasts_seconds)

    # --- by whoever asks the login server

    def claim(self, only: str | None = None) -> ClaimedLogin | None:
        """One that is due, of all or `only` this; None when there is none."""
        due = self._due()
        if only is not None:
            due = and_(due, _l.login_id == only)
        return self._claimed(due)

    def keep_code(
        self, claimed: ClaimedLogin, secret: LoginSecret, lasts_seconds: float
    ) -> ClaimedLogin | None:
        """Write down that a code is here, before it is used; None when the login has ended meanwhile.

        The claim lasts anew: asking for the code may have taken most of it, and one that ran out during the
        exchange would let another worker show the code a second time.
        """
        now = self._store.now()
        end = now + lasts_seconds
        values = {
            "state": "exchanging",
            "secret": self._seal(secret),
            "state_hash": None,
            "expires_at": end,
            "lease_until": now + LEASE_SECONDS,
        }
        if not self._write(self._mine(claimed), values):
            return None
        login = replace(claimed.login, state="exchanging", expires_at=end)
        return ClaimedLogin(login, secret, claimed.ticket)

    def release(self, claimed: ClaimedLogin, interval_seconds: float, trouble: str = "") -> None:
        """Not yet: ask again after the interval."""
        login = claimed.login
        next_at = min(self._store.now() + interval_seconds, login.expires_at)
        values = {
            "interval_seconds": interval_seconds,
            "next_poll_at": next_at,
            "owner": None,
            "lease_until": 0.0,
            "result": _result_text(login.result, trouble, fell_back=login.fell_back),
        }
        self._write(self._mine(claimed), values)

    def end(self, claimed: ClaimedLogin, state: LoginState, result: LoginResult) -> bool:
        """False when it has ended otherwise meanwhile."""
        return self._end(self._mine(claimed), state, result)

    def prune(self) -> int:
        """Forget old ones; returns how many."""
        old = delete(logins).where(_l.created_at < self._store.now() - _KEPT_SECONDS)
        return self._store.database.write(lambda connection: connection.execute(old).rowcount)

    # --- rows

    def _due(self) -> ColumnElement[bool]:
        now = self._store.now()
        asked_for = and_(_l.kind == "device", _l.seen_at > now - SEEN_SECONDS)
        return and_(
            _l.state.in_(_OPEN),
            _l.next_poll_at <= now,
            _l.lease_until <= now,
            or_(_l.state == "exchanging", asked_for, _l.expires_at <= now),
        )

    def _claimed(self, which: ColumnElement[bool]) -> ClaimedLogin | None:
        query = select(logins).where(which).order_by(_l.next_poll_at).limit(1)
        row = self._store.database.read(lambda connection: connection.execute(query).first())
        if row is None:
            return None
        ticket = f"{self._owner[:60]}:{secrets.token_hex(8)}"
        mine = and_(which, _l.login_id == row.login_id, _l.owner.is_not_distinct_from(row.owner))
        lease = {"owner": ticket, "lease_until": self._store.now() + LEASE_SECONDS}
        if not self._write(mine, lease):
            return None  # somebody else was faster
        return ClaimedLogin(_login_of(row), self._opened(row.secret), ticket)

    def _mine(self, claimed: ClaimedLogin) -> ColumnElement[bool]:
        return and_(
            _l.login_id == claimed.login.login_id,
            _l.owner == claimed.ticket,
            _l.state.in_(_OPEN),
        )

    def _end(self, which: ColumnElement[bool], state: LoginState, result: LoginResult) -> bool:
        values = {
            "state": state,
            "secret": None,
            "state_hash": None,
            "owner": None,
            "ended_at": self._store.now(),
            "result": _result_text(result),
        }
        return self._write(which, values)

    def _write(self, which: ColumnElement[bool], values: Mapping[str, Any]) -> bool:
        def work(connection: Connection) -> int:
            return connection.execute(update(logins).where(which).values(values)).rowcount

        return self._store.database.write(work, durable=True) == 1

    # --- what is sealed

    def _seal(self, secret: LoginSecret) -> str:
        named = {
            "device_auth_id": secret.device_auth_id,
            "verifier": secret.verifier,
            "code": secret.code,
            "proxy": secret.proxy,
        }
        texts = {name: one.reveal() for name, one in named.items() if one is not None}
        document = json.dumps({**texts, "redirect_uri": secret.redirect_uri})
        return self._store.vault.seal(Secret(document))

    def _opened(self, sealed: str | None) -> LoginSecret:
        """An empty one where it cannot be opened: such a login fails, and is begun anew."""
        try:
            document = json.loads(self._store.vault.open(sealed or "").reveal())
        except (WrongKey, ValueError):
            return LoginSecret()
        names = ("device_auth_id", "verifier", "code", "proxy")
        texts = {name: Secret(document[name]) for name in names if document.get(name)}
        return LoginSecret(**texts, redirect_uri=str(document.get("redirect_uri", "")))


def new_login_id() -> str:
    return f"login_{secrets.token_hex(8)}"


def _login_of(row: Row[Any]) -> Login:
    told = _told(row.result)
    names = ("verdict", "account_id", "label", "why", "detail")
    return Login(
        login_id=row.login_id,
        kind=cast(LoginKind, row.kind),
        state=cast(LoginState, row.state),
        actor=row.actor,
        account_id=row.account_id,
        user_code=row.user_code,
        address=row.address,
        interval_seconds=row.interval_seconds,
        created_at=row.created_at,
        expires_at=row.expires_at,
        seen_at=row.seen_at,
        ended_at=row.ended_at,
        result=LoginResult(**{name: str(told.get(name, "")) for name in names}),
        trouble=str(told.get("trouble", "")),
        fell_back=bool(told.get("fell_back")),
    )


def _told(text: str) -> Mapping[str, Any]:
    """A damaged result says nothing (fault matrix E14)."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _result_text(result: LoginResult, trouble: str = "", *, fell_back: bool = False) -> str:
    told = {
        "verdict": result.verdict,
        "account_id": result.account_id,
        "label": result.label,
        "why": result.why,
        "detail": result.detail,
        "trouble": trouble,
    }
    document: dict[str, Any] = {name: text[:_LONGEST_TEXT] for name, text in told.items() if text}
    return json.dumps(document | ({"fell_back": True} if fell_back else {}))
