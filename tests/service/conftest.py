"""A stage for turns: a provider that plays what it is told to, and a pool that keeps books."""

from __future__ import annotations

import base64
import itertools
import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chat2api.chat.conversation import Conversation, Message, Text
from chat2api.chat.events import Event, EventStream
from chat2api.errors import PoolError
from chat2api.lifetime.call import Call
from chat2api.pool.values import (
    Account,
    Credential,
    Grant,
    Lease,
    Need,
    NewAccount,
    Outcome,
    StoredCredential,
)
from chat2api.providers.protocol import Capabilities, Io, Model, RefreshRefused
from chat2api.secret import Secret
from chat2api.service.access import PoolKey, Principal
from chat2api.service.completion import Completions, TurnLimits
from chat2api.service.egress import Egress
from chat2api.service.emulation import Emulator
from chat2api.service.json_checks import JsonChecks
from chat2api.service.pool_backend import PoolBackend
from chat2api.service.renewal import Renewals
from chat2api.service.routing import Router
from chat2api.service.seating import Seating
from chat2api.service.usage import UsageCounter
from chat2api.store.account_book import AccountBook
from chat2api.store.credentials import Credentials
from chat2api.store.escrow import Escrow
from chat2api.store.intake import Intake
from chat2api.store.memory_pool import PoolLimits
from chat2api.store.opening import Store
from chat2api.store.picking import PickOptions
from chat2api.store.sql_pool import SqlPool
from chat2api.store.workers import Workers

START = 1_750_000_000.0

Step = Event | Exception | Callable[[], object]


class FakeProvider:
    """`scripts` holds one list a turn: events to yield, errors to raise, things to do on the way."""

    name = "fake"
    capabilities = Capabilities(anonymous=True)

    def __init__(self) -> None:
        self.scripts: list[list[Step]] = []
        self.turns: list[tuple[Conversation, Credential, Io]] = []
        self.open = 0
        self.slow = False
        self.listed: list[Model] | Exception = []
        self.asked: list[tuple[Credential, Io]] = []
        self.key: str | None = None

    def limit_key(self, conversation: Conversation) -> str:
        return self.key or conversation.model

    def refresh(self, stored: StoredCredential, io: Io) -> Grant:
        raise AssertionError("nobody asked for this")

    def is_slow(self, conversation: Conversation) -> bool:
        return self.slow

    def models(self, credential: Credential, io: Io) -> list[Model]:
        self.asked.append((credential, io))
        if isinstance(self.listed, Exception):
            raise self.listed
        return self.listed

    def stream(self, conversation: Conversation, credential: Credential, io: Io) -> EventStream:
        script = self.scripts[min(len(self.turns), len(self.scripts) - 1)]
        self.turns.append((conversation, credential, io))
        self.open += 1
        try:
            for step in script:
                if isinstance(step, Exception):
                    raise step
                if callable(step):
                    step()
                else:
                    yield step
        finally:
            self.open -= 1


class FakePool:
    """Leases `accounts` in order, then raises `when_empty`. `books` tells what happened to each."""

    def __init__(self) -> None:
        self.accounts = [fake_account(name) for name in "abcdefgh"]
        self.when_empty: PoolError | None = None
        self.when_asked: PoolError | None = None
        self.needs: list[Need] = []
        self.books: list[tuple[str, ...]] = []
        self.held = 0
        self.at_release: Callable[[], None] = lambda: None
        self.outcomes: list[Outcome] = []
        self._numbers = itertools.count()

    @contextmanager
    def lease(self, need: Need, call: Call) -> Iterator[Lease]:
        call.check()
        self.needs.append(need)
        account = self._chosen(need)
        self.held += 1
        self.books.append(("lease", account.account_id))
        try:
            yield Lease(f"lease-{next(self._numbers)}", account)
        finally:
            self.at_release()
            self.held -= 1
            self.books.append(("release", account.account_id))

    def _chosen(self, need: Need) -> Account:
        for account in self.accounts:
            if account.account_id not in need.excluded and need.only in (None, account.account_id):
                return account
        assert self.when_empty is not None
        raise self.when_empty

    def report(self, lease: Lease, outcome: Outcome) -> None:
        assert self.held
        blame = outcome.blame.value if outcome.blame else "success"
        self.books.append((blame, lease.account.account_id))
        self.outcomes.append(outcome)

    def glance(self, need: Need) -> Account | None:
        self.needs.append(need)
        return next(iter(self.accounts), None)

    def refusal(self, need: Need) -> PoolError | None:
        return self.when_asked

    def is_empty(self) -> bool:
        return not self.accounts


