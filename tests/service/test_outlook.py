"""What the overview says of the time to come."""

from __future__ import annotations

from typing import Any

from chat2api.pool.forecast import Forecast, Return
from chat2api.service.outlook import Outlook, Outlooks
from chat2api.store.pool_facts import PoolFacts
from chat2api.store.usage_hours import UsageSum

NOW = 1_750_000_000.0


class Facts:
    def __init__(self) -> None:
        self.asked: list[dict[str, float]] = []
        self.facts = PoolFacts((), 4, (Return(NOW + 9000, 2),), 10, 5)

    def read(self, **spans: float) -> PoolFacts:
        self.asked.append(spans)
        return self.facts


class Usage:
    def last_hour(self) -> int:
        return 60

    def totals(self, since_hour: int, until_hour: int) -> UsageSum:
        return UsageSum(requests=600)


def test_it_puts_facts_and_pace_together_and_remembers() -> None:
    now = [NOW]
    facts: Any = Facts()
    usage: Any = Usage()
    outlooks = Outlooks(facts, usage, lambda: now[0])
    # Ten limits in 600 requests: an account serves 60; four have half of that left, at 60 an hour.
    expected = Outlook(
        Forecast("lasts", 7200.0, estimated=True, dry_until=NOW + 9000),
        Return(NOW + 9000, 2),
        60,
        5,
    )
    assert outlooks.look() == expected
    assert outlooks.look() is outlooks.look()
    assert facts.asked == [{"since": NOW - 86_400, "ends_within": 2 * 86_400}]
    now[0] += 10
    outlooks.look()
    now[0] -= 100  # the clock was set back
    outlooks.look()
    assert len(facts.asked) == 3
