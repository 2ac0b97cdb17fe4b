"""What an administrator sent, worked into the YAML document; the changes in words.

Pure but for the document, which is changed in place: throw it away when an error is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.comments import CommentedMap

from chat2api.secret import Secret
from chat2api.settings.bearer import strip_bearer
from chat2api.settings.checks import is_base_url, is_proxy
from chat2api.settings.config_accounts import merge_accounts
from chat2api.settings.config_body import as_list, as_object, as_text, as_wanted, bad, outdated
from chat2api.settings.config_file import ConfigDocument
from chat2api.settings.config_plain import PLAIN, merge_plain
from chat2api.settings.config_view import (
    AUTH_TOKENS,
    BASE_URL,
    HOMES,
    PREFIXES,
    PROXY,
    Home,
    shown_addresses,
    stored_items,
)
from chat2api.settings.convert import split_list
from chat2api.settings.mask import HIDDEN, mask_address, mask_secret
from chat2api.settings.yaml_comments import keeping_tail, quoted, set_items, set_value
from chat2api.settings.yaml_file import CHATGPTS

# Parts of our own answers that come back with them, and say nothing.
_ECHOED = ("config_path", "env_set", "changes", "warnings", "valid_keys")


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of a document. All words are masked; nothing changed when `changes` is empty.

    `valid_keys` are the API keys of the file from now on.
    """

    changes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    valid_keys: list[str] = field(default_factory=list)


def merge(
    document: ConfigDocument,
    body: object,
    revision: str | None,
    fixed: frozenset[str] = frozenset(),
) -> Merged:
    """Work `body` into `document.data`. Fields that the body does not have stay as they are.

    `revision` is the one that the caller saw, None when they did not say (then the body's counts).
    `fixed` names settings that the environment decides. Raises RequestError (400), Conflict (409).
    """
    known = [*(home.field for home in HOMES), PLAIN, CHATGPTS, "revision", *_ECHOED]
    fields = as_object(body, "body", known)
    seen = revision or as_text(fields.get("revision", ""), "revision")
    if seen and _bare(seen) not in ("*", document.revision):
        raise outdated()
    merged = Merged()
    data = document.data
    for home, check in ((PROXY, _check_proxy), (BASE_URL, is_base_url)):
        if home.field in fields:
            _note(merged, home, _merge_addresses(data, home, fields[home.field], check), fixed)
    for home, strip in ((AUTH_TOKENS, strip_bearer), (PREFIXES, str.strip)):
        if home.field in fields:
            _note(merged, home, _merge_list(data, home, fields[home.field], strip), fixed)
    if PLAIN in fields:
        for setting, change in merge_plain(data, fields[PLAIN]).items():
            _note_one(merged, setting, setting, [change], fixed)
    if CHATGPTS in fields:
        merged.changes.extend(merge_accounts(data, fields[CHATGPTS]))
    _settle_keys(merged, data, fixed)
    return merged


def _bare(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')


def _note(merged: Merged, home: Home, changes: Sequence[str], fixed: frozenset[str]) -> None:
    _note_one(merged, home.field, home.setting, changes, fixed)


def _note_one(
    merged: Merged, name: str, setting: str, changes: Sequence[str], fixed: frozenset[str]
) -> None:
    merged.changes.extend(changes)
    if changes and setting in fixed:
        merged.warnings.append(
            f"{name} is set by the environment or the command line; what the file says counts "
            "when it is not."
        )


def _settle_keys(merged: Merged, data: CommentedMap, fixed: frozenset[str]) -> None:
    keys = [mask_secret(item) for item in stored_items(AUTH_TOKENS.value(data)) if item]
    merged.valid_keys.extend(keys)
    changed = any(AUTH_TOKENS.field in change for change in merged.changes)
    if not changed or AUTH_TOKENS.setting in fixed:
        return
    if not keys:
        raise bad(AUTH_TOKENS.field, "one key must stay")
    merged.warnings.append(f"From now on these keys are valid: {', '.join(keys)}.")


def _check_proxy(text: str) -> object:
    return is_proxy(Secret(text))


# --- addresses


def _merge_addresses(
    data: CommentedMap, home: Home, value: object, check: Callable[[str], object]
) -> list[str]:
    """One address, or several with commas; masked ones stand for those stored."""
    text = as_text(value, home.field)
    old = stored_items(home.value(data))
    shown = shown_addresses(home.value(data))
    if text == shown:
        return []
    new = _unmasked(text, old, home.field)
    for item in new:
        as_text(item, home.field, check)
    if new == old:
        return []
    parent, key = home.parent(data)
    set_value(parent, key, quoted(",".join(new)))
    after = ", ".join(mask_address(item) for item in new)
    return [f"{home.field}: {shown or 'none'} -> {after or 'none'}"]


def _unmasked(text: str, stored: Sequence[str], param: str) -> list[str]:
    left = list(stored)
    items = []
    try:
        wanted = split_list(text)
    except ValueError as error:
        raise bad(param, str(error)) from None
    for item in wanted:
        same = next((known for known in left if mask_address(known) == item), None)
        if same is not None:
            left.remove(same)
        elif HIDDEN in item:
            raise bad(param, "holds a masked password; write it out")
        items.append(item if same is None else same)
    return items


# --- lists of secrets


@dataclass(frozen=True, slots=True)
class _Item:
    """An item of the new list: its text, and which old item it is or takes the place of."""

    text: str
    origin: int | None
    is_new: bool


def _merge_list(
    data: CommentedMap, home: Home, value: object, strip: Callable[[str], str]
) -> list[str]:
    old = stored_items(home.value(data))
    new = _wanted_items(value, home.field, old, strip)
    before = list(dict.fromkeys(filter(None, old)))
    after = [item.text for item in new]
    if after == before:
        return []
    stored = home.value(data)
    raw: Sequence[Any] = stored if isinstance(stored, list) else [quoted(text) for text in old]
    values = [
        quoted(item.text) if item.is_new or item.origin is None else raw[item.origin]
        for item in new
    ]
    parent, key = home.parent(data)
    with keeping_tail(data, home.place(data)[0]):
        set_items(parent, key, values, [item.origin for item in new])
    return _list_changes(home.field, before, after)


def _wanted_items(
    value: object, param: str, old: Sequence[str], strip: Callable[[str], str]
) -> list[_Item]:
    """The new list without empty and double items."""
    items: dict[str, _Item] = {}
    for position, part in enumerate(as_list(value, param)):
        wanted = as_wanted(part, f"{param}[{position}]", count=len(old), strip=strip)
        origin = wanted.index if wanted.index >= 0 else None
        text = wanted.resolve(None if origin is None else old[origin])
        if text:
            items.setdefault(text, _Item(text, origin, bool(wanted.value)))
    return list(items.values())


def _list_changes(name: str, before: Sequence[str], after: Sequence[str]) -> list[str]:
    changes = [f"{name}: {mask_secret(text)} added" for text in after if text not in before]
    changes += [f"{name}: {mask_secret(text)} removed" for text in before if text not in after]
    kept = [text for text in before if text in after]
    if kept != [text for text in after if text in before]:
        changes.append(f"{name}: order changed")
    return changes