def fake_account(name: str) -> Account:
    return Account(name, "fake", Credential(f"subject-{name}", Secret(f"fk-{name}")))


class FakeTokens:
    """Tokens that never end; `renewed` holds what `again` gives or raises for each account, else nothing.

    `before` is raised instead of giving an account its token, by account id.
    """

    def __init__(self) -> None:
        self.before: dict[str, Exception] = {}
        self.renewed: dict[str, Account | Exception] = {}
        self.brought: Account | Exception | None = None
        self.asked: list[tuple[str, str]] = []

    def of(self, account: Account, call: Call) -> Account:
        self.asked.append(("of", account.account_id))
        if account.account_id in self.before:
            raise self.before[account.account_id]
        return account

    def again(self, account: Account, call: Call) -> Account | None:
        self.asked.append(("again", account.account_id))
        return self._given(self.renewed.get(account.account_id))

    def of_bearer(self, token: Secret, workspace_id: str | None, call: Call) -> Account:
        self.asked.append(("bearer", token.reveal()))
        given = self._given(self.brought)
        assert given is not None
        return given

    @staticmethod
    def _given(answer: Account | Exception | None) -> Account | None:
        if isinstance(answer, Exception):
            raise answer
        return answer


class Homes(dict[str, str]):
    """Which account holds a conversation."""

    def note(self, conversation_id: str, account_id: str) -> None:
        self[conversation_id] = account_id

    def account_of(self, conversation_id: str) -> str | None:
        return self.get(conversation_id)


class FakeCompute:
    """Answers `run` with `answer`, or raises it."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.ran: list[tuple[Any, ...]] = []

    def run(self, task: str, *args: Any, call: Call, timeout_seconds: float) -> Any:
        self.ran.append((task, *args))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Stage:
    """Everything a turn meets, and the turn itself."""

    def __init__(self) -> None:
        self.provider = FakeProvider()
        self.pool: Any = FakePool()
        self.compute = FakeCompute()
        self.pool.at_release = self._nothing_runs
        self.tokens: Any = FakeTokens()
        self.homes = Homes()
        self.allow_anonymous = False
        self.direct_concurrency = 0
        self.call = Call(math.inf)
        self.pauses: list[float] = []
        self.proxies: tuple[Secret, ...] = ()
        self.retry_times = 3
        self.limits = TurnLimits(
            history_disabled=True,
            request_seconds=900.0,
            slow_request_seconds=3600.0,
        )

    def _nothing_runs(self) -> None:
        """Else the next turn of the account could begin while this one still runs."""
        assert self.provider.open == 0

    def egress(self) -> Egress:
        nothing: Any = None
        return Egress(nothing, self.compute, self.proxies)

    def completions(self, census: Any = lambda need: None) -> Completions:
        usage = UsageCounter(self.compute)
        pool = PoolBackend(
            self.provider, self.pool, self.egress(), usage, self.seating(), self.retry_times, census
        )
        return Completions(
            Router(pool), Emulator(JsonChecks(self.compute), usage), usage, self.limits
        )

    def seating(self) -> Seating:
        return Seating(
            self.pool,
            self.egress(),
            self.tokens,
            self.homes,
            allow_anonymous=self.allow_anonymous,
            direct_concurrency=self.direct_concurrency,
        )

    def begin(
        self,
        conversation: Conversation,
        principal: Principal | None = None,
        *,
        count_usage: bool = False,
    ) -> EventStream:
        caller = principal or PoolKey("key-id")
        completions = self.completions()
        plan = completions.plan(conversation, caller, self.call)
        return completions.events(plan, caller, self.call, count_usage=count_usage)

    def turn(self, *args: Any, **more: Any) -> list[Event]:
        return list(self.begin(*args, **more))


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Pauses between attempts take no time; `stage.pauses` notes them."""
    made = Stage()

    def pause(call: Call, seconds: float) -> None:
        made.pauses.append(seconds)
        call.check()

    monkeypatch.setattr(Call, "pause", pause)
    return made


