"""Real connections, clocks that stand still, calls, and a whole site around a provider that plays a script."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from typing import Any

import pytest
from flask import Flask
from flask.globals import _cv_app, _cv_request
from flask.testing import FlaskClient

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import Event, EventStream, Finish, TextDelta
from chat2api.factory.accounts import make_actions
from chat2api.factory.desk import DeskBase, make_desk
from chat2api.factory.logins import make_logins
from chat2api.lifetime.budget import ByteBudget
from chat2api.lifetime.call import Call
from chat2api.pool.values import Account, Credential, Lease, Need, Outcome
from chat2api.providers.protocol import AccountCheck, Capabilities, Io, Model
from chat2api.runtime import Lifecycle, Runtime
from chat2api.secret import Secret
from chat2api.service.access import Access
from chat2api.service.admin_access import AdminAccess, Administration
from chat2api.service.completion import Completions, TurnLimits
from chat2api.service.config_desk import ConfigDesk
from chat2api.service.egress import Egress
from chat2api.service.emulation import Emulator
from chat2api.service.entries import Entries
from chat2api.service.guesses import KeyGuesses
from chat2api.service.json_checks import JsonChecks
from chat2api.service.key_cache import KeyCache
from chat2api.service.key_limits import KeyLimits, day_in
from chat2api.service.model_names import CLAUDE_MODELS, ModelNames
from chat2api.service.models import ModelCatalog
from chat2api.service.passage import Passage
from chat2api.service.pool_backend import PoolBackend
from chat2api.service.routing import Router
from chat2api.service.seating import Seating
from chat2api.service.threads import Threads
from chat2api.service.usage import UsageCounter
from chat2api.settings.model import Settings
from chat2api.store.account_book import AccountBook
from chat2api.store.api_keys import ApiKeys
from chat2api.store.attempts import Attempts
from chat2api.store.audit import Audit
from chat2api.store.intake import Intake
from chat2api.store.key_usage import KeyUsage
from chat2api.store.opening import Store
from chat2api.store.responses import StoredResponses
from chat2api.store.sessions import Sessions
from chat2api.web.routes import register_routes
from chat2api.web.state import attach_runtime

KEY = "sk-key-of-the-suite"
PASSWORD = "the admin password of the suite"

Pair = tuple[socket.socket, socket.socket]


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def call() -> Call:
    return Call(math.inf)


@pytest.fixture
def connected() -> Iterator[Pair]:
    """A TCP connection over loopback: the server's end, and the caller's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname(), timeout=3)
        ours, _ = listener.accept()
    ours.settimeout(3)
    with ours, theirs:
        yield ours, theirs


# --- a whole site without sockets

Step = Event | Exception | Callable[[], object]


class FakeProvider:
    """Each turn plays the next of `scripts`, the last for ever: events, errors, things to do."""

    name = "fake"
    capabilities = Capabilities(anonymous=True)

    def __init__(self) -> None:
        self.scripts: list[list[Step]] = [[TextDelta("Hel"), TextDelta("lo!"), Finish("stop")]]
        self.turns: list[tuple[Conversation, Credential, Call]] = []
        self.running = 0
        self.slow = False
        self.checked: list[Credential] = []
        self.answer: AccountCheck | Exception = AccountCheck(limits={})
        self._lock = threading.Lock()

    def is_slow(self, conversation: Conversation) -> bool:
        return self.slow

    def limit_key(self, conversation: Conversation) -> str:
        return conversation.model

    def models(self, credential: Credential, io: Io) -> list[Model]:
        return [Model("gpt-5-5", created=7)]

    def check(self, credential: Credential, io: Io) -> AccountCheck:
        self.checked.append(credential)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def stream(self, conversation: Conversation, credential: Credential, io: Io) -> EventStream:
        with self._lock:
            script = self.scripts[min(len(self.turns), len(self.scripts) - 1)]
            self.turns.append((conversation, credential, io.call))
            self.running += 1
        try:
            for step in script:
                if isinstance(step, Exception):
                    raise step
                if callable(step):
                    step()
                    io.call.check()
                else:
                    yield step
        finally:
            with self._lock:
                self.running -= 1


