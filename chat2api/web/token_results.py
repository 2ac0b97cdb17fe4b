"""What a change to the tokens did: numbers and line numbers, never a token; as a sentence and as a cookie."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode

from chat2api.pool.values import Added
from chat2api.web.languages import gettext, ngettext
from chat2api.web.pasted import Place

MOST_PLACES = 20
_LONGEST_COOKIE = 3_000
_ACCOUNT_ID = re.compile(r"acc_[0-9a-f]{1,32}")

ResultKind = Literal["added", "cleared", "removed", "restored"]
_KINDS: tuple[ResultKind, ...] = ("added", "cleared", "removed", "restored")


@dataclass(frozen=True, slots=True)
class Result:
    """`retried`: had failed, were handed in again and get another try. `places`: the first unreadable
    lines, as text; `unreadable`: how many there are in all. `account_id`: what may be put back.
    """

    kind: ResultKind
    added: int = 0
    renewed: int = 0
    known: int = 0
    retried: int = 0
    count: int = 0
    unreadable: int = 0
    places: tuple[str, ...] = ()
    account_id: str = ""

    @property
    def numbers(self) -> dict[str, object]:
        """For the audit."""
        return {name: value for name, value in asdict(self).items() if value and name != "kind"}


def result_of(added: Iterable[Added], retried: int, unreadable: Sequence[Place]) -> Result:
    verdicts = Counter(one.verdict for one in added)
    return Result(
        "added",
        added=verdicts["added"] + verdicts["revived"],
        renewed=verdicts["updated"],
        known=verdicts["unchanged"] - retried,
        retried=retried,
        unreadable=len(unreadable),
        places=tuple(str(place) for place in unreadable[:MOST_PLACES]),
    )


# --- in words


def sentence(result: Result) -> str:
    match result.kind:
        case "cleared":
            return ngettext(
                "%(num)d token was cleared.", "%(num)d tokens were cleared.", result.count
            )
        case "removed":
            return gettext("Removed.")
        case "restored":
            return gettext("Put back.")
        case _:
            return _added_sentence(result)


def _added_sentence(result: Result) -> str:
    if result.known and not (result.added or result.renewed or result.retried or result.unreadable):
        return ngettext(
            "Nothing to import: it is already here.",
            "Nothing to import: all %(num)d are already here.",
            result.known,
        )
    parts = [gettext("%(count)d new", count=result.added)]
    if result.renewed:
        parts.append(gettext("%(count)d renewed", count=result.renewed))
    if result.retried:
        parts.append(
            ngettext(
                "%(num)d had failed and is tried again",
                "%(num)d had failed and are tried again",
                result.retried,
            )
        )
    if result.known:
        parts.append(
            ngettext("%(num)d was already there", "%(num)d were already there", result.known)
        )
    if result.unreadable:
        parts.append(unreadable_part(result.unreadable, result.places))
    return gettext("%(parts)s.", parts=gettext(", ").join(parts))


def unreadable_part(count: int, places: Sequence[str]) -> str:
    """Such as "line 7 is unreadable"; of very many only the first are named."""
    named = ", ".join(places)
    if count > len(places):
        return gettext("%(count)d lines are unreadable (%(lines)s …)", count=count, lines=named)
    return ngettext(
        "line %(lines)s is unreadable", "lines %(lines)s are unreadable", count, lines=named
    )


# --- on the way to the page that is shown next


def to_cookie(result: Result) -> str:
    facts = {name: value for name, value in asdict(result).items() if value}
    text = urlencode(facts, doseq=True)
    return text if len(text) <= _LONGEST_COOKIE else urlencode(facts | {"places": ()}, doseq=True)


def from_cookie(text: str) -> Result | None:
    """None for anything that `to_cookie` did not write; a forged one says nothing but numbers."""
    if len(text) > _LONGEST_COOKIE:
        return None
    sent = parse_qs(text)
    kind = next((kind for kind in _KINDS if sent.get("kind") == [kind]), None)
    if kind is None:
        return None
    account_id = sent.get("account_id", [""])[0]
    return Result(
        kind,
        places=tuple(place[:60] for place in sent.get("places", [])[:MOST_PLACES]),
        account_id=account_id if _ACCOUNT_ID.fullmatch(account_id) else "",
        **_numbers(sent),
    )


def _numbers(sent: dict[str, list[str]]) -> dict[str, Any]:
    names = ("added", "renewed", "known", "retried", "count", "unreadable")
    texts = {name: sent.get(name, ["0"])[0] for name in names}
    return {
        name: int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        for name, text in texts.items()
    }
