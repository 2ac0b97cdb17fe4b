"""What the operator does to accounts, to one or to thousands: each way says how many and which failed.

Asking the upstream takes time: what is more than a handful becomes a job.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, Protocol

from chat2api.errors import Chat2ApiError
from chat2api.lifetime.call import Call
from chat2api.service.checks import AccountChecks, Notes, check_within
from chat2api.service.renewal import CredentialDead, RenewalFailed
from chat2api.store.account_book import AccountBook
from chat2api.store.account_edits import AccountEdits, How
from chat2api.store.account_events import EventKind
from chat2api.store.labels import Labels

AT_ONCE = 20
_PARALLEL = 4
_RENEWAL_SECONDS = 40.0
_EVENTS_AT_ONCE = 1_000

Change = Literal["pause", "resume", "lift", "remove", "restore", "forget"]
CHANGES: tuple[Change, ...] = ("pause", "resume", "lift", "remove", "restore", "forget")
_FITS: dict[Change, How] = {
    "pause": "running",
    "resume": "paused",
    "lift": "there",
    "remove": "there",
    "restore": "removed",
    "forget": "any",
}
_KINDS: dict[Change, EventKind] = {
    "pause": "paused",
    "resume": "resumed",
    "lift": "lifted",
    "remove": "removed",
    "restore": "restored",
}


class Renewer(Protocol):
    """`service.renewal.Renewals` fulfils it."""

    def renewed(
        self, credential_id: str, seen_version: int, call: Call, *, forced: bool = False
    ) -> object: ...


class Jobs(Protocol):
    """`store.jobs.JobBook` fulfils it."""

    def create(self, kind: str, actor: str, items: Sequence[tuple[str, str]]) -> str: ...


@dataclass(frozen=True, slots=True)
class Failed:
    """`reason` in plain words, without secrets."""

    account_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """How an action went: which it did something to, which failed, or the job that does it."""

    done: tuple[str, ...] = ()
    failed: tuple[Failed, ...] = ()
    job_id: str = ""


class AccountActions:
    """`actor` is whoever asked for it, as in the audit log. Methods raise StorageUnavailable."""

    def __init__(
        self,
        book: AccountBook,
        edits: AccountEdits,
        labels: Labels,
        checks: AccountChecks,
        renewals: Renewer,
        notes: Notes,
        jobs: Jobs,
    ) -> None:
        self._book = book
        self._edits = edits
        self._labels = labels
        self._changes: dict[Change, Callable[[Sequence[str]], int]] = {
            "pause": book.pause,
            "resume": book.resume,
            "lift": book.lift,
            "remove": book.remove,
            "restore": book.restore,
            "forget": book.forget,
        }
        self.checks = checks
        self._renewals = renewals
        self._notes = notes
        self._jobs = jobs

    def check(self, account_ids: Sequence[str], actor: str) -> Done:
        if len(account_ids) > AT_ONCE:
            return self._job("check", account_ids, actor)
        return _each(account_ids, lambda one: self._check(one, actor))

    def renew(self, account_ids: Sequence[str], actor: str) -> Done:
        """Exchange their refresh tokens, however fresh their access tokens are."""
        if len(account_ids) > AT_ONCE:
            return self._job("renew", account_ids, actor)
        return _each(account_ids, self._renew)

    def change(self, what: Change, account_ids: Sequence[str], actor: str) -> Done:
        """At once, for any number. Those that are so already are not among the done ones."""
        ids = self._edits.which(account_ids, _FITS[what])
        if ids:
            self._changes[what](ids)
            if what in _KINDS:
                self._note(ids, _KINDS[what], actor)
        return Done(tuple(ids))

    def _note(self, ids: Sequence[str], kind: EventKind, actor: str) -> None:
        for start in range(0, len(ids), _EVENTS_AT_ONCE):
            self._notes.note(ids[start : start + _EVENTS_AT_ONCE], kind, actor)

    # --- one

    def _check(self, account_id: str, actor: str) -> str:
        result = check_within(self.checks, account_id, actor)
        return "" if result.answered else result.reason or result.verdict

    def _renew(self, account_id: str) -> str:
        """Why it failed; empty when it worked. Whoever renews writes it into the account's history."""
        credential = self._book.credential_of(account_id)
        if credential is None:
            return "It is not here any more."
        try:
            call = Call(time.monotonic() + _RENEWAL_SECONDS)
            self._renewals.renewed(*credential, call, forced=True)
        except (CredentialDead, RenewalFailed) as failure:
            return failure.reason
        except Chat2ApiError as error:
            return error.message
        return ""

    # --- many

    def _job(self, kind: str, account_ids: Sequence[str], actor: str) -> Done:
        names = self._labels.of_accounts(account_ids)
        there = self._edits.which(account_ids, "there")
        items = [(one, names.get(one, one)) for one in there]
        return Done(job_id=self._jobs.create(kind, actor, items))


def _each(account_ids: Sequence[str], act: Callable[[str], str]) -> Done:
    """In the order given; `act` says why it failed; nothing when it worked."""
    ids = list(dict.fromkeys(account_ids))
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="accounts") as threads:
        reasons = list(threads.map(act, ids))
    failed = [Failed(one, why) for one, why in zip(ids, reasons, strict=True) if why]
    bad = {one.account_id for one in failed}
    return Done(tuple(one for one in ids if one not in bad), tuple(failed))
