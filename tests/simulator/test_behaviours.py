"""Directives, the queue and the defaults: who wins, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.behaviours import (
    Behaviour,
    Behaviours,
    behaviour_from_json,
    behaviour_to_json,
    parse_directive,
)
from chat2api.simulator.params import BadParameter


@pytest.mark.parametrize(
    ("text", "scenario", "faults", "params", "times", "prompt"),
    [
        ("/sim", "help", (), {}, None, "/sim"),
        ("/sim text", "text", (), {}, None, "/sim text"),
        ("  /sim long kb=3\nhello\nyou", "long", (), {"kb": "3"}, None, "hello\nyou"),
        (
            "/sim text fault=reset+crlf after=2",
            "text",
            ("reset", "crlf"),
            {"after": "2"},
            None,
            None,
        ),
        ("/sim fault=rate times=2", "echo", ("rate",), {}, 2, None),
        (
            '/sim text fault=status text="two words"',
            "text",
            ("status",),
            {"text": "two words"},
            None,
            None,
        ),
    ],
)
def test_directives(
    text: str,
    scenario: str,
    faults: tuple[str, ...],
    params: dict[str, str],
    times: int | None,
    prompt: str | None,
) -> None:
    found, rest = parse_directive(text)
    expected = Behaviour(scenario=scenario, faults=faults, params=params, times=times)
    assert found == expected
    assert rest == (text if prompt is None else prompt)


@pytest.mark.parametrize("text", ["hello", "/simulate x", "see\n/sim text", "", "/sims"])
def test_ordinary_messages_are_none(text: str) -> None:
    assert parse_directive(text) == (None, text)


@pytest.mark.parametrize("text", ["/sim text long", "/sim 'open", "/sim text times=many"])
def test_broken_directives_are_explained(text: str) -> None:
    with pytest.raises(BadParameter):
        parse_directive(text)


@pytest.mark.parametrize(
    "value",
    [
        {"endpoint": "home", "fault": ["hang"], "params": {"seconds": 1}, "times": "always"},
        {"scenario": "text", "account": "demo-plus", "model": "o3", "times": 3},
    ],
)
def test_json_goes_both_ways(value: dict[str, Any]) -> None:
    full = {"endpoint": "conversation", "scenario": None, "fault": [], "params": {}}
    full |= {"account": None, "model": None, "times": 1}
    assert behaviour_to_json(behaviour_from_json(value)) == {**full, **value}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"scenari": "text"},
        {"times": 0},
        {"times": "x"},
        {"params": []},
        {"fault": 3},
        {"fault": [""]},
    ],
)
def test_wrong_json_is_explained(value: Any) -> None:
    with pytest.raises(BadParameter):
        behaviour_from_json(value)


def test_the_queue_is_used_up_in_order_by_whom_it_fits() -> None:
    behaviours = Behaviours()
    first = Behaviour(scenario="first", times=2)
    other = Behaviour(scenario="other", account="ann")
    everything = Behaviour(endpoint="any", scenario="any", model="o3")
    standing = Behaviour(scenario="standing", times=None)
    behaviours.set_defaults([standing])
    behaviours.enqueue([other, first, everything])

    def take(endpoint: str, account: str | None, model: str | None) -> str | None:
        taken = behaviours.take(endpoint, account, model)
        return taken.scenario if taken else None

    assert take("home", "bob", None) is None
    assert take("conversation", "bob", None) == "first"
    assert take("conversation", "ann", None) == "other"
    assert take("conversation", "ann", None) == "first"
    assert take("models", "bob", "o3") == "any"
    assert [take("conversation", "bob", None) for _ in range(2)] == ["standing"] * 2
    behaviours.clear()
    assert take("conversation", "bob", None) is None


def test_words_win_over_the_queue_field_by_field() -> None:
    queued = Behaviour(scenario="long", faults=("crlf",), params={"kb": 1, "tps": 5})
    choice = Behaviours().choose("echo", queued, Behaviour(scenario="text", params={"tps": "9"}))
    assert (choice.scenario, choice.faults) == ("text", ("crlf",))
    assert (choice.params.integer("kb", 0), choice.params.text("tps", "")) == (1, "9")
    assert Behaviours().choose("echo", None, None).scenario == "echo"


def test_a_fault_of_the_message_for_its_first_tries_only(caller: Any) -> None:
    words = "/sim text fault=status status=503 times=2"
    statuses = [caller.talk(words).status for _ in range(4)]
    assert statuses == [503, 503, 200, 503]


def test_a_queued_fault_for_one_account(caller: Any, free_caller: Any, control: Any) -> None:
    control("/next", {"fault": "rate", "account": "demo-free", "times": "always"})
    assert [caller.talk("hi").status, free_caller.talk("hi").status] == [200, 429]
    assert caller.talk("hi").status == 200


def test_a_queued_fault_for_one_model(caller: Any, control: Any) -> None:
    control("/default", {"fault": "rate", "model": "o3", "params": {"form": "cap"}})
    assert caller.talk("hi", model="o3").status == 429
    assert caller.talk("hi", model="auto").status == 200
    control("/default", [])
    assert caller.talk("hi", model="o3").status == 200


@pytest.mark.parametrize("words", ["/sim nothing", "/sim text fault=nothing", "/sim text long"])
def test_mistakes_are_answered_with_help(words: str, caller: Any) -> None:
    reading = caller.read(words)
    assert reading.text.startswith("Sorry, I could not do that:")
    assert "| `reasoning` |" in reading.text
