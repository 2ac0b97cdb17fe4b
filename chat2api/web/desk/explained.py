"""One request, explained: the verdict first, then what happened in which order, as text too."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from flask import url_for

from chat2api.service.explaining import Verdict, explain, explain_attempt, limit_ends, rest_ends
from chat2api.service.tracing import CLIENT_GONE
from chat2api.settings.mask import clip
from chat2api.store.request_records import RequestRecord
from chat2api.store.traces import AttemptRecord, Candidates
from chat2api.web.charts import Lane, Span, waterfall
from chat2api.web.desk.names import Names
from chat2api.web.languages import gettext, moment, ngettext
from chat2api.web.state import runtime
from chat2api.web.times import seconds_text, short_time, soon_time
from chat2api.web.verdicts import pill_of, sentence, side_text, step_text


def verdict_of(record: RequestRecord) -> str:
    """What became of a request, in one sentence."""
    return sentence(explain(record))


@dataclass(frozen=True, slots=True)
class Pill:
    role: str
    glyph: str
    word: str


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One try as the page shows it. `facts` are short texts; `message` is what the upstream said."""

    number: int
    account: str
    account_href: str
    pill: Pill
    facts: Sequence[str]
    message: str


@dataclass(frozen=True, slots=True)
class Explained:
    """`step_href` is where the next step is done, and `step_label` what to press; empty where it is not on
    these pages."""

    sentence: str
    role: str
    glyph: str
    side: str
    step: str
    step_href: str
    step_label: str
    retry_at: float | None
    lanes: Sequence[Lane]
    attempts: Sequence[AttemptView]
    candidates: Sequence[str]
    tried: str
    notes: Sequence[str]


def explained(record: RequestRecord, names: Names) -> Explained:
    verdict = explain(record)
    role, glyph = pill_of(verdict)
    href, label = _step_link(verdict, record)
    return Explained(
        sentence=sentence(verdict),
        role=role,
        glyph=glyph,
        side=side_text(verdict) if record.failed else "",
        step=step_text(verdict),
        step_href=href,
        step_label=label,
        retry_at=verdict.retry_at if (verdict.retry_at or 0.0) > time.time() else None,
        lanes=_lanes(record, names),
        attempts=[_attempt(record, one, names) for one in record.trace.attempts],
        candidates=_candidates(record.trace.candidates),
        tried=_tried(record.trace.candidates),
        notes=[_note_text(note) for note in record.trace.notes],
    )


def account_href(account_id: str) -> str:
    return f"{url_for('accounts.page')}/{account_id}" if account_id else ""


def _step_link(verdict: Verdict, record: RequestRecord) -> tuple[str, str]:
    """Where the next step is done, and what the button says."""
    last = record.trace.attempts[-1].account_id if record.trace.attempts else record.account_id
    match verdict.step:
        case "key" | "rights":
            return url_for("keys.page"), gettext("Open keys")
        case "accounts":
            return url_for("accounts.page"), gettext("Open accounts")
        case "add":
            return url_for("add.page"), gettext("Add accounts")
        case "login" | "proxy" if last:
            return account_href(last), gettext("Open account")
        case "proxy" | "settings":
            return url_for("settings.page"), gettext("Open settings")
        case "log":
            return url_for("log.page", q=record.request_id), gettext("Open the log")
    return "", ""


# --- what happened when


def _lanes(record: RequestRecord, names: Names) -> Sequence[Lane]:
    trace = record.trace
    lanes: list[Lane] = []
    if trace.waited > 0:
        text = seconds_text(trace.waited)
        lanes.append(Lane(gettext("Waited"), text, (Span("wait", 0.0, trace.waited),)))
    for one in trace.attempts:
        lanes.append(
            Lane(
                _seat(one, names),
                _attempt_time(one),
                _spans(one),
                account_href(one.account_id),
            )
        )
    return waterfall(lanes, record.seconds)


def _spans(one: AttemptRecord) -> tuple[Span, ...]:
    """Proof, then the wait for the first byte, then what came; a try that failed is one block after that."""
    outcome = "bad" if one.code and one.code != CLIENT_GONE else "good"
    spans: list[Span] = []
    at, end = one.began, one.began + one.seconds
    if one.proof_seconds > 0:
        spans.append(Span("proof", at, min(one.proof_seconds, one.seconds)))
        at += min(one.proof_seconds, one.seconds)
    if one.first_byte is not None and one.began + one.first_byte > at:
        until = min(one.began + one.first_byte, end)
        spans.append(Span("before", at, until - at))
        at = until
    spans.append(Span(outcome, at, max(0.0, end - at)))
    return tuple(spans)


def _attempt_time(one: AttemptRecord) -> str:
    parts = [str(one.upstream_status)] if one.upstream_status else []
    return " · ".join([*parts, seconds_text(one.seconds)])


# --- each try


def _attempt(record: RequestRecord, one: AttemptRecord, names: Names) -> AttemptView:
    verdict = explain_attempt(one)
    role, glyph = pill_of(verdict)
    word = sentence(verdict) if one.code else gettext("Worked")
    return AttemptView(
        one.number,
        _seat(one, names),
        account_href(one.account_id),
        Pill(role, glyph, word),
        _facts(record, one),
        one.message if one.code else "",
    )


def _seat(one: AttemptRecord, names: Names) -> str:
    """Who was to answer."""
    match one.route:
        case "direct":
            return gettext("the caller's own token")
        case "anonymous":
            return gettext("without a login")
        case "entry":
            return one.provider
    return names.account(one.account_id)


