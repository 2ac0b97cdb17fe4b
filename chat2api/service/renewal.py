"""Renewing access tokens: the one way, for requests, the schedule and the command line alike.

Claim, look again, exchange, store, in this order: refresh tokens are single-use, and a second exchange of
one, or a rotated one that is lost, costs the account.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, assert_never

from chat2api.errors import StorageUnavailable, UpstreamTimeout
from chat2api.lifetime.call import Call
from chat2api.pool.values import Credential, Grant, RenewalClaim, StoredCredential
from chat2api.providers.protocol import Io, Provider, RefreshFailed, RefreshRefused
from chat2api.secret import Secret
from chat2api.service.egress import Egress
from chat2api.store.account_events import EventKind
from chat2api.store.credentials import Busy, ClaimAnswer, Credentials, Dead, Renewed, Resting
from chat2api.store.escrow import Escrow
from chat2api.store.vault import WrongKey

log = logging.getLogger(__name__)

EXCHANGE_SECONDS = 20.0
_LONGEST_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_INTERRUPTED = "an earlier renewal was interrupted, and what it was given was lost"

Tell = Callable[[str, Mapping[str, Any]], None]
History = Callable[[str, EventKind, str], None]
"""What happened to an account by its id, and why."""


class CredentialDead(Exception):
    """There is nothing to renew with any more; `reason` in plain words, without any token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RenewalFailed(Exception):
    """Not now; `retry_after` in seconds. The refresh token is as good as before."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Unsaved:
    """An exchange that ended, and the credential as it is since."""

    claim: RenewalClaim
    grant: Grant
    stored: StoredCredential


class Renewals:
    """Made once per process. `tell` is given events that the operator should find in the audit log,
    `history` those that belong to an account's own."""

    def __init__(
        self,
        credentials: Credentials,
        escrow: Escrow,
        provider: Provider,
        egress: Egress,
        now: Callable[[], float],
        tell: Tell,
        history: History = lambda account_id, kind, reason: None,
    ) -> None:
        self._credentials = credentials
        self._escrow = escrow
        self._provider = provider
        self._egress = egress
        self._now = now
        self._tell = tell
        self._history = history
        self._lock = threading.Lock()
        # What the database could not take, for as long: newer than what is stored.
        self._unsaved: dict[str, _Unsaved] = {}
        self._under_way: set[str] = set()

    def take_over(self, earlier: Renewals) -> None:
        """Know what an earlier one could not store, when the settings changed meanwhile."""
        with self._lock:
            self._unsaved = earlier._unsaved
            self._under_way = earlier._under_way

    def renewed(
        self,
        credential_id: str,
        seen_version: int,
        call: Call,
        *,
        access_refused: bool = False,
        forced: bool = False,
    ) -> StoredCredential:
        """A credential newer than `seen_version`: renewed here, or by whoever is faster.

        `access_refused`: the upstream refused the access token, so without a new one the account is of no
        use. Raises CredentialDead, RenewalFailed, StorageUnavailable, or what `call` was cancelled with.
        """
        end = time.monotonic() + min(_LONGEST_WAIT_SECONDS, call.remaining())
        while True:
            kept = self._kept(credential_id, seen_version)
            if kept is not None:
                return kept
            answer = self._claim(credential_id, seen_version, forced=forced)
            match answer:
                case Renewed(stored):
                    return stored
                case RenewalClaim():
                    return self._exchange_alone(answer, access_refused=access_refused)
                case Dead(reason):
                    raise CredentialDead(reason)
                case Resting(_, until, reason):
                    raise RenewalFailed(reason, max(1.0, until - self._now()))
                case Busy():
                    if time.monotonic() >= end:
                        raise RenewalFailed("another process is still renewing it", 5.0)
                    call.pause(_LOOK_SECONDS)
                case _:
                    assert_never(answer)

    def _claim(self, credential_id: str, seen_version: int, *, forced: bool) -> ClaimAnswer:
        if credential_id in self._under_way:
            return Busy(self._now() + EXCHANGE_SECONDS)
        try:
            return self._credentials.claim(credential_id, seen_version, forced=forced)
        except StorageUnavailable:
            # While the database fails, what another thread here has got is all there is.
            if credential_id in self._under_way or self._remembered(credential_id, seen_version):
                return Busy(self._now() + EXCHANGE_SECONDS)
            raise
        except WrongKey:
            log.error("stored tokens cannot be opened", extra={"credential": credential_id})
            return Dead("its stored tokens are damaged")

    def _kept(self, credential_id: str, seen_version: int) -> StoredCredential | None:
        """What the database could not take: stored now if it can, and used in any case."""
        try:
            self.store_escrow(credential_id)
        except StorageUnavailable:
            if credential_id not in self._unsaved:
                raise
        return self._remembered(credential_id, seen_version)

    def _remembered(self, credential_id: str, seen_version: int) -> StoredCredential | None:
        unsaved = self._unsaved.get(credential_id)
        if unsaved is None or unsaved.stored.version <= seen_version:
            return None
        return unsaved.stored

    # --- one exchange

    def _exchange_alone(self, claim: RenewalClaim, *, access_refused: bool) -> StoredCredential:
        """Known to the other threads of this process, who wait for it without asking the database."""
        self._under_way.add(claim.stored.credential_id)
        try:
            return self._exchange(claim, access_refused=access_refused)
        finally:
            self._under_way.discard(claim.stored.credential_id)

    def _exchange(self, claim: RenewalClaim, *, access_refused: bool) -> StoredCredential:
        """Whoever holds a claim sees it through, also when its caller has left meanwhile."""
        if claim.after_crash:
            self._tell("renewal_interrupted", {"credential": claim.stored.credential_id})
        try:
            grant = self._ask(claim)
        except RefreshRefused as refusal:
            raise self._refused(claim, refusal, access_refused=access_refused) from None
        except RefreshFailed as failure:
            raise self._failed(claim, failure) from None
        except Exception:
            log.exception("an exchange ended unexpectedly")
            self._failed(claim, RefreshFailed("internal error", after_dispatch=True))
            raise
        stored = self._save(claim, grant)
        self._note(claim, "renewed")
        if grant.access_token is None:
            raise RenewalFailed("the token endpoint gave no access token")
        return stored

    def _ask(self, claim: RenewalClaim) -> Grant:
        """With the newest token known; after an interruption, as a last resort, with the one before it."""
        try:
            return self._send(claim.stored)
        except RefreshRefused as refusal:
            if not claim.after_crash:
                raise
            older = claim.stored.previous_refresh_token
            if older is not None:
                with suppress(RefreshRefused):
                    return self._send(replace(claim.stored, refresh_token=older))
            raise RefreshRefused(f"{refusal.reason}; {_INTERRUPTED}") from None

    def _send(self, stored: StoredCredential) -> Grant:
        """Ends within `EXCHANGE_SECONDS`, well before the claim does, however slowly the answer drips."""
        call = Call(time.monotonic() + EXCHANGE_SECONDS)
        io = Io(self._egress.transport, self._egress.compute, call, self._proxy(stored))
        late = UpstreamTimeout("The token endpoint took too long.")
        timer = threading.Timer(EXCHANGE_SECONDS, call.cancel, (late,))
        timer.daemon = True
        timer.start()
        try:
            return self._provider.refresh(stored, io)
        finally:
            timer.cancel()

    def _proxy(self, stored: StoredCredential) -> Secret | None:
        return self._egress.proxy_for(Credential(stored.subject, None), stored.proxy)

    def _save(self, claim: RenewalClaim, grant: Grant) -> StoredCredential:
        try:
            stored = self._credentials.save(claim, grant)
        except StorageUnavailable:
            return self._save_elsewhere(claim, grant)
        except Exception:  # whatever it was: nobody can ask for these tokens a second time
            log.exception("new tokens could not be stored")
            return self._save_elsewhere(claim, grant)
        with self._lock:
            self._unsaved.pop(stored.credential_id, None)
        return stored

    def _save_elsewhere(self, claim: RenewalClaim, grant: Grant) -> StoredCredential:
        """On the disk beside the database, and in memory, until the database takes it."""
        stored = self._remember(claim, grant)
        try:
            self._escrow.keep(claim, grant)
        except OSError as error:
            log.critical(
                "new tokens could be written nowhere and live in memory only",
                extra={"credential": stored.credential_id, "reason": error.strerror},
            )
        return stored

    def _remember(self, claim: RenewalClaim, grant: Grant) -> StoredCredential:
        old = claim.stored
        stored = replace(
            old,
            version=old.version + 1,
            access_token=grant.access_token or old.access_token,
            refresh_token=grant.refresh_token or old.refresh_token,
            expires_at=grant.expires_at if grant.access_token else old.expires_at,
        )
        with self._lock:
            self._unsaved[old.credential_id] = _Unsaved(claim, grant, stored)
        return stored

    def _refused(
        self, claim: RenewalClaim, refusal: RefreshRefused, *, access_refused: bool
    ) -> Exception:
        reason = f"the renewal was refused: {refusal.reason}"
        current = self._credentials.refuse(claim, reason, access_refused=access_refused)
        if not current:  # somebody handed in a newer token meanwhile
            return RenewalFailed("a newer token came in meanwhile; try again", 1.0)
        facts = {"account": claim.stored.subject, "reason": refusal.reason}
        log.warning("a refresh token was refused", extra=facts)
        self._tell("account_needs_login", facts)
        self._note(claim, "needs_login", reason)
        return CredentialDead(reason)

    def _note(self, claim: RenewalClaim, kind: EventKind, reason: str = "") -> None:
        """A credential of no account, as callers bring them, has no history."""
        if claim.stored.subject != claim.stored.credential_id:
            self._history(claim.stored.subject, kind, reason)

    def _failed(self, claim: RenewalClaim, failure: RefreshFailed) -> RenewalFailed:
        self._note(claim, "renewal_failed", failure.reason)
        try:
            until = self._credentials.postpone(claim, failure.reason, unsure=failure.after_dispatch)
        except StorageUnavailable:
            return RenewalFailed(failure.reason, 30.0)
        log.info(
            "a renewal failed for now",
            extra={"account": claim.stored.subject, "reason": failure.reason},
        )
        return RenewalFailed(failure.reason, max(1.0, until - self._now()))

    # --- what the database could not take

    def store_escrow(self, credential_id: str | None = None) -> int:
        """Bring kept tokens (of one credential, or all) into the database; returns how many.

        Raises StorageUnavailable.
        """
        waiting = {*self._escrow.waiting(), *self._unsaved}
        done = 0
        for one in sorted(waiting) if credential_id is None else waiting & {credential_id}:
            kept = self._found(one)
            if kept is not None:
                self._save_kept(*kept)
                done += 1
        return done

    def _found(self, credential_id: str) -> tuple[RenewalClaim, Grant] | None:
        unsaved = self._unsaved.get(credential_id)
        if unsaved is not None:
            return unsaved.claim, unsaved.grant
        try:
            stored = self._credentials.read(credential_id)
        except WrongKey:  # one that is damaged must not keep the others' tokens waiting
            log.error("stored tokens cannot be opened", extra={"credential": credential_id})
            return None
        return None if stored is None else self._escrow.find(stored)

    def _save_kept(self, claim: RenewalClaim, grant: Grant) -> None:
        try:
            self._credentials.save(claim, grant)
        except StorageUnavailable:
            self._remember(claim, grant)
            raise
        self._escrow.drop(claim.stored.credential_id)
        with self._lock:
            self._unsaved.pop(claim.stored.credential_id, None)
        self._tell("kept_tokens_stored", {"account": claim.stored.subject})
