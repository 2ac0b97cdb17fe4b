"""What requests leave behind: in batches, bounded, and once the database takes it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from chat2api.lifetime.breath import BREATH_SECONDS
from chat2api.logs import NO_REQUEST, bind_request_id
from chat2api.providers.protocol import RefreshFailed, RefreshRefused
from chat2api.secret import Secret
from chat2api.service import recording
from chat2api.service.recording import Recorder, point_of, tries_of
from chat2api.service.renewal import CredentialDead, RenewalFailed
from chat2api.store.account_events import AccountEvent, AccountEvents
from chat2api.store.account_heat import AccountHeat, slot_of
from chat2api.store.opening import Store
from chat2api.store.request_records import (
    AttemptRecord,
    RequestFilter,
    RequestRecord,
    RequestRecords,
    Trace,
)
from chat2api.store.usage_hours import UsageHours, UsagePoint

from .conftest import START

HOUR = int(START // 3600)
EVERYTHING = RequestFilter()
FIRST = "rt_first0000000000000000"


class Desk:
    """A recorder over a store, and what looks at it."""

    def __init__(self, store: Store) -> None:
        self.time = 0.0
        self.records = RequestRecords(store)
        self.usage = UsageHours(store)
        self.events = AccountEvents(store)
        self.heat = AccountHeat(store)
        self.recorder = Recorder(
            self.records, self.usage, self.events, self.heat, store.now, lambda: self.time
        )


@pytest.fixture
def desk(key_store: Store, outage: Any) -> Desk:
    return Desk(key_store)


def attempt(account_id: str, code: str = "", began: float = 0.0) -> AttemptRecord:
    return AttemptRecord(1, "pool", account_id, code, 200, "", None, began, 1.0, None)


def record(name: str = "r", *attempts: AttemptRecord, **more: Any) -> RequestRecord:
    plain: dict[str, Any] = {"at": START, "seconds": 1.0, "status": 200, "failed": False}
    return RequestRecord(name, **plain | more, trace=Trace(attempts))


def test_a_request_is_written_down_everywhere(desk: Desk) -> None:
    tried = attempt("a", "rate_limit_exceeded"), attempt("b", began=0.5)
    desk.recorder.finish(
        record(
            "r", *tried, model="m", key_id="k", account_id="b", prompt_tokens=3, completion_tokens=4
        )
    )
    desk.recorder.event(AccountEvent(0, "a", START, "limited", request_id="r"))
    assert desk.records.page(EVERYTHING) == []
    desk.recorder.flush()
    assert desk.records.find("r") is not None
    assert desk.usage.totals(HOUR, HOUR + 1).completion_tokens == 4
    assert [one.value for one in desk.usage.tops("account", HOUR, HOUR + 1)] == ["b"]
    slot = slot_of(START)
    assert (desk.heat.of("a", 0), desk.heat.of("b", 0)) == ({slot: (0, 1)}, {slot: (1, 0)})
    assert [one.kind for one in desk.events.of("a")] == ["limited"]
    assert desk.recorder.waiting == 0


def test_contents_go_with_their_records(desk: Desk) -> None:
    desk.recorder.finish(record("with"), "what was said")
    desk.recorder.finish(record("without"))
    desk.recorder.flush()
    without, with_content = desk.records.page(EVERYTHING)
    assert desk.records.content(with_content.record_id) == "what was said"
    assert desk.records.content(without.record_id) is None


def test_contents_that_wait_are_few(
    desk: Desk, outage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of them would be hundreds of megabytes."""
    monkeypatch.setattr(recording, "MOST_WITH_CONTENT", 2)
    outage.is_away = True
    for name in "abc":
        desk.recorder.finish(record(name), "what was said")
        desk.recorder.flush()
    outage.is_away = False
    desk.recorder.flush()
    found = desk.records.page(EVERYTHING)
    contents = {one.request_id: desk.records.content(one.record_id) for one in found}
    assert contents == {"a": "what was said", "b": "what was said", "c": None}


