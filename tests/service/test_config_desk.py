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
