"""Before the workers start: a database that can be used, or an end with a reason and a code."""

import os

import pytest

from chat2api.errors import StorageUnavailable
from chat2api.secret import Secret
from chat2api.serve import prepare
from chat2api.serve.prepare import prepare_state, prepare_state_apart
from chat2api.serve.start import ExitCode, StartError
from chat2api.settings.model import Settings
from chat2api.store.account_book import AccountBook
from chat2api.store.opening import open_store
from chat2api.store.options import store_options

RT = "rt_filed0000000000000000"
OTHER_KEY = (Secret("a wrong phrase, long enough"),)


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path)


def accounts(settings):
    store = open_store(store_options(settings))
    try:
        return AccountBook(store).counts().total
    finally:
        store.close()


def test_a_new_database_is_made_and_files_are_taken_in(settings, tmp_path):
    (tmp_path / "token.txt").write_text(f"{RT}\n")
    prepare_state(settings)
    assert accounts(settings) == 1
    prepare_state(settings)
    assert accounts(settings) == 1
    assert (tmp_path / "chat2api.db").stat().st_mode & 0o077 == 0


def wrong_key(settings):
    prepare_state(settings)
    (settings.data_dir / "secret.key").unlink()
    return settings.model_copy(update={"secret_key": OTHER_KEY})


def newer(settings):
    prepare_state(settings)
    store = open_store(store_options(settings))
    store.database.write(
        lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    )
    store.close()
    return settings


def not_there(settings):
    url = Secret(f"sqlite:///{settings.data_dir}/no/such/folder/planted.db")
    return settings.model_copy(update={"database_url": url})


CASES = [
    (wrong_key, 78, "sealed with another key"),
    (newer, 78, "written by chat2api"),
    (not_there, 69, "the database cannot be used"),
]


@pytest.fixture
def no_waiting(monkeypatch):
    """For a database that will not come."""
    from chat2api.store import opening

    original = opening.prepare_store
    monkeypatch.setattr(
        opening, "prepare_store", lambda options, version: original(options, version, 0.0)
    )


@pytest.mark.parametrize(("spoil", "code", "told"), CASES)
def test_what_keeps_it_from_starting(settings, no_waiting, spoil, code, told):
    with pytest.raises(StartError) as failed:
        prepare_state(spoil(settings))
    assert failed.value.exit_code == code
    assert told in str(failed.value)
    assert "planted" not in str(failed.value)


@pytest.mark.parametrize(("spoil", "code", "told"), CASES)
def test_the_same_codes_from_a_child(settings, no_waiting, capfd, spoil, code, told):
    with pytest.raises(SystemExit) as left:
        prepare_state_apart(spoil(settings))
    assert left.value.code == code
    assert told in capfd.readouterr().err


def test_files_wait_for_a_database_that_is_busy(settings, monkeypatch, caplog):
    caplog.set_level("WARNING")

    def busy(*_):
        raise StorageUnavailable("The database is busy.")

    monkeypatch.setattr(prepare, "_take_files", busy)
    prepare_state(settings)
    assert caplog.messages == ["files in DATA_DIR are taken in later: The database is busy."]


def test_a_child_does_it_and_leaves_nothing_here(settings, tmp_path):
    (tmp_path / "token.txt").write_text(f"{RT}\n")
    here = os.getpid()
    prepare_state_apart(settings)
    assert os.getpid() == here
    assert accounts(settings) == 1


def test_a_child_that_fails_in_another_way(settings, monkeypatch):
    def fail(_):
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(prepare, "prepare_state", fail)
    with pytest.raises(SystemExit) as left:
        prepare_state_apart(settings)
    assert left.value.code == 1


def test_the_codes_are_those_of_the_start():
    assert (ExitCode.CONFIG, ExitCode.UNAVAILABLE) == (78, 69)
