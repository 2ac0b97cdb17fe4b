"""Ids of keys and accounts as people know them; all of a page are looked up at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chat2api.errors import StorageUnavailable
from chat2api.settings.mask import clip
from chat2api.store.request_records import RequestRecord
from chat2api.web.languages import gettext
from chat2api.web.state import runtime

LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Names:
    """Labels by id. What has none is called by its id."""

    keys: Mapping[str, str]
    accounts: Mapping[str, str]

    def key(self, key_id: str) -> str:
        match key_id:
            case "":
                return "–"
            case "direct":
                return gettext("a token of the caller's own")
            case "anonymous":
                return gettext("no key")
            case "first":
                return gettext("first key")
            case "desk":
                return gettext("tried by the operator")
        if key_id in self.keys:
            return self.keys[key_id][:LONGEST_NAME]
        if key_id.startswith("key_"):
            return key_id
        return gettext("configured key %(id)s", id=key_id[:6])

    def account(self, account_id: str) -> str:
        return clip(self.accounts.get(account_id, account_id or "–"))[:LONGEST_NAME]


def names_of(key_ids: Iterable[str] = (), account_ids: Iterable[str] = ()) -> Names:
    """Two look-ups at most; ids stand for themselves where the database does not answer."""
    labels = runtime().desk.labels
    try:
        return Names(labels.of_keys(key_ids), labels.of_accounts(account_ids))
    except StorageUnavailable:
        return Names({}, {})


def names_in(records: Iterable[RequestRecord]) -> Names:
    """Of all that these records mention."""
    keys: set[str] = set()
    accounts: set[str] = set()
    for record in records:
        keys.add(record.key_id)
        accounts.add(record.account_id)
        accounts.update(attempt.account_id for attempt in record.trace.attempts)
    return names_of(keys, accounts)
