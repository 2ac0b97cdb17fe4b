"""One account as `chatgpts` of the YAML file lists it."""

from __future__ import annotations

from dataclasses import dataclass

from chat2api.secret import Secret

_NONE = Secret("")

SECRET_FIELDS = ("id_token", "access_token", "refresh_token")
PLAIN_FIELDS = ("account_id", "last_refresh", "email", "type", "expired", "proxy")
ENTRY_FIELDS = (*SECRET_FIELDS, *PLAIN_FIELDS)


@dataclass(frozen=True, slots=True)
class ChatGptEntry:
    """What is not given is empty. One of `access_token` and `refresh_token` is there.

    `last_refresh` and `expired` are times as the file has them, in ISO 8601 as a rule.
    """

    id_token: Secret = _NONE
    access_token: Secret = _NONE
    refresh_token: Secret = _NONE
    account_id: str = ""
    last_refresh: str = ""
    email: str = ""
    type: str = ""
    expired: str = ""
    proxy: Secret = _NONE
