"""`chatgpts` of aurorax/chat2api's `conf/app.<env>.yaml`. Keys and prefixes there are settings, not accounts. Pure."""

from __future__ import annotations

from typing import Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from chat2api.service.importing.auth_files import read_login
from chat2api.service.importing.content import (
    TOO_DEEP,
    Unreadable,
    bounded,
    damaged,
    text_of,
    whole_or_nothing,
)
from chat2api.service.importing.fields import NOT_AN_ENTRY
from chat2api.service.importing.found import Found, joined, nothing
from chat2api.settings.gentle_yaml import safe_yaml

# The parser manages about 100 kB a second; this is room for some hundred accounts.
LARGEST_YAML_BYTES = 4 * 1024 * 1024


@whole_or_nothing
def read_app_yaml(content: bytes, where: str) -> Found:
    if len(content) > LARGEST_YAML_BYTES:
        raise Unreadable("is larger than 4 MB")
    document = _parsed(text_of(content))
    if document is None:
        return Found()
    if not isinstance(document, dict):
        raise Unreadable("does not hold `name: value` lines")
    entries = document.get("chatgpts")
    if entries is None:
        return Found()
    if not isinstance(entries, list):
        raise Unreadable("has chatgpts, and they are not a list")
    bounded(entries)
    return joined(
        _entry(entry, f"{where} entry {number}") for number, entry in enumerate(entries, start=1)
    )


def _entry(entry: Any, where: str) -> Found:
    return read_login(entry, where) if isinstance(entry, dict) else nothing(where, NOT_AN_ENTRY)


def _parsed(text: str) -> Any:
    try:
        return safe_yaml().load(text)
    except MarkedYAMLError as error:
        raise damaged(error.problem_mark.line + 1 if error.problem_mark else 1) from None
    except RecursionError:
        raise Unreadable(TOO_DEEP) from None
    except (YAMLError, ValueError):
        raise Unreadable("is not valid YAML") from None
