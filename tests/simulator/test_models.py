"""Which models are offered to whom, and which one answers."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.models import is_offered, served_as, thinks, visible


@pytest.mark.parametrize(
    ("generation", "paid", "anonymous", "inside", "outside"),
    [
        ("2024", True, False, {"gpt-4o", "o1-preview"}, {"gpt-5-5", "auto"}),
        ("2024", False, False, {"gpt-4o-mini"}, {"gpt-4o"}),
        ("2026", True, False, {"gpt-5-5-thinking", "auto"}, {"gpt-4o"}),
        ("2026", False, True, {"auto", "gpt-5-mini"}, {"gpt-5-5"}),
        ("both", True, False, {"gpt-4o", "gpt-5-5"}, set()),
    ],
)
def test_what_is_offered(
    generation: str, paid: bool, anonymous: bool, inside: set[str], outside: set[str]
) -> None:
    slugs = {model.slug for model in visible(generation, paid=paid, anonymous=anonymous)}
    assert inside <= slugs
    assert not outside & slugs


def test_paid_models_are_for_paying_accounts(caller: Any, free_caller: Any, control: Any) -> None:
    assert caller.talk("hi", model="o3").status == 200
    answer = free_caller.talk("hi", model="gpt-4", era="2024")
    assert (answer.status, answer.json()["detail"]["code"]) == (404, "model_not_found")
    assert "`gpt-4`" in answer.json()["detail"]["message"]


def test_unknown_models_pass_unless_told_otherwise(caller: Any, control: Any) -> None:
    assert caller.talk("hi", model="gpt-9-ultra").status == 200
    control("/config", {"unknown_models": "refuse"})
    assert caller.talk("hi", model="gpt-9-ultra").status == 404


def test_auto_is_always_offered() -> None:
    assert is_offered("auto", paid=False, anonymous=True, accept_unknown=False)


@pytest.mark.parametrize(
    ("slug", "era", "paid", "anonymous", "served"),
    [
        ("auto", "2024", True, False, "gpt-4o"),
        ("auto", "2024", False, False, "gpt-4o-mini"),
        ("auto", "2024", False, True, "text-davinci-002-render-sha"),
        ("auto", "2026", True, False, "gpt-5-5"),
        ("auto", "2026", False, True, "gpt-5-mini"),
        ("o3", "2026", True, False, "o3"),
    ],
)
def test_who_answers(slug: str, era: Any, paid: bool, anonymous: bool, served: str) -> None:
    assert served_as(slug, era, paid=paid, anonymous=anonymous) == served


def test_who_thinks() -> None:
    assert [thinks(one) for one in ("o3", "gpt-5-7-thinking", "gpt-5-5", "gpt-4o")] == [
        True,
        True,
        False,
        False,
    ]