@pytest.fixture
def hello() -> Conversation:
    return Conversation("auto", (Message("user", (Text("Say hello"),)),))


# --- a store with accounts


def make_jwt(person: str = "one", expires_at: float = START + 86_400.0, **more: Any) -> str:
    """An access token of a person; `more` makes it another one."""
    auth = {"chatgpt_user_id": f"user-{person}", "chatgpt_plan_type": "plus"}
    claims = {"exp": expires_at, "https://api.openai.com/auth": auth, **more}
    return f"eyJhbGciOiJSUzI1NiJ9.{_part(claims)}.signature"


def _part(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


class TokenServer:
    """A provider whose refresh tokens are good once: the next of R is R with a number one higher.

    `answers` holds what is raised or given instead, in order; `meanwhile` runs in each exchange.
    """

    name = "chatgpt"
    capabilities = Capabilities()

    def __init__(self) -> None:
        self.presented: list[str] = []
        self.answers: list[Grant | Exception] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.ios: list[Io] = []
        self._lock = threading.Lock()

    def refresh(self, stored: StoredCredential, io: Io) -> Grant:
        assert stored.refresh_token is not None
        token = stored.refresh_token.reveal()
        with self._lock:
            is_spent = token in self.presented
            self.presented.append(token)
            self.ios.append(io)
            answer = self.answers.pop(0) if self.answers else None
            number = len(self.presented)
        self.meanwhile()
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        if is_spent:
            raise RefreshRefused("refresh_token_reused")
        return grant(number)


def grant(number: int, person: str = "one") -> Grant:
    """What the exchange with this number gives."""
    access = make_jwt(person, jti=number)
    return Grant(Secret(access), Secret(f"rt_{number:0>24}"), None, START + 86_400.0)


class Depot:
    """A store with accounts, and what renews them."""

    jwt = staticmethod(make_jwt)
    grant = staticmethod(grant)

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock: Any = store.clock
        self.provider = TokenServer()
        self.credentials = Credentials(store, "worker-of-the-suite")
        self.escrow = Escrow(store)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.history: list[tuple[str, str, str]] = []
        self.proxies: tuple[Secret, ...] = ()
        self.call = Call(math.inf)

    def renewals(self) -> Renewals:
        """Anew each time: as another process has them."""
        nothing: Any = None
        provider: Any = self.provider
        return Renewals(
            self.credentials,
            self.escrow,
            provider,
            Egress(nothing, nothing, self.proxies),
            self.store.now,
            lambda action, facts: self.told.append((action, dict(facts))),
            lambda *what: self.history.append(what),
        )

    def add(self, **fields: Any) -> str:
        """An account with a token that has ended, unless told otherwise; returns its id."""
        given = {
            "access_token": Secret(make_jwt(expires_at=START - 10.0)),
            "refresh_token": Secret("rt_first0000000000000000"),
            **fields,
        }
        (added,) = Intake(self.store).add([NewAccount(**given)], "test")
        return added.account_id

    def credential_of(self, account_id: str) -> str:
        found = AccountBook(self.store).credential_of(account_id)
        assert found is not None
        return found[0]

    def stored(self, account_id: str) -> StoredCredential:
        found = self.credentials.read(self.credential_of(account_id))
        assert found is not None
        return found

    def state(self, account_id: str) -> tuple[str, str]:
        """What people are shown: state and reason."""
        row = AccountBook(self.store).find(account_id)
        assert row is not None
        return row.state, row.reason

    def pool(self) -> SqlPool:
        workers = Workers(self.store)
        workers.renew()
        return SqlPool(self.store, workers, PickOptions(), PoolLimits(queue_seconds=0.1))


@pytest.fixture
def depot(key_store: Store) -> Depot:
    return Depot(key_store)
