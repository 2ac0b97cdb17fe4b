"""The command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chat2api.simulator.__main__ import main


def test_settings_come_from_the_command_line_and_a_file(start: Any, tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"generation": "2024", "pacing": 7}')
    live = start("--config", str(file), "--set", "pacing=9", "--set", "cheap=true")
    config = live.control("/config")
    assert (config["generation"], config["pacing"], config["cheap"]) == ("2024", 9.0, True)


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("pace=1", "pace"),
        ("pacing=fast", "pacing"),
        ("pacing", "NAME=VALUE"),
        ("anonymous=2", "anonymous"),
    ],
)
def test_a_wrong_setting_stops_the_start(word: str, named: str) -> None:
    ended = CliRunner().invoke(main, ["--set", word])
    assert ended.exit_code == 2
    assert named in ended.output


def test_help_says_what_it_is() -> None:
    assert "Simulates the ChatGPT web backend" in CliRunner().invoke(main, ["--help"]).output
