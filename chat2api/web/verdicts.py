"""Verdicts in words: for the operator, and for whoever sent the request and may know nothing of accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chat2api.service.explaining import Verdict
from chat2api.web.languages import gettext
from chat2api.web.times import soon_time

_Words = Mapping[str, Callable[[], str]]


def sentence(verdict: Verdict) -> str:
    """The whole story in one or two sentences."""
    match verdict.said:
        case "later":
            return gettext("It worked at try %(num)s. The ones before failed.", num=verdict.tries)
        case "second_limited_until":
            return gettext(
                "It worked on the second account. The first was limited until %(time)s.",
                time=soon_time(verdict.until or 0, verdict.limited_at),
            )
    return _SENTENCES[verdict.said]()


def owner_sentence(verdict: Verdict) -> str:
    """The same without a word that tells of accounts, or how many there are."""
    if verdict.said == "gone":
        return _SENTENCES["gone"]()
    if verdict.side == "nobody":
        return gettext("It worked.")
    if verdict.said in _FOR_OWNERS:
        return _FOR_OWNERS[verdict.said]()
    return _SENTENCES[verdict.said]()


def side_text(verdict: Verdict) -> str:
    return _SIDES[verdict.side]()


def owner_side_text(verdict: Verdict) -> str:
    return _SIDES_FOR_OWNERS[verdict.side]()


def step_text(verdict: Verdict) -> str:
    return _STEPS[verdict.step]()


def owner_step_text(verdict: Verdict) -> str:
    return _STEPS_FOR_OWNERS[verdict.step]() if verdict.step in _STEPS_FOR_OWNERS else ""


def pill_of(verdict: Verdict) -> tuple[str, str]:
    """Role and glyph of a verdict's pill."""
    if verdict.said == "gone":
        return "off", "leave"
    if verdict.side == "nobody":
        return "ok", "check"
    if verdict.said in (
        "limit",
        "entry_limit",
        "all_resting",
        "key_minute",
        "key_tokens",
        "queue",
        "stopping",
    ):
        return "wait", "clock"
    if verdict.said == "challenge":
        return "bad", "shield"
    if verdict.side == "client":
        return "off", "info"
    return "bad", "warning"


_SENTENCES: _Words = {
    "worked": lambda: gettext("It worked."),
    "same_account": lambda: gettext("It worked at the second try, on the same account."),
    "some_failed": lambda: gettext("It worked. Some tries failed on the way."),
    "second": lambda: gettext("It worked on the second account. The first failed."),
    "second_limited": lambda: gettext("It worked on the second account. The first was limited."),
    "second_login": lambda: gettext(
        "It worked on the second account. The first needs a new login."
    ),
    "second_unreachable": lambda: gettext(
        "It worked on the second account. The upstream could not be reached for the first."
    ),
    "second_timeout": lambda: gettext(
        "It worked on the second account. The first got no answer in time."
    ),
    "malformed": lambda: gettext("The request has a mistake in it."),
    "unsupported": lambda: gettext("The request asks for something that the upstream cannot do."),
    "too_long": lambda: gettext("The conversation is too long for this model."),
    "policy": lambda: gettext("The upstream refuses this content."),
    "too_large": lambda: gettext("The request is too large."),
    "slow_body": lambda: gettext("The request did not arrive in time."),
    "unknown_model": lambda: gettext("There is no such model here."),
    "lost_conversation": lambda: gettext("The conversation to go on with is not known here."),
    "unknown_path": lambda: gettext(
        "The client asked at an address, or in a way, that does not exist here."
    ),
    "refused": lambda: gettext("The request was refused as it was."),
    "gone": lambda: gettext("The caller hung up before the end."),
    "bad_key": lambda: gettext("The key or token was refused."),
    "scope": lambda: gettext("The key may not be used for this part of the API."),
    "model_refused": lambda: gettext("The key may not use this model."),
    "key_minute": lambda: gettext("The key had used up its requests of that minute."),
    "key_tokens": lambda: gettext("The key had used up its tokens of that day."),
    "guesses": lambda: gettext("Too many wrong keys came from this address."),
    "closed": lambda: gettext("This part of the server is not set up."),
    "all_resting": lambda: gettext("Every account that could answer was resting."),
    "no_account": lambda: gettext(
        "No account could answer: there is none, or they need a new login."
    ),
    "queue": lambda: gettext("All accounts were busy, and waiting for one took too long."),
    "storage": lambda: gettext("The database did not answer."),
    "stopping": lambda: gettext("The server was about to stop."),
    "internal": lambda: gettext("Something went wrong in this server."),
    "nonsense": lambda: gettext("The upstream's answer made no sense."),
    "no_call": lambda: gettext("The model did not call a tool, although it was told to."),
    "no_json": lambda: gettext("The model did not answer with the JSON that was asked for."),
    "unreachable": lambda: gettext("The upstream could not be reached."),
    "cut": lambda: gettext("The upstream's answer was cut off before its end."),
    "timeout": lambda: gettext("The upstream did not answer in time."),
    "distrusted": lambda: gettext("The upstream distrusts the address that the server comes from."),
    "challenge": lambda: gettext("Upstream asks for a human check."),
    "proof": lambda: gettext("The upstream asked for more computing than this server allows."),
    "egress_login": lambda: gettext(
        "The upstream wants everybody to log in who comes from this server's address."
    ),
    "keyless_login": lambda: gettext("The upstream wants a login, and the client sent no key."),
    "login": lambda: gettext("The upstream refused the account's login."),
    "closed_account": lambda: gettext("Upstream has closed the account."),
    "limit": lambda: gettext("The account's limit at the upstream was used up."),
    "entry_key": lambda: gettext("The upstream refused the key that is set for it."),
    "entry_denied": lambda: gettext(
        "The upstream does not let the key that is set for it do this."
    ),
    "entry_limit": lambda: gettext("The limit of this server's key at the upstream was used up."),
    "same_upstream": lambda: gettext("It worked at the second try."),
    "second_upstream": lambda: gettext("It worked on another upstream. The first failed."),
    "no_way": lambda: gettext("No way to the upstream that could serve this is switched on."),
    "other_client": lambda: gettext("The request was refused as it was."),
    "other_server": lambda: gettext("The server could not serve the request."),
}