class FakePool:
    """One account that is always free."""

    def __init__(self) -> None:
        self.account = Account("a", "fake", Credential("subject-a", Secret("fk-token-of-a")))
        self.outcomes: list[Outcome] = []

    @contextmanager
    def lease(self, need: Need, call: Call) -> Iterator[Lease]:
        yield Lease("lease", self.account)

    def report(self, lease: Lease, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def glance(self, need: Need) -> Account:
        return self.account

    def refusal(self, need: Need) -> None:
        return None

    def is_empty(self) -> bool:
        return False


class FakeTokens:
    """Tokens that never end."""

    def of(self, account: Account, call: Call) -> Account:
        return account

    def again(self, account: Account, call: Call) -> None:
        return None


class FakeRenewer:
    """Renews whatever it is asked to; `refusal` is raised instead."""

    def __init__(self) -> None:
        self.renewed_ones: list[str] = []
        self.refusal: Exception | None = None

    def renewed(
        self, credential_id: str, seen_version: int, call: Call, *, forced: bool = False
    ) -> None:
        self.renewed_ones.append(credential_id)
        if self.refusal is not None:
            raise self.refusal


class Homes(dict[str, str]):
    """Which account holds a conversation."""

    def note(self, conversation_id: str, account_id: str) -> None:
        self[conversation_id] = account_id

    def account_of(self, conversation_id: str) -> str | None:
        return self.get(conversation_id)


class StillWatchdog:
    """Looks only when it is told to."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def add(self, entry: Any) -> None:
        self.entries.append(entry)

    def remove(self, entry: Any) -> None:
        with suppress(ValueError):
            self.entries.remove(entry)

    def tick(self, now: float = math.inf) -> None:
        for entry in list(self.entries):
            entry.tick(now)


@cache
def shared_app(
    api_prefix: str | None, trusted_proxies: tuple[str, ...], cors_origins: tuple[str, ...]
) -> Flask:
    app = Flask("chat2api", static_folder=None)
    given: dict[str, Any] = {"trusted_proxies": trusted_proxies, "cors_origins": cors_origins}
    register_routes(app, Settings(api_prefix=api_prefix, **given))
    return app


class Site:
    """The application over fakes, with a store. `given` are settings; both count until the first request."""

    def __init__(self, store: Store) -> None:
        self.given: dict[str, Any] = {"retry_times": 0, "admin_password": Secret(PASSWORD)}
        self.store = store
        self.keys = ApiKeys(store)
        self.provider = FakeProvider()
        self.pool = FakePool()
        self.renewer = FakeRenewer()
        self.watchdog = StillWatchdog()
        self.lifecycle = Lifecycle(25.0)
        self.responses: list[Any] = []
        self.source: Any = None
        self.degraded = False
        self.entries = Entries()

    @cached_property
    def runtime(self) -> Runtime:
        settings = Settings(**self.given)
        nothing: Any = None
        watchdog: Any = self.watchdog
        egress = Egress(nothing, nothing)
        limits = TurnLimits(
            history_disabled=settings.history_disabled,
            request_seconds=settings.request_seconds,
            slow_request_seconds=settings.slow_request_seconds,
        )
        tokens: Any = FakeTokens()
        seating = Seating(
            self.pool,
            egress,
            tokens,
            Homes(),
            allow_anonymous=settings.allow_anonymous,
            direct_concurrency=settings.direct_concurrency,
        )
        usage = UsageCounter(nothing)
        pool = PoolBackend(self.provider, self.pool, egress, usage, seating, settings.retry_times)
        names = ModelNames({**CLAUDE_MODELS, **settings.claude_models})
        router = Router(pool, names, self.entries)
        return Runtime(
            settings=settings,
            lifecycle=self.lifecycle,
            watchdog=watchdog,
            bodies=ByteBudget(settings.bodies_limit_bytes),
            access=self._access(settings),
            limits=KeyLimits(KeyUsage(self.store), day_in("UTC")),
            administration=self._administration(settings),
            completions=Completions(router, Emulator(JsonChecks(nothing), usage), usage, limits),
            passage=Passage(router),
            threads=Threads(self.stored, self.store.vault, settings.responses_kept_days),
            catalog=ModelCatalog(self.provider, self.pool, egress, tokens, fallback=("gpt-4o",)),
            book=AccountBook(self.store),
            intake=Intake(self.store),
            config=ConfigDesk(self.source, lambda: None),
            desk=make_desk(
                self.desk_base,
                make_logins(self.store, "worker", egress, settings, Intake(self.store)),
                make_actions(self.desk_base, self.provider, egress, tokens, self.renewer),
            ),
            guesses=KeyGuesses(),
            degraded=lambda: self.degraded,
            close=lambda: None,
        )

    @cached_property
    def stored(self) -> StoredResponses:
        return StoredResponses(self.store)

    @cached_property
    def desk_base(self) -> DeskBase:
        return DeskBase(self.store, "worker")

    @cached_property
    def _cache(self) -> KeyCache:
        return KeyCache(self.keys, 300.0, self.store.now)

    def _access(self, settings: Settings) -> Access:
        return Access(
            hash_key=self.store.vault.hash,
            configured=[Secret(KEY)],
            direct_tokens=settings.direct_tokens,
            prefixes=settings.access_token_prefix,
            allow_anonymous=settings.allow_anonymous,
            now=self.store.now,
            stored=self._cache,
            uses=self.keys,
        )

    def _administration(self, settings: Settings) -> Administration:
        access = AdminAccess(
            hash_key=self.store.vault.hash,
            password=settings.admin_password,
            configured=settings.authorization,
            now=self.store.now,
            stored=self._cache,
            first=self.keys,
        )
        return Administration(access, Sessions(self.store), Attempts(self.store), Audit(self.store))

    @cached_property
    def app(self) -> Flask:
        """Shared by all tests whose settings ask for the same routes: making one is dear."""
        settings = self.runtime.settings
        app = shared_app(settings.api_prefix, settings.trusted_proxies, settings.cors_origins)
        attach_runtime(app, self.runtime)
        return app

    def own_app(self) -> Flask:
        """One that a test may add routes to, from here on."""
        app = Flask("chat2api", static_folder=None)
        register_routes(app, self.runtime.settings)
        attach_runtime(app, self.runtime)
        self.__dict__["app"] = app
        return app

    @cached_property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def send(self, method: str, path: str, *, key: str | None = KEY, **request: Any) -> Any:
        """One request; `key` is sent as the bearer."""
        headers = dict(request.pop("headers", ()))
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        response = self.client.open(path, method=method, headers=headers, **request)
        self.responses.append(response)
        return response

    def ask(self, *, key: str | None = KEY, path: str = "/v1/chat/completions", **body: Any) -> Any:
        """A completion request; `body` changes the plainest one."""
        plainest = {"messages": [{"role": "user", "content": "Say hi"}]}
        return self.send("POST", path, key=key, json={**plainest, **body})

    def plays(self, *scripts: list[Step]) -> None:
        self.provider.scripts = list(scripts)

    def is_idle(self) -> bool:
        """Whether every turn has ended and nothing is watched, once all answers are closed."""
        for response in self.responses:
            response.close()  # as every server does
        return self.provider.running == 0 and self.watchdog.entries == []


@pytest.fixture
def site(key_store: Store) -> Iterator[Site]:
    made = Site(key_store)
    # An answer that was not read to its end holds its request's context; the next test is to have its own.
    contexts = [(context, context.set(None)) for context in (_cv_app, _cv_request)]
    yield made
    for response in reversed(made.responses):
        response.close()
    for context, token in contexts:
        context.reset(token)
    for thread in threading.enumerate():
        if thread.name.startswith("turn-"):
            thread.join(timeout=5)
            assert not thread.is_alive()
