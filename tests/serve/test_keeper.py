import logging
import re
import threading
from datetime import UTC, datetime

import pytest

from chat2api.serve.keeper import ConfigProblem, SettingsKeeper, process_keeper
from chat2api.serve.start import StartError
from chat2api.settings.load import load_settings
from chat2api.settings.problems import SettingsError

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def environ():
    return {}


@pytest.fixture
def keeper(environ, tmp_path):
    return SettingsKeeper(
        lambda: load_settings(cli={}, environ=environ, config_path=None, cwd=tmp_path),
        now=lambda: NOON,
    )


@pytest.fixture
def config(tmp_path):
    """The YAML file; a test writes it before the keeper reads."""
    (tmp_path / "conf").mkdir()
    path = tmp_path / "conf" / "app.dev.yaml"
    path.write_text("retry_times: 1\n")
    return path


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
    assert "a change of host, port takes effect at the next start" in caplog.messages


def test_an_unusable_data_directory_is_raised_at_the_start(keeper, environ):
    environ["DATA_DIR"] = "/dev/null/x"
    with pytest.raises(StartError):
        keeper.current()


def test_a_process_has_one_keeper():
    assert process_keeper() is process_keeper()


# --- the file is polled


def test_an_edit_is_taken(keeper, config, caplog):
    old = keeper.current()
    assert keeper.poll() is None
    config.write_text("retry_times: 2\n")
    with caplog.at_level(logging.INFO):
        new = keeper.poll()
    assert (old.settings.retry_times, new.settings.retry_times) == (1, 2)
    assert keeper.current() is new
    assert keeper.poll() is None
    assert caplog.messages == ["settings reloaded: the configuration file changed"]


def test_an_edit_between_reading_and_the_first_look_is_taken(config, tmp_path):
    def load():
        loaded = load_settings(cli={}, environ={}, config_path=None, cwd=tmp_path)
        config.write_text("retry_times: 2\n")
        return loaded

    keeper = SettingsKeeper(load)
    assert keeper.current().settings.retry_times == 1
    assert keeper.poll().settings.retry_times == 2


def test_without_a_file_nothing_is_polled(keeper):
    keeper.current()
    assert keeper.poll() is None


def test_a_broken_edit_is_told_once_and_changes_nothing(keeper, config, caplog):
    old = keeper.current()
    config.write_text("\nretry_times: many\nauth_key: planted\n")
    assert [keeper.poll(), keeper.poll(), keeper.poll()] == [None, None, None]
    assert keeper.current() is old
    (message,) = caplog.messages
    assert message.startswith("reload refused, the settings in use stay: ")
    problem = keeper.problem
    assert problem == ConfigProblem(
        "app.dev.yaml",
        2,
        "retry_times (app.dev.yaml line 2)=many: must be a whole number from 0 to 20",
        NOON,
    )
    assert str(problem) == f"{problem.message} (since 2026-01-02 12:00:00 UTC)"
    assert "planted" not in f"{caplog.text}{problem}"


@pytest.mark.parametrize("mended", ["retry_times: 2\n", "retry_times: 1\n"])
def test_the_next_edit_is_tried_again(keeper, config, mended):
    keeper.current()
    config.write_text("retry_times: [\n")
    assert keeper.poll() is None
    assert (keeper.problem.file, keeper.problem.line) == ("app.dev.yaml", 2)
    config.write_text(mended)
    assert keeper.poll().settings.retry_times == int(mended[-2])
    assert keeper.problem is None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "app.dev.yaml is gone or cannot be read"),
        (lambda path: path.write_text(""), "app.dev.yaml is empty"),
    ],
)
def test_a_file_that_is_gone_or_emptied_takes_nothing_away(keeper, config, spoil, message):
    config.write_text("auth: {access_tokens: [sk-a]}\n")
    old = keeper.current()
    spoil(config)
    assert keeper.poll() is None
    assert keeper.current() is old
    assert keeper.problem.message == message
    config.write_text("auth: {access_tokens: [sk-a]}\n")
    assert keeper.poll().settings == old.settings
    assert keeper.problem is None


def test_a_running_worker_keeps_what_it_was_built_upon(keeper, config, tmp_path, caplog):
    caplog.set_level("WARNING")
    keeper.current()
    config.write_text("data_dir: elsewhere\nretry_times: 2\nport: 7\n")
    new = keeper.poll().settings
    assert (new.data_dir, new.retry_times, new.port) == (tmp_path / "data", 2, 5005)
    assert caplog.messages == [
        "a change of data_dir takes effect at SIGHUP or the next start",
        "a change of port takes effect at the next start",
    ]
    assert keeper.reload().settings.data_dir == tmp_path / "elsewhere"


def test_a_reload_clears_or_sets_the_problem_too(keeper, config):
    keeper.current()
    config.write_text("retry_times: many\n")
    keeper.reload()
    assert keeper.problem.line == 1
    config.write_text("retry_times: 2\n")
    assert keeper.reload().settings.retry_times == 2
    assert keeper.problem is None
    assert keeper.poll() is None


# --- the first key


def test_a_file_with_an_auth_section_gets_a_key(keeper, config, tmp_path, capfd):
    config.write_text("# mine\nauth:\n  access_tokens: []  # keys\n")
    (key,) = keeper.current().settings.authorization
    assert re.fullmatch(r"sk-[0-9a-f]{48}", key.reveal())
    assert config.read_text().split() == (
        f'# mine auth: access_tokens: # keys - "{key.reveal()}"'.split()
    )
    assert capfd.readouterr().out.count(key.reveal()) == 1
    assert keeper.poll() is None


def test_keys_of_the_environment_are_enough(keeper, config, environ):
    config.write_text("auth:\n")
    environ["AUTHORIZATION"] = "sk-mine"
    keeper.current()
    assert config.read_text() == "auth:\n"


def test_several_processes_get_the_same_key(config, tmp_path, capfd):
    config.write_text("auth:\n")
    keepers = [
        SettingsKeeper(lambda: load_settings(cli={}, environ={}, config_path=None, cwd=tmp_path))
        for _ in range(6)
    ]
    threads = [threading.Thread(target=keeper.current) for keeper in keepers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    ((key,),) = {keeper.current().settings.authorization for keeper in keepers}
    assert capfd.readouterr().out.count(key.reveal()) == 1


def test_a_file_that_cannot_be_written_is_no_reason_not_to_start(
    keeper, config, monkeypatch, caplog
):
    config.write_text("auth:\n")
    monkeypatch.setattr(
        "chat2api.settings.config_file.os.replace",
        lambda *_: (_ for _ in ()).throw(OSError(30, "x")),
    )
    assert keeper.current().settings.authorization == ()
    assert "no API key could be written into the configuration file" in caplog.text
