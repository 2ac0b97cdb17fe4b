"""Turns left: counts, windows and their ends."""

from __future__ import annotations

import pytest

from chat2api.simulator.quotas import Quota, Quotas, Window


@pytest.fixture
def quotas(now: list[float]) -> Quotas:
    return Quotas(lambda: now[0])


def test_a_window_begins_with_its_first_turn(quotas: Quotas, now: list[float]) -> None:
    quota, start = Quota(2, 100), now[0]
    assert quotas.windows("ann", quota) == {"": Window(quota)}
    assert quotas.take("ann", quota, "o3") is None
    now[0] += 60
    assert quotas.take("ann", quota, "gpt-4o") is None
    full = Window(quota, 2, start + 100)
    assert quotas.take("ann", quota, "o3") == full
    assert quotas.windows("ann", quota) == {"": full}
    assert (full.is_full, full.used_percent) == (True, 100)
    assert quotas.take("bob", quota, "o3") is None
    now[0] = start + 100
    assert quotas.windows("ann", quota) == {"": Window(quota)}
    assert quotas.take("ann", quota, "o3") is None
    assert quotas.windows("ann", quota) == {"": Window(quota, 1, start + 200)}


def test_models_are_counted_apart_when_they_are_named(quotas: Quotas) -> None:
    quota = Quota(1, models=("o3", "gpt-4o"))
    taken = [quotas.take("ann", quota, model) for model in ("o3", "gpt-4o", "auto", "auto")]
    assert taken == [None] * 4
    assert quotas.take("ann", quota, "o3") is not None
    assert [one.used for one in quotas.windows("ann", quota).values()] == [1, 1]


def test_no_turns_at_all(quotas: Quotas, now: list[float]) -> None:
    quota = Quota(0, 50)
    assert quotas.take("ann", quota, "o3") == Window(quota, 0, now[0] + 50)
    assert Window(quota).used_percent == 100


def test_a_count_may_be_set_and_forgotten(quotas: Quotas, now: list[float]) -> None:
    quota = Quota(4, 50)
    quotas.set_used("ann", quota, 3)
    assert quotas.windows("ann", quota) == {"": Window(quota, 3, now[0] + 50)}
    assert quotas.windows("ann", quota)[""].used_percent == 75
    quotas.set_used("ann", quota, 0)
    assert quotas.windows("ann", quota) == {"": Window(quota)}
    quotas.set_used("ann", quota, 4)
    quotas.forget("ann")
    assert quotas.windows("ann", quota) == {"": Window(quota)}
    quotas.set_used("ann", quota, 4)
    quotas.clear()
    assert quotas.take("ann", quota, "o3") is None
