"""The first line of everything: is the pool well, in words."""

from __future__ import annotations

from dataclasses import dataclass

from chat2api.errors import StorageUnavailable
from chat2api.pool.values import PoolCounts
from chat2api.web.languages import gettext, ngettext
from chat2api.web.state import runtime


@dataclass(frozen=True, slots=True)
class Health:
    """`role`: ok, wait or bad. `counts` is None where the database does not tell."""

    role: str
    sentence: str
    short: str
    counts: PoolCounts | None


def health() -> Health:
    """By numbers that are a few seconds old at most."""
    try:
        counts = runtime().desk.summary.counts()
    except StorageUnavailable:
        sentence = gettext("The database does not answer.")
        return Health("bad", sentence, sentence, None)
    role, sentence = _judged(counts)
    short = (
        gettext("%(usable)d of %(count)d usable", usable=counts.usable, count=counts.total)
        if counts.total
        else gettext("No accounts yet")
    )
    return Health(role, sentence, short, counts)


def _judged(counts: PoolCounts) -> tuple[str, str]:
    if not counts.total:
        return "wait", gettext("There are no accounts yet.")
    facts = {"usable": counts.usable, "count": counts.total}
    if not counts.usable:
        if counts.cooling:
            return "bad", gettext("No account can answer now; some come back by themselves.")
        return "bad", gettext("No account can answer now.")
    if counts.usable == counts.total:
        return "ok", ngettext(
            "All well. The only account can answer now.",
            "All well. All %(num)d accounts can answer now.",
            counts.total,
        )
    if counts.usable * 4 >= counts.total:
        return "ok", gettext("All well. %(usable)d of %(count)d accounts can answer now.", **facts)
    return "wait", gettext(
        "Few are left: %(usable)d of %(count)d accounts can answer now.", **facts
    )
