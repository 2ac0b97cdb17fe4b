"""A usable access token for whoever is about to act: as stored, or renewed first."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from chat2api.errors import Blame, Unauthorized, UpstreamAuthFailed, UpstreamRenewalFailed
from chat2api.lifetime.call import Call
from chat2api.pool.refreshing import is_usable
from chat2api.pool.values import Account, Credential, Renewal, StoredCredential
from chat2api.secret import Secret
from chat2api.service.renewal import CredentialDead, RenewalFailed, Renewals
from chat2api.store.credentials import Credentials

log = logging.getLogger(__name__)

_NOT_AGAIN_SECONDS = 60.0
_MOST_REMEMBERED = 10_000


class FreshTokens:
    """Shared by all requests of a process."""

    def __init__(
        self, renewals: Renewals, credentials: Credentials, now: Callable[[], float]
    ) -> None:
        self._renewals = renewals
        self._credentials = credentials
        self._now = now
        # Credential -> the version that a refusal brought about, and until when it counts as new.
        self._lately: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, account: Account, call: Call) -> Account:
        """The account with an access token that has not ended.

        Raises UpstreamAuthFailed (it needs a login; the pool knows), UpstreamRenewalFailed.
        """
        renewal = account.renewal
        if renewal is None or self._is_good(renewal):
            return account
        return self._renewed(account, renewal, call, access_refused=False)

    def again(self, account: Account, call: Call) -> Account | None:
        """The account with another access token, after this one was refused; None when there is no way.

        A token that was just renewed for this reason is not renewed once more: it is not the token's
        age, then, and callers could have accounts renewed without end. Raises as `of` does.
        """
        renewal = account.renewal
        if renewal is None or not renewal.renewable or self._is_brand_new(renewal):
            return None
        fresh = self._renewed(account, renewal, call, access_refused=True)
        self._note_new(fresh.renewal)
        return fresh

    def _is_brand_new(self, renewal: Renewal) -> bool:
        with self._lock:
            version, until = self._lately.get(renewal.credential_id, (0, 0.0))
        return renewal.version >= version and self._now() < until

    def _note_new(self, renewal: Renewal | None) -> None:
        assert renewal is not None
        until = self._now() + _NOT_AGAIN_SECONDS
        with self._lock:
            self._lately[renewal.credential_id] = (renewal.version, until)
            self._lately.move_to_end(renewal.credential_id)
            if len(self._lately) > _MOST_REMEMBERED:
                self._lately.popitem(last=False)

    def of_bearer(self, token: Secret, workspace_id: str | None, call: Call) -> Account:
        """The access token behind a caller's own refresh token; exchanged once, then kept (decision 4).

        Workspaces share it, and are accounts of their own to the upstream. Raises Unauthorized,
        UpstreamRenewalFailed, StorageUnavailable.
        """
        stored = self._credentials.of_bearer(token)
        subject = f"{stored.credential_id}:{workspace_id}" if workspace_id else stored.credential_id
        credential = Credential(subject, stored.access_token, workspace_id)
        account = Account(subject, "", credential, renewal=_renewal_of(stored))
        try:
            return self.of(account, call)
        except UpstreamAuthFailed:
            raise Unauthorized("The upstream refused this refresh token.") from None

    def _is_good(self, renewal: Renewal) -> bool:
        return renewal.has_token and is_usable(renewal.expires_at, self._now())

    def _renewed(
        self, account: Account, renewal: Renewal, call: Call, *, access_refused: bool
    ) -> Account:
        # A credential without an access token is renewed at any version.
        seen = renewal.version if renewal.has_token else renewal.version - 1
        try:
            stored = self._renewals.renewed(
                renewal.credential_id, seen, call, access_refused=access_refused
            )
        except CredentialDead as dead:
            error = UpstreamAuthFailed(f"The account needs a new login: {dead.reason}.")
            error.blame = Blame.NONE  # the store was told, with the reason
            raise error from None
        except RenewalFailed as failure:
            later = UpstreamRenewalFailed(
                f"The account's token could not be renewed: {failure.reason}.",
                retry_after=failure.retry_after,
            )
            if access_refused:  # the store goes by the token's end, and does not know of this
                later.blame = Blame.TRANSIENT
            raise later from None
        credential = replace(account.credential, access_token=stored.access_token)
        return replace(account, credential=credential, renewal=_renewal_of(stored))


def _renewal_of(stored: StoredCredential) -> Renewal:
    return Renewal(
        stored.credential_id,
        stored.version,
        stored.refresh_token is not None,
        stored.expires_at,
        stored.access_token is not None,
    )