_FOR_OWNERS: _Words = {
    "all_resting": lambda: gettext("This server is at its limit at the upstream."),
    "limit": lambda: gettext("This server is at its limit at the upstream."),
    "no_account": lambda: gettext("This server cannot answer at the moment."),
    "login": lambda: gettext("This server cannot answer at the moment."),
    "closed_account": lambda: gettext("This server cannot answer at the moment."),
    "entry_key": lambda: gettext("This server cannot answer at the moment."),
    "entry_denied": lambda: gettext("This server cannot answer at the moment."),
    "entry_limit": lambda: gettext("This server is at its limit at the upstream."),
    "queue": lambda: gettext("This server was too busy."),
    "challenge": lambda: gettext("The upstream did not let this server in."),
    "distrusted": lambda: gettext("The upstream did not let this server in."),
    "egress_login": lambda: gettext("The upstream did not let this server in."),
    "proof": lambda: gettext("The upstream did not let this server in."),
    "no_way": lambda: gettext("This server cannot answer at the moment."),
}

_SIDES: _Words = {
    "nobody": lambda: gettext("Nobody's fault"),
    "client": lambda: gettext("The client's side"),
    "account": lambda: gettext("The account's side"),
    "network": lambda: gettext("The network's side"),
    "upstream": lambda: gettext("Upstream's side"),
    "server": lambda: gettext("This server's side"),
}

_SIDES_FOR_OWNERS: _Words = {
    "nobody": lambda: "",
    "client": lambda: gettext("The cause is in your request or your key."),
    "account": lambda: gettext("The fault was the server's, not your key's."),
    "network": lambda: gettext("The fault was the network's, not your key's."),
    "upstream": lambda: gettext("The fault was upstream's, not your key's."),
    "server": lambda: gettext("The fault was the server's, not your key's."),
}

_STEPS: _Words = {
    "none": lambda: "",
    "client": lambda: gettext("Mend it in the client; what it was told stands below."),
    "shorten": lambda: gettext("Shorten the conversation, or begin a new one."),
    "restart": lambda: gettext("Begin a new conversation."),
    "key": lambda: gettext("Give the client a valid key."),
    "rights": lambda: gettext("Change what the key may do, or use another key."),
    "models": lambda: gettext("Choose a model that exists here."),
    "patience": lambda: gettext("If it was not meant to: have the client wait longer, or stream."),
    "wait": lambda: gettext("It ends by itself."),
    "retry": lambda: gettext("Try again."),
    "accounts": lambda: gettext("See which accounts rest, and add some if it happens often."),
    "add": lambda: gettext("Add accounts, or log in again where it is needed."),
    "login": lambda: gettext("Log in again with this account."),
    "proxy": lambda: gettext("Check the connection, or set another proxy."),
    "settings": lambda: gettext("Look at the settings."),
    "log": lambda: gettext("The log has the story under this request id."),
}

_STEPS_FOR_OWNERS: _Words = {
    "client": lambda: gettext("Change the request; your client was told what is wrong."),
    "shorten": lambda: gettext("Shorten the conversation, or begin a new one."),
    "restart": lambda: gettext("Begin a new conversation."),
    "key": lambda: gettext("Ask the operator for a valid key."),
    "rights": lambda: gettext("Ask the operator what your key may do."),
    "models": lambda: gettext("Choose a model that exists here."),
    "patience": lambda: gettext("If it was not meant to: have the client wait longer, or stream."),
    "wait": lambda: gettext("Try again later."),
    "retry": lambda: gettext("Try again."),
    "accounts": lambda: gettext("Try again later."),
    "add": lambda: gettext("If it stays so, give the operator the request id."),
    "login": lambda: gettext("If it stays so, give the operator the request id."),
    "proxy": lambda: gettext("If it stays so, give the operator the request id."),
    "settings": lambda: gettext("If it stays so, give the operator the request id."),
    "log": lambda: gettext("If it stays so, give the operator the request id."),
}
