import logging

import pytest

from chat2api.serve.keeper import SettingsKeeper, process_keeper
from chat2api.serve.start import StartError
from chat2api.settings.load import load_settings
from chat2api.settings.problems import SettingsError


@pytest.fixture
def environ():
    return {}


@pytest.fixture
def keeper(environ, tmp_path):
    return SettingsKeeper(
        lambda: load_settings(cli={}, environ=environ, config_path=None, cwd=tmp_path)
    )


def test_settings_are_read_once(keeper, environ, tmp_path):
    assert not keeper.is_loaded
    first = keeper.current()
    environ["RETRY_TIMES"] = "9"
    assert keeper.is_loaded
    assert keeper.current() is first
    assert (tmp_path / "data").is_dir()


def test_the_first_mistake_is_raised(keeper, environ):
    environ["RETRY_TIMES"] = "many"
    with pytest.raises(SettingsError):
        keeper.current()
    with pytest.raises(SettingsError):
        keeper.reload()


def test_a_reload_replaces_them(keeper, environ, caplog):
    old = keeper.current()
    environ["RETRY_TIMES"] = "9"
    with caplog.at_level(logging.INFO):
        new = keeper.reload()
    assert (old.settings.retry_times, new.settings.retry_times) == (3, 9)
    assert new.sources["retry_times"] == "environment RETRY_TIMES"
    assert keeper.current() is new
    assert caplog.messages == ["settings reloaded"]


def test_a_reload_before_the_first_use_is_the_first_use(keeper):
    assert keeper.reload() is keeper.current()


@pytest.mark.parametrize(
    ("name", "value"),
    [("RETRY_TIMES", "many"), ("CHAT2API_TYPO", "1"), ("DATA_DIR", "/dev/null/x")],
)
def test_a_mistake_changes_nothing(keeper, environ, caplog, name, value):
    old = keeper.current()
    environ |= {name: value, "LOG_LEVEL": "debug"}
    assert keeper.reload() is old
    assert keeper.current() is old
    (message,) = caplog.messages
    assert message.startswith("reload refused, the settings in use stay: ")
    assert value in message or name in message


def test_the_address_stays(keeper, environ, caplog):
    keeper.current()
    environ |= {"PORT": "7", "HOST": "127.0.0.1", "RETRY_TIMES": "9"}
    new = keeper.reload()
    assert (new.settings.host, new.settings.port, new.settings.retry_times) == ("0.0.0.0", 5005, 9)
    assert (new.sources["port"], new.sources["retry_times"]) == (
        "default",
        "environment RETRY_TIMES",
    )
    assert "a change of host or port takes effect at the next start" in caplog.messages


def test_an_unusable_data_directory_is_raised_at_the_start(keeper, environ):
    environ["DATA_DIR"] = "/dev/null/x"
    with pytest.raises(StartError):
        keeper.current()


def test_a_process_has_one_keeper():
    assert process_keeper() is process_keeper()
