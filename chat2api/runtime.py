"""Everything one worker process holds, in one frozen object; reached from `app.extensions["chat2api"]`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from chat2api.lifetime.budget import ByteBudget
from chat2api.lifetime.watchdog import Watchdog
from chat2api.live_log import LiveLog
from chat2api.service.access import Access
from chat2api.service.account_actions import AccountActions
from chat2api.service.admin_access import Administration
from chat2api.service.completion import Completions
from chat2api.service.config_desk import ConfigDesk
from chat2api.service.guesses import KeyGuesses
from chat2api.service.key_limits import KeyLimits
from chat2api.service.logins import Logins
from chat2api.service.models import Catalog
from chat2api.service.outlook import Outlooks
from chat2api.service.owners import Owners
from chat2api.service.passage import Passage
from chat2api.service.pool_summary import PoolSummary
from chat2api.service.recording import Recorder
from chat2api.service.threads import Threads
from chat2api.settings.model import Settings
from chat2api.store.account_book import AccountBook
from chat2api.store.account_edits import AccountEdits
from chat2api.store.account_events import AccountEvents
from chat2api.store.account_heat import AccountHeat
from chat2api.store.account_search import AccountSearch
from chat2api.store.api_keys import ApiKeys
from chat2api.store.arrivals import ArrivalBook
from chat2api.store.audit import Audit
from chat2api.store.backups import Backups
from chat2api.store.intake import Intake
from chat2api.store.jobs import JobBook
from chat2api.store.labels import Labels
from chat2api.store.parcels import Parcels
from chat2api.store.reminders import Reminders
from chat2api.store.request_records import RequestRecords
from chat2api.store.schedule import Schedule
from chat2api.store.usage_hours import UsageHours
from chat2api.transport.far_clock import FarClock


class Lifecycle:
    """Whether this worker still takes work. Draining begins once and never ends.

    `cut_at` is the `time.monotonic()` reading at which running streams are told to end.
    """

    def __init__(self, drain_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._drain_seconds = drain_seconds
        self._clock = clock
        self.cut_at: float | None = None

    @property
    def draining(self) -> bool:
        return self.cut_at is not None

    def begin_drain(self) -> None:
        if self.cut_at is None:
            self.cut_at = self._clock() + self._drain_seconds


@dataclass(frozen=True, slots=True)
class Desk:
    """What the operator's pages are made of, besides what the API needs anyway; made by `factory.desk`."""

    logins: Logins
    summary: PoolSummary
    outlooks: Outlooks
    far_clock: FarClock
    reminders: Reminders
    backups: Backups
    schedule: Schedule
    parcels: Parcels
    arrivals: ArrivalBook
    records: RequestRecords
    usage: UsageHours
    events: AccountEvents
    heat: AccountHeat
    recorder: Recorder
    labels: Labels
    owners: Owners
    keys: ApiKeys
    jobs: JobBook
    live: LiveLog
    search: AccountSearch
    edits: AccountEdits
    actions: AccountActions


@dataclass(frozen=True, slots=True)
class Runtime:
    """Replaced as a whole when the settings change; a request keeps the one that it began with."""

    settings: Settings
    lifecycle: Lifecycle
    watchdog: Watchdog
    bodies: ByteBudget
    access: Access
    guesses: KeyGuesses
    limits: KeyLimits
    administration: Administration
    completions: Completions
    threads: Threads
    catalog: Catalog
    passage: Passage
    book: AccountBook
    intake: Intake
    config: ConfigDesk
    desk: Desk
    degraded: Callable[[], bool]
    close: Callable[[], None]

    @property
    def audit(self) -> Audit:
        return self.administration.audit
