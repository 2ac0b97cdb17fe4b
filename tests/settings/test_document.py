"""The settings as a table for readers."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel, ConfigDict, Field

from chat2api.secret import Secret
from chat2api.settings import document
from chat2api.settings.document import settings_table
from chat2api.settings.fields import setting_fields
from chat2api.settings.model import Settings

HEAD = ["| setting | default | meaning |", "|---|---|---|"]


def rows() -> dict[str, list[str]]:
    """Name to cells; a pipe inside a cell is escaped."""
    lines = settings_table().splitlines()
    assert lines[:2] == HEAD
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[2:]]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row] for row in cells}


def test_every_setting_has_a_row_and_every_row_a_meaning() -> None:
    table = rows()
    assert list(table) == [f.variable for f in setting_fields().values() if f.in_environment]
    assert len(settings_table().splitlines()) == len(table) + 2
    assert {name for name, row in table.items() if len(row) != 3 or not all(row)} == set()


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("HOST", "`0.0.0.0`"),
        ("PORT", "`5005`"),
        ("API_PREFIX", "–"),
        ("PUBLIC_BASE_URL", "–"),
        ("TRUSTED_PROXIES", "–"),
        ("CORS_ORIGINS", "`*`"),
        ("AUTHORIZATION", "–"),
        ("AUTH_KEY", "–"),
        ("CHATGPT_BASE_URL", "`https://chatgpt.com`"),
        ("HISTORY_DISABLED", "`true`"),
        ("ALLOW_ANONYMOUS", "`false`"),
        ("UPSTREAM_HEADERS", "–"),
        ("USER_AGENT", "a desktop browser"),
        ("IDLE_SECONDS", "`90`"),
        ("DATA_DIR", "`data`"),
        ("LOG_LEVEL", "`info`"),
    ],
)
def test_how_defaults_are_written(name: str, default: str) -> None:
    assert rows()[name][1] == default


def test_meanings_are_those_of_the_settings() -> None:
    meanings = {name: row[2].replace("\\|", "|") for name, row in rows().items()}
    assert meanings == {
        name.upper(): Settings.model_fields[name].description
        for name, field in setting_fields().items()
        if field.in_environment
    }


class Odd(BaseModel):
    """What the settings do not hold, but might."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    piped: str = Field("a", description="One|two.")
    hidden: Secret = Field(Secret("sk-default"), description="A key.")
    several: tuple[int, ...] = Field((1, 2), description="Numbers.")
    endless: str = Field("x" * 41, description="A text.")


def test_cells_keep_their_borders_and_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "Settings", Odd)
    assert settings_table().splitlines()[2:] == [
        "| `PIPED` | `a` | One\\|two. |",
        "| `HIDDEN` | – | A key. |",
        "| `SEVERAL` | `1,2` | Numbers. |",
        "| `ENDLESS` | a desktop browser | A text. |",
    ]
