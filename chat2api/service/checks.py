"""Checking an account: asking the upstream how it is, and believing the answer.

As a turn does, with a token that is good or is renewed first, on the account's own way out; a refusal counts
only when another token is refused, too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from chat2api.errors import (
    ACCOUNT_CLOSED,
    Blame,
    Chat2ApiError,
    InternalError,
    UpstreamAuthFailed,
    UpstreamTimeout,
)
from chat2api.lifetime.call import Call
from chat2api.pool.values import Account
from chat2api.providers.protocol import AccountCheck, Io, Provider
from chat2api.service.egress import Egress
from chat2api.service.job_kinds import ItemDone, JobHandler
from chat2api.store.account_book import AccountBook
from chat2api.store.account_edits import AccountEdits, Answer
from chat2api.store.account_events import EventKind
from chat2api.store.vault import WrongKey

log = logging.getLogger(__name__)

CHECK_SECONDS = 30.0

Verdict = Literal["ok", "recovered", "refused", "closed", "failed", "gone"]


class Tokens(Protocol):
    """`service.fresh.FreshTokens` fulfils it."""

    def of(self, account: Account, call: Call) -> Account: ...

    def again(self, account: Account, call: Call) -> Account | None: ...


class Notes(Protocol):
    """`store.account_events.AccountEvents` fulfils it; never fails."""

    def note(
        self,
        account_ids: Iterable[str],
        kind: EventKind,
        actor: str = "",
        detail: Mapping[str, Any] | None = None,
        request_id: str = "",
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`recovered`: it stood aside, and may serve again. `failed` says nothing about the account; `reason`
    in plain words."""

    verdict: Verdict
    reason: str = ""

    @property
    def answered(self) -> bool:
        return self.verdict in ("ok", "recovered")


class Paced:
    """Lets calls begin one after the other, `per_second` at most: many at once look like a machine."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = 1.0 / per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._next_at = 0.0

    def wait(self, call: Call) -> None:
        """Raises what the call was cancelled with."""
        with self._lock:
            now = self._clock()
            turn = max(self._next_at, now)
            self._next_at = turn + self._gap
        if turn > now:
            call.pause(turn - now)


class AccountChecks:
    """Shared by pages and jobs of a process."""

    def __init__(
        self,
        provider: Provider,
        book: AccountBook,
        edits: AccountEdits,
        egress: Egress,
        tokens: Tokens,
        notes: Notes,
        pace: Paced,
    ) -> None:
        self._provider = provider
        self._book = book
        self._edits = edits
        self._egress = egress
        self._tokens = tokens
        self._notes = notes
        self._pace = pace

    def check(self, account_id: str, call: Call, actor: str = "") -> CheckResult:
        """Ask, and write down what follows. Raises StorageUnavailable, or what `call` was cancelled with."""
        try:
            account = self._book.account(account_id)
        except WrongKey:
            return CheckResult("failed", "Its stored token cannot be opened.")
        if account is None:
            return CheckResult("gone", "It is not here any more.")
        self._pace.wait(call)
        result = self._judged(account, call)
        self._tell(account_id, result, actor)
        return result

    def _judged(self, account: Account, call: Call) -> CheckResult:
        try:
            found = self._asked(account, call)
        except UpstreamAuthFailed as error:
            return self._refused(account.account_id, error)
        except Chat2ApiError as error:
            call.check()
            return CheckResult("failed", error.message)
        if found.closed:
            self._edits.refused(account.account_id, ACCOUNT_CLOSED)
            return CheckResult("closed", "The upstream has closed this account.")
        answer = Answer(found.quota, found.email, found.plan, found.limits)
        better = self._edits.answered(account.account_id, answer)
        return CheckResult("recovered" if better else "ok")

    def _asked(self, account: Account, call: Call) -> AccountCheck:
        fresh = self._tokens.of(account, call)
        try:
            return self._ask(fresh, call)
        except UpstreamAuthFailed:
            other = self._tokens.again(fresh, call)
            if other is None:
                raise
            return self._ask(other, call)

    def _ask(self, account: Account, call: Call) -> AccountCheck:
        proxy = self._egress.proxy_for(account.credential, account.proxy)
        io = Io(self._egress.transport, self._egress.compute, call, proxy)
        return self._provider.check(account.credential, io)

    def _refused(self, account_id: str, error: UpstreamAuthFailed) -> CheckResult:
        if error.blame is Blame.NEEDS_LOGIN:
            self._edits.refused(account_id, error.code or "")
        elif error.blame is not Blame.NONE:  # it may come from something on the way
            return CheckResult("failed", error.message)
        return CheckResult("closed" if error.code == ACCOUNT_CLOSED else "refused", error.message)

    def _tell(self, account_id: str, result: CheckResult, actor: str) -> None:
        kinds: dict[Verdict, EventKind] = {
            "ok": "checked",
            "recovered": "recovered",
            "refused": "needs_login",
            "closed": "needs_login",
        }
        detail = {"reason": result.reason} if result.reason else {}
        self._notes.note([account_id], kinds.get(result.verdict, "check_failed"), actor, detail)


def checking(checks: AccountChecks) -> JobHandler:
    """For jobs: one account each."""

    def check(account_id: str, call: Call) -> ItemDone:
        result = checks.check(account_id, call)
        if result.verdict == "gone":
            return ItemDone("skipped", result.reason)
        return ItemDone("done" if result.answered else "failed", result.reason)

    return check


def check_within(
    checks: AccountChecks, account_id: str, actor: str, seconds: float = CHECK_SECONDS
) -> CheckResult:
    """One check that ends in time, whatever happens; a failure of ours is a result, too."""
    call = Call(time.monotonic() + seconds)
    late = UpstreamTimeout("The upstream took too long.")
    timer = threading.Timer(seconds, call.cancel, (late,))
    timer.daemon = True
    timer.start()
    try:
        return checks.check(account_id, call, actor)
    except Chat2ApiError as error:
        return CheckResult("failed", error.message)
    except Exception:  # the boundary of one check: the others are made all the same
        log.exception("a check failed unexpectedly")
        return CheckResult("failed", InternalError("Something went wrong here.").message)
    finally:
        timer.cancel()
