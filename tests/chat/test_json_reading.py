"""The JSON that models write, strict and less so."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat.json_reading import (
    MOST_CHARACTERS,
    candidates,
    read_arguments,
    read_output,
)

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OSLO = '{"city": "Oslo"}'
NO_OBJECT = ["The arguments are not one JSON object."]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (OSLO, [OSLO]),
        (f"\n  {OSLO}\n", [OSLO]),
        ('{\n  "city": "Oslo"\n}', ['{\n  "city": "Oslo"\n}']),
        (f"```json\n{OSLO}\n```", [OSLO]),
        (f"```\n{OSLO}", [OSLO]),
        (f"{OSLO}\n{OSLO}", [OSLO, OSLO]),
        (f"{OSLO}, {OSLO};", [OSLO, OSLO]),
        ("{'city': 'Oslo'}", ['{"city":"Oslo"}']),
        ('{"city": "Oslo",}', ['{"city":"Oslo"}']),
        ('{"city": "Oslo"', ['{"city":"Oslo"}']),
        ('{"city": "Os\nlo"}', ['{"city":"Os\\nlo"}']),
        ("{“city”: “Oslo”}", ['{"city":"Oslo"}']),
        ('{"name": "weather", "arguments": {"city": "Oslo"}}', ['{"city":"Oslo"}']),
        ('{"city": "a ``` b"}', ['{"city": "a ``` b"}']),
    ],
)
def test_arguments_are_read(body: str, told: list[str]) -> None:
    assert read_arguments(CITY, "weather", body) == (told, [])


@pytest.mark.parametrize("body", ["[1,2]", "Oslo", "5", "null", f"{OSLO} [1]", "[" * 5000])
def test_arguments_that_are_no_object_are_refused(body: str) -> None:
    assert read_arguments(CITY, "weather", body) == ([], NO_OBJECT)


def test_no_arguments_are_an_empty_object() -> None:
    assert read_arguments({}, "now", " \n") == (["{}"], [])


def test_arguments_must_fit_the_schema() -> None:
    assert read_arguments(CITY, "weather", f'{OSLO}{{"town": 1}}') == (
        [],
        ["'city' is a required property"],
    )


def test_a_tool_that_takes_a_name_and_arguments_gets_them() -> None:
    body = '{"name": "run", "arguments": {"x": 1}}'
    schema = {"properties": {"name": {}, "arguments": {}}}

    assert read_arguments(schema, "run", body) == ([body], [])


def test_what_python_alone_takes_for_json_is_none() -> None:
    told, _ = read_arguments({}, "t", '{"a": NaN}', repairing=False)

    assert told == []


def test_without_repairing_only_json_is_read() -> None:
    assert read_arguments(CITY, "weather", "{'city': 'Oslo'}", repairing=False) == ([], NO_OBJECT)
    assert read_output(None, "{'a': 1}", repairing=False) == ([], ["The answer is not JSON."])


def test_huge_texts_are_not_read() -> None:
    huge = "x" * (MOST_CHARACTERS + 1)

    assert read_arguments({}, "t", huge)[0] == []
    assert read_output(None, huge)[0] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (OSLO, OSLO),
        (f" {OSLO}\n", OSLO),
        (f"Here you are:\n```json\n{OSLO}\n```\nDone.", OSLO),
        (f"The answer is {OSLO}.", OSLO),
        (f"```\nnot this\n```\n```json\n{OSLO}\n```", OSLO),
        ("{'city': 'Oslo'}", '{"city":"Oslo"}'),
        ('So: {"city": "Oslo"', '{"city":"Oslo"}'),
    ],
)
def test_an_output_is_found(text: str, told: str) -> None:
    assert read_output(CITY, text) == ([told], [])


@pytest.mark.parametrize(
    ("schema", "text", "problem"),
    [
        (CITY, "", "The answer is not JSON."),
        (CITY, "It is sunny.", "The answer is not JSON."),
        (CITY, '{"town": 1}', "'city' is a required property"),
        (CITY, "{'town': 1}", "'city' is a required property"),
        (None, "[1]", "The answer is not one JSON object."),
        (None, '"text"', "The answer is not one JSON object."),
    ],
)
def test_an_output_that_will_not_do(schema: object, text: str, problem: str) -> None:
    assert read_output(schema, text) == ([], [problem])


def test_a_schema_may_ask_for_something_else_than_an_object() -> None:
    assert read_output({"type": "array"}, "Here: [1, 2]") == (["[1, 2]"], [])
    assert read_output({"type": "integer"}, " 5 ") == (["5"], [])


@pytest.mark.parametrize("spaces", [" ", "\n", " \n"])
def test_long_white_space_in_a_fence_takes_no_time(spaces: str) -> None:
    text = "```\nx" + spaces * 10_000 + "y"

    began = time.process_time()
    assert read_arguments({}, "t", text, repairing=False)[0] == []
    assert read_output(None, text, repairing=False)[0] == []
    assert time.process_time() - began < 0.5


def test_the_likeliest_candidate_comes_first() -> None:
    assert list(candidates("a ```json\n{1}\n``` b")) == ["a ```json\n{1}\n``` b", "{1}", "{1}"]
    assert list(candidates(" \n")) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=4), JSON, max_size=4), st.sampled_from(["", "So:\n", "```\n"])
)
def test_json_survives_as_it_is(value: dict[str, object], before: str) -> None:
    written = json.dumps(value, ensure_ascii=False)

    assert read_arguments({}, "t", written)[0] == [written] or set(value) == {"name", "arguments"}
    assert read_output(None, before + written)[0] == [written]


@given(st.text(alphabet='{}[]":,` \n\\a1n', max_size=40))
def test_whatever_is_read_is_json(text: str) -> None:
    told, problems = read_output({}, text)
    assert bool(told) != bool(problems)
    for one in told:
        json.loads(one)
    for one in read_arguments({}, "t", text)[0]:
        assert isinstance(json.loads(one), dict)
