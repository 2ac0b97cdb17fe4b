"""What there is to say about a login: how it stands, how it ended, which account wants one and why."""

from __future__ import annotations

from chat2api.pool.values import AccountRow
from chat2api.store.logins import Login, LoginResult
from chat2api.web.desk.account_words import reason_text
from chat2api.web.languages import gettext
from chat2api.web.times import span

_LONGEST_NAME = 80


def title_of(login: Login) -> str:
    match login.state:
        case "done":
            return gettext("Logged in")
        case "expired":
            return gettext("The time for this login is over")
        case "refused":
            return gettext("Not logged in")
        case "cancelled":
            return gettext("This login was cancelled")
        case _:
            return gettext("Log in with ChatGPT")


def done_text(result: LoginResult) -> str:
    """ "Signed in as a…@… It is new here." """
    label = plain(result.label)
    match result.verdict:
        case "added":
            return gettext("Signed in as %(label)s. The account is new here.", label=label)
        case "revived":
            return gettext(
                "Signed in as %(label)s. The account had been removed, and is back.", label=label
            )
        case "unchanged":
            return gettext("Signed in as %(label)s. Nothing of it was new.", label=label)
        case _:
            return gettext("Signed in as %(label)s. The account has new tokens.", label=label)


def ended_text(login: Login) -> str:
    """Why it came to nothing, and that nothing was changed."""
    result = login.result
    if login.state == "expired":
        return gettext("It was not finished in time. Nothing was changed.")
    if login.state == "cancelled":
        return gettext("Nothing was changed.")
    match result.why:
        case "other_account":
            return gettext(
                "This login is that of %(label)s, and not of this account. Nothing was changed.",
                label=plain(result.label),
            )
        case "other_workspace":
            return gettext(
                "This login is for another workspace of the same person. Nothing was changed; "
                "choose the account's workspace when you log in."
            )
        case "taken":
            return gettext(
                "This login is that of %(label)s, which is an account of its own here. Nothing was "
                "changed.",
                label=plain(result.label),
            )
        case "unnamed":
            return gettext("The tokens do not say whose they are. Nothing was changed.")
        case "gone":
            return gettext("The account was removed meanwhile. Nothing was changed.")
        case "damaged":
            return gettext("What was kept of this login cannot be read. Begin it again.")
        case _:
            return gettext("The login server refused it. Nothing was changed.")


def trouble_text(login: Login) -> str:
    if not login.trouble:
        return ""
    return gettext("The login server could not be asked just now; it is tried again.")


# --- accounts that want one


def name_of(account: AccountRow) -> str:
    return plain(account.label) or account.account_id


def ends_text(account: AccountRow, now: float) -> str:
    """How long it still serves."""
    if account.state == "needs_login":
        return gettext("needs a login now")
    if account.expires_at is None:
        return gettext("serves until its token ends")
    if account.expires_at <= now:
        return gettext("its token has ended")
    return gettext("%(span)s left", span=span(account.expires_at - now))


def wants_text(account: AccountRow) -> str:
    """Why it wants one, in the words of whoever refused it."""
    if account.state != "needs_login" and not account.has_refresh_token:
        return gettext("it has no refresh token")
    return reason_text(account.reason) or gettext("its token has ended")


def plain(text: str, most: int = _LONGEST_NAME) -> str:
    """Foreign text on one line: nothing in it that could turn the line around, and not too much."""
    shown = "".join(one for one in text if one.isprintable())
    return shown if len(shown) <= most else f"{shown[:most]}…"
