"""Structured outputs over chat completions, judged by the official SDK, on an upstream that has none."""

from __future__ import annotations

import json
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel

from .toolbox import MODEL, script

PARIS: list[Any] = [{"role": "user", "content": "What's the weather like in Paris?"}]


@pytest.fixture
def chat(sdk: Any, stream_server: Any, upstream: Any) -> Any:
    """`client.chat.completions` of the official SDK."""
    return sdk(stream_server).chat.completions


class Forecast(BaseModel):
    """What the answer must be."""

    city: str
    sky: Literal["sunny", "cloudy"]
    degrees: list[int]


def test_parse(chat: Any) -> None:
    for style in ("", "fence+prose"):
        messages = script('json {"city": "Oslo", "sky": "sunny", "degrees": [1, 2]}', style=style)
        parsed = chat.parse(model=MODEL, messages=messages, response_format=Forecast)
        assert parsed.choices[0].message.parsed == Forecast(
            city="Oslo", sky="sunny", degrees=[1, 2]
        )


def test_parse_by_itself_and_streamed(chat: Any) -> None:
    with chat.stream(model=MODEL, messages=PARIS, response_format=Forecast) as stream:
        final = stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Forecast)


class GetForecast(BaseModel):
    """Forecast for a city."""

    city: str
    days: int


def test_parse_of_arguments(chat: Any) -> None:
    messages = script('call GetForecast {"city": "Oslo", "days": 3}')
    tool = openai.pydantic_function_tool(GetForecast)
    (call,) = chat.parse(model=MODEL, messages=messages, tools=[tool]).choices[0].message.tool_calls
    assert call.function.parsed_arguments == GetForecast(city="Oslo", days=3)


@pytest.mark.parametrize("style", ["", "fence", "prose", "broken"])
def test_any_json_object(chat: Any, style: str) -> None:
    answer = chat.create(
        model=MODEL,
        messages=script('json {"a": [1]}', style=style),
        response_format={"type": "json_object"},
    )
    assert json.loads(answer.choices[0].message.content) == {"a": [1]}


SCHEMA: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "count",
        "schema": {
            "type": "object",
            "properties": {"count": {"type": "integer"}},
            "required": ["count"],
        },
    },
}
FIVE = 'json {"count": 5}'


def test_what_does_not_fit_is_asked_for_once_more(chat: Any) -> None:
    answer = chat.create(
        model=MODEL, messages=script(FIVE, style="invalid"), response_format=SCHEMA
    )
    assert json.loads(answer.choices[0].message.content) == {"count": 5}


@pytest.mark.parametrize("stream", [False, True])
def test_rather_an_error_than_what_never_fits(chat: Any, stream: bool) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        chat.create(
            model=MODEL,
            messages=script(FIVE, style="invalid2"),
            response_format=SCHEMA,
            stream=stream,
        )
    assert caught.value.status_code == 502


def test_an_answer_that_is_cut_is_no_answer(chat: Any) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        chat.parse(
            model=MODEL,
            messages=script('json {"city": "Oslo", "sky": "sunny", "degrees": []}', style="length"),
            response_format=Forecast,
        )
