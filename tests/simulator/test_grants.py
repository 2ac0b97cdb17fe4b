"""Refresh tokens: single use, its exceptions, and the ledger."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.simulator.config import Config
from chat2api.simulator.grants import Grants, Outcome
from chat2api.simulator.tokens import fingerprint

CLIENT = "app_X"


class Stage:
    """A login whose tokens are told by number, on a clock to turn by hand."""

    def __init__(self, kind: Any = "rt", **config: Any) -> None:
        self.now = 1_800_000_000.0
        self.config = Config(**config)
        self.grants = Grants(lambda: self.config, lambda: self.now)
        self.grant = self.grants.issue("ann", kind, CLIENT)
        self.tokens = [self.grant.newest]

    def present(self, number: int, client: str = CLIENT) -> Outcome:
        """Exchanges the token of a number; a new one gets the next number."""
        traded = self.grants.exchange(self.tokens[number], client)
        if traded.token is not None:
            self.tokens.append(traded.token)
        return traded.outcome


def test_a_token_is_good_once() -> None:
    stage = Stage()
    assert [stage.present(n) for n in (0, 0, 1, 1, 0)] == [
        *("rotated", "reused", "rotated", "reused", "reused"),
    ]
    assert (stage.grant.refreshes, stage.grant.reused) == (2, 3)
    assert stage.grant.newest == stage.tokens[2]


def test_a_token_may_be_good_for_ever() -> None:
    stage = Stage(rotation="keep")
    assert [stage.present(0), stage.present(0)] == ["kept", "kept"]
    stage = Stage("legacy")
    assert [stage.present(0), stage.present(0)] == ["kept", "kept"]
    stage = Stage("legacy", legacy_rotation="rotate")
    assert [stage.present(0), stage.present(0)] == ["rotated", "reused"]


def test_once_may_be_asked_for() -> None:
    stage = Stage()
    assert stage.grants.exchange(stage.tokens[0], CLIENT, "keep").outcome == "kept"
    assert stage.present(0) == "rotated"


def test_a_token_is_for_its_client() -> None:
    stage = Stage()
    assert [stage.present(0, "app_Y"), stage.present(0)] == ["wrong_client", "rotated"]
    assert stage.grants.exchange("rt_stranger", CLIENT).outcome == "unknown"


def test_a_spent_token_is_honoured_within_the_overlap() -> None:
    stage = Stage(refresh_overlap_seconds=10)
    assert stage.present(0) == "rotated"
    stage.now += 9
    assert stage.present(0) == "rotated"
    assert stage.grant.newest == stage.tokens[2]
    stage.now += 1
    assert [stage.present(0), stage.present(2)] == ["reused", "rotated"]


def test_reuse_may_end_the_newest() -> None:
    stage = Stage(reuse_kills_family=True)
    assert [stage.present(n) for n in (0, 0, 1, 0)] == ["rotated", "reused", "revoked", "reused"]


def test_tokens_have_an_end() -> None:
    stage = Stage(refresh_seconds=100)
    stage.now += 99
    assert stage.present(0) == "rotated"
    stage.now += 100
    assert stage.present(1) == "expired"
    stage = Stage()
    stage.grants.expire("ann")
    assert stage.present(0) == "expired"
    stage = Stage()
    stage.grants.revoke("ann")
    assert stage.present(0) == "revoked"


def test_a_new_login_replaces_the_old_one() -> None:
    stage = Stage()
    stage.present(0)
    again = stage.grants.issue("ann", "rt", CLIENT)
    assert stage.grants.find("ann") is again
    assert [stage.present(0), stage.present(1)] == ["unknown", "unknown"]
    stage.grants.drop("ann")
    assert stage.grants.find("ann") is None
    assert stage.grants.owner(again.newest) is None


PRESENTED = st.lists(st.integers(0, 40), max_size=25)


def played(stage: Stage, presented: list[int]) -> list[Outcome]:
    return [stage.present(number % len(stage.tokens)) for number in presented]


@given(PRESENTED, st.booleans())
def test_no_order_of_exchanges_leaves_two_good_tokens(presented: list[int], kills: bool) -> None:
    """Each token is tried at the end of the same story: the newest opens, or nothing does."""
    stage = Stage(reuse_kills_family=kills)
    outcomes = played(stage, presented)
    endings = []
    for number in range(len(stage.tokens)):
        again = Stage(reuse_kills_family=kills)
        assert played(again, presented) == outcomes
        endings.append(again.present(number))
    alive = not (kills and "reused" in outcomes)
    assert endings[:-1] == ["reused"] * (len(endings) - 1)
    assert endings[-1] == ("rotated" if alive else "revoked")


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=25))
def test_an_overlap_has_one_newest_token_too(story: list[tuple[int, int]]) -> None:
    stage = Stage(refresh_overlap_seconds=10)
    spent_at: dict[int, float] = {}
    for presented, seconds in story:
        stage.now += seconds
        number = presented % len(stage.tokens)
        newest = len(stage.tokens) - 1
        late = number in spent_at and stage.now - spent_at[number] >= 10
        assert stage.present(number) == ("reused" if late else "rotated")
        if not late:
            spent_at.setdefault(newest, stage.now)
        assert stage.grant.newest == stage.tokens[-1]


@pytest.mark.parametrize("rounds", range(5))
def test_of_many_at_once_one_succeeds(rounds: int) -> None:
    stage = Stage()
    barrier = threading.Barrier(16)
    outcomes: list[Outcome] = []

    def run() -> None:
        barrier.wait(timeout=10)
        outcomes.append(stage.grants.exchange(stage.tokens[0], CLIENT).outcome)

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert Counter(outcomes) == {"rotated": 1, "reused": 15}
    assert (stage.grant.refreshes, stage.grant.reused) == (1, 15)


def test_the_ledger_names_no_token() -> None:
    stage = Stage()
    first = stage.tokens[0]
    stage.present(0)
    told = {"token": first, "client_id": CLIENT}
    entry = stage.grants.note("rotated", **told, successor=stage.tokens[1])
    stage.grants.note("unknown", token="rt_stranger", client_id="", successor=None)
    entry.delivered = True
    wanted = {
        "id": 1,
        "at": stage.now,
        "account": "ann",
        "token": fingerprint(first),
        "client_id": CLIENT,
        "outcome": "rotated",
        "successor": fingerprint(stage.tokens[1]),
        "delivered": True,
    }
    assert stage.grants.ledger(account="ann") == [wanted]
    assert [one["account"] for one in stage.grants.ledger(since=1)] == [None]
    stage.grants.clear()
    assert stage.grants.ledger() == []
    assert (stage.grant.refreshes, stage.present(1)) == (0, "rotated")