def test_many_are_written_in_batches(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    add = desk.records.add
    monkeypatch.setattr(
        desk.records,
        "add",
        lambda batch, contents: (sizes.append(len(batch)), add(batch, contents)),
    )
    pauses: list[float] = []
    monkeypatch.setattr(recording.time, "sleep", pauses.append)
    for number in range(1200):
        desk.recorder.finish(record(str(number)))
    desk.recorder.flush()
    assert sizes == [500, 500, 200]
    assert pauses == [BREATH_SECONDS] * 2 * 3  # of records, sums and attempts
    assert desk.records.count(EVERYTHING) == desk.usage.totals(HOUR, HOUR + 1).requests == 1200


def test_while_the_database_is_away_they_wait(desk: Desk, outage: Any) -> None:
    outage.is_away = True
    for number in range(700):
        desk.recorder.finish(record(str(number)))
        if number % 100 == 0:
            desk.recorder.flush()
    assert desk.recorder.waiting == 700
    outage.is_away = False
    desk.recorder.flush()
    names = [one.request_id for one in desk.records.page(EVERYTHING, most=500)]
    assert names == [str(number) for number in range(699, 199, -1)]
    assert desk.records.count(EVERYTHING) == desk.usage.totals(HOUR, HOUR + 1).requests == 700


def test_what_is_written_is_not_written_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records were taken, their sums were not: only those come later."""

    def refuse(points: object) -> None:
        raise recording.StorageUnavailable("away")

    with monkeypatch.context() as patch:
        # The recorder holds the object, not its method.
        patch.setattr(UsageHours, "add", lambda self, points: refuse(points))
        desk.recorder.finish(record("once"))
        desk.recorder.flush()
        desk.recorder.flush()
    assert desk.records.count(EVERYTHING) == 1
    assert desk.usage.totals(HOUR, HOUR + 1).requests == 0
    desk.recorder.flush()
    assert desk.records.count(EVERYTHING) == desk.usage.totals(HOUR, HOUR + 1).requests == 1


def test_memory_is_bounded_and_losses_are_told(
    desk: Desk, outage: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recording, "BATCH", 10)
    outage.is_away = True
    for number in range(recording.MOST_WAITING + 30):
        desk.recorder.finish(record(str(number)))
    assert desk.recorder.waiting == recording.MOST_WAITING
    for moment in (59.0, 60.0, 61.0):
        desk.time = moment
        desk.recorder.flush()
    (told,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert told.__dict__["lost"] == 90  # thirty of the records, their sums and their tries


def test_a_batch_that_cannot_be_written_keeps_nobody_waiting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(batch: object, contents: object) -> None:
        raise OverflowError("a number too large")

    with monkeypatch.context() as patch:
        patch.setattr(RequestRecords, "add", lambda self, *given: refuse(*given))
        desk.recorder.finish(record("bad"))
        desk.recorder.flush()
    desk.recorder.finish(record("good"))
    desk.recorder.flush()
    assert [one.request_id for one in desk.records.page(EVERYTHING)] == ["good"]
    assert desk.recorder.waiting == 0


def test_renewals_belong_to_a_history(desk: Desk) -> None:
    with bind_request_id(NO_REQUEST):  # by a timer
        desk.recorder.renewal("a", "renewed", "")
    with bind_request_id("req_1"):
        desk.recorder.renewal("a", "renewal_failed", "the token endpoint said 500")
    desk.recorder.flush()
    failed, renewed = desk.events.of("a")
    assert (renewed.kind, renewed.request_id, renewed.detail) == ("renewed", "", {})
    assert failed.request_id == "req_1"
    assert failed.detail == {"reason": "the token endpoint said 500"}


def test_coming_back_belongs_to_a_history(desk: Desk) -> None:
    with bind_request_id("req_1"):
        desk.recorder.recovered("a")
    desk.recorder.flush()
    (back,) = desk.events.of("a")
    assert (back.kind, back.request_id, back.detail) == ("recovered", "req_1", {})


def test_points_say_what_records_do() -> None:
    made = record(
        "r", model="m", key_id="k", account_id="a", code="c", failed=True, prompt_tokens=1
    )
    assert point_of(made) == UsagePoint(HOUR, "m", "k", "a", "c", True, 1, 0, False, None)


def test_tries_by_slot() -> None:
    late = 400.0
    made = [
        record("1", attempt("a", "x"), attempt("a", began=late), attempt("")),
        record("2", attempt("a"), attempt("b", "client_gone")),
    ]
    slot = slot_of(START)
    assert tries_of(made) == {("a", slot): (1, 1), ("a", slot_of(START + late)): (1, 0)}


# --- renewals, in the histories of their accounts


def test_what_renewals_leave_in_an_accounts_history(depot: Any) -> None:
    account = depot.add()
    credential = depot.credential_of(account)
    depot.renewals().renewed(credential, 1, depot.call)
    depot.provider.answers = [RefreshFailed("the token endpoint answered 503")]
    with pytest.raises(RenewalFailed):
        depot.renewals().renewed(credential, 2, depot.call)
    depot.clock.at += 3600
    depot.provider.answers = [RefreshRefused("invalid_grant")]
    with pytest.raises(CredentialDead):
        depot.renewals().renewed(credential, 2, depot.call)
    assert depot.history == [
        (account, "renewed", ""),
        (account, "renewal_failed", "the token endpoint answered 503"),
        (account, "needs_login", "the renewal was refused: invalid_grant"),
    ]


def test_a_callers_own_refresh_token_has_no_history(depot: Any) -> None:
    stored = depot.credentials.of_bearer(Secret(FIRST))
    depot.renewals().renewed(stored.credential_id, stored.version - 1, depot.call)
    assert (depot.provider.presented, depot.history) == ([FIRST], [])
