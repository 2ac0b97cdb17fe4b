"""A change of keys: interrupted at any moment, both keys open; at its end only the new one is needed (E12)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from chat2api.pool.values import Grant, RenewalClaim, StoredCredential
from chat2api.secret import Secret
from chat2api.store import desk_tables, rekey, tables
from chat2api.store.api_tables import responses
from chat2api.store.arrivals import ArrivalBook
from chat2api.store.credentials import Credentials
from chat2api.store.escrow import Escrow
from chat2api.store.intake import Intake
from chat2api.store.logins import Login, LoginBook, LoginResult, LoginSecret
from chat2api.store.opening import ESCROW_FOLDER, Store
from chat2api.store.parcels import Parcels
from chat2api.store.rekey import KEY_CHECK, PEPPER, reseal, reseal_files
from chat2api.store.request_records import RequestRecord, RequestRecords
from chat2api.store.responses import StoredResponses, Turn
from chat2api.store.vault import Vault, WrongKey

from .handed import KEY, NOW, by_refresh, change, handed, rows

NEW = Secret("a new key")
BOTH = Vault([NEW, KEY])
ONLY_NEW = Vault([NEW])


def filled(store: Store) -> list[str]:
    """A store with a secret in every sealed column; returns what is in them."""
    sealed_facts = [
        {"name": KEY_CHECK, "value": store.vault.seal(Secret("chat2api"))},
        {"name": PEPPER, "value": store.vault.seal_bytes(b"pepper")},
        {"name": "app_version", "value": "0.1.0"},
    ]
    store.database.write(lambda c: c.execute(tables.meta.insert(), sealed_facts))
    proxy = Secret("http://u:p@proxy")
    added = Intake(store).add(
        [handed("a", id_token=Secret("id"), proxy=proxy), by_refresh(), handed("b")], "test"
    )
    assert len(added) == 3
    Credentials(store, "w").of_bearer(Secret("rt_" + "x" * 30))
    ArrivalBook(store).add_seed(Secret("seed"), None, added[0].account_id, "u", ["c"], "test")
    return texts(store, store.vault)


def texts(store: Store, vault: Vault) -> list[str]:
    """All that is sealed, opened."""
    return [vault.open(sealed).reveal() for sealed in sealed_texts(store)]


def sealed_texts(store: Store) -> list[str]:
    return [
        row[column]
        for table, _, columns in rekey._SEALED
        for row in rows(store, table)
        for column in columns
        if row[column] is not None and row.get("name") != "app_version"
    ]


def test_at_the_end_only_the_new_key_is_needed(store: Store) -> None:
    before = filled(store)
    assert reseal(store.database, BOTH) == len(before) == 9
    assert texts(store, ONLY_NEW) == before
    assert reseal(store.database, BOTH) == 0
    assert {row["value"] for row in rows(store, tables.meta)} > {"0.1.0"}


@pytest.mark.parametrize("after", range(9))
def test_an_interruption_leaves_both_in_use_and_the_next_start_goes_on(
    store: Store, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = filled(store)
    done: list[Any] = []
    column = rekey._reseal_column

    def interrupted(*given: Any) -> int:
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(given)
        return column(*given)

    monkeypatch.setattr(rekey, "_reseal_column", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reseal(store.database, BOTH)
    assert texts(store, BOTH) == before
    check = next(row for row in rows(store, tables.meta) if row["name"] == KEY_CHECK)
    with pytest.raises(WrongKey):  # until all is done the old key is asked for
        ONLY_NEW.open(check["value"])
    monkeypatch.undo()
    reseal(store.database, BOTH)
    assert texts(store, ONLY_NEW) == before


def test_what_was_said_in_requests_is_sealed_anew_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rekey, "_ROWS_AT_ONCE", 2)
    filled(store)
    records = [RequestRecord(f"r{number}", 0.0, 1.0, 200, False) for number in range(6)]
    said = {f"r{number}": f"said {number}" for number in range(5)}
    RequestRecords(store).add(records, said)
    assert reseal(store.database, BOTH) == 9 + 5
    contents = [row["content"] for row in rows(store, desk_tables.requests)]
    opened = [None if text is None else ONLY_NEW.open(text).reveal() for text in contents]
    assert opened == [*said.values(), None]
    assert reseal(store.database, BOTH) == 0


def test_what_rests_between_two_steps_is_sealed_anew_too(store: Store) -> None:
    filled(store)
    Parcels(store).keep("import", "pasted", owner="me", seconds=600)
    began = Login(
        "login_1", "browser", "waiting", "me", "", "", "", 5.0, NOW, NOW + 600, NOW, None,
        LoginResult(),
    )  # fmt: skip
    LoginBook(store, "w").add(began, LoginSecret(verifier=Secret("verifier")))
    assert reseal(store.database, BOTH) == 9 + 2
    (parcel,), (login,) = rows(store, desk_tables.parcels), rows(store, desk_tables.logins)
    assert ONLY_NEW.open(parcel["content"]) == Secret("pasted")
    assert "verifier" in ONLY_NEW.open(login["secret"]).reveal()


def test_more_than_a_page(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rekey, "_ROWS_AT_ONCE", 3)
    Intake(sqlite_store).add([handed(f"u{n}") for n in range(10)], "test")
    assert reseal(sqlite_store.database, BOTH) == 10
    assert len(texts(sqlite_store, ONLY_NEW)) == 10


def test_a_damaged_text_stays_and_does_not_stop_the_start(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """E14."""
    Intake(store).add([handed()], "test")
    change(store, tables.accounts, proxy="damaged")
    assert reseal(store.database, BOTH) == 1
    assert [row["proxy"] for row in rows(store, tables.accounts)] == ["damaged"]
    assert caplog.messages[0] == "a sealed text cannot be opened"


def test_kept_files_are_sealed_anew_too(sqlite_store: Store) -> None:
    """Else the only copy of a rotated token would be lost with the old key."""
    folder = sqlite_store.data_dir / ESCROW_FOLDER
    assert reseal_files(folder, BOTH) == 0
    stored = StoredCredential("cred_01", 1, None, Secret("rt_old"))
    grant = Grant(Secret("at"), Secret("rt_new"))
    Escrow(sqlite_store).keep(RenewalClaim(stored, 1, 0.0), grant)
    (folder / "cred_02.sealed").write_text("damaged")
    (folder / ".cred_03.sealed.tmp").write_text("left over")
    assert [reseal_files(folder, BOTH) for _ in range(2)] == [1, 0]
    new = Store(sqlite_store.database, ONLY_NEW, sqlite_store.data_dir)
    assert Escrow(new).find(stored) == (RenewalClaim(stored, 1, 0.0), grant)


def test_kept_responses_are_sealed_anew(store: Store) -> None:
    filled(store)
    kept = StoredResponses(store)
    for number in range(25):  # more than are taken at once
        assert kept.keep(Turn({"id": f"resp_{number}", "output": []}, []), "key:1", 60.0)
    long = Turn(
        {"id": "resp_long", "output": [], "x": random.Random(1).randbytes(3 * 10**5).hex()}, []
    )
    assert kept.keep(long, "key:1", 60.0)
    reseal(store.database, BOTH)
    contents = [row["content"] for row in rows(store, responses)]
    assert len(contents) == 26
    assert all(ONLY_NEW.is_current(content) for content in contents)
    opened = [list(ONLY_NEW.open_pieces(content)) for content in contents]
    assert sorted(map(len, opened)) == [*[1] * 25, 2]
