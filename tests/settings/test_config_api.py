import os
import stat

import pytest

from chat2api.errors import Conflict, InternalError, RequestError
from chat2api.logs import redact
from chat2api.settings.config_api import (
    apply_change,
    current_view,
    plan_change,
    raw_view,
    shown_path,
)
from chat2api.settings.load import load_settings

TEXT = """\
auth:
  access_tokens: [sk-planted-0123456789]
chatgpts:
  - access_token: eyJ-planted-0123456789
    email: u@example.com
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "conf" / "app.dev.yaml"
    path.parent.mkdir()
    path.write_text(TEXT)
    return path


def load(tmp_path, **environ):
    return load_settings(cli={}, environ=environ, config_path=None, cwd=tmp_path)


def test_what_is_shown(path, tmp_path):
    view = current_view(load(tmp_path, PROXY_URL="http://h:1"), path)
    assert view["config_path"] == "conf/app.dev.yaml"
    assert view["env_set"] == ["proxy"]
    assert view["auth_tokens"] == [{"index": 0, "set": True, "masked": "sk-pla...6789"}]
    assert view["chatgpts"][0]["email"] == "u@example.com"
    assert "planted" not in str(view)


def test_a_change_is_written_and_shown(path, tmp_path):
    before = current_view(load(tmp_path), path)
    result = apply_change(path, {"proxy": "http://h:1"}, before["revision"])
    assert path.read_text() == f'{TEXT}proxy: "http://h:1"\n'
    assert path.with_name("app.dev.yaml.bak").read_text() == TEXT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (result.changes, result.warnings) == (["proxy: none -> http://h:1"], [])
    assert result.valid_keys == ["sk-pla...6789"]
    assert result.view == current_view(load(tmp_path), path)
    assert result.view["revision"] != before["revision"]
    assert [str(proxy.reveal()) for proxy in load(tmp_path).settings.proxy_url] == ["http://h:1"]


def test_its_own_answer_may_be_sent_back(path):
    result = apply_change(path, {"proxy": "http://u:planted@h:1"}, None)
    again = {**result.view, "changes": [], "warnings": [], "valid_keys": result.valid_keys}
    text = path.read_text()
    assert apply_change(path, again, result.view["revision"]).changes == []
    assert path.read_text() == text


def test_without_a_change_nothing_is_written(path, tmp_path):
    view = current_view(load(tmp_path), path)
    assert apply_change(path, view, view["revision"]).changes == []
    assert os.listdir(path.parent) == ["app.dev.yaml"]


def test_of_two_administrators_the_second_is_told(path, tmp_path):
    view = current_view(load(tmp_path), path)
    apply_change(path, {"proxy": "http://first:1"}, view["revision"])
    with pytest.raises(Conflict):
        apply_change(path, {"proxy": "http://second:1"}, view["revision"])
    assert "second" not in path.read_text()


def test_a_file_that_would_not_load_is_not_written(path):
    path.write_text(f"{TEXT}prot: 1\n")
    with pytest.raises(RequestError) as caught:
        apply_change(path, {"proxy": "http://h:1"}, None)
    assert caught.value.message == (
        "The file would not be accepted: prot (app.dev.yaml line 6): is not a setting; "
        "did you mean port?."
    )
    assert path.read_text() == f"{TEXT}prot: 1\n"


def test_a_refused_change_leaves_the_file(path):
    with pytest.raises(RequestError):
        apply_change(path, {"proxy": "http://h:1", "auth_tokens": []}, None)
    assert path.read_text() == TEXT


def test_a_broken_file_is_not_ours_to_mend(path, tmp_path):
    loaded = load(tmp_path)
    path.write_text("planted: [")
    for call in (lambda: current_view(loaded, path), lambda: apply_change(path, {}, None)):
        with pytest.raises(InternalError) as caught:
            call()
        assert caught.value.message == "app.dev.yaml is not valid YAML; mend it by hand."


def test_what_the_environment_decides_is_warned_of(path, tmp_path):
    fixed = load(tmp_path, PROXY_URL="http://env:1").fixed_fields
    result = apply_change(path, {"proxy": "http://h:1"}, None, fixed)
    assert result.warnings[0].startswith("proxy is set by the environment")
    assert result.view["env_set"] == ["proxy"]


def test_paths_elsewhere_are_not_told(path, tmp_path):
    assert shown_path(path) == "conf/app.dev.yaml"
    assert shown_path(tmp_path.parent / "other.yaml") == "other.yaml"


def test_a_plan_tells_the_same_and_writes_nothing(path, tmp_path):
    body = {"proxy": "http://h:1", "settings": {"retry_times": "5"}}
    planned = plan_change(path, body, None)
    assert path.read_text() == TEXT
    assert os.listdir(path.parent) == ["app.dev.yaml"]
    assert planned.changes == apply_change(path, body, None).changes
    with pytest.raises(Conflict):
        plan_change(path, body, "another")


def test_a_plan_refuses_what_would_not_load(path):
    path.write_text(f"{TEXT}prot: 1\n")
    with pytest.raises(RequestError):
        plan_change(path, {"proxy": "http://h:1"}, None)


def test_the_file_as_text(path):
    shown = raw_view(path, redact)
    assert "planted" not in shown
    assert "u@example.com" in shown
    path.write_text("a: [")
    with pytest.raises(InternalError):
        raw_view(path, redact)
