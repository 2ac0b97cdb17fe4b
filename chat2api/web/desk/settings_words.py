"""The settings in words: what each is called, its choices, and changes as a sentence in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from chat2api.settings.config_plain import plain_fields
from chat2api.settings.fields import Kind
from chat2api.settings.mask import clip
from chat2api.settings.model import Settings
from chat2api.web.languages import gettext, ngettext

_NUMBER = re.compile(
    r"must be (?P<what>a whole number|a number)(?: from (?P<least>\S+)| above (?P<above>\S+))?"
    r"(?: (?:up )?to (?P<most>\S+))?"
)
_ONE_OF = re.compile(r"must be (?P<names>[\w, ]+ or [\w, ]+)")
_UNTOUCHED = re.compile(r"(?P<num>[0-9]+) accounts? untouched")
_ACCOUNT = re.compile(r"account (?P<name>.*) (?P<what>added|removed)", re.DOTALL)
_ACCOUNT_CHANGED = re.compile(r"account (?P<name>.*): (?P<fields>[a-z_, ]+) changed", re.DOTALL)
_ITEM = re.compile(r"(?P<name>\w+): (?P<item>.*) (?P<what>added|removed)", re.DOTALL)
_ORDER = re.compile(r"(?P<name>\w+): order changed")
_VALUE = re.compile(r"(?P<name>\w+): (?P<before>.*) -> (?P<after>.*)", re.DOTALL)
_FIXED = re.compile(r"(?P<name>\w+) is set by the environment .*", re.DOTALL)
_VALID = re.compile(r"From now on these keys are valid: (?P<keys>.*)\.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """A setting of one plain value, for a form. `options` are (value, label); none: a text field.

    `fixed_by`: what decides it instead of the file, in words; empty where the file does.
    """

    name: str
    label: str
    value: str
    default: str
    options: tuple[tuple[str, str], ...] = ()
    is_number: bool = False
    fixed_by: str = ""


def rows_of(
    names: tuple[str, ...], values: Mapping[str, str], fixed: Mapping[str, str]
) -> list[Row]:
    """`values` as the form has them; `fixed`: where the value in use comes from, by name, of those that
    the file cannot change."""
    return [_row(name, values.get(name, ""), fixed.get(name, "")) for name in names]


def _row(name: str, value: str, fixed_by: str) -> Row:
    kind, default = plain_fields()[name].kind, default_words(name)
    options: list[tuple[str, str]] = []
    if kind is Kind.BOOL:
        options = [("true", gettext("Yes")), ("false", gettext("No"))]
    elif kind is Kind.CHOICE:
        options = [(choice, choice) for choice in _choices(name)]
    if options:
        options.insert(0, ("", gettext("Default: %(value)s", value=default)))
        if value not in dict(options):
            options.append((value, clip(value)))
    is_number = kind in (Kind.INT, Kind.FLOAT)
    return Row(name, label_of(name), value, default, tuple(options), is_number, fixed_by)


def default_words(name: str) -> str:
    value = Settings.model_fields[name].default
    if isinstance(value, bool):
        return gettext("Yes") if value else gettext("No")
    if name == "tz":
        return gettext("the system's")
    return f"{value:g}" if isinstance(value, float) else str(value) or "–"


def source_words(source: str) -> str:
    """Where a value comes from; `settings.load` speaks English."""
    kind, _, name = source.rpartition(" ")
    match kind:
        case "environment" | ".env":
            return gettext("environment variable %(name)s", name=name)
        case "command line":
            return gettext("command line option %(name)s", name=name)
        case "" if name == "default":
            return gettext("default")
        case _:
            return source


@cache
def _choices(name: str) -> tuple[str, ...]:
    annotation: Any = Settings.model_fields[name].annotation
    return get_args(annotation)


def label_of(name: str) -> str:
    """What a setting or a part of the file is called; its name where it is called nothing else."""
    match name:
        case "auth_tokens" | "keys":
            return gettext("API keys")
        case "access_token_prefixes" | "prefixes":
            return gettext("Direct prefixes")
        case "proxy":
            return gettext("Proxies")
        case "chatgpt_base_url":
            return gettext("Upstream address")
        case "chatgpts":
            return gettext("Accounts of the file")
        case "direct_tokens":
            return gettext("Access tokens used as keys")
        case "allow_anonymous":
            return gettext("Serve callers without a key")
        case "random_token":
            return gettext("Choose accounts at random")
        case "enable_limit":
            return gettext("Remember upstream's limits")
        case "account_concurrency":
            return gettext("Turns one account runs at once; 0: no limit")
        case "queue_seconds":
            return gettext("Longest wait for a free account, seconds")
        case "retry_times":
            return gettext("Further attempts after the first")
        case "history_disabled":
            return gettext("Conversations are temporary upstream")
        case "scheduled_refresh":
            return gettext("Renew everything every 4 days at 03:00")
        case _:
            return _label_of_records(name)


def _label_of_records(name: str) -> str:
    match name:
        case "tz":
            return gettext("Time zone, such as Asia/Shanghai")
        case "log_level":
            return gettext("Least severe log line")
        case "log_content":
            return gettext("Keep prompts and answers with the records, encrypted")
        case "requests_kept_days":
            return gettext("Keep records of requests, days")
        case "usage_kept_days":
            return gettext("Keep sums of usage, days")
        case _:
            return name


# --- mistakes


def mistake_words(reason: str) -> str:
    """What is wrong with a value; `settings` speaks English."""
    reason = reason.rstrip(".")
    if match := _NUMBER.fullmatch(reason):
        return " ".join(filter(None, (_kind_of_number(match["what"]), _range_words(match))))
    if match := _ONE_OF.fullmatch(reason):
        return gettext("It must be one of: %(names)s.", names=clip(match["names"]))
    match reason:
        case "must be a time zone such as Europe/Berlin or Asia/Shanghai":
            return gettext("It must be a time zone such as Asia/Shanghai.")
        case "must be an http:// or https:// address":
            return gettext("It must be an http:// or https:// address.")
        case "must look like http://, https:// or socks5://[user:password@]host:port":
            return gettext("It must look like socks5://user:password@host:port.")
        case "must not be empty":
            return gettext("It must not be empty.")
        case _ if reason.startswith("is not valid YAML"):
            return gettext("It is not valid YAML.")
        case _:
            return clip(reason)


def _kind_of_number(what: str) -> str:
    return (
        gettext("It must be a whole number.")
        if what == "a whole number"
        else gettext("It must be a number.")
    )


def _range_words(match: re.Match[str]) -> str:
    least, above, most = match["least"], match["above"], match["most"]
    if least and most:
        return gettext("From %(least)s to %(most)s.", least=least, most=most)
    if least:
        return gettext("At least %(least)s.", least=least)
    if above and most:
        return gettext("More than %(above)s, at most %(most)s.", above=above, most=most)
    if above:
        return gettext("More than %(above)s.", above=above)
    return gettext("At most %(most)s.", most=most) if most else ""


def trouble_words(message: str) -> str:
    """What is wrong with the file: "retry_times (app.dev.yaml line 14)=x: must be …"."""
    where, _, reason = message.partition(": ")
    told = mistake_words(reason)
    if told == clip(reason.rstrip(".")):
        return clip(message)
    name = re.split(r"[ =]", where, maxsplit=1)[0]
    return f"{label_of(clip(name))}: {told}"


# --- changes


def in_words(change: str) -> str:
    """A change or a warning of `settings.config_merge`, which speaks English."""
    if match := _UNTOUCHED.fullmatch(change):
        number = int(match["num"])
        return ngettext("%(num)d account untouched", "%(num)d accounts untouched", number)
    if change == "order of accounts changed":
        return gettext("The order of the accounts changes")
    if match := _ACCOUNT_CHANGED.fullmatch(change):
        return gettext(
            "Account %(name)s: %(fields)s changes", name=clip(match["name"]), fields=match["fields"]
        )
    if match := _ACCOUNT.fullmatch(change):
        return _come_or_gone(gettext("Account"), match["name"], match["what"])
    if match := _ORDER.fullmatch(change):
        return gettext("%(name)s: the order changes", name=label_of(match["name"]))
    if match := _ITEM.fullmatch(change):
        return _come_or_gone(label_of(match["name"]), match["item"], match["what"])
    if match := _VALUE.fullmatch(change):
        return f"{label_of(match['name'])}: {_known(match['before'])} → {_known(match['after'])}"
    return _warning(change)


def _come_or_gone(name: str, item: str, what: str) -> str:
    if what == "added":
        return gettext("%(name)s: %(item)s is added", name=name, item=clip(item))
    return gettext("%(name)s: %(item)s is removed", name=name, item=clip(item))


def _known(text: str) -> str:
    match text:
        case "none":
            return gettext("none")
        case "default":
            return gettext("default")
        case _:
            return clip(text)


def _warning(text: str) -> str:
    if match := _FIXED.fullmatch(text):
        return gettext(
            "%(name)s is set by the environment or the command line; the file counts when it is not.",
            name=label_of(match["name"]),
        )
    if match := _VALID.fullmatch(text):
        return gettext("From now on these keys are valid: %(keys)s.", keys=match["keys"])
    return clip(text)
