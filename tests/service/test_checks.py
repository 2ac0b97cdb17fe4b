"""Checking accounts: what is asked, with which token, and what follows from the answer."""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from chat2api.errors import (
    ACCOUNT_CLOSED,
    Blame,
    ClientGone,
    UpstreamAuthFailed,
    UpstreamAuthUnclear,
    UpstreamConnectionError,
    UpstreamRateLimited,
)
from chat2api.lifetime.call import Call
from chat2api.pool.values import Account, NewAccount
from chat2api.providers.protocol import AccountCheck
from chat2api.secret import Secret
from chat2api.service.checks import AccountChecks, CheckResult, Paced, check_within, checking
from chat2api.service.egress import Egress
from chat2api.service.job_kinds import ItemDone
from chat2api.store.account_book import AccountBook
from chat2api.store.account_edits import AccountEdits
from chat2api.store.intake import Intake
from chat2api.store.opening import Store

PROXY = Secret("http://hk-1:1")


def token(name: str) -> Secret:
    claims = {"https://api.openai.com/profile": {"email": f"{name}@example.com"}, "sub": name}
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return Secret(f"eyJhbGciOiJSUzI1NiJ9.{middle}.c2ln")


class Upstream:
    """Answers with the next of `answers`, the last for ever; errors are raised."""

    name = "fake"

    def __init__(self) -> None:
        self.answers: list[AccountCheck | Exception] = [AccountCheck(plan="pro", limits={})]
        self.asked: list[tuple[Any, Any]] = []

    def check(self, credential: Any, io: Any) -> AccountCheck:
        self.asked.append((credential, io))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Tokens:
    """`other` is the token that a refusal brings about, if any."""

    def __init__(self) -> None:
        self.other: Secret | None = None
        self.refusal: Exception | None = None

    def of(self, account: Account, call: Call) -> Account:
        if self.refusal is not None:
            raise self.refusal
        return account

    def again(self, account: Account, call: Call) -> Account | None:
        if self.other is None:
            return None
        return replace(account, credential=replace(account.credential, access_token=self.other))


class Notes:
    def __init__(self) -> None:
        self.told: list[tuple[tuple[str, ...], str, str, Mapping[str, Any]]] = []

    def note(
        self, account_ids: Any, kind: Any, actor: str = "", detail: Any = None, request_id: str = ""
    ) -> None:
        self.told.append((tuple(account_ids), kind, actor, detail or {}))


