"""Agents of LangChain on langchain-openai, over chat completions and over responses."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel
from steps import API, EVENT, KEY, MODEL, TWO_CALLS, step, tell, weather


class CalendarEvent(BaseModel):
    """An event"""

    name: str
    day: int
    people: list[str]


@tool
def get_weather(city: str) -> str:
    """Weather of a city"""
    return weather(city)


def model(responses: bool, **more: Any) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=API,
        api_key=KEY,
        model=MODEL,
        use_responses_api=responses,
        max_retries=0,
        timeout=30,
        **more,
    )


def text_of(message: Any) -> str:
    return message.text() if callable(message.text) else message.text


def both(function: Any) -> Any:
    return [function(False), function(True)]


@step
def agents() -> Any:
    def run(responses: bool) -> str:
        agent = create_agent(model(responses), [get_weather])
        state = agent.invoke({"messages": [{"role": "user", "content": TWO_CALLS}]})
        return text_of(state["messages"][-1])

    return both(run)


@step
def agents_that_stream() -> Any:
    """The chat model streams inside the graph; what it streams adds up to the same."""

    def run(responses: bool) -> str:
        agent = create_agent(model(responses, streaming=True, stream_usage=True), [get_weather])
        asked = {"messages": [{"role": "user", "content": TWO_CALLS}]}
        *_, last = agent.stream(asked, stream_mode="values")
        return text_of(last["messages"][-1])

    return both(run)


@step
def structured() -> Any:
    def run(responses: bool) -> Any:
        found = {}
        for method in ("json_schema", "function_calling"):
            text = EVENT if method == "json_schema" else EVENT.replace("json", "call CalendarEvent")
            parser = model(responses).with_structured_output(CalendarEvent, method=method)
            found[method] = parser.invoke(text).model_dump()
        return found

    return both(run)


@step
def usage() -> Any:
    def run(responses: bool) -> Any:
        pieces = list(model(responses, stream_usage=True).stream("/sim agent\nsay Word by word."))
        whole = pieces[0]
        for piece in pieces[1:]:
            whole += piece
        return [text_of(whole), whole.usage_metadata["output_tokens"] > 0]

    return both(run)


tell()
