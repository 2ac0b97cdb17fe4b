"""YAML parsed so that the other requests of the process go on: a thousand accounts take seconds."""

from __future__ import annotations

import time
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.parser import Parser, RoundTripParser

# No sleep of 0: that would let nobody else have a turn (see `lifetime.breath`).
_BREATH_SECONDS = 0.0001
_BREATH = 20  # events; one with a long token costs half a millisecond


def safe_yaml() -> YAML:
    """For values; plain types only."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Parser = _GentleParser
    return yaml


def round_trip_yaml() -> YAML:
    """For files that are written back, comments kept."""
    yaml = YAML()
    yaml.Parser = _GentleRoundTripParser
    return yaml


class _Gentle:
    _events = 0

    def get_event(self) -> Any:
        self._events += 1
        if self._events % _BREATH == 0:
            time.sleep(_BREATH_SECONDS)
        event: Any = super().get_event()  # type: ignore[misc]
        return event


class _GentleParser(_Gentle, Parser):
    pass


class _GentleRoundTripParser(_Gentle, RoundTripParser):
    pass
