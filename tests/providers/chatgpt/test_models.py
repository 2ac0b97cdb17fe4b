"""Model names to slugs, and the upstream's list of models."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.providers.chatgpt.models import FALLBACK, Target, parse_models, resolve
from chat2api.providers.protocol import Model

ALIASES = {"house": "gpt-5-6-thinking", "gpt-4": "gpt-5-6", "helper": "g-AbCd123"}


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("auto", "auto"),
        ("gpt-5-6", "gpt-5-6"),
        ("gpt-5.6", "gpt-5-6"),
        ("gpt-5.6-thinking", "gpt-5-6-thinking"),
        ("gpt-6-pro", "gpt-6-pro"),
        ("gpt-5", "gpt-5"),
        ("gpt-4.5", "gpt-4-5"),
        ("gpt-4", "gpt-4"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-4-turbo", "gpt-4"),
        ("gpt-4-turbo-preview", "gpt-4"),
        ("gpt-4-1106-preview", "gpt-4"),
        ("gpt-4-vision-preview", "gpt-4"),
        ("gpt-4-turbo-2024-04-09", "gpt-4"),
        ("gpt-4-32k-0613", "gpt-4"),
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("chatgpt-4o-latest", "gpt-4o"),
        ("gpt-3.5-turbo", "text-davinci-002-render-sha"),
        ("gpt-3.5-turbo-0125", "text-davinci-002-render-sha"),
        ("gpt-3.5-turbo-16k-0613", "text-davinci-002-render-sha"),
        ("o1-2024-12-17", "o1"),
        ("o3-mini-high", "o3-mini-high"),
        ("text-davinci-002-render-sha", "text-davinci-002-render-sha"),
        ("some-model-2031", "some-model-2031"),
        ("gpt-6-astra-wm", "gpt-6-astra-wm"),
        ("", ""),
    ],
)
def test_names(name: str, slug: str) -> None:
    assert resolve(name, None, {}) == Target(slug)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("g-AbCd123", Target("auto", "g-AbCd123")),
        ("g-p-67aa", Target("auto", "g-p-67aa")),
        ("gpt-4-gizmo-g-AbCd123", Target("gpt-4o", "g-AbCd123")),
        ("gpt-5.6-gizmo-g-AbCd123", Target("gpt-5-6", "g-AbCd123")),
        ("gpt-4o-2024-08-06-gizmo-g-X", Target("gpt-4o", "g-X")),
        ("gpt-4-gizmo-", Target("gpt-4-gizmo-")),
        ("g-bad_id", Target("g-bad_id")),
        ("gizmo-g-", Target("gizmo-g-")),
    ],
)
def test_gpts(name: str, target: Target) -> None:
    assert resolve(name, None, {}) == target


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("house", Target("gpt-5-6-thinking")),
        ("gpt-4", Target("gpt-5-6")),
        ("gpt-4-0613", Target("gpt-4")),
        ("helper", Target("auto", "g-AbCd123")),
        ("gpt-4-gizmo-g-X", Target("gpt-4o", "g-X")),
    ],
)
def test_aliases_go_first(name: str, target: Target) -> None:
    assert resolve(name, None, ALIASES) == target


@pytest.mark.parametrize(
    ("effort", "theirs"),
    [
        (None, None),
        ("none", None),
        ("minimal", None),
        ("low", "standard"),
        ("medium", "standard"),
        ("high", "extended"),
        ("xhigh", "max"),
        ("max", "max"),
        ("what", None),
    ],
)
def test_efforts(effort: str | None, theirs: str | None) -> None:
    assert resolve("gpt-5-6-thinking", effort, {}).effort == theirs
    assert resolve("g-X", effort, {}).effort == theirs


@pytest.mark.parametrize(
    ("name", "effort", "slow"),
    [
        ("gpt-5-6", None, False),
        ("gpt-5-6", "low", False),
        ("gpt-5-6", "high", True),
        ("gpt-5-6-thinking", None, True),
        ("gpt-6-pro", None, True),
        ("o1", None, True),
        ("o3-mini", None, True),
        ("research", None, True),
        ("gpt-4o", None, False),
        ("prose-model", None, False),
        ("auto", None, False),
    ],
)
def test_which_models_are_slow(name: str, effort: str | None, slow: bool) -> None:
    assert resolve(name, effort, {}).is_slow is slow


@given(st.text(max_size=256), st.none() | st.text(max_size=10))
def test_any_name_has_a_target(name: str, effort: str | None) -> None:
    target = resolve(name, effort, {})
    assert target.slug or not name


def test_no_name_takes_long() -> None:
    began = time.thread_time()
    for name in ("gizmo-g-" * 32, "-gizmo-g-x" * 25 + "!", "gpt-5." * 42, "-2024" * 51, "o1-" * 85):
        resolve(name, None, {})
    assert time.thread_time() - began < 0.05


# --- the list


def entry(slug: str) -> dict[str, Any]:
    return {"slug": slug, "max_tokens": 196_608, "title": "Some model", "tags": ["gpt5"]}


NESTED: dict[str, Any] = {}
for _ in range(1000):
    NESTED = {"model": NESTED}


@pytest.mark.parametrize(
    ("document", "names"),
    [
        ({"models": [entry("a"), entry("b")], "categories": []}, ["a", "b"]),
        ({"models": {"a": {"title": "A"}, "b": None, "c": {"slug": "d"}}}, ["a", "b", "d"]),
        ([{"id": "a"}, {"model_slug": "b"}, {"name": "c"}, "d"], ["a", "b", "c", "d"]),
        ({"models": [{"model": {"slug": "a"}}, {"model": {"id": "b"}}]}, ["a", "b"]),
        ({"models": [entry("a"), entry("a"), {"slug": ""}, {"slug": "", "id": "b"}]}, ["a", "b"]),
        ({"models": [None, 1, [], {}, {"slug": 7}, "", entry("a")]}, ["a"]),
        ({"models": [{"model": "text", "slug": "a"}]}, ["a"]),
        ({"models": [NESTED]}, []),
        ({"models": None}, []),
        ({}, []),
        (None, []),
        ("models", []),
        (7, []),
    ],
)
def test_lists_in_every_spelling(document: Any, names: list[str]) -> None:
    assert parse_models(document) == [Model(name) for name in names]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["models", "model", "slug", "id", "x"]), inner)
    ),
)


@given(anything)
def test_no_document_is_an_error(document: Any) -> None:
    assert all(model.name for model in parse_models(document))


def test_the_fallback_names_slugs() -> None:
    assert [resolve(name, None, {}).slug for name in FALLBACK] == list(FALLBACK)
