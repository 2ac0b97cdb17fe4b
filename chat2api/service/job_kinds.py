"""What jobs do to one account: each kind a function that tells how it went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from chat2api.lifetime.call import Call
from chat2api.service.renewal import CredentialDead, RenewalFailed
from chat2api.store.account_book import AccountBook

RENEW, CHECK = "renew", "check"
_GONE = "the account is not here any more"


@dataclass(frozen=True, slots=True)
class ItemDone:
    """How one thing of a job ended; `detail` in plain words, without secrets."""

    state: Literal["done", "failed", "skipped"]
    detail: str = ""


JobHandler = Callable[[str, Call], ItemDone]
"""Given the target of an item, and the call that its work may take. May raise Chat2ApiError."""


class Renewer(Protocol):
    """`service.renewal.Renewals` fulfils it."""

    def renewed(
        self, credential_id: str, seen_version: int, call: Call, *, forced: bool = False
    ) -> object: ...


def renewing(renewals: Renewer, book: AccountBook) -> JobHandler:
    """Exchange the refresh token of an account, however fresh its access token is."""

    def renew(account_id: str, call: Call) -> ItemDone:
        row, credential = book.find(account_id), book.credential_of(account_id)
        if row is None or credential is None:
            return ItemDone("skipped", _GONE)
        if not row.renewable and row.refused_at is None:
            return ItemDone("skipped", "it has no refresh token")
        try:
            renewals.renewed(*credential, call, forced=True)
        except CredentialDead as dead:
            return ItemDone("failed", dead.reason)
        except RenewalFailed as failure:
            return ItemDone("failed", failure.reason)
        return ItemDone("done")

    return renew
