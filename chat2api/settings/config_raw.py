"""The file as text to look at: every line and comment, and no secret.

What is not known to be harmless is hidden, in comments too: people put old keys there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ruamel.yaml.comments import CommentedMap

from chat2api.settings.compatible_entry import COMPATIBLE_FIELDS, OPENAI_COMPATIBLE, PROVIDERS
from chat2api.settings.config_file import parse_document
from chat2api.settings.entry import PLAIN_FIELDS, SECRET_FIELDS
from chat2api.settings.fields import Kind, SettingField, setting_fields
from chat2api.settings.mask import HIDDEN, mask_address, mask_secret, mask_text
from chat2api.settings.yaml_file import (
    ACCESS_TOKEN_PREFIX,
    ACCESS_TOKENS,
    AUTH,
    CHATGPTS,
    SEED_NAMES,
)

# A setting or an item of a list that was commented out.
_LIKE_YAML = re.compile(r"(?P<before>(?:-\s+)?[\w.]+\s*:\s*|-\s+)(?P<value>\S.*)")
# One word that people do not write: an item of a list over several lines, or a password.
_ITEM = re.compile(r"""["'\[{]\S*|\S+["',\]}]|(?=\S*[0-9])\S{8,}""")
_PRIVATE = re.compile(r"(?i)token|key|secret|pass|auth|cookie|prefix")
_COMMENT = re.compile(
    r"(?P<code>(?:[^#\n'\"]|'[^'\n]*'|\"[^\"\n]*\")*?)(?P<mark>(?:^|(?<=\s))#)(?P<text>.*)"
)
_ADDRESSES = ("proxy_url", "chatgpt_base_url", "openai_compatible_base_url")
_ACCOUNT: Mapping[str, Callable[[str], str] | None] = {
    **dict.fromkeys(PLAIN_FIELDS, None),
    **dict.fromkeys(SECRET_FIELDS, mask_secret),
    "proxy": mask_address,
}
_UPSTREAM: Mapping[str, Callable[[str], str] | None] = {
    **dict.fromkeys(COMPATIBLE_FIELDS, None),
    "api_key": mask_secret,
    "base_url": mask_address,
    "proxy": mask_address,
}


def masked_text(text: str, label: str, scrub: Callable[[str], str]) -> str:
    """`scrub` takes out what looks like a secret wherever it stands.

    Raises ConfigFileError for what is not YAML; that cannot be shown, since nobody knows what is what."""
    document = parse_document(text, "", label)
    fields = setting_fields()
    for key in list(document.data):
        document.data[key] = _masked(str(key), document.data[key], fields)
    return "\n".join(_without_secrets(line, scrub) for line in document.dump().splitlines()) + "\n"


def _masked(key: str, value: Any, fields: Mapping[str, SettingField]) -> Any:
    if key == AUTH and isinstance(value, CommentedMap):
        for name in list(value):
            known = name in (ACCESS_TOKENS, ACCESS_TOKEN_PREFIX)
            value[name] = _each(value[name], mask_secret if known else _hide)
        return value
    if key == CHATGPTS:
        return _entries(value, _ACCOUNT)
    if key == PROVIDERS and isinstance(value, CommentedMap):
        for name in list(value):
            known = name == OPENAI_COMPATIBLE
            value[name] = _entries(value[name], _UPSTREAM) if known else _each(value[name], _hide)
        return value
    name = SEED_NAMES.get(key, key)
    field = fields.get(name)
    if name in _ADDRESSES:
        return _each(value, mask_address)
    if field is None or field.kind is Kind.MAPPING:
        return _each(value, _hide)
    if field.secret:
        return _each(value, mask_secret if field.kind is Kind.LIST else _hide)
    return _each(value, lambda text: mask_text(name, text), numbers=True)


def _entries(value: Any, masks: Mapping[str, Callable[[str], str] | None]) -> Any:
    """A list of mappings; `masks` has the fields that are known, with None for those that may be seen."""
    if not isinstance(value, list):
        return _each(value, _hide)
    for index, entry in enumerate(value):
        if not isinstance(entry, CommentedMap):
            value[index] = _each(entry, _hide)
            continue
        for name in list(entry):
            mask = masks.get(name, _hide)
            if mask is not None:
                entry[name] = _each(entry[name], mask)
    return value


def _each(value: Any, mask: Any, *, numbers: bool = False) -> Any:
    """Every text in it; what is empty or a switch stays, and `numbers` where they are no passwords."""
    match value:
        case None | "" | bool():
            return value
        case int() | float() if numbers:
            return value
        case dict():
            for name in list(value):
                value[name] = _each(value[name], mask, numbers=numbers)
            return value
        case list():
            for index, item in enumerate(value):
                value[index] = _each(item, mask, numbers=numbers)
            return value
        case _:
            return mask(str(value))


def _hide(_text: str) -> str:
    return HIDDEN


def _without_secrets(line: str, scrub: Callable[[str], str]) -> str:
    """The line with its comment made harmless."""
    found = _COMMENT.fullmatch(line)
    if found is None:  # quotes that do not match: where the comment begins is a guess
        code, mark, _ = line.partition(" #")
        return scrub(code) + (f"{mark} {HIDDEN}" if mark else "")
    comment = scrub(found["text"])
    like = _LIKE_YAML.fullmatch(comment.strip())
    blanks = comment[: len(comment) - len(comment.lstrip())]
    if like is not None and not _is_harmless(like["before"], like["value"]):
        comment = f"{blanks}{like['before']}{HIDDEN}"
    elif _ITEM.fullmatch(comment.strip()):
        comment = f"{blanks}{HIDDEN}"
    return f"{scrub(found['code'])}{found['mark']}{comment}"


def _is_harmless(before: str, value: str) -> bool:
    """Words that follow a colon in a sentence, and settings that are no secrets."""
    name = before.strip().lstrip("- ").rstrip(": ")
    field = setting_fields().get(SEED_NAMES.get(name, name))
    if field is not None:
        return not field.secret and field.kind is not Kind.MAPPING and "@" not in value
    is_sentence = " " in value.strip() and not value.startswith(tuple("[{&*!|>'\""))
    return bool(name) and is_sentence and not _PRIVATE.search(name)
