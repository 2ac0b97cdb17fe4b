"""Names of other makers' models."""

from __future__ import annotations

import pytest

from chat2api.providers.chatgpt.models import FALLBACK
from chat2api.service.model_names import (
    CLAUDE_FAMILIES,
    CLAUDE_MODELS,
    ModelNames,
    claude_family,
)

NAMES = ModelNames({"opus": "large", "sonnet": "medium"}, frozenset({"claude-sonnet-4-5"}))


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("claude-opus-4-5-20251101", "opus"),
        ("claude-3-5-sonnet-latest", "sonnet"),
        ("Claude-Haiku-4-5", "haiku"),
        ("claude-haiku-4-5@20251001", "haiku"),
        ("anthropic/claude-opus-4.5", "opus"),
        ("anthropic.claude-opus-4-v1:0", "opus"),
        ("opus", "opus"),
        ("sonnet", "sonnet"),
        ("haiku", "haiku"),
        ("opus[1m]", "opus"),
        ("claude-opus-5[1m]", "opus"),
        ("claude-2.1", "sonnet"),
        ("claude", "sonnet"),
        ("claude-fable-5", "sonnet"),
        ("gpt-5-5", None),
        ("gpt-5-5[1m]", None),
        ("claudette", None),
        ("magnum-opus", None),
        ("", None),
    ],
)
def test_families(name: str, family: str | None) -> None:
    assert claude_family(name) == family


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("claude-opus-5", "large"),
        ("claude-sonnet-5[1m]", "medium"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5[1m]", "claude-sonnet-4-5"),
        ("claude-haiku-5", "claude-haiku-5"),
        ("gpt-5-5", "gpt-5-5"),
        ("auto", "auto"),
    ],
)
def test_meanings(name: str, meaning: str) -> None:
    assert NAMES.meaning(name) == meaning


def test_the_short_names_mean_what_is_listed() -> None:
    assert NAMES.listed() == (("claude-opus", "large"), ("claude-sonnet", "medium"))
    assert all(NAMES.meaning(name) == meaning for name, meaning in NAMES.listed())
    assert ModelNames().listed() == ()
    assert ModelNames().meaning("opus") == "opus"


def test_every_family_means_a_model_that_the_upstream_is_known_for() -> None:
    assert tuple(CLAUDE_MODELS) == CLAUDE_FAMILIES
    assert set(CLAUDE_MODELS.values()) <= set(FALLBACK)


@pytest.mark.parametrize(
    ("name", "offered", "meant"),
    [
        ("claude-opus-4", {"gpt-5-5-thinking", "gpt-5-5"}, "gpt-5-5-thinking"),
        ("claude-opus-4", {"gpt-5-5", "gpt-5-mini"}, "gpt-5-5"),
        ("claude-sonnet-4[1m]", {"gpt-5-5-thinking", "gpt-5-mini"}, "gpt-5-mini"),
        ("claude-sonnet-4", {"auto"}, "auto"),
        ("gpt-5-5-pro", {"auto"}, "gpt-5-5-pro"),
    ],
)
def test_a_model_of_ours_gives_way_to_one_that_is_offered(
    name: str, offered: set[str], meant: str
) -> None:
    assert ModelNames(CLAUDE_MODELS).meaning_for(name, lambda: offered) == meant


def test_what_the_operator_chose_stays() -> None:
    names = ModelNames({**CLAUDE_MODELS, "opus": "o9"}, chosen=frozenset({"opus"}))
    assert names.meaning_for("claude-opus-4", set) == "o9"


def test_an_alias_of_the_very_name_stays() -> None:
    names = ModelNames(CLAUDE_MODELS, frozenset({"claude-opus-4"}))
    assert names.meaning_for("claude-opus-4[1m]", set) == "claude-opus-4"
