"""Facts that are kept in English or as codes, in the reader's language: reasons, who did it, single values.

What is not known here is shown as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from chat2api.settings.mask import clip
from chat2api.web.languages import gettext
from chat2api.web.times import seconds_text

_REFUSED = re.compile(r"the renewal was refused: (?P<why>.*)", re.DOTALL)
_ANSWERED = re.compile(r"the token endpoint answered (?P<status>[0-9]{3})(?: \((?P<code>\w+)\))?")
_NO_ANSWER = re.compile(r"no answer from the token endpoint: .*", re.DOTALL)
_SHORT_ID = 6


def reason_words(reason: str) -> str:
    """What renewals, checks and jobs say of how it went; "" where nothing is known of it."""
    if match := _REFUSED.fullmatch(reason):
        why = _REASONS.get(match["why"])
        shown = why().rstrip(".。") if why else clip(match["why"])
        return gettext("The renewal was refused: %(why)s.", why=shown)
    if match := _ANSWERED.fullmatch(reason):
        shown = " ".join(filter(None, (match["status"], match["code"])))
        return gettext("The login server answered %(status)s.", status=shown)
    if _NO_ANSWER.fullmatch(reason):
        return gettext("The login server did not answer.")
    known = _REASONS.get(reason)
    return known() if known else ""


_REASONS: Mapping[str, Callable[[], str]] = {
    "it has no refresh token": lambda: gettext("There is no refresh token."),
    "there is no refresh token": lambda: gettext("There is no refresh token."),
    "the account is not here any more": lambda: gettext("The account is not here any more."),
    "It is not here any more.": lambda: gettext("The account is not here any more."),
    "Its stored token cannot be opened.": lambda: gettext("Its stored token cannot be opened."),
    "The upstream has closed this account.": lambda: gettext("Upstream says that this account is closed."),
    "The upstream took too long.": lambda: gettext("Upstream did not answer in time."),
    "an unexpected error; the log tells more": lambda: gettext("An unexpected error; the log tells more."),
    "a newer token came in meanwhile; try again": lambda: gettext("A newer token came in meanwhile."),
    "refresh_token_expired": lambda: gettext("its refresh token has ended"),
    "refresh_token_reused": lambda: gettext("its refresh token was used already"),
    "refresh_token_invalidated": lambda: gettext("its refresh token was made invalid"),
    "refresh_token_revoked": lambda: gettext("its refresh token was revoked"),
    "invalid_grant": lambda: gettext("its refresh token is not valid"),
    "account_deactivated": lambda: gettext("the account was switched off"),
    "account_suspended": lambda: gettext("the account was suspended"),
    "account_deleted": lambda: gettext("the account was deleted"),
}  # fmt: skip


def actor_words(actor: str, me: str = "") -> str:
    """Who did it; `me` is who reads it."""
    kind, _, name = actor.partition(" ")
    match kind:
        case "session" if actor == me:
            return gettext("you")
        case "session" if name:
            return gettext("somebody signed in (%(id)s)", id=clip(name[:_SHORT_ID]))
        case "bearer":
            return gettext("a script")
        case "cli":
            return gettext("the command line")
        case "stranger":
            return gettext("somebody unknown")
        case "system":
            return gettext("the server itself")
        case _:
            return clip(actor)


def fact_words(name: str, value: object) -> str:
    """A named value of an account's history."""
    shown = clip(str(value))
    match name:
        case "reason" | "message" | "code":
            return reason_words(str(value)) or shown
        case "seconds" if isinstance(value, int | float):
            return gettext("for %(span)s", span=seconds_text(value))
        case "model":
            return gettext("model %(name)s", name=shown)
        case "source":
            return gettext("source: %(name)s", name=shown)
        case "changed":
            return gettext("changed: %(names)s", names=shown)
        case "undone":
            return gettext("undone")
        case "result":
            return _login_result(str(value))
        case _:
            return f"{clip(str(name))}: {shown}"


def _login_result(verdict: str) -> str:
    match verdict:
        case "added":
            return gettext("new here")
        case "revived":
            return gettext("was removed, and is back")
        case "updated":
            return gettext("new tokens")
        case "unchanged":
            return gettext("nothing new")
        case _:
            return clip(verdict)


def kind_words(kind: str) -> str:
    """What kind of login an account has."""
    match kind:
        case "codex":
            return gettext("Codex login")
        case "web":
            return gettext("Web login")
        case _:
            return clip(kind)
