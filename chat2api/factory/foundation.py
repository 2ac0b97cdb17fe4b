"""What a worker process is built on, for as long as it lives: the store, connections, helpers."""

from __future__ import annotations

from dataclasses import dataclass

from chat2api.compute.pool import ComputePool
from chat2api.factory.desk import DeskBase
from chat2api.lifetime.budget import ByteBudget
from chat2api.lifetime.watchdog import Watchdog
from chat2api.runtime import Lifecycle
from chat2api.service.guesses import KeyGuesses
from chat2api.service.key_cache import KeyCache
from chat2api.service.usage import UsageCounter
from chat2api.settings.model import Settings
from chat2api.settings.version import version
from chat2api.store.account_book import AccountBook
from chat2api.store.api_keys import ApiKeys
from chat2api.store.arrivals import ArrivalBook
from chat2api.store.audit import Audit
from chat2api.store.conversations import ConversationBook
from chat2api.store.credentials import Credentials
from chat2api.store.escrow import Escrow
from chat2api.store.key_usage import KeyUsage
from chat2api.store.memory_pool import PoolLimits
from chat2api.store.opening import (
    Store,
    StoreOptions,
    is_prepared,
    open_store,
    prepare_store,
)
from chat2api.store.options import store_options
from chat2api.store.picking import PickOptions
from chat2api.store.responses import StoredResponses
from chat2api.store.schedule import Schedule
from chat2api.store.sql_pool import SqlPool
from chat2api.store.workers import Workers
from chat2api.transport.http import HttpTransport


@dataclass(frozen=True, slots=True)
class Foundation:
    """Built once per process, after the fork. Nothing of it changes with a reload but the pool's options."""

    store: Store
    workers: Workers
    pool: SqlPool
    credentials: Credentials
    escrow: Escrow
    book: AccountBook
    arrivals: ArrivalBook
    keys: ApiKeys
    key_usage: KeyUsage
    known_keys: KeyCache
    guesses: KeyGuesses
    conversations: ConversationBook
    responses: StoredResponses
    schedule: Schedule
    audit: Audit
    desk: DeskBase
    watchdog: Watchdog
    transport: HttpTransport
    compute: ComputePool
    usage: UsageCounter
    bodies: ByteBudget
    lifecycle: Lifecycle

    def close(self, *, write: bool = True) -> None:
        """`write`: what waits to be recorded; not where the database is known to be away."""
        self.watchdog.stop()
        if write:
            self.desk.recorder.flush()
        self.compute.close()
        self.transport.close()
        self.store.close()


def lay_foundation(settings: Settings) -> Foundation:
    """Raises KeyMismatch, NewerSchema, StorageUnavailable."""
    store = _opened(store_options(settings))
    workers = Workers(store)
    workers.renew()
    watchdog = Watchdog()
    transport = HttpTransport(
        watchdog,
        connect_seconds=settings.connect_seconds,
        connections=settings.worker_connections,
    )
    compute = ComputePool(processes=settings.compute_processes)
    compute.warm()  # a child costs the first caller 100 ms otherwise
    keys = ApiKeys(store)
    desk = DeskBase(store, workers.worker_id, transport.far_clock)
    return Foundation(
        store=store,
        workers=workers,
        pool=SqlPool(
            store,
            workers,
            pick_options(settings),
            pool_limits(settings),
            recovered=desk.recorder.recovered,
        ),
        credentials=Credentials(store, workers.worker_id, settings.refresh_window_seconds),
        escrow=Escrow(store),
        book=AccountBook(store),
        arrivals=ArrivalBook(store),
        keys=keys,
        key_usage=KeyUsage(store),
        known_keys=KeyCache(keys, settings.key_grace_seconds),
        guesses=KeyGuesses(),
        conversations=ConversationBook(store),
        responses=StoredResponses(store),
        schedule=Schedule(store, workers.worker_id),
        audit=Audit(store),
        desk=desk,
        watchdog=watchdog,
        transport=transport,
        compute=compute,
        usage=UsageCounter(compute),
        bodies=ByteBudget(settings.bodies_limit_bytes),
        lifecycle=Lifecycle(settings.drain_seconds),
    )


def _opened(options: StoreOptions) -> Store:
    """The server has prepared the store before its workers; for an application without one, here."""
    if not is_prepared(options):
        prepare_store(options, version())
    return open_store(options)


def pick_options(settings: Settings) -> PickOptions:
    return PickOptions(
        concurrency=settings.account_concurrency,
        at_random=settings.random_token,
        enable_limit=settings.enable_limit,
        access_denied_seconds=settings.access_denied_seconds,
    )


def pool_limits(settings: Settings) -> PoolLimits:
    return PoolLimits(
        concurrency=settings.account_concurrency,
        queue_seconds=settings.queue_seconds,
        queue_length=settings.queue_length,
        enable_limit=settings.enable_limit,
    )
