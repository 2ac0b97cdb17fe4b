"""The other upstreams get what the settings say."""

from __future__ import annotations

import dataclasses
from typing import Any

from chat2api.factory.upstreams import make_entries
from chat2api.providers.openai_compatible.provider import CompatibleOptions
from chat2api.secret import Secret
from chat2api.service.egress import Egress
from chat2api.settings.compatible_entry import CompatibleEntry
from chat2api.settings.model import Settings
from chat2api.settings.version import version


def test_entries_and_their_options() -> None:
    nothing: Any = None
    seconds = iter(range(11, 99))
    given: dict[str, Any] = {
        name: next(seconds) for name in Settings.model_fields if name.endswith("_seconds")
    }
    settings = Settings(
        openai_compatible=(CompatibleEntry("late", "http://l.test", Secret("k"), priority=9),),
        openai_compatible_base_url="http://own.test/v1",
        event_limit_bytes=4096,
        **given,
    )
    own, late = make_entries(settings, Egress(nothing, nothing))
    assert [own.name, late.name] == ["openai_compatible", "late"]
    provider: Any = late.backend.provider
    options = dataclasses.asdict(provider._options)
    told = {name: options[name] for name in options if name.endswith(("_seconds", "_bytes"))}
    assert told == {name: getattr(settings, name) for name in told}
    assert (options["user_agent"], options["api_key"]) == (f"chat2api/{version()}", Secret("k"))


def test_options_left_out_mean_what_the_settings_say() -> None:
    plain = dataclasses.asdict(CompatibleOptions("x", "http://x.test", None, "agent"))
    settings = Settings()
    for name in plain:
        if name.endswith(("_seconds", "_bytes")):
            assert plain[name] == getattr(settings, name)


def test_none_configured() -> None:
    nothing: Any = None
    assert not make_entries(Settings(), Egress(nothing, nothing))