def _facts(record: RequestRecord, one: AttemptRecord) -> list[str]:
    facts: list[str] = []
    if one.upstream_status:
        facts.append(gettext("upstream answered %(status)s", status=one.upstream_status))
    if one.code:
        facts.append(clip(one.code))
    if one.proof_seconds > 0:
        facts.append(gettext("proof of work %(time)s", time=seconds_text(one.proof_seconds)))
    if one.first_byte is not None:
        facts.append(gettext("first byte after %(time)s", time=seconds_text(one.first_byte)))
    facts.append(gettext("%(time)s in all", time=seconds_text(one.seconds)))
    if one.renewed:
        facts.append(gettext("its token was renewed for this"))
    ends = limit_ends(record, one)
    if ends is not None:
        met = ends - (one.retry_after or 0.0)
        facts.append(gettext("limited until %(time)s", time=soon_time(ends, met)))
    rests = rest_ends(record, one, runtime().settings.access_denied_seconds)
    if rests is not None:
        facts.append(gettext("the account rests until %(time)s", time=short_time(rests)))
    return facts


# --- who could have answered


def _candidates(found: Candidates | None) -> list[str]:
    """The number of all, then of each group that is not empty; the groups add up to it."""
    if found is None:
        return []
    groups = [
        (found.ready, ngettext("%(num)d ready", "%(num)d ready", found.ready)),
        (found.busy, ngettext("%(num)d busy", "%(num)d busy", found.busy)),
        (found.cooling, ngettext("%(num)d resting", "%(num)d resting", found.cooling)),
        (
            found.limited,
            ngettext(
                "%(num)d limited for this model", "%(num)d limited for this model", found.limited
            ),
        ),
        (
            found.needs_login,
            ngettext("%(num)d needs a login", "%(num)d need a login", found.needs_login),
        ),
        (found.paused, ngettext("%(num)d paused", "%(num)d paused", found.paused)),
    ]
    everything = ngettext("%(num)d account", "%(num)d accounts", found.total)
    return [everything, *(text for number, text in groups if number)]


def _tried(found: Candidates | None) -> str:
    """How many of them were asked, in whatever group they are by now."""
    tried = 0 if found is None else min(found.excluded, found.total)
    if not tried:
        return ""
    return ngettext(
        "%(num)d of them was tried for this request",
        "%(num)d of them were tried for this request",
        tried,
    )


def _note_text(note: str) -> str:
    name, _, number = note.partition("=")
    if name == "choices" and number.isdecimal():
        return ngettext(
            "%(num)d answer was asked for at once",
            "%(num)d answers were asked for at once",
            int(number[:6]),
        )
    match note:
        case "asked_again":
            return gettext(
                "An answer did not keep to the tools or the JSON, so it was asked once more."
            )
        case "tool_call_invalid":
            return gettext("A call whose arguments do not fit was not passed on.")
        case "tool_call_dropped":
            return gettext("A second call was not passed on: only one was wanted.")
        case "tool_result_invented":
            return gettext("The model made up a tool's result. That was cut off.")
    return note


def answer_text(record: RequestRecord) -> str:
    """What we answered with, which need not be what the upstream did."""
    begun, left = record.trace.begun_with, record.code == CLIENT_GONE
    if begun:
        texts = {"status": begun}
        if left:
            return gettext("%(status)s, not heard to its end", **texts)
        return gettext("%(status)s, then an error event", **texts)
    if left:
        return gettext("nobody was there to be answered")
    return gettext("we answered %(status)s", status=record.status)


def chosen_text(record: RequestRecord) -> str:
    match record.trace.chosen_by:
        case "random":
            return gettext("chosen at random")
        case "turn":
            return gettext("chosen by turn")
        case "pinned":
            return gettext("bound to one account, by the conversation")
    return ""


def tokens_text(record: RequestRecord) -> str:
    """ "812 in, 1204 out (estimated)"; empty when nothing was counted."""
    if not record.prompt_tokens and not record.completion_tokens:
        return ""
    text = gettext(
        "%(prompt)s in, %(completion)s out",
        prompt=thousands(record.prompt_tokens),
        completion=thousands(record.completion_tokens),
    )
    return gettext("%(tokens)s (estimated)", tokens=text) if record.estimated else text


def thousands(number: int) -> str:
    """ "1,204": so in both languages."""
    return f"{number:,}"


# --- to hand on


def as_text(record: RequestRecord, view: Explained, names: Names) -> str:
    """The explanation as plain lines, for a message or a ticket. Names of accounts are in it."""
    lines = [
        f"{gettext('Request')} {record.request_id}",
        f"{moment(record.at)} · {names.key(record.key_id)} · {models_text(record)}",
        view.sentence,
    ]
    if record.failed:
        lines.append(f"{view.side} · {answer_text(record)} · {record.code}".rstrip(" ·"))
    if record.trace.message:
        lines.append(record.trace.message)
    lines += [
        " · ".join([f"{one.number} {one.account}", one.pill.word, *one.facts, one.message]).rstrip(
            " ·"
        )
        for one in view.attempts
    ]
    lines += view.notes
    if view.candidates:
        lines.append(" · ".join([*view.candidates, *filter(None, [view.tried])]))
    return "\n".join(lines)


def models_text(record: RequestRecord) -> str:
    """ "gpt-5", or "gpt-5 → gpt-5-mini" where another one answered."""
    asked, answered = clip(record.model) or "–", clip(record.answered_by)
    return f"{asked} → {answered}" if answered and record.answered_by != record.model else asked
