import functools
import logging

import pytest

from chat2api.serve import conf
from chat2api.serve.keeper import SettingsKeeper
from chat2api.serve.options import gunicorn_options
from chat2api.settings.load import load_settings


@pytest.fixture
def environ(monkeypatch, tmp_path):
    """What the process's environment is for `conf_options`; nothing global is touched."""
    environ = {}
    read = functools.partial(load_settings, cli={}, environ=environ, config_path=None, cwd=tmp_path)
    keeper = SettingsKeeper(read)
    monkeypatch.setattr(conf, "process_keeper", lambda: keeper)
    monkeypatch.setattr(conf, "set_up_logs", lambda _: None)
    monkeypatch.setattr(conf, "log_uncaught_errors", lambda: None)
    return environ


def test_options_come_from_the_settings_and_are_shown_once(environ, capsys):
    environ["WORKERS"] = "3"
    first = conf.conf_options()
    assert first["workers"] == 3
    assert "  workers " in capsys.readouterr().out
    environ["WORKERS"] = "4"
    assert conf.conf_options() == {**first, "workers": 4}
    assert capsys.readouterr().out == ""


def test_a_mistake_at_the_start_ends_it(environ, capsys):
    environ["WORKERS"] = "many"
    with pytest.raises(SystemExit) as caught:
        conf.conf_options()
    assert caught.value.code == 78
    assert "WORKERS=many" in capsys.readouterr().err


def test_a_mistake_later_changes_nothing(environ, caplog):
    first = conf.conf_options()
    environ["WORKERS"] = "many"
    with caplog.at_level(logging.ERROR):
        assert conf.conf_options() == first
    assert "WORKERS=many" in caplog.text


def test_they_are_the_options_of_the_other_entry(environ, tmp_path):
    loaded = load_settings(cli={}, environ={}, config_path=None, cwd=tmp_path)
    assert conf.conf_options() == gunicorn_options(loaded.settings)
