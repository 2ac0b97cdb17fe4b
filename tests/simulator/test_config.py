"""Settings of the simulator: frozen, checked, changed as a whole."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chat2api.simulator.config import Config


def test_a_change_makes_a_new_object() -> None:
    config = Config()
    changed = config.changed({"pacing": 5, "generation": "2026"})
    assert (changed.pacing, changed.generation) == (5, "2026")
    assert (config.pacing, config.generation) == (100, "both")


@pytest.mark.parametrize(
    "updates", [{"unknown": 1}, {"difficulty": "0x1"}, {"pacing": -1}, {"generation": "2025"}]
)
def test_mistakes_are_refused(updates: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config().changed(updates)


def test_the_hash_follows_the_flow_unless_fixed() -> None:
    assert [Config().variant_for(era) for era in ("2024", "2026")] == ["sha3", "fnv"]  # type: ignore[arg-type]
    fixed = Config(variant="sha3")
    assert fixed.variant_for("2026") == "sha3"
