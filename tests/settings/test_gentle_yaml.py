"""Parsing long files leaves others their turn, and changes nothing of what is read."""

from __future__ import annotations

import io
from typing import Any

import pytest
from ruamel.yaml import YAML

from chat2api.settings import gentle_yaml
from chat2api.settings.gentle_yaml import round_trip_yaml, safe_yaml

LONG = "# kept\nlist:\n" + "".join(f"  - name: {n}  # number {n}\n" for n in range(100))


@pytest.fixture
def breaths(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []
    monkeypatch.setattr(gentle_yaml.time, "sleep", taken.append)
    return taken


def test_values(breaths: list[float]) -> None:
    assert safe_yaml().load(LONG) == YAML(typ="safe", pure=True).load(LONG)
    events = (
        6 + 100 * 4 + 4
    )  # stream, document, mapping, key, list; four an item; and all their ends
    assert breaths == [gentle_yaml._BREATH_SECONDS] * (events // 20)


def test_files_that_are_written_back(breaths: list[float]) -> None:
    yaml: Any = round_trip_yaml()
    yaml.indent(mapping=2, sequence=4, offset=2)
    written = io.StringIO()
    yaml.dump(yaml.load(LONG), written)
    assert written.getvalue() == LONG
    assert set(breaths) == {gentle_yaml._BREATH_SECONDS}
