"""What a command needs to work on accounts without a server, also beside one on the same database."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chat2api.cli.opened import settings_here, store_of
from chat2api.cli.place import Place
from chat2api.compute.pool import ComputePool
from chat2api.factory.assembly import chatgpt_options, oauth_options
from chat2api.lifetime.watchdog import Watchdog
from chat2api.providers.chatgpt.provider import ChatGptProvider
from chat2api.providers.oauth.endpoint import TokenEndpoint
from chat2api.providers.protocol import Provider
from chat2api.service.arrivals import Arrivals
from chat2api.service.egress import Egress
from chat2api.service.fresh import FreshTokens
from chat2api.service.renewal import Renewals
from chat2api.settings.model import Settings
from chat2api.store.account_book import AccountBook
from chat2api.store.arrivals import ArrivalBook
from chat2api.store.audit import Audit
from chat2api.store.credentials import Credentials
from chat2api.store.escrow import Escrow
from chat2api.store.intake import Intake
from chat2api.store.opening import Store
from chat2api.transport.http import HttpTransport

ACTOR = "cli"
_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Workshop:
    """Built once per command. Threads, children and connections come with their first use."""

    settings: Settings
    store: Store
    book: AccountBook
    credentials: Credentials
    intake: Intake
    arrivals: Arrivals
    renewals: Renewals
    tokens: FreshTokens
    provider: Provider
    egress: Egress
    audit: Audit

    def note(self, action: str, target: str = "", **detail: object) -> None:
        self.audit.note(ACTOR, "", action, target, detail)


@contextmanager
def opened_workshop(place: Place) -> Iterator[Workshop]:
    """Mistakes in the settings and whatever fails inside end the command with one line."""
    settings = settings_here(place.config_path, place.environ).settings
    with store_of(settings) as store, opened_egress(settings) as egress:
        yield _workshop(settings, store, egress)


@contextmanager
def opened_egress(settings: Settings) -> Iterator[Egress]:
    """The ways out, without a store."""
    watchdog = Watchdog()
    transport = HttpTransport(
        watchdog, connect_seconds=settings.connect_seconds, connections=_CONNECTIONS
    )
    compute = ComputePool(processes=1)
    try:
        yield Egress(transport, compute, settings.proxy_url)
    finally:
        compute.close()
        transport.close()
        watchdog.stop()


def _workshop(settings: Settings, store: Store, egress: Egress) -> Workshop:
    provider = ChatGptProvider(chatgpt_options(settings), TokenEndpoint(oauth_options(settings)))
    # Claims tell who holds them: a server beside us must see that it is not its own.
    owner = f"{ACTOR}-{secrets.token_hex(8)}"
    credentials = Credentials(store, owner, settings.refresh_window_seconds)
    audit, book = Audit(store), AccountBook(store)
    intake = Intake(store, settings.refresh_window_seconds, provider.name)
    renewals = Renewals(
        credentials,
        Escrow(store),
        provider,
        egress,
        store.now,
        lambda action, facts: audit.note(ACTOR, "", action, detail=facts),
    )
    return Workshop(
        settings=settings,
        store=store,
        book=book,
        credentials=credentials,
        intake=intake,
        arrivals=Arrivals(settings.data_dir, intake, book, ArrivalBook(store)),
        renewals=renewals,
        tokens=FreshTokens(renewals, credentials, store.now),
        provider=provider,
        egress=egress,
        audit=audit,
    )
