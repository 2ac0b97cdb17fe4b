"""A stage for turns: a provider that plays what it is told to, and a pool that keeps books."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chat2api.chat.conversation import Conversation, Message, Text
from chat2api.chat.events import Event, EventStream
from chat2api.errors import PoolError
from chat2api.lifetime.call import Call
from chat2api.pool.values import Account, Credential, Lease, Need, Outcome
from chat2api.providers.protocol import Capabilities, Io, Model
from chat2api.secret import Secret
from chat2api.service.access import PoolKey, Principal
from chat2api.service.completion import Completions, TurnLimits
from chat2api.service.conversations import ThreadBook
from chat2api.service.egress import Egress
from chat2api.service.usage import UsageCounter

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
        self.pool = FakePool()
        self.compute = FakeCompute()
        self.pool.at_release = self._nothing_runs
        self.threads = ThreadBook()
        self.call = Call(math.inf)
        self.pauses: list[float] = []
        self.proxies: tuple[Secret, ...] = ()
        self.limits = TurnLimits(
            retry_times=3,
            history_disabled=True,
            request_seconds=900.0,
            slow_request_seconds=3600.0,
            allow_anonymous=False,
        )

    def _nothing_runs(self) -> None:
        """Else the next turn of the account could begin while this one still runs."""
        assert self.provider.open == 0

    def egress(self) -> Egress:
        nothing: Any = None
        return Egress(nothing, self.compute, self.proxies)

    def completions(self) -> Completions:
        return Completions(
            self.provider,
            self.pool,
            self.egress(),
            UsageCounter(self.compute),
            self.threads,
            self.limits,
        )

    def begin(
        self,
        conversation: Conversation,
        principal: Principal | None = None,
        *,
        count_usage: bool = False,
    ) -> EventStream:
        caller = principal or PoolKey("key-id")
        return self.completions().events(conversation, caller, self.call, count_usage=count_usage)

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
