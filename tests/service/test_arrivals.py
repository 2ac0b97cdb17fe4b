"""Accounts that come from files and from the configuration: once, and never against the operator."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chat2api.errors import StorageUnavailable
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.arrivals import Arrivals, ImportReport, account_of_entry, arrivals_of
from chat2api.settings.entry import ChatGptEntry
from chat2api.settings.model import Settings
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.arrivals import ArrivalBook
from chat2api.store.intake import Intake

Depot = Any
RT = "rt_filed0000000000000000"
OTHER = "rt_other0000000000000000"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made


def arrivals(depot: Depot, folder: Path) -> Arrivals:
    """Anew each time: as the next start has it."""
    store = depot.store
    return Arrivals(folder, Intake(store), AccountBook(store), ArrivalBook(store))


def held(depot: Depot) -> list[str]:
    return [row.account_id for row in AccountBook(depot.store).everything()]


def refresh_tokens(depot: Depot) -> list[str]:
    exported = AccountBook(depot.store).export()
    return [one.refresh_token.reveal() for one in exported if one.refresh_token]


# --- DATA_DIR


def test_a_folder_twice_changes_nothing(depot: Depot, folder: Path) -> None:
    (folder / "token.txt").write_text(f"# mine\n{RT}\n{depot.jwt('two')}\n{RT}\n")
    report = arrivals(depot, folder).take_data_dir()
    assert (dict(report.verdicts), report.changed) == ({"added": 2}, 2)
    before = held(depot)
    assert arrivals(depot, folder).take_data_dir() == ImportReport()
    assert held(depot) == before


def test_what_was_removed_stays_removed(depot: Depot, folder: Path) -> None:
    (folder / "token.txt").write_text(f"{RT}\n")
    arrivals(depot, folder).take_data_dir()
    AccountBook(depot.store).remove(held(depot))
    assert arrivals(depot, folder).take_data_dir().changed == 0
    (folder / "token.txt").write_text(f"{RT}\n{OTHER}\n")
    assert arrivals(depot, folder).take_data_dir().changed == 1
    assert refresh_tokens(depot) == [OTHER]


def test_nor_does_it_come_back_with_a_user_of_the_mirror(depot: Depot, folder: Path) -> None:
    seeds = {"ann": {"token": RT, "conversations": ["c1", "c2"], "user_id": "u1"}}
    (folder / "seed_map.json").write_text(json.dumps(seeds))
    assert arrivals(depot, folder).take_data_dir().seeds == 1
    AccountBook(depot.store).remove_all()
    assert arrivals(depot, folder).take_data_dir() == ImportReport()
    rows = depot.store.database.read(lambda c: c.execute(tables.accounts.select()).all())
    assert [row.removed_at is None for row in rows] == [False]


def test_a_command_brings_back_what_it_is_given(depot: Depot, folder: Path) -> None:
    path = folder / "token.txt"
    path.write_text(f"{RT}\n")
    taker = arrivals(depot, folder)
    assert taker.take(path, dry_run=True).verdicts == {"added": 1}
    assert held(depot) == []
    told: list[tuple[int, int]] = []
    taker.take(path, progress=lambda done, total: told.append((done, total)))
    assert (told[-1], len(held(depot))) == ((1, 1), 1)
    assert taker.take(path).verdicts == {"unchanged": 1}
    AccountBook(depot.store).remove_all()
    assert taker.take_data_dir().changed == 0
    assert taker.take(path).verdicts == {"revived": 1}


def test_tokens_that_an_earlier_program_gave_up_on(depot: Depot, folder: Path) -> None:
    (folder / "token.txt").write_text(f"{RT}\n{OTHER}\n")
    (folder / "error_token.txt").write_text(f"{RT}\n{RT}\n")
    arrivals(depot, folder).take_data_dir()
    states = [depot.state(name)[0] for name in held(depot)]
    assert sorted(states) == ["active", "needs_login"]


def test_tokens_renewed_since_are_newer_than_the_file(depot: Depot, folder: Path) -> None:
    (folder / "token.txt").write_text(f"{RT}\n")
    arrivals(depot, folder).take_data_dir()
    (name,) = held(depot)
    depot.renewals().renewed(depot.credential_of(name), 0, depot.call)
    for path in (folder, folder / "token.txt"):
        assert arrivals(depot, folder).take(path).changed == 0
    assert refresh_tokens(depot) == [f"rt_{1:0>24}"]


def touch(path: Path, text: str, at: int) -> None:
    path.write_text(text)
    os.utime(path, (at, at))


def test_files_are_looked_at_when_they_change(depot: Depot, folder: Path) -> None:
    taker = arrivals(depot, folder)
    assert taker.look() is None
    touch(folder / "token.txt", f"{RT}\n", 1000)
    report = taker.look()
    assert report is not None
    assert report.changed == 1
    assert taker.look() is None
    touch(folder / "token.txt", f"{OTHER}\n", 1001)
    again = taker.look()
    assert again is not None
    assert again.changed == 1
    assert sorted(refresh_tokens(depot)) == sorted([RT, OTHER])  # the file adds, it does not rule
    (folder / "token.txt").unlink()
    gone = taker.look()
    assert gone is None or gone.changed == 0
    assert len(held(depot)) == 2


def test_a_look_that_failed_is_made_again(depot: Depot, folder: Path, outage: Any) -> None:
    touch(folder / "token.txt", f"{RT}\n", 1000)
    taker = arrivals(depot, folder)
    outage.is_away = True
    with pytest.raises(StorageUnavailable):
        taker.look()
    outage.is_away = False
    report = taker.look()
    assert report is not None
    assert report.changed == 1


def test_no_token_is_shown(depot: Depot, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "token.txt").write_text(f"{RT}\n<b>{OTHER}</b>\n")
    caplog.set_level("DEBUG")
    report = arrivals(depot, folder).take(folder / "token.txt")
    assert len(report.skipped) == 1
    assert arrivals(depot, folder).take_data_dir().skipped == ()
    for text in (repr(report), *(str(vars(record)) for record in caplog.records)):
        assert RT not in text
        assert OTHER not in text


def test_it_can_be_made_from_a_store_alone(depot: Depot, folder: Path) -> None:
    (folder / "token.txt").write_text(f"{RT}\n")
    taker = arrivals_of(depot.store, Settings(data_dir=folder))
    assert taker.take_data_dir().changed == 1


# --- the configuration


def entry(**fields: Any) -> ChatGptEntry:
    return ChatGptEntry(**{"refresh_token": Secret(RT), **fields})


def test_the_pool_holds_what_the_configuration_lists(depot: Depot, folder: Path) -> None:
    taker = arrivals(depot, folder)
    one, two = entry(), entry(refresh_token=Secret(OTHER))
    assert taker.follow_config([one, two]) == (2, 0)
    assert arrivals(depot, folder).follow_config([one, two]) == (0, 0)
    assert taker.follow_config([two]) == (0, 1)
    assert refresh_tokens(depot) == [OTHER]
    assert taker.follow_config([]) == (0, 1)
    assert held(depot) == []
    assert taker.follow_config([one]) == (1, 0)


def test_servers_on_one_database_leave_each_others_entries(depot: Depot, folder: Path) -> None:
    mine, theirs = entry(), entry(refresh_token=Secret(OTHER))
    here, there = arrivals(depot, folder), arrivals(depot, folder)
    assert here.follow_config([mine], before=[]) == (1, 0)
    assert there.follow_config([theirs], before=[]) == (1, 0)
    assert here.follow_config([], before=[mine]) == (0, 1)
    assert refresh_tokens(depot) == [OTHER]


def test_accounts_of_other_sources_are_not_the_configurations(depot: Depot, folder: Path) -> None:
    by_hand = depot.add(refresh_token=Secret(OTHER))
    taker = arrivals(depot, folder)
    taker.follow_config([entry()])
    taker.follow_config([])
    assert held(depot) == [by_hand]


def test_an_entry_counts_when_it_changes(depot: Depot, folder: Path) -> None:
    """Tokens renewed since are not overwritten by what the file still says."""
    taker = arrivals(depot, folder)
    taker.follow_config([entry()])
    (name,) = held(depot)
    depot.renewals().renewed(depot.credential_of(name), 0, depot.call)
    renewed = refresh_tokens(depot)
    taker.follow_config([entry()])
    taker.follow_config([entry(email="ann@example.com")])  # the entry changed, its token did not
    assert (held(depot), refresh_tokens(depot)) == ([name], renewed)
    assert depot.stored(name).version == 2
    person = entry(refresh_token=Secret(OTHER), access_token=Secret(depot.jwt("one", jti=9)))
    taker.follow_config([person])
    assert (held(depot), refresh_tokens(depot)) == ([name], [OTHER])


def test_entries_of_one_account_are_one(depot: Depot, folder: Path) -> None:
    access = Secret(depot.jwt("one"))
    twice = [entry(access_token=access), entry(access_token=access, email="a@b.c")]
    taker = arrivals(depot, folder)
    for _ in range(3):
        taker.follow_config(twice)
        assert len(held(depot)) == 1
    taker.follow_config(twice[:1])
    assert len(held(depot)) == 1


def test_entries_without_a_usable_token_are_left_out(
    depot: Depot, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    useless = entry(refresh_token=Secret("planted, no token"), id_token=Secret("planted"))
    assert arrivals(depot, folder).follow_config([useless, entry()]) == (1, 0)
    assert "no token that can be used" in caplog.text
    assert "planted" not in caplog.text
    assert refresh_tokens(depot) == [RT]


def test_an_entry_as_an_account() -> None:
    full = ChatGptEntry(
        id_token=Secret("id"),
        access_token=Secret("at"),
        refresh_token=Secret(RT),
        account_id=" team-1 ",
        last_refresh="2026-01-02T03:04:05Z",
        email=" a@b.c ",
        type="Codex",
        proxy=Secret("http://own.test:1"),
    )
    assert account_of_entry(full) == NewAccount(
        access_token=Secret("at"),
        refresh_token=Secret(RT),
        id_token=Secret("id"),
        workspace_id="team-1",
        email="a@b.c",
        kind="codex",
        client_id="app_EMoamEEZ73f0CkXaXp7hrann",
        proxy=Secret("http://own.test:1"),
        refreshed_at=1_767_323_045.0,
    )
    odd = replace(full, account_id="a b\n", last_refresh="lately", type="Team", proxy=Secret(""))
    made = account_of_entry(odd)
    assert (made.workspace_id, made.refreshed_at, made.plan, made.kind, made.client_id) == (
        None,
        None,
        "team",
        "web",
        "",
    )
    assert made.proxy is None
    assert account_of_entry(ChatGptEntry()) == NewAccount()
