"""How a wrong request is told to its author."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, StringConstraints

from chat2api.dialects.validation import Id, Name, Wire, check, choose, unsupported
from chat2api.errors import MissingParameter, RequestError


class Inner(Wire):
    flag: bool | None = None


class Sample(Wire):
    needed: str
    whole: Annotated[int, Field(ge=1, le=8)] | None = None
    warmth: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    words: (
        Annotated[
            list[Annotated[str, StringConstraints(min_length=1, max_length=5)]],
            Field(min_length=1, max_length=2),
        ]
        | None
    ) = None
    effort: Literal["low", "high"] | None = None
    name: Name | None = None
    ident: Id | None = None
    table: dict[str, Any] | None = None
    inner: Inner | None = None


def refusal(value: object, path: str = "") -> tuple[str | None, str]:
    with pytest.raises(RequestError) as caught:
        check(Sample, value, path)
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    return caught.value.param, caught.value.message


@pytest.mark.parametrize(
    ("field", "param", "message"),
    [
        (
            {"whole": "2"},
            "whole",
            "Invalid type for 'whole': expected an integer, but got a string instead.",
        ),
        (
            {"whole": 2.0},
            "whole",
            "Invalid type for 'whole': expected an integer, but got a decimal number instead.",
        ),
        (
            {"whole": True},
            "whole",
            "Invalid type for 'whole': expected an integer, but got a boolean instead.",
        ),
        (
            {"whole": 0},
            "whole",
            "Invalid 'whole': integer below minimum. Expected a value >= 1, but got 0 instead.",
        ),
        (
            {"whole": 1000},
            "whole",
            "Invalid 'whole': integer above maximum. Expected a value <= 8, but got 1000 instead.",
        ),
        (
            {"whole": 10**5000},
            "whole",
            "Invalid 'whole': integer above maximum. Expected a value <= 8.",
        ),
        (
            {"warmth": "hot"},
            "warmth",
            "Invalid type for 'warmth': expected a number, but got a string instead.",
        ),
        (
            {"warmth": 2.5},
            "warmth",
            "Invalid 'warmth': decimal above maximum. Expected a value <= 2, but got 2.5 instead.",
        ),
        ({"warmth": float("nan")}, "warmth", "Invalid 'warmth': expected a finite number."),
        ({"warmth": float("inf")}, "warmth", "Invalid 'warmth': expected a finite number."),
        (
            {"words": "ab"},
            "words",
            "Invalid type for 'words': expected an array, but got a string instead.",
        ),
        ({"words": []}, "words", "Invalid 'words': empty array. Expected at least 1 item."),
        (
            {"words": ["a", "b", "c"]},
            "words",
            "Invalid 'words': array too long. Expected an array with maximum length 2, "
            "but got an array with length 3 instead.",
        ),
        (
            {"words": ["a", 5]},
            "words[1]",
            "Invalid type for 'words[1]': expected a string, but got an integer instead.",
        ),
        (
            {"words": [""]},
            "words[0]",
            "Invalid 'words[0]': empty string. Expected at least one character.",
        ),
        (
            {"words": ["abcdef"]},
            "words[0]",
            "Invalid 'words[0]': string too long. Expected a string with maximum length 5, "
            "but got a string with length 6 instead.",
        ),
        (
            {"effort": "huge"},
            "effort",
            "Invalid value: 'huge'. Supported values are: 'low', 'high'.",
        ),
        (
            {"effort": 3},
            "effort",
            "Invalid value: an integer. Supported values are: 'low', 'high'.",
        ),
        (
            {"name": "a\r\nb"},
            "name",
            "Invalid 'name': control characters and line breaks are not allowed.",
        ),
        (
            {"ident": "a b"},
            "ident",
            "Invalid 'ident': expected 1 to 64 letters, digits, '_' or '-'.",
        ),
        (
            {"table": []},
            "table",
            "Invalid type for 'table': expected an object, but got an array instead.",
        ),
        (
            {"inner": 1},
            "inner",
            "Invalid type for 'inner': expected an object, but got an integer instead.",
        ),
        (
            {"inner": {"flag": "yes"}},
            "inner.flag",
            "Invalid type for 'inner.flag': expected a boolean, but got a string instead.",
        ),
        (
            {"needed": None},
            "needed",
            "Invalid type for 'needed': expected a string, but got null instead.",
        ),
    ],
)
def test_each_mistake_has_its_words(field: dict[str, Any], param: str, message: str) -> None:
    assert refusal({"needed": "x", **field}) == (param, message)


def test_the_path_starts_where_the_caller_says() -> None:
    assert refusal({"needed": "x", "words": [1]}, "messages[3]")[0] == "messages[3].words[0]"


def test_a_missing_field_has_a_code_of_its_own() -> None:
    with pytest.raises(MissingParameter) as caught:
        check(Sample, {}, "messages[0]")
    assert caught.value.code == "missing_required_parameter"
    assert caught.value.param == "messages[0].needed"
    assert caught.value.message == "Missing required parameter: 'messages[0].needed'."


@pytest.mark.parametrize("body", [None, [], "text", 7])
def test_a_body_that_is_no_object(body: object) -> None:
    param, message = refusal(body)
    assert param is None
    assert message.startswith("Invalid request body: expected an object, but got ")


def test_null_counts_as_absent_and_unknown_fields_are_ignored() -> None:
    value = {"needed": "x", "whole": None, "inner": None, "later": {"a": 1}}
    assert check(Sample, value) == Sample(needed="x")


def test_an_integer_will_do_for_a_number() -> None:
    assert check(Sample, {"needed": "x", "warmth": 1}).warmth == 1.0


@pytest.mark.parametrize(
    "character", ["\x00", "\n", "\r", "\x1b", "\x7f", "\x85", "\u2028", "\ud800"]
)
def test_a_name_holds_nothing_that_could_break_a_header_or_a_log_line(character: str) -> None:
    assert refusal({"needed": "x", "name": f"a{character}b"})[0] == "name"


def test_a_name_may_be_in_any_script() -> None:
    assert check(Sample, {"needed": "x", "name": "模型 é 🙂"}).name == "模型 é 🙂"


KINDS = {"text": 1, "picture": 2}


@pytest.mark.parametrize(
    ("value", "param", "message"),
    [
        (
            "hello",
            "parts[2]",
            "Invalid type for 'parts[2]': expected an object, but got a string instead.",
        ),
        ({}, "parts[2].type", "Missing required parameter: 'parts[2].type'."),
        (
            {"type": None},
            "parts[2].type",
            "Invalid type for 'parts[2].type': expected a string, but got null instead.",
        ),
        (
            {"type": "video"},
            "parts[2].type",
            "Invalid value: 'video'. Supported values are: 'text', 'picture'.",
        ),
    ],
)
def test_choosing_by_tag_names_the_tag(value: object, param: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        choose(KINDS, "type", value, "parts[2]")
    assert (caught.value.param, caught.value.message) == (param, message)


def test_choosing_by_tag() -> None:
    assert choose(KINDS, "type", {"type": "picture"}, "parts[2]") == 2


def test_what_the_caller_wrote_is_shown_escaped_and_short() -> None:
    assert unsupported("p", "a\nb", ["c"]).message.startswith("Invalid value: 'a\\nb'.")
    assert unsupported("p", "x" * 1000, ["c"]).message.startswith(f"Invalid value: '{'x' * 40}…'.")
