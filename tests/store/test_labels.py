"""Labels by id, for a whole page at once."""

from __future__ import annotations

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store.account_book import AccountBook
from chat2api.store.api_keys import ApiKeys
from chat2api.store.intake import Intake
from chat2api.store.labels import Labels
from chat2api.store.opening import Store


def test_labels(key_store: Store) -> None:
    named, _ = ApiKeys(key_store).create("phone")
    added = Intake(key_store).add(
        [NewAccount(Secret("fk-of-alice"), email="alice@example.com")], "x"
    )
    account_id = added[0].account_id
    AccountBook(key_store).remove([account_id])
    labels = Labels(key_store)
    assert labels.of_keys([named.key_id, "direct", ""]) == {named.key_id: "phone"}
    row = AccountBook(key_store).find(account_id)
    assert row is not None
    assert labels.of_accounts([account_id, "acct_unknown"]) == {account_id: row.label}
    assert labels.of_accounts([]) == {}


def test_more_than_a_statement_may_ask_for(key_store: Store) -> None:
    assert Labels(key_store).of_accounts(f"acct_{number}" for number in range(1200)) == {}
