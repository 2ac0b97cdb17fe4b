"""The form of the configuration file: from its fields to the JSON that a change is, and back. Pure.

Fields are named by what they are of: `proxy`, `setting.retry_times`, `keys.0.value`, `account.3.email`.
An index is that of the file as the form saw it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from chat2api.settings.config_plain import PLAIN
from chat2api.settings.entry import PLAIN_FIELDS, SECRET_FIELDS
from chat2api.settings.mask import HIDDEN, mask_address

Fields = dict[str, str]

ADDRESSES = ("proxy", "chatgpt_base_url")
LISTS: Mapping[str, str] = {"keys": "auth_tokens", "prefixes": "access_token_prefixes"}
"""The part of a field's name, and that of the JSON."""
NEW = "new"
_CHATGPTS = "chatgpts"
_SECRET = re.compile(
    r"(?:keys|prefixes)\.(?:[0-9]+\.value|new)|account\.(?:[0-9]+|new)\.(?:id_token|access_token|refresh_token)"
)
_ADDRESS = re.compile(r"proxy|chatgpt_base_url|account\.(?:[0-9]+|new)\.proxy")
_EDITED_LIST = re.compile(
    r"(?P<list>keys|prefixes)\.(?P<index>[0-9]+)\.(?P<what>value|remove|masked)"
)
_EDITED_ACCOUNT = re.compile(r"account\.(?P<index>[0-9]+)\.(?P<what>[a-z_.]+)")


def with_kept(sent: Mapping[str, str], kept: Mapping[str, str]) -> Fields:
    """What was sent, with the secrets that were typed before and rest with the server since.

    A blank field keeps such a secret, and a masked address stands for the one that was typed.
    """
    fields = dict(sent)
    for name, value in kept.items():
        if _SECRET.fullmatch(name):
            if not fields.get(name, "").strip() and f"{name}.forget" not in fields:
                fields[name] = value
        elif _ADDRESS.fullmatch(name) and _stands_for(fields.get(name, ""), value):
            fields[name] = value
    return fields


def public(fields: Mapping[str, str]) -> Fields:
    """What may stand in a page: of secrets only that there are some."""
    shown: Fields = {}
    for name, value in fields.items():
        if _SECRET.fullmatch(name):
            shown[f"{name}.kept"] = "1" if value.strip() else ""
        else:
            shown[name] = shown_address(value) if _ADDRESS.fullmatch(name) else value
    return shown


def _stands_for(text: str, kept: str) -> bool:
    return HIDDEN in text and text.strip() == shown_address(kept)


def shown_address(text: str) -> str:
    return ", ".join(mask_address(part.strip()) for part in text.split(",")) if text else ""


# --- what the form wants


