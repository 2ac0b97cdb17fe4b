"""Logging accounts in: begun by a person, finished by whoever asks the login server next.

All state is in the store, so every worker and the command line can go on with what another began. A login that
is bound to an account takes nobody else's tokens: then nothing at all changes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from chat2api.errors import Conflict, NotFound, RequestError, UpstreamBadResponse, UpstreamTimeout
from chat2api.lifetime.call import Call
from chat2api.pool.identity import claims_of
from chat2api.pool.values import Credential, Grant, NewAccount
from chat2api.providers.oauth import browser, device
from chat2api.providers.oauth.pkce import new_state, new_verifier
from chat2api.providers.oauth.signing_in import (
    CodeInHand,
    NotOffered,
    SignInFailed,
    SignInOptions,
    SignInRefused,
    exchange,
)
from chat2api.providers.protocol import Io
from chat2api.secret import Secret
from chat2api.service.egress import Egress
from chat2api.store.account_book import AccountBook
from chat2api.store.intake import Intake
from chat2api.store.logins import (
    ClaimedLogin,
    Login,
    LoginBook,
    LoginResult,
    LoginSecret,
    new_login_id,
)
from chat2api.store.relogins import Relogins
from chat2api.store.vault import WrongKey

log = logging.getLogger(__name__)

LOGGED_IN = "account logged in"
BROWSER_SECONDS = 600.0
ASK_SECONDS = 25.0  # well within the lease of a login
_SOURCE = "login"
_AGAIN_SECONDS = 5.0

Tell = Callable[[str, str, str, Mapping[str, Any]], None]
"""Told actor, action, target and facts of what the operator should find in the audit log."""


@dataclass(frozen=True, slots=True)
class LoginStores:
    book: LoginBook
    relogins: Relogins
    intake: Intake
    accounts: AccountBook


class Logins:
    """One a process; what it holds follows the settings, all else is in the store."""

    def __init__(
        self,
        stores: LoginStores,
        egress: Egress,
        options: SignInOptions,
        now: Callable[[], float],
        tell: Tell,
    ) -> None:
        self._book = stores.book
        self._relogins = stores.relogins
        self._intake = stores.intake
        self._accounts = stores.accounts
        self._egress = egress
        self._options = options
        self._now = now
        self._tell = tell

    @property
    def wanted(self) -> Relogins:
        """The accounts that want a login."""
        return self._relogins

    def now(self) -> float:
        """The time that logins are measured by, in epoch seconds."""
        return self._now()

    # --- by people

    def start_device(self, actor: str, account_id: str = "", proxy: Secret | None = None) -> Login:
        """Ask for a code. Where none is offered, a login by browser is begun instead.

        `proxy` is the way out for it, and for its account from then on; one that is bound to an account has
        that account's. Raises NotFound, UpstreamBadResponse, StorageUnavailable.
        """
        self._check_account(account_id)
        login_id = new_login_id()
        try:
            with self._io(login_id, account_id, proxy) as io:
                code = device.begin(self._options, io, self._now())
        except NotOffered:
            return self.start_browser(actor, account_id, proxy, fell_back=True)
        except (SignInRefused, SignInFailed) as error:
            raise UpstreamBadResponse(f"The login could not be begun: {error.reason}") from None
        login = replace(
            self._new(login_id, actor, account_id, code.expires_at),
            user_code=code.user_code,
            address=device.device_page(self._options),
            interval_seconds=code.interval_seconds,
        )
        self._book.add(login, LoginSecret(device_auth_id=code.device_auth_id, proxy=proxy))
        return login

    def start_browser(
        self,
        actor: str,
        account_id: str = "",
        proxy: Secret | None = None,
        *,
        fell_back: bool = False,
    ) -> Login:
        """Make an address to log in at. Raises NotFound, StorageUnavailable."""
        workspace_id = self._check_account(account_id)
        verifier, state = new_verifier(), new_state()
        address = browser.authorize_url(self._options, verifier, state, workspace_id=workspace_id)
        login = replace(
            self._new(new_login_id(), actor, account_id, self._now() + BROWSER_SECONDS),
            kind="browser",
            address=address,
            fell_back=fell_back,
        )
        redirect_uri = self._options.redirect_uri
        secret = LoginSecret(verifier=verifier, redirect_uri=redirect_uri, proxy=proxy)
        self._book.add(login, secret, state)
        return login

    def submit_callback(self, login_id: str, text: str) -> Login:
        """What the person brought from the last page. Ends the login, or keeps the code and goes on later.

        Raises RequestError where it cannot be this login's (which then goes on waiting), Conflict where the
        login waits no longer, NotFound, StorageUnavailable.
        """
        login = self.get(login_id)
        if login.kind != "browser" or login.state != "waiting":
            raise Conflict("This login does not wait for an address any more.")
        try:
            callback = browser.read_callback(text)
        except browser.Unreadable:
            raise RequestError(
                "That is neither the address of the last page nor a code.",
                param="callback",
                code="login_link_unreadable",
            ) from None
        if callback.state is not None and not self._book.is_state(login_id, callback.state):
            raise RequestError(
                "That address belongs to another login.",
                param="callback",
                code="login_link_foreign",
            )
        if callback.code is None:
            self._book.refuse(login_id, LoginResult(why="refused", detail=callback.error))
            return self.get(login_id)
        claimed = self._book.receive(login_id, callback.code, BROWSER_SECONDS)
        if claimed is None:
            raise Conflict("This login does not wait for an address any more.")
        self._finish(claimed)
        return self.get(login_id)

    def cancel(self, login_id: str) -> bool:
        """Whether it could be; one that is nearly done sees itself through."""
        return self._book.cancel(login_id)

    def get(self, login_id: str) -> Login:
        """Raises NotFound."""
        return _found(self._book.find(login_id))

    def look(self, login_id: str) -> Login:
        """The same for somebody who waits: it goes on while anybody looks. Raises NotFound."""
        return _found(self._book.look(login_id))

    def running(self) -> list[Login]:
        return self._book.running()

    def prune(self) -> int:
        """Forget old ones; returns how many."""
        return self._book.prune()

    def _new(self, login_id: str, actor: str, account_id: str, expires_at: float) -> Login:
        now = self._now()
        return Login(
            login_id=login_id,
            kind="device",
            state="waiting",
            actor=actor,
            account_id=account_id,
            user_code="",
            address="",
            interval_seconds=_AGAIN_SECONDS,
            created_at=now,
            expires_at=expires_at,
            seen_at=now,
            ended_at=None,
            result=LoginResult(),
        )

    def _check_account(self, account_id: str) -> str | None:
        """Its workspace, if it has one of its own."""
        if not account_id:
            return None
        row = self._accounts.find(account_id)
        if row is None or row.removed_at is not None:
            raise NotFound("There is no such account.")
        return row.workspace_id

    # --- by whoever asks

    def go_on(self, only: str | None = None) -> bool:
        """One step of a login that is due, of all or `only` this; False when none is."""
        claimed = self._book.claim(only)
        if claimed is None:
            return False
        if claimed.login.expires_at <= self._now():
            self._book.end(claimed, "expired", LoginResult(why="expired"))
        elif claimed.login.state == "exchanging":
            self._finish(claimed)
        else:
            self._poll(claimed)
        return True

    def _poll(self, claimed: ClaimedLogin) -> None:
        login, secret = claimed.login, claimed.secret
        if secret.device_auth_id is None:
            self._book.end(claimed, "refused", LoginResult(why="damaged"))
            return
        try:
            with self._io(login.login_id, login.account_id, secret.proxy) as io:
                answer = device.poll(self._options, secret.device_auth_id, login.user_code, io)
        except SignInRefused as refusal:
            self._refused(claimed, refusal)
        except SignInFailed as failure:
            self._book.release(claimed, login.interval_seconds, failure.reason)
        else:
            self._answered(claimed, answer)

    def _answered(self, claimed: ClaimedLogin, answer: CodeInHand | device.Waiting) -> None:
        interval = claimed.login.interval_seconds
        match answer:
            case "pending":
                self._book.release(claimed, interval)
            case "slow_down":
                self._book.release(claimed, interval + device.SLOWER_SECONDS)
            case CodeInHand(code, verifier, redirect_uri):
                secret = replace(
                    claimed.secret, code=code, verifier=verifier, redirect_uri=redirect_uri
                )
                kept = self._book.keep_code(claimed, secret, BROWSER_SECONDS)
                if kept is not None:
                    self._finish(kept)

    def _refused(self, claimed: ClaimedLogin, refusal: SignInRefused) -> None:
        if refusal.reason == "expired_token":
            self._book.end(claimed, "expired", LoginResult(why="expired"))
            return
        self._book.end(claimed, "refused", LoginResult(why="refused", detail=refusal.reason))

    # --- the last step

    def _finish(self, claimed: ClaimedLogin) -> None:
        login, secret = claimed.login, claimed.secret
        if secret.code is None or secret.verifier is None:
            self._book.end(claimed, "refused", LoginResult(why="damaged"))
            return
        held = CodeInHand(secret.code, secret.verifier, secret.redirect_uri)
        try:
            with self._io(login.login_id, login.account_id, secret.proxy) as io:
                grant = exchange(self._options, held, io, self._now)
        except SignInRefused as refusal:
            self._refused(claimed, refusal)
        except SignInFailed as failure:
            self._book.release(claimed, _AGAIN_SECONDS, failure.reason)
        else:
            self._take(claimed, grant)

    def _take(self, claimed: ClaimedLogin, grant: Grant) -> None:
        login = claimed.login
        new = NewAccount(
            access_token=grant.access_token,
            refresh_token=grant.refresh_token,
            id_token=grant.id_token,
            kind="codex",
            client_id=self._options.client_id,
            proxy=claimed.secret.proxy,
            refreshed_at=self._now(),
        )
        if login.account_id:
            match = self._relogins.match(login.account_id, new)
            if match.verdict != "same":
                self._turned_away(claimed, new, match.verdict)
                return
            new = replace(new, workspace_id=match.workspace_id)
        (added,) = self._intake.add([new], _SOURCE)
        self._relogins.revive_siblings(added.account_id)
        row = self._accounts.find(added.account_id)
        result = LoginResult(
            verdict=added.verdict,
            account_id=added.account_id,
            label="" if row is None else row.label,
        )
        self._book.end(claimed, "done", result)
        self._told(login, LOGGED_IN, result)

    def _turned_away(self, claimed: ClaimedLogin, new: NewAccount, why: str) -> None:
        """The tokens are dropped; the account stays as it was."""
        email = claims_of(new.access_token, new.id_token).email
        result = LoginResult(why=why, label=email, account_id=claimed.login.account_id)
        self._book.end(claimed, "refused", result)
        self._told(claimed.login, "login refused", result)

    def _told(self, login: Login, action: str, result: LoginResult) -> None:
        facts = {"login": login.login_id, "kind": login.kind, "as": result.label}
        facts |= {"result": result.verdict or result.why}
        log.info(action, extra={"account": result.account_id, "result": facts["result"]})
        self._tell(login.actor, action, result.account_id, facts)

    # --- the way out

    @contextmanager
    def _io(self, login_id: str, account_id: str, proxy: Secret | None) -> Iterator[Io]:
        """For one question, which ends well before the lease does, however slowly the answer drips."""
        call = Call(time.monotonic() + ASK_SECONDS)
        late = UpstreamTimeout("The login server took too long.")
        timer = threading.Timer(ASK_SECONDS, call.cancel, (late,))
        timer.daemon = True
        timer.start()
        chosen = self._proxy(login_id, account_id, proxy)
        try:
            yield Io(self._egress.transport, self._egress.compute, call, chosen)
        finally:
            timer.cancel()

    def _proxy(self, login_id: str, account_id: str, proxy: Secret | None) -> Secret | None:
        """The account's own way, where it is known whose login it will be."""
        if account_id:
            try:
                account = self._accounts.account(account_id)
            except WrongKey:  # its tokens are damaged: all the more does it want a login
                account = None
            if account is not None:
                return self._egress.proxy_for(account.credential, proxy or account.proxy)
        return self._egress.proxy_for(Credential(account_id or login_id, None), proxy)


def _found(login: Login | None) -> Login:
    if login is None:
        raise NotFound("There is no such login.")
    return login
