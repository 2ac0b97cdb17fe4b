"""What keys and accounts are called on the operator's pages."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store.request_records import RequestRecord
from chat2api.store.traces import AttemptRecord, Trace
from chat2api.web.desk.names import LONGEST_NAME, Names, names_in, names_of


@pytest.mark.parametrize(
    ("key_id", "name"),
    [
        ("", "–"),
        ("direct", "a token of the caller's own"),
        ("anonymous", "no key"),
        ("first", "first key"),
        ("key_0123456789ab", "phone"),
        ("key_ba9876543210", "key_ba9876543210"),
        ("0123456789ab", "configured key 012345"),
    ],
)
def test_keys(site: Any, key_id: str, name: str) -> None:
    with site.app.test_request_context("/"):
        assert Names({"key_0123456789ab": "phone"}, {}).key(key_id) == name


def test_names_are_cut() -> None:
    names = Names({"key_1": "k" * 500}, {"a": "x" * 500})
    assert names.key("key_1") == "k" * LONGEST_NAME
    assert names.account("a") == "x" * LONGEST_NAME
    assert names.account("") == "–"
    assert names.account("acct_gone") == "acct_gone"


def test_all_that_records_mention(site: Any) -> None:
    with site.app.test_request_context("/"):
        made, _ = site.keys.create("phone")
        added = site.runtime.intake.add(
            [
                NewAccount(Secret(f"fk-token-of-{name}"), email=f"{name}@example.com")
                for name in "ab"
            ],
            "suite",
        )
        first, second = (one.account_id for one in added)
        tried = AttemptRecord(1, "web", first, "x", 500, "", None, 0, 1, None)
        record = RequestRecord(
            "req_1", 0, 1, 200, False, key_id=made.key_id, account_id=second, trace=Trace((tried,))
        )
        names = names_in([record])
        assert names.key(made.key_id) == "phone"
        assert (names.account(first), names.account(second)) == ("a@example.com", "b@example.com")


def test_without_the_database_ids_stand_for_themselves(site: Any, outage: Any) -> None:
    with site.app.test_request_context("/"):
        site.runtime  # noqa: B018 - made while there is a database
        outage.is_away = True
        assert names_of(["key_1"], ["acct_1"]).account("acct_1") == "acct_1"
