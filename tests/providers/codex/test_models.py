"""Names of models, efforts, and the backend's list."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.providers.codex.models import (
    EFFORTS,
    FALLBACK,
    Catalog,
    CodexModel,
    clamp,
    parse_models,
    resolve,
)

KNOWN = Catalog(
    (
        CodexModel("gpt-5.6-terra", ("low", "medium", "high", "xhigh", "max", "ultra"), "medium"),
        CodexModel("gpt-5.5", ("low", "medium", "high", "xhigh"), "medium"),
        CodexModel("gpt-5.5-max", ("low", "high"), "low"),
    ),
    "gpt-5.5",
)


@pytest.mark.parametrize(
    ("name", "slug", "effort"),
    [
        ("gpt-5.5", "gpt-5.5", None),
        ("GPT-5.5", "gpt-5.5", None),
        ("gpt-5-5", "gpt-5.5", None),
        ("gpt-5.5-high", "gpt-5.5", "high"),
        ("gpt-5-5-xhigh", "gpt-5.5", "xhigh"),
        ("gpt-5.5_low", "gpt-5.5", "low"),
        ("gpt-5.5:medium", "gpt-5.5", "medium"),
        ("gpt-5.5(high)", "gpt-5.5", "high"),
        ("gpt-5.5-max", "gpt-5.5-max", None),  # a slug of its own
        ("gpt-5.5-max-high", "gpt-5.5-max", "high"),
        ("gpt-5.6-terra-ultra", "gpt-5.6-terra", "max"),
        ("gpt-9", "gpt-9", None),
        ("gpt-9-high", "gpt-9", "high"),
        ("gpt-9-codex-max", "gpt-9-codex-max", None),  # nobody knows that this is an effort
        ("gpt-9-codex(max)", "gpt-9-codex", "max"),
        ("auto", "gpt-5.5", None),
        ("auto-high", "gpt-5.5", "high"),
        ("high", "high", None),
        ("mine", "gpt-5.5", None),
    ],
)
def test_names(name: str, slug: str, effort: str | None) -> None:
    target = resolve(name, None, KNOWN, {"mine": "gpt-5.5"})
    assert (target.slug, target.effort) == (slug, effort)
    assert target.model == KNOWN.get(slug)


def test_an_effort_in_the_name_wins() -> None:
    assert resolve("gpt-5.5-high", "low", KNOWN).effort == "high"
    assert resolve("gpt-5.5", "low", KNOWN).effort == "low"


@pytest.mark.parametrize(
    ("effort", "efforts", "sent"),
    [
        ("none", ("low", "high"), "low"),
        ("minimal", ("low", "high"), "low"),
        ("minimal", ("minimal", "low"), "minimal"),
        ("medium", ("low", "high"), "low"),
        ("xhigh", ("low", "high"), "high"),
        ("ultra", ("low", "max", "ultra"), "max"),
        ("ultra", ("low", "high"), "high"),
        ("max", ("low", "xhigh"), "xhigh"),
        ("curious", ("low", "high"), "curious"),
        ("minimal", (), "minimal"),
        ("ultra", (), "max"),
    ],
)
def test_efforts_are_brought_within_reach(effort: str, efforts: tuple[str, ...], sent: str) -> None:
    assert clamp(effort, CodexModel("m", efforts)) == sent


@settings(max_examples=60)
@given(st.sampled_from(EFFORTS), st.lists(st.sampled_from(EFFORTS), min_size=1, unique=True))
def test_what_is_sent_is_what_the_model_takes(effort: str, efforts: list[str]) -> None:
    sent = clamp(effort, CodexModel("m", tuple(efforts)))
    assert sent in {"max" if one == "ultra" else one for one in efforts}


@settings(max_examples=100)
@given(st.text(max_size=30))
def test_any_name_leads_somewhere(name: str) -> None:
    assert resolve(name, None, KNOWN).slug or not name


@pytest.mark.parametrize(
    ("name", "effort", "slow"),
    [
        ("gpt-5.5", None, True),
        ("gpt-5.5", "low", False),
        ("gpt-5.5-max", None, False),
        ("gpt-9", None, True),
    ],
)
def test_who_is_slow(name: str, effort: str | None, slow: bool) -> None:
    assert resolve(name, effort, KNOWN).is_slow is slow


def test_families() -> None:
    assert resolve("gpt-5.5-high", None, KNOWN).family == "codex"
    assert resolve("gpt-5.3-codex-spark-low", None, FALLBACK).family == "gpt-5.3-codex-spark"


# --- the list


def test_the_list_of_the_backend() -> None:
    found = parse_models(
        {
            "models": [
                {
                    "slug": "second",
                    "priority": 2,
                    "supported_reasoning_levels": [
                        {"effort": "low", "description": "x"},
                        {"effort": "high", "description": "y"},
                        {"effort": "future", "description": "z"},
                        None,
                    ],
                    "default_reasoning_level": "high",
                    "support_verbosity": False,
                    "supports_reasoning_summaries": True,
                    "supports_reasoning_summary_parameter": False,
                },
                {"slug": "first", "priority": 1, "visibility": "list"},
                {"slug": "hidden", "visibility": "hide"},
                {"slug": "second", "priority": 0},
                {"slug": 3},
                {"slug": "a\nb"},
                "nonsense",
            ]
        }
    )
    assert found == [
        CodexModel("first"),
        CodexModel("second", ("low", "high"), "high", verbosity=False, summaries=False),
        CodexModel("hidden", listed=False),
    ]


@pytest.mark.parametrize("document", [None, {}, [], {"models": {}}, "x", {"models": [1, None]}])
def test_what_is_no_list(document: object) -> None:
    assert parse_models(document) == []


def test_what_is_offered() -> None:
    offered = KNOWN.with_newer(
        [CodexModel("gpt-7", ("low", "high")), CodexModel("h", listed=False)]
    )
    assert [model.name for model in offered.offered()] == ["gpt-7"]
    names = [model.name for model in offered.offered(with_efforts=True)]
    assert names == ["gpt-7", "gpt-7-low", "gpt-7-high"]
    assert offered.default == "gpt-7"


def test_models_of_earlier_lists_stay_known_and_are_not_offered() -> None:
    """Accounts of other plans have them."""
    later = KNOWN.with_newer([CodexModel("gpt-5.5", ("low",))])
    assert later.get("gpt-5.6-terra") is not None
    assert [model.name for model in later.offered()] == ["gpt-5.5"]
    assert resolve("gpt-5.5-high", None, later).effort == "low"
    assert later.with_newer([]).default == "gpt-5.5"


def test_known_models_do_not_pile_up() -> None:
    catalog = KNOWN
    for number in range(5):
        catalog = catalog.with_newer(CodexModel(f"m{number}-{n}") for n in range(100))
    assert len(catalog.models) == 200


def test_the_fallback_names_each_model_once() -> None:
    names = [model.name for model in FALLBACK.offered()]
    assert len(names) == len(set(names))
    assert FALLBACK.default in names
    every = FALLBACK.offered(with_efforts=True)
    for name in (model.name for model in every):
        target = resolve(name, None, FALLBACK)
        assert target.model is not None
        assert name.startswith(target.slug)
