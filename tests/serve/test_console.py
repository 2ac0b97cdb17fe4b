import json
import logging

import pytest

from chat2api.logs import make_formatter
from chat2api.serve.console import leaving_plainly, set_up_logs, show
from chat2api.serve.start import ExitCode, StartError
from chat2api.settings.load import load_settings
from chat2api.settings.problems import Problem, SettingsError
from chat2api.settings.show import describe


def load(tmp_path, **environ):
    return load_settings(cli={}, environ=environ, config_path=None, cwd=tmp_path)


def test_settings_are_printed(tmp_path, capsys):
    loaded = load(tmp_path, AUTHORIZATION="sk-planted")
    show(loaded)
    out = capsys.readouterr().out
    assert out == "\n".join(describe(loaded)) + "\n"
    assert "planted" not in out


def test_where_logs_are_json_settings_are_a_log_entry(tmp_path, capsys, caplog):
    loaded = load(tmp_path, LOG_FORMAT="json")
    with caplog.at_level(logging.INFO):
        show(loaded)
    assert capsys.readouterr().out == ""
    entry = json.loads(make_formatter("json").format(caplog.records[0]))
    assert entry["event"] == "starting"
    assert entry["settings"] == [line.strip() for line in describe(loaded)]


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (SettingsError([Problem("X", "is wrong")]), 78, "mistake:\n  X: is wrong\n"),
        (StartError("no room", ExitCode.CANNOT_CREATE), 73, "no room\n"),
    ],
)
def test_a_mistake_is_told_and_ends_the_process(capsys, error, code, text):
    with pytest.raises(SystemExit) as caught, leaving_plainly():
        raise error
    assert caught.value.code == code
    captured = capsys.readouterr()
    assert captured.err.endswith(text)
    assert captured.out == ""


def test_other_errors_are_not_the_operators():
    with pytest.raises(ZeroDivisionError), leaving_plainly():
        _ = 1 / 0


@pytest.mark.parametrize(("name", "file"), [("", None), ("a.log", "logs/a.log")])
def test_a_log_file_is_written_when_it_has_a_name(tmp_path, monkeypatch, name, file):
    calls = []
    monkeypatch.setattr(
        "chat2api.serve.console.configure_logging", lambda *args, **more: calls.append((args, more))
    )
    set_up_logs(load(tmp_path, LOG_FILE=name, LOG_LEVEL="error").settings)
    assert calls == [(("error", "text"), {"file": tmp_path / file if file else None})]
