"""The first API key of a server whose YAML file has an `auth` section: written there, in clear.

That is what seed deployments do (decision 3); elsewhere `store.api_keys` makes one and keeps its hash.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ruamel.yaml.comments import CommentedMap

from chat2api.secret import Secret
from chat2api.settings.config_file import config_lock, read_document, write_document
from chat2api.settings.convert import split_list
from chat2api.settings.yaml_comments import keeping_tail, quoted, set_items, set_value
from chat2api.settings.yaml_file import ACCESS_TOKENS, AUTH

_KEY_BYTES = 24


def ensure_key(path: Path) -> Secret | None:
    """Make a key unless the file holds one; None when it did. Raises ConfigFileError.

    Exactly one is made however many processes ask at the same moment.
    """
    with config_lock(path):
        document = read_document(path)
        if _has_text(document.data.get("authorization")):
            return None
        if not isinstance(document.data.get(AUTH), CommentedMap):
            set_value(document.data, AUTH, CommentedMap())
        section = document.data[AUTH]
        if _has_text(section.get(ACCESS_TOKENS)):
            return None
        key = f"sk-{secrets.token_hex(_KEY_BYTES)}"
        with keeping_tail(document.data, AUTH):
            set_items(section, ACCESS_TOKENS, [quoted(key)], [None])
        write_document(path, document.dump())
    return Secret(key)


def announce(key: Secret, path: Path) -> None:
    """To the terminal and not to the log: logs are kept, and redact keys."""
    os.write(
        1,
        (
            "\nNo API key is configured, so one was made for you:\n\n"
            f"    {key.reveal()}\n\n"
            f"It is in {path.name} under auth.access_tokens; change it there.\n\n"
        ).encode(),
    )


def _has_text(value: object) -> bool:
    items = split_list(value) if isinstance(value, str) else value or []
    return isinstance(items, list) and any(str(item).strip() for item in items)
