"""The YAML file as the administration shows it: sheet-shaped JSON, secrets masked.

The same facts may stand in the file under our names or those of seed deployments; `Home` finds them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.comments import CommentedMap

from chat2api.settings.bearer import strip_bearer
from chat2api.settings.config_plain import PLAIN, shown_plain
from chat2api.settings.convert import split_list
from chat2api.settings.entry import ENTRY_FIELDS, SECRET_FIELDS
from chat2api.settings.mask import mask_address, mask_secret
from chat2api.settings.yaml_comments import set_value
from chat2api.settings.yaml_file import ACCESS_TOKEN_PREFIX, ACCESS_TOKENS, AUTH, CHATGPTS

Steps = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Home:
    """Where one field of the administration may stand in the file, the preferred place first.

    `setting` is the name of the setting that it becomes.
    """

    field: str
    setting: str
    places: tuple[Steps, ...]

    def place(self, data: CommentedMap) -> Steps:
        """The place that holds a value, else one that is there, else the preferred one."""
        there = [place for place in self.places if _is_there(data, place)]
        filled = [place for place in there if _get(data, place) not in (None, "", [])]
        return next(iter([*filled, *there, *self.places]))

    def value(self, data: CommentedMap) -> object:
        return _get(data, self.place(data))

    def parent(self, data: CommentedMap) -> tuple[CommentedMap, str]:
        """The mapping that holds the field, made when it is missing, and the key in it."""
        *above, key = self.place(data)
        parent = data
        for name in above:
            if not isinstance(parent.get(name), CommentedMap):
                set_value(parent, name, CommentedMap())
            parent = parent[name]
        return parent, key


AUTH_TOKENS = Home("auth_tokens", "authorization", ((AUTH, ACCESS_TOKENS), ("authorization",)))
PREFIXES = Home(
    "access_token_prefixes",
    "access_token_prefix",
    ((AUTH, ACCESS_TOKEN_PREFIX), ("access_token_prefix",)),
)
PROXY = Home("proxy", "proxy_url", (("proxy",), ("proxy_url",)))
BASE_URL = Home("chatgpt_base_url", "chatgpt_base_url", (("chatgpt_base_url",),))
HOMES = (AUTH_TOKENS, PREFIXES, PROXY, BASE_URL)


def render(
    data: CommentedMap, *, revision: str, config_path: str, fixed: frozenset[str]
) -> dict[str, Any]:
    """The whole file for the administration. `fixed` names the settings that the file cannot change.

    Raises nothing for a file that could not be loaded: what is wrong there is shown as text.
    """
    return {
        "config_path": config_path,
        "revision": revision,
        "env_set": [home.field for home in HOMES if home.setting in fixed],
        PROXY.field: shown_addresses(PROXY.value(data)),
        BASE_URL.field: shown_addresses(BASE_URL.value(data)),
        AUTH_TOKENS.field: _tokens(stored_items(AUTH_TOKENS.value(data))),
        PREFIXES.field: _tokens(stored_items(PREFIXES.value(data))),
        PLAIN: shown_plain(data),
        CHATGPTS: [_account(index, entry) for index, entry in enumerate(stored_accounts(data))],
    }


def stored_items(value: object) -> list[str]:
    """The texts of a list in the file, one per item, blank ones too; also of a list in one text."""
    if value is None:
        return []
    if isinstance(value, list):
        return ["" if item is None else strip_bearer(str(item)) for item in value]
    return [strip_bearer(item) for item in _split(str(value))]


def stored_accounts(data: CommentedMap) -> list[dict[str, str]]:
    """All fields of every account in the file, as text; empty when not given."""
    listed = data.get(CHATGPTS)
    entries = listed if isinstance(listed, list) else []
    return [
        {name: _text(entry.get(name)) for name in ENTRY_FIELDS}
        if isinstance(entry, Mapping)
        else dict.fromkeys(ENTRY_FIELDS, "")
        for entry in entries
    ]


def shown_addresses(value: object) -> str:
    return ", ".join(mask_address(item) for item in stored_items(value))


def _tokens(items: list[str]) -> list[dict[str, Any]]:
    return [_secret(index, item) for index, item in enumerate(items)]


def _secret(index: int, text: str) -> dict[str, Any]:
    return {"index": index, "set": bool(text), "masked": mask_secret(text)}


def _account(index: int, entry: Mapping[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"index": index}
    for name in ENTRY_FIELDS:
        shown[name] = _secret(index, entry[name]) if name in SECRET_FIELDS else entry[name]
    shown["proxy"] = mask_address(entry["proxy"])
    return shown


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, dt.date) else str(value).strip()


def _split(text: str) -> list[str]:
    try:
        return split_list(text.strip())
    except ValueError:
        return [text.strip()]


def _is_there(data: CommentedMap, place: Steps) -> bool:
    *above, key = place
    node: Any = data
    for name in above:
        node = node.get(name)
        if not isinstance(node, CommentedMap):
            return False
    return key in node


def _get(data: CommentedMap, place: Steps) -> object:
    node: Any = data
    for name in place:
        node = node.get(name) if isinstance(node, CommentedMap) else None
    return node
