"""The configuration file through administration: shown, changed, applied at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chat2api.errors import Conflict, InternalError, NoConfigFile
from chat2api.factory.app import FixedSettings
from chat2api.serve.keeper import SettingsKeeper
from chat2api.service.config_desk import ConfigDesk
from chat2api.settings.load import LoadedSettings, load_settings
from chat2api.settings.model import Settings


class Desk:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "app.yaml"
        self.file.write_text("retry_times: 2\nauth:\n  access_tokens: [sk-planted]\n")
        self.applied = 0
        self.keeper = SettingsKeeper(
            lambda: load_settings(
                cli={}, environ={"DATA_DIR": str(folder)}, config_path=self.file, cwd=folder
            )
        )
        self.keeper.current()
        self.desk = ConfigDesk(self.keeper, self._apply)

    def _apply(self) -> None:
        self.applied += 1


@pytest.fixture
def made(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_file_is_shown_masked(made: Desk) -> None:
    shown = made.desk.view()
    assert "planted" not in repr(shown)
    assert made.desk.problem is None


def test_a_change_is_applied_here_at_once(made: Desk) -> None:
    revision = made.desk.view()["revision"]
    result = made.desk.change({"proxy": "http://one.test:1"}, revision)
    assert result.changes
    assert made.applied == 1
    assert "http://one.test:1" in made.file.read_text()
    with pytest.raises(Conflict):
        made.desk.change({"proxy": "http://two.test:1"}, revision)
    assert made.applied == 1


def test_what_is_wrong_with_an_edit_is_told(made: Desk) -> None:
    made.file.write_text("retry_times: many\n")
    assert made.keeper.poll() is None
    assert made.desk.problem is not None
    assert "app.yaml" in made.desk.problem
    assert "retry_times" in made.desk.problem


@pytest.mark.parametrize("source", [None, FixedSettings(LoadedSettings(Settings(), {}))])
def test_without_a_file_there_is_nothing_to_show(source: Any) -> None:
    desk = ConfigDesk(source, lambda: None)
    assert desk.problem is None
    with pytest.raises(NoConfigFile):
        desk.view()
    with pytest.raises(NoConfigFile):
        desk.forget_backup()
    with pytest.raises(NoConfigFile):
        desk.change({}, None)


def test_the_backup_can_be_deleted(made: Desk) -> None:
    assert made.desk.forget_backup() is False
    made.desk.change({"proxy": "http://one.test:1"}, made.desk.view()["revision"])
    assert made.desk.forget_backup() is True
    backup = made.file.with_name("app.yaml.bak")
    assert not backup.exists()
    backup.mkdir()
    with pytest.raises(InternalError):
        made.desk.forget_backup()


def test_a_plan_changes_nothing(made: Desk) -> None:
    before = made.file.read_text()
    planned = made.desk.plan({"settings": {"retry_times": "5"}}, made.desk.view()["revision"])
    assert planned.changes == ["retry_times: 2 -> 5"]
    assert (made.file.read_text(), made.applied) == (before, 0)


def test_every_setting_and_where_it_comes_from(made: Desk) -> None:
    found = {one.name: one for one in made.desk.effective()}
    assert found.keys() == Settings.model_fields.keys()
    assert (found["retry_times"].value, found["retry_times"].fixed) == ("2", False)
    assert (found["data_dir"].source, found["data_dir"].fixed) == ("environment DATA_DIR", True)
    assert "planted" not in repr(found)
    assert ConfigDesk(None, lambda: None).effective() == []


def test_the_line_that_is_wrong(made: Desk) -> None:
    assert made.desk.trouble is None
    made.file.write_text("tz: UTC\nretry_times: many\n")
    made.keeper.poll()
    trouble = made.desk.trouble
    assert trouble is not None
    assert trouble.line == 2
    assert "retry_times" in trouble.message


def test_the_file_as_text(made: Desk) -> None:
    assert "planted" not in made.desk.raw()
    assert "retry_times: 2" in made.desk.raw()


def test_where_a_value_came_from(made: Desk) -> None:
    assert "app.yaml" in made.desk.source_of("retry_times")
    assert made.desk.source_of("nothing") == ""
    assert [made.desk.in_file(name) for name in ("retry_times", "data_dir", "tz")] == [
        True,
        False,
        False,
    ]
    nowhere = ConfigDesk(None, lambda: None)
    assert (nowhere.source_of("tz"), nowhere.in_file("tz")) == ("", False)
