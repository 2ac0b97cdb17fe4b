"""The first line of everything: is the pool well, in words."""

from __future__ import annotations

from dataclasses import dataclass

from chat2api.chat.conversation import Conversation
from chat2api.errors import StorageUnavailable
from chat2api.pool.values import PoolCounts
from chat2api.service.pool_summary import LimitedModel
from chat2api.settings.mask import clip
from chat2api.web.languages import gettext, ngettext
from chat2api.web.state import runtime
from chat2api.web.times import soon_time

_LONGEST_MODEL = 40


@dataclass(frozen=True, slots=True)
class Health:
    """`role`: ok, wait or bad. `counts` is None where the database does not tell. `is_short`: of a model
    that is asked for, few or no accounts are free, whatever the others could serve."""

    role: str
    sentence: str
    short: str
    counts: PoolCounts | None
    is_short: bool = False


def health() -> Health:
    """By numbers that are a few seconds old at most."""
    try:
        counts = runtime().desk.summary.counts()
        short = _short_of(counts)
    except StorageUnavailable:
        sentence = gettext("The database does not answer.")
        return Health("bad", sentence, sentence, None)
    if short is not None:
        return _told_short(counts, short)
    role, sentence = _judged(counts)
    told = (
        gettext("%(usable)d of %(count)d usable", usable=counts.usable, count=counts.total)
        if counts.total
        else gettext("No accounts yet")
    )
    return Health(role, sentence, told, counts)


def _short_of(counts: PoolCounts) -> LimitedModel | None:
    """The model asked for most of those that limits have left less than a quarter of the pool for."""
    if not counts.usable:
        return None
    for one in runtime().desk.summary.limited(_limit_key):
        if one.free < one.usable and one.free * 4 < counts.total:
            return one
    return None


def _limit_key(model: str) -> str:
    return runtime().completions.limit_key(Conversation(model, ()))


def _told_short(counts: PoolCounts, short: LimitedModel) -> Health:
    model, time = clip(short.model)[:_LONGEST_MODEL], soon_time(short.back_at)
    facts = {"free": short.free, "count": counts.total, "model": model}
    told = gettext("%(free)d of %(count)d free for %(model)s", **facts)
    if short.free:
        sentence = gettext(
            "Few are left for %(model)s: %(free)d of %(count)d accounts. The next comes back at %(time)s.",
            **facts,
            time=time,
        )
        return Health("wait", sentence, told, counts, True)
    sentence = gettext(
        "No account is free for %(model)s now; the first comes back at %(time)s.",
        model=model,
        time=time,
    )
    return Health("bad" if short.is_first else "wait", sentence, told, counts, True)


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
