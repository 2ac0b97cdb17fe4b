"""The accounts that an administrator sent, worked into `chatgpts` of the YAML document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ruamel.yaml.comments import CommentedMap

from chat2api.secret import Secret
from chat2api.settings.bearer import strip_bearer
from chat2api.settings.checks import is_proxy
from chat2api.settings.config_body import as_index, as_list, as_object, as_text, as_wanted, bad
from chat2api.settings.config_view import stored_accounts
from chat2api.settings.entry import ENTRY_FIELDS, PLAIN_FIELDS, SECRET_FIELDS
from chat2api.settings.mask import HIDDEN, mask_address, mask_secret
from chat2api.settings.yaml_comments import quoted, set_items
from chat2api.settings.yaml_file import CHATGPTS

_STRIP: Mapping[str, Callable[[str], str]] = {"access_token": strip_bearer}
_NOTHING: Mapping[str, str] = dict.fromkeys(ENTRY_FIELDS, "")


@dataclass(frozen=True, slots=True)
class _Account:
    """An account of the new list: its texts, and the stored one that it was; None for a new one."""

    texts: Mapping[str, str]
    origin: int | None


def merge_accounts(data: CommentedMap, value: object) -> list[str]:
    """Make the list that `value` describes; the changes in words, masked. Raises RequestError, Conflict."""
    old = stored_accounts(data)
    new = _wanted_accounts(value, old)
    if [(account.origin, account.texts) for account in new] == list(enumerate(old)):
        return []
    listed = data.get(CHATGPTS)
    nodes = listed if isinstance(listed, list) else []
    values = [_node(account, old, nodes) for account in new]
    set_items(data, CHATGPTS, values, [account.origin for account in new])
    return _changes(old, new)


def _wanted_accounts(value: object, old: Sequence[Mapping[str, str]]) -> list[_Account]:
    accounts: list[_Account] = []
    for position, part in enumerate(as_list(value, CHATGPTS)):
        param = f"{CHATGPTS}[{position}]"
        account = _wanted_account(part, param, old)
        origin = account.origin
        if origin is not None and any(other.origin == origin for other in accounts):
            raise bad(f"{param}.index", "is used twice")
        is_untouched = origin is not None and account.texts == old[origin]
        if is_untouched or any(account.texts.values()):
            accounts.append(account)
        if not is_untouched and any(account.texts.values()) and not _has_token(account.texts):
            raise bad(f"{param}.access_token", "an account needs this or a refresh_token")
    return accounts


def _wanted_account(value: object, param: str, old: Sequence[Mapping[str, str]]) -> _Account:
    fields = as_object(value, param, ("index", *ENTRY_FIELDS))
    index = as_index(fields.get("index", -1), f"{param}.index", len(old))
    stored = _NOTHING if index < 0 else old[index]
    texts = dict(stored)
    for name in fields:
        where = f"{param}.{name}"
        if name in SECRET_FIELDS:
            strip = _STRIP.get(name, str.strip)
            # The account's index decides; the secret's own may be anything.
            part = fields[name]
            secret = {**part, "index": -1} if isinstance(part, dict) else part
            texts[name] = as_wanted(secret, where, count=0, strip=strip).resolve(stored[name])
        elif name == "proxy":
            texts[name] = _proxy(fields[name], where, stored[name])
        elif name in PLAIN_FIELDS:
            texts[name] = as_text(fields[name], where)
    return _Account(texts, index if index >= 0 else None)


def _proxy(value: object, param: str, stored: str) -> str:
    text = as_text(value, param)
    if text == mask_address(stored):
        return stored
    if HIDDEN in text:
        raise bad(param, "holds a masked password; write it out")
    return as_text(text, param, lambda given: is_proxy(Secret(given)))


def _has_token(texts: Mapping[str, str]) -> bool:
    return bool(texts["access_token"] or texts["refresh_token"])


def _node(account: _Account, old: Sequence[Mapping[str, str]], nodes: Sequence[object]) -> object:
    """The account as YAML: the stored node when nothing changed, else one with strings only."""
    before = None if account.origin is None else nodes[account.origin]
    if account.origin is not None and account.texts == old[account.origin]:
        return before
    there = before if isinstance(before, CommentedMap) else CommentedMap()
    names = [name for name in ENTRY_FIELDS if account.texts[name] or name in there]
    names.sort(key=lambda name: list(there).index(name) if name in there else len(there))
    node = CommentedMap({name: quoted(account.texts[name]) for name in names})
    # A new mapping, since the old one may be an alias of another account's.
    node.ca.comment = there.ca.comment
    node.ca.items.update({key: slots for key, slots in there.ca.items.items() if key in node})
    return node


def _changes(old: Sequence[Mapping[str, str]], new: Sequence[_Account]) -> list[str]:
    changes = [f"account {_label(a.texts)} added" for a in new if a.origin is None]
    kept = [account.origin for account in new if account.origin is not None]
    changes += [f"account {_label(a)} removed" for i, a in enumerate(old) if i not in kept]
    untouched = 0
    for account in new:
        if account.origin is None:
            continue
        names = [n for n in ENTRY_FIELDS if account.texts[n] != old[account.origin][n]]
        untouched += not names
        if names:
            changes.append(f"account {_label(account.texts)}: {', '.join(names)} changed")
    if kept != sorted(kept):
        changes.append("order of accounts changed")
    if untouched:
        changes.append(f"{untouched} account{'' if untouched == 1 else 's'} untouched")
    return changes


def _label(texts: Mapping[str, str]) -> str:
    secret = texts["access_token"] or texts["refresh_token"]
    return texts["email"] or texts["account_id"] or mask_secret(secret)