class Desk:
    """Checks over a store with one account, `id`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.upstream, self.tokens, self.notes = Upstream(), Tokens(), Notes()
        new = NewAccount(access_token=token("ann"), proxy=PROXY)
        (self.id,) = [one.account_id for one in Intake(store).add([new], "test")]
        self.book = AccountBook(store)
        nothing: Any = None
        provider: Any = self.upstream
        self.checks = AccountChecks(
            provider,
            self.book,
            AccountEdits(store),
            Egress(nothing, nothing),
            self.tokens,
            self.notes,
            Paced(1_000.0),
        )

    def check(self) -> CheckResult:
        return self.checks.check(self.id, Call(math.inf), "bearer")

    @property
    def row(self) -> Any:
        return self.book.find(self.id)

    @property
    def events(self) -> list[str]:
        return [kind for _, kind, _, _ in self.notes.told]


@pytest.fixture
def desk(key_store: Store) -> Desk:
    return Desk(key_store)


def auth(**given: Any) -> UpstreamAuthFailed:
    return UpstreamAuthFailed("The upstream refused the account's credential.", **given)


def test_an_account_that_is_well(desk: Desk) -> None:
    assert desk.check() == CheckResult("ok")
    assert (desk.row.plan, desk.row.checked_at) == ("pro", desk.store.now())
    assert desk.notes.told == [((desk.id,), "checked", "bearer", {})]
    ((credential, io),) = desk.upstream.asked
    assert (credential.access_token, io.proxy) == (token("ann"), PROXY)


def test_a_cooldown_that_is_not_confirmed_ends(desk: Desk) -> None:
    desk.store.database.write(
        lambda c: c.exec_driver_sql("UPDATE accounts SET cooling_until = 9e9, limited = true")
    )
    assert desk.row.state == "limited"
    assert desk.check() == CheckResult("recovered")
    assert (desk.row.state, desk.events) == ("active", ["recovered"])


def test_a_refusal_counts_when_another_token_is_refused_too(desk: Desk) -> None:
    desk.tokens.other = token("ann-again")
    desk.upstream.answers = [auth(), AccountCheck(limits={})]
    assert desk.check().verdict == "ok"
    assert [one[0].access_token for one in desk.upstream.asked] == [token("ann"), desk.tokens.other]
    desk.upstream.answers = [auth()]
    assert desk.check().verdict == "refused"
    assert (desk.row.state, desk.row.reason) == ("needs_login", "upstream_account_auth_failed")
    assert desk.events == ["checked", "needs_login"]


@pytest.mark.parametrize("answer", [auth(code=ACCOUNT_CLOSED), AccountCheck(closed=True)])
def test_a_closed_account(desk: Desk, answer: Any) -> None:
    desk.upstream.answers = [answer]
    assert desk.check().verdict == "closed"
    assert (desk.row.state, desk.row.reason) == ("needs_login", ACCOUNT_CLOSED)


def test_a_renewal_that_was_refused_has_been_told_already(desk: Desk) -> None:
    refusal = auth()
    refusal.blame = Blame.NONE
    desk.tokens.refusal = refusal
    assert desk.check().verdict == "refused"
    assert (desk.row.state, desk.row.reason, desk.upstream.asked) == ("active", "", [])


@pytest.mark.parametrize(
    "error",
    [
        UpstreamConnectionError("No way there."),
        UpstreamRateLimited("Slowly."),
        UpstreamAuthUnclear("Odd."),
    ],
)
def test_what_says_nothing_about_the_account_changes_nothing(desk: Desk, error: Any) -> None:
    desk.upstream.answers = [error]
    assert desk.check() == CheckResult("failed", error.message)
    assert (desk.row.state, desk.row.checked_at, desk.events) == ("active", None, ["check_failed"])


def test_nobody_and_damaged_tokens(desk: Desk) -> None:
    assert desk.checks.check("nobody", Call(math.inf)).verdict == "gone"
    desk.store.database.write(
        lambda c: c.exec_driver_sql("UPDATE credentials SET access_token = 'damaged'")
    )
    assert desk.check().verdict == "failed"
    assert desk.notes.told == []


def test_who_has_left_is_not_answered(desk: Desk) -> None:
    call = Call(math.inf)
    call.cancel(ClientGone("Gone."))
    desk.upstream.answers = [UpstreamConnectionError("No way there.")]
    with pytest.raises(ClientGone):
        desk.checks.check(desk.id, call)


def test_a_check_ends_in_time(desk: Desk) -> None:
    def drip(credential: Any, io: Any) -> AccountCheck:
        io.call.pause(5)
        raise AssertionError("it waited to its end")

    desk.upstream.check = drip  # type: ignore[method-assign]
    began = time.monotonic()
    result = check_within(desk.checks, desk.id, "bearer", 0.05)
    assert (result.verdict, time.monotonic() - began < 3) == ("failed", True)


def test_a_failure_of_ours_is_a_result(desk: Desk) -> None:
    desk.upstream.answers = [ValueError("planted")]
    result = check_within(desk.checks, desk.id, "bearer")
    assert (result.verdict, "planted" in result.reason) == ("failed", False)


def test_for_jobs(desk: Desk) -> None:
    handler: Callable[..., ItemDone] = checking(desk.checks)
    assert handler(desk.id, Call(math.inf)) == ItemDone("done")
    assert handler("nobody", Call(math.inf)).state == "skipped"
    desk.upstream.answers = [auth()]
    assert handler(desk.id, Call(math.inf)).state == "failed"


def test_the_pace() -> None:
    class Paused(Call):
        pauses: list[float] = []  # noqa: RUF012

        def pause(self, seconds: float) -> None:
            self.pauses.append(round(seconds, 3))

    pace, call = Paced(4.0, clock=lambda: 100.0), Paused(math.inf)
    for _ in range(3):
        pace.wait(call)
    assert call.pauses == [0.25, 0.5]
