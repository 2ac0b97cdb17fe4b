"""The desk: what the operator's pages are made of, on a foundation."""

from __future__ import annotations

from chat2api.live_log import LiveLog
from chat2api.runtime import Desk
from chat2api.service.account_actions import AccountActions
from chat2api.service.checks import Paced
from chat2api.service.logins import Logins
from chat2api.service.outlook import Outlooks
from chat2api.service.owners import Owners
from chat2api.service.pool_summary import PoolSummary
from chat2api.service.recording import Recorder
from chat2api.store.account_book import AccountBook
from chat2api.store.account_edits import AccountEdits
from chat2api.store.account_events import AccountEvents
from chat2api.store.account_heat import AccountHeat
from chat2api.store.account_search import AccountSearch
from chat2api.store.api_keys import ApiKeys
from chat2api.store.arrivals import ArrivalBook
from chat2api.store.attempts import Attempts
from chat2api.store.backups import Backups
from chat2api.store.jobs import JobBook
from chat2api.store.labels import Labels
from chat2api.store.opening import Store
from chat2api.store.parcels import Parcels
from chat2api.store.pool_facts import PoolFactsBook
from chat2api.store.reminders import Reminders
from chat2api.store.request_records import RequestRecords
from chat2api.store.schedule import Schedule
from chat2api.store.sessions import Sessions
from chat2api.store.usage_hours import UsageHours
from chat2api.transport.far_clock import FarClock

CHECKS_PER_SECOND = 5.0


class DeskBase:
    """What of the desk lives as long as the process; made once, from the store."""

    def __init__(self, store: Store, worker_id: str, far_clock: FarClock | None = None) -> None:
        self.far_clock = far_clock or FarClock()
        self.store = store
        self.worker_id = worker_id
        self.reminders = Reminders(store)
        self.backups = Backups(store)
        self.schedule = Schedule(store, worker_id)
        self.parcels = Parcels(store)
        self.arrivals = ArrivalBook(store)
        self.records = RequestRecords(store)
        self.usage = UsageHours(store)
        self.summary = PoolSummary(AccountBook(store), PoolFactsBook(store), self.usage, store.now)
        self.events = AccountEvents(store)
        self.heat = AccountHeat(store)
        self.recorder = Recorder(self.records, self.usage, self.events, self.heat, store.now)
        self.labels = Labels(store)
        self.owners = Owners(Sessions(store, "key"), Attempts(store, "key"))
        self.keys = ApiKeys(store)
        self.jobs = JobBook(store, worker_id)
        self.live = LiveLog(store.data_dir)
        self.search = AccountSearch(store, AccountBook(store))
        self.edits = AccountEdits(store)
        self.pace = Paced(CHECKS_PER_SECOND)
        self.outlooks = Outlooks(PoolFactsBook(store), self.usage, store.now)


def make_desk(base: DeskBase, logins: Logins, actions: AccountActions) -> Desk:
    return Desk(
        logins=logins,
        summary=base.summary,
        outlooks=base.outlooks,
        far_clock=base.far_clock,
        reminders=base.reminders,
        backups=base.backups,
        schedule=base.schedule,
        parcels=base.parcels,
        arrivals=base.arrivals,
        records=base.records,
        usage=base.usage,
        events=base.events,
        heat=base.heat,
        recorder=base.recorder,
        labels=base.labels,
        owners=base.owners,
        keys=base.keys,
        jobs=base.jobs,
        live=base.live,
        search=base.search,
        edits=base.edits,
        actions=actions,
    )
