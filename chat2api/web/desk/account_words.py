"""How an account stands, in words: its pill, the evidence for it, and what its columns say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from chat2api.errors import ACCOUNT_CLOSED
from chat2api.pool.values import AccountRow, QuotaWindow
from chat2api.service.account_standing import Standing, Word, standing
from chat2api.settings.mask import clip
from chat2api.web.desk.fact_words import reason_words
from chat2api.web.languages import day, gettext
from chat2api.web.times import short_time, soon_time, span

LONGEST_NAME = 80
_LONGEST_MODEL = 40


@dataclass(frozen=True, slots=True)
class Pill:
    """A state told by glyph and word, never by its colour (`role`) alone."""

    role: str
    glyph: str
    word: str
    fact: str = ""


def name_of(row: AccountRow) -> str:
    return clip(row.label)[:LONGEST_NAME] or row.masked_token


def pill_of(row: AccountRow, now: float, most: int) -> Pill:
    """`most` is how many turns an account may have at once by the settings; 0 for no bound."""
    found = standing(row, now)
    role, glyph, word = _LOOKS[found.word]
    return Pill(role, glyph, _word(found, now) or word(), _fact(found, row, now, most))


def _word(found: Standing, now: float) -> str:
    match found.word:
        case "limited":
            return clip(found.model)[:_LONGEST_MODEL]
        case "ending":
            return gettext("Ends in %(span)s", span=span((found.until or now) - now))
        case _:
            return ""


def _fact(found: Standing, row: AccountRow, now: float, most: int) -> str:
    match found.word:
        case "in_use":
            bound = row.concurrency or most
            return f"{row.running}/{bound}" if bound else str(row.running)
        case "ending":
            return gettext("not renewable")
        case "limited" | "resting" | "challenge" if found.until is not None:
            return gettext("until %(time)s", time=soon_time(found.until, now))
        case _:
            return ""


_LOOKS: Mapping[Word, tuple[str, str, Callable[[], str]]] = {
    "ready": ("ok", "check", lambda: gettext("Ready")),
    "in_use": ("busy", "dot", lambda: gettext("In use")),
    "limited": ("wait", "half", lambda: ""),
    "resting": ("wait", "clock", lambda: gettext("Resting")),
    "renewing": ("busy", "renew", lambda: gettext("Renewing")),
    "ending": ("wait", "hourglass", lambda: ""),
    "challenge": ("bad", "shield", lambda: gettext("Challenge asked")),
    "login": ("bad", "warning", lambda: gettext("Log in again")),
    "closed": ("bad", "close", lambda: gettext("Closed by upstream")),
    "paused": ("off", "pause", lambda: gettext("Paused by you")),
    "unchecked": ("off", "question", lambda: gettext("Not checked")),
    "removed": ("off", "bin", lambda: gettext("Removed")),
}
GLYPHS = tuple(dict.fromkeys(glyph for _, glyph, _ in _LOOKS.values()))


# --- the evidence


@dataclass(frozen=True, slots=True)
class Evidence:
    """`said` is what is known and from whom, `next` what follows; `at` when it was learnt, if that is known.
    `is_met`: it tells of something that the account met."""

    said: str
    next: str
    at: float | None = None
    is_met: bool = False


def evidence_of(row: AccountRow, now: float) -> Evidence:
    found = standing(row, now)
    is_met = found.word in _MET or (found.word == "ready" and bool(_ready_said(row, now)))
    at = row.reason_at if is_met else None
    return Evidence(_said(found, row, now), _next(found, row, now), at, is_met)


_MET: frozenset[Word] = frozenset({"login", "closed", "challenge", "resting", "limited"})


def _said(found: Standing, row: AccountRow, now: float) -> str:
    match found.word:
        case "login":
            return _login_said(row)
        case "closed":
            return gettext("Upstream says that this account is closed.")
        case "challenge":
            return gettext("Upstream asks for a human check.")
        case "resting":
            return reason_text(row.reason) or gettext("It rests after a failure.")
        case "limited":
            return gettext("Upstream's limit for %(models)s.", models=_models(row))
        case "in_use":
            return gettext("It answers requests right now.")
        case "renewing":
            return gettext("Its token is being renewed.")
        case "ending":
            return gettext("Its token ends soon, and there is nothing to renew it with.")
        case "paused":
            return gettext("It was paused here.")
        case "removed":
            return gettext("It was removed here.")
        case "unchecked":
            return gettext("It was not used yet, and upstream was not asked about it.")
        case "ready":
            return _ready_said(row, now) or gettext("Nothing speaks against it.")
        case _:
            assert_never(found.word)


def _ready_said(row: AccountRow, now: float) -> str:
    """What still stands behind the last failure, or what was so until lately, told as past; else nothing."""
    if not row.reason:
        return ""
    if row.resting_until > now or row.refused_at is not None:
        return reason_text(row.reason)
    if row.rested_until > (row.reason_at or 0.0):
        why = reason_text(row.reason)
        return gettext(
            "Until %(time)s it rested: %(why)s", time=short_time(row.rested_until), why=why
        )
    return ""


def _login_said(row: AccountRow) -> str:
    if row.reason.startswith("the renewal was refused") and row.reason_at is not None:
        return gettext("Log in again: the renewal was refused on %(day)s.", day=day(row.reason_at))
    return reason_text(row.reason) or gettext("Its token has ended, and cannot be renewed.")


def _next(found: Standing, row: AccountRow, now: float) -> str:
    match found.word:
        case "login":
            return gettext("Log in again, or hand in a newer token. Until then it is not used.")
        case "closed":
            return gettext("A new login may not help. Ask upstream, or remove it.")
        case "challenge" | "resting":
            return gettext(
                "It comes back by itself at %(time)s.", time=soon_time(found.until or now, now)
            )
        case "limited":
            return gettext(
                "Other models go on; the last of these comes back at %(time)s.",
                time=soon_time(found.until or now, now),
            )
        case "ending":
            return gettext("Log in again before %(time)s.", time=short_time(found.until or now))
        case "paused":
            return gettext("Resume it to have it used again. Its token is renewed meanwhile.")
        case "removed":
            return gettext("It can be restored for 24 hours after that.")
        case "unchecked":
            return gettext("It is used when its turn comes. Check it to know now.")
        case _:
            if row.refused_at is not None:
                return gettext("It works until its token ends, and then needs a login.")
            if row.resting_until > now:
                return gettext(
                    "Others come first until %(time)s.",
                    time=soon_time(row.resting_until, now),
                )
            return ""


def _models(row: AccountRow) -> str:
    names = sorted(clip(name)[:_LONGEST_MODEL] for name in row.model_limits)
    return ", ".join(names[:5]) + ("…" if len(names) > 5 else "")


def reason_text(reason: str) -> str:
    """Error codes in words; what renewals say, or an importer brought along, as it stands."""
    known = words_of(reason)
    if known or not reason:
        return known
    return gettext("The last failure: %(what)s.", what=clip(reason).rstrip("."))


def words_of(reason: str) -> str:
    """A code, alone or before its message, or a sentence of ours in words; "" for what is not known."""
    known = _REASONS.get(reason.partition(": ")[0])
    return known() if known else reason_words(reason)


_REASONS: Mapping[str, Callable[[], str]] = {
    "upstream_account_auth_failed": lambda: gettext("Upstream refused its token."),
    ACCOUNT_CLOSED: lambda: gettext("Upstream says that this account is closed."),
    "upstream_access_denied": lambda: gettext("Upstream denied access from here: the address or the proxy is distrusted."),
    "upstream_challenge_required": lambda: gettext("Upstream asks for a human check."),
    "proof_of_work_too_hard": lambda: gettext("Upstream asked for more proof of work than is given here."),
    "rate_limit_exceeded": lambda: gettext("Upstream's limit for this account is used up."),
    "upstream_timeout": lambda: gettext("Upstream did not answer in time."),
    "upstream_connection_error": lambda: gettext("Upstream could not be reached."),
    "upstream_bad_response": lambda: gettext("Upstream answered with something that makes no sense."),
    "upstream_truncated": lambda: gettext("Upstream's answer broke off."),
}  # fmt: skip


# --- columns


@dataclass(frozen=True, slots=True)
class Fact:
    """Words, and their role where they are more than words: ok, wait, bad or ""."""

    text: str
    role: str = ""


def credential_of(row: AccountRow, now: float) -> Fact:
    """Until when its token is good, and whether it can be renewed."""
    if row.refused_at is not None:
        return Fact(gettext("renewal fails since %(day)s", day=day(row.refused_at)), "bad")
    ends = row.expires_at
    if ends is None:
        return Fact(gettext("renewed when needed") if row.renewable else gettext("no end known"))
    if ends <= now and not row.renewable:
        return Fact(gettext("ended %(day)s", day=day(ends)), "bad")
    if row.renewable:
        return Fact(gettext("until %(time)s, renewed before", time=day(ends)))
    return Fact(gettext("until %(time)s, not renewable", time=day(ends)), "wait")


def quota_of(row: AccountRow) -> Fact:
    """The fullest window in a few words, else nothing."""
    counted = [window for window in row.quota.windows if window.used_percent is not None]
    if not counted:
        return Fact("–")
    fullest = max(counted, key=lambda window: window.used_percent or 0.0)
    used = fullest.used_percent or 0.0
    role = "bad" if used >= 100 else "wait" if used >= 90 else ""
    return Fact(f"{window_name(fullest)} {used:.0f} %", role)


def window_name(window: QuotaWindow) -> str:
    known: Mapping[str, Callable[[], str]] = {
        "image_gen": lambda: gettext("Pictures"),
        "file_upload": lambda: gettext("Files"),
        "deep_research": lambda: gettext("Deep research"),
        "odyssey": lambda: gettext("Agent"),
        "paste_text_to_file": lambda: gettext("Pasted texts"),
    }
    found = known.get(window.name)
    return found() if found else clip(window.name)[:LONGEST_NAME]


def is_of_a_file(row: AccountRow) -> bool:
    """Whether a configuration file lists it, which then says its tokens and its proxy."""
    return row.source.lower().endswith((".yaml", ".yml"))


def source_text(row: AccountRow) -> str:
    source = clip(row.source)[:LONGEST_NAME]
    if is_of_a_file(row):
        return gettext("from %(file)s", file=source)
    return source or "–"
