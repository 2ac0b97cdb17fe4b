"""How a request went, as values, and as the text that is kept of it. Never a word of prompts or answers.

Pure. Texts of others are scrubbed and cut on their way into the text.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chat2api.logs import redact

LONGEST_MESSAGE = 300
LONGEST_NAME = 200
_MOST_ATTEMPTS = 25
_MOST_NOTES = 20
# What a column cannot hold: PostgreSQL takes no NUL, and no encoding takes halves of a character.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_SHORT = 80
_ENCODER = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One try. `began` in seconds after the request's start, `seconds` how long it took.

    `code` is empty when it worked. `first_byte` in seconds after the try began, None when nothing came.
    `proof_seconds` is 0.0 when unknown. `renewed`: an access token was renewed for it. `retry_after` in
    seconds, as the upstream said it. `status` is the one that stands for the error here; `upstream_status`
    is what the upstream answered with, 0 where nobody knows. `provider` is the name of a configured
    upstream, empty where accounts were asked.
    """

    number: int
    route: str
    account_id: str
    code: str
    status: int
    message: str
    retry_after: float | None
    began: float
    seconds: float
    first_byte: float | None
    proof_seconds: float = 0.0
    renewed: bool = False
    upstream_status: int = 0
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Candidates:
    """How many accounts there were for a request; each is counted once, under the first that holds of
    paused, needs_login, cooling, limited (for the model asked for), busy, ready. `excluded`, a part of
    these: tried before within the request."""

    total: int
    ready: int
    busy: int
    cooling: int
    limited: int
    needs_login: int
    paused: int
    excluded: int


@dataclass(frozen=True, slots=True)
class Trace:
    """`waited`: seconds for a free account, in all. `chosen_by`: random | turn | pinned, or empty.

    `message` is what the caller was told at last; `retry_after` in seconds. `begun_with` is the HTTP status
    that was out before something went wrong, 0 where the failure was the whole answer.
    """

    attempts: tuple[AttemptRecord, ...] = ()
    candidates: Candidates | None = None
    waited: float = 0.0
    chosen_by: str = ""
    notes: tuple[str, ...] = ()
    message: str = ""
    retry_after: float | None = None
    begun_with: int = 0


def clean(text: str, most: int = LONGEST_NAME) -> str:
    """Foreign text as a column can hold it: without what looks like a secret, not longer than `most`."""
    if len(text) <= _SHORT and most >= _SHORT:
        return _clean_name(text)  # names of models and codes: a few, again and again
    # Cut before the search as well, so that a megabyte costs nothing; a secret is not cut in two by it
    # unless it is longer than all that is kept.
    return plain(redact(text[: most * 4]), most)


@functools.lru_cache(4096)
def _clean_name(text: str) -> str:
    return plain(redact(text), LONGEST_NAME)


def plain(text: str, most: int = LONGEST_NAME) -> str:
    """Text of our own making, such as an id, as a column can hold it."""
    if not text.isascii() or "\0" in text:
        text = _UNSTORABLE.sub("\ufffd", text)
    return text[:most]


def trace_text(trace: Trace) -> str:
    """As JSON, without what is as it would be anyway."""
    found: dict[str, Any] = {
        "attempts": [_attempt_row(one) for one in trace.attempts[:_MOST_ATTEMPTS]],
        "candidates": None if trace.candidates is None else list(asdict(trace.candidates).values()),
        "waited": _rounded(trace.waited) or None,
        "chosen_by": trace.chosen_by,
        "notes": [clean(note) for note in trace.notes[:_MOST_NOTES]],
        "message": clean(trace.message, LONGEST_MESSAGE),
        "retry_after": _rounded(trace.retry_after),
        "begun_with": trace.begun_with or None,
    }
    kept = {name: value for name, value in found.items() if value not in (None, "", [])}
    return _ENCODER.encode(kept)


def trace_of(text: str) -> Trace:
    """What `trace_text` wrote; of a damaged one, what can be understood (fault matrix E14)."""
    try:
        found = json.loads(text)
        return Trace(
            attempts=tuple(_attempt_of(row) for row in found.get("attempts", ())),
            candidates=_candidates_of(found.get("candidates")),
            waited=float(found.get("waited", 0.0)),
            chosen_by=str(found.get("chosen_by", "")),
            notes=tuple(str(note) for note in found.get("notes", ())),
            message=str(found.get("message", "")),
            retry_after=_number(found.get("retry_after")),
            begun_with=int(found.get("begun_with", 0)),
        )
    except (ValueError, TypeError, AttributeError, RecursionError):
        return Trace()


def _attempt_row(one: AttemptRecord) -> list[Any]:
    """Positional: names would be most of the text of a million records."""
    return [
        one.number,
        one.route,
        one.account_id,
        one.code,
        one.status,
        clean(one.message, LONGEST_MESSAGE),
        _rounded(one.retry_after),
        round(one.began, 3),
        round(one.seconds, 3),
        _rounded(one.first_byte),
        round(one.proof_seconds, 3),
        one.renewed,
        *([one.upstream_status] if one.upstream_status or one.provider else []),
        *([one.provider] if one.provider else []),
    ]


def _attempt_of(row: Sequence[Any]) -> AttemptRecord:
    (
        number, route, account_id, code, status, message, retry_after, began, seconds, first_byte,
        proof_seconds, renewed, *more,
    ) = row  # fmt: skip
    return AttemptRecord(
        int(number),
        str(route),
        str(account_id),
        str(code),
        int(status),
        str(message),
        _number(retry_after),
        float(began),
        float(seconds),
        _number(first_byte),
        float(proof_seconds),
        bool(renewed),
        int(more[0]) if more else 0,
        str(more[1]) if len(more) > 1 else "",
    )


def _candidates_of(row: Sequence[Any] | Mapping[str, Any] | None) -> Candidates | None:
    return None if row is None else Candidates(*(int(number) for number in row))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