def body_of(fields: Mapping[str, str], view: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of a change. `view` is the file as it is now; its revision tells whether indices still fit."""
    body: dict[str, Any] = {"revision": fields.get("revision", "")}
    for name in ADDRESSES:
        if name in fields:
            body[name] = fields[name]
    settings = {
        name.removeprefix("setting."): value
        for name, value in fields.items()
        if name.startswith("setting.")
    }
    if settings:
        body[PLAIN] = settings
    for part, name in LISTS.items():
        items = _list_of(part, view[name], fields)
        if items is not None:
            body[name] = items
    accounts = _accounts_of(fields, view[_CHATGPTS])
    if accounts is not None:
        body[_CHATGPTS] = accounts
    return body


def _list_of(
    part: str, stored: list[dict[str, Any]], fields: Mapping[str, str]
) -> list[dict[str, Any]] | None:
    """None where nobody touched it."""
    items: list[dict[str, Any]] = []
    touched = False
    for index, item in enumerate(stored):
        value = fields.get(f"{part}.{index}.value", "").strip()
        if f"{part}.{index}.remove" in fields:
            touched = True
        elif value:
            touched = True
            items.append({"index": index, "value": value})
        elif item["set"]:
            items.append({"index": index, "set": True, "masked": item["masked"]})
    for line in fields.get(f"{part}.{NEW}", "").splitlines():
        if line.strip():
            touched = True
            items.append({"index": -1, "value": line.strip()})
    return items if touched else None


def _accounts_of(
    fields: Mapping[str, str], stored: list[dict[str, Any]]
) -> list[dict[str, Any]] | None:
    accounts: list[dict[str, Any]] = []
    touched = False
    for index in range(len(stored)):
        if f"account.{index}.remove" in fields:
            touched = True
            continue
        account: dict[str, Any] = {"index": index, **_account_of(fields, str(index))}
        touched = touched or len(account) > 1
        accounts.append(account)
    new = _account_of(fields, NEW)
    if any(new.values()):
        touched = True
        accounts.append({"index": -1, **new})
    return accounts if touched else None


def _account_of(fields: Mapping[str, str], index: str) -> dict[str, Any]:
    account: dict[str, Any] = {}
    for name in PLAIN_FIELDS:
        value = fields.get(f"account.{index}.{name}")
        if value is not None and (value or index != NEW):
            account[name] = value
    for name in SECRET_FIELDS:
        value = fields.get(f"account.{index}.{name}", "").strip()
        if value:
            account[name] = {"index": -1, "value": value}
        elif f"account.{index}.{name}.remove" in fields:
            account[name] = {"index": -1, "set": False}
    return account


# --- when somebody else saved first


def seen(view: Mapping[str, Any]) -> str:
    """The file as a form saw it, masked; goes along in the form, for telling later what changed since."""
    lists = {part: [item["masked"] for item in view[name]] for part, name in LISTS.items()}
    known = {**{name: view[name] for name in ADDRESSES}, **lists, PLAIN: view[PLAIN]}
    return json.dumps({**known, _CHATGPTS: [mark_of(row) for row in view[_CHATGPTS]]})


def changed_since(text: str, view: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What of the file is another than a form saw: name, before, now. Masked."""
    try:
        old, new = json.loads(text), json.loads(seen(view))
        pairs = [(name, old[name], new[name]) for name in (*ADDRESSES, *LISTS)]
        pairs += [(name, old[PLAIN][name], now) for name, now in new[PLAIN].items()]
        accounts = old[_CHATGPTS] != new[_CHATGPTS]
        counts = str(len(old[_CHATGPTS])), str(len(new[_CHATGPTS]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    found = [(name, _joined(before), _joined(now)) for name, before, now in pairs if before != now]
    return [*found, (_CHATGPTS, *counts)] if accounts else found


def _joined(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def mark_of(row: Mapping[str, Any]) -> str:
    """Tells an account of the file from another, wherever it stands."""
    facts = {name: value for name, value in row.items() if name != "index"}
    for name in SECRET_FIELDS:
        facts[name] = row[name]["masked"] if row[name]["set"] else ""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def moved(fields: Mapping[str, str], view: Mapping[str, Any]) -> tuple[Fields, int]:
    """The edits of a form, on the file as it is now; and how many found nothing to stand on any more.

    An edit follows its item by its masked form, and its account by its mark.
    """
    new: Fields = {
        name: value
        for name, value in fields.items()
        if not _EDITED_LIST.fullmatch(name) and not _EDITED_ACCOUNT.fullmatch(name)
    }
    for name in _untouched(fields):  # what others made of it counts
        del new[name]
    new["revision"], new["seen"] = str(view["revision"]), seen(view)
    lost = _move_lists(fields, view, new) + _move_accounts(fields, view, new)
    return new, lost


def _untouched(fields: Mapping[str, str]) -> list[str]:
    """Fields of one value that say what the file said when the form was made."""
    try:
        old = json.loads(fields.get("seen", ""))
        said = {f"setting.{name}": str(value) for name, value in old[PLAIN].items()}
        said |= {name: str(old[name]) for name in ADDRESSES}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    return [name for name, value in fields.items() if said.get(name) == value]


def _move_lists(fields: Mapping[str, str], view: Mapping[str, Any], new: Fields) -> int:
    lost = 0
    for name, value in fields.items():
        match = _EDITED_LIST.fullmatch(name)
        if match is None or match["what"] == "masked" or not value.strip():
            continue
        part = match["list"]
        masked = fields.get(f"{part}.{match['index']}.masked", "")
        stored = [item["masked"] for item in view[LISTS[part]]]
        if masked in stored:
            new[f"{part}.{stored.index(masked)}.{match['what']}"] = value
        elif match["what"] == "value":  # what it was to replace is gone: it is a new one
            new[f"{part}.{NEW}"] = "\n".join(filter(None, (new.get(f"{part}.{NEW}", ""), value)))
        else:
            lost += 1
    return lost


def _move_accounts(fields: Mapping[str, str], view: Mapping[str, Any], new: Fields) -> int:
    marks = [mark_of(row) for row in view[_CHATGPTS]]
    lost: set[str] = set()
    for name, value in fields.items():
        match = _EDITED_ACCOUNT.fullmatch(name)
        if match is None:
            continue
        mark = fields.get(f"account.{match['index']}.mark", "")
        if mark in marks:
            new[f"account.{marks.index(mark)}.{match['what']}"] = value
        else:
            lost.add(match["index"])
    return len(lost)
