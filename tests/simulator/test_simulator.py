"""The state behind the routes."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chat2api.simulator.accounts import make_account
from chat2api.simulator.config import Config
from chat2api.simulator.quotas import Quota
from chat2api.simulator.simulator import Simulator


def test_a_wrong_change_changes_nothing() -> None:
    simulator = Simulator(Config(pacing=7))
    with pytest.raises(ValidationError):
        simulator.configure({"pacing": 8, "difficulty": "?"})
    assert simulator.config == Config(pacing=7)


def test_a_reset_goes_back_to_the_start() -> None:
    simulator = Simulator(Config(pacing=7))
    accounts = simulator.accounts.all()
    simulator.configure({"pacing": 8})
    simulator.conversations.create("c1", "ann", "", "")
    simulator.reset()
    assert simulator.config.pacing == 7
    assert simulator.conversations.find("c1", "ann") is None
    assert simulator.accounts.all() == accounts


def test_turns_are_counted_by_owner() -> None:
    simulator = Simulator(Config(max_parallel_turns=1))
    assert [simulator.enter("ann"), simulator.enter("ann"), simulator.enter("bob")] == [
        True,
        False,
        True,
    ]
    simulator.leave("ann")
    assert simulator.enter("ann")


def test_only_the_owner_stops_a_stream() -> None:
    simulator = Simulator(Config())
    event = simulator.begin("ann", "c1")
    assert simulator.running() == [("ann", "c1")]
    assert not simulator.stop("bob", "c1")
    assert simulator.stop("ann", "c1")
    assert event.is_set()
    simulator.end("ann", "c1")
    assert simulator.running() == []


def test_an_account_enrolled_again_begins_anew() -> None:
    quota = Quota(1)
    simulator = Simulator(Config(), (), lambda: 1_800_000_000.0)
    for refresh in ("rt", "rt", None):
        simulator.enroll(make_account("ann", now=0, quota=quota), refresh)  # type: ignore[arg-type]
        assert simulator.quotas.take("ann", quota, "o3") is None
        grant = simulator.grants.find("ann")
        assert (grant is None) is (refresh is None)
    assert simulator.grants.ledger() == []


def test_a_renewed_token_lives_as_the_account_or_the_settings_say() -> None:
    now = 1_800_000_000.0
    accounts = [make_account("ann", now=now, lifetime_seconds=60), make_account("bob", now=now)]
    simulator = Simulator(Config(lifetime_seconds=70), accounts, lambda: now)
    ann, bob = simulator.renew("ann"), simulator.renew("bob")
    assert ann is not None
    assert bob is not None
    assert (ann.expires_at, bob.expires_at) == (now + 60, now + 70)
    assert simulator.renew("nobody") is None
