"""The official SDK on chat completions: tools, legacy functions, parsing helpers, streams, errors."""

from __future__ import annotations

import json
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI, pydantic_function_tool
from pydantic import BaseModel, Field
from steps import API, EVENT, KEY, MODEL, ONE_CALL, ROOT, TWO_CALLS, step, tell, weather

client = OpenAI(base_url=API, api_key=KEY, max_retries=0, timeout=30)
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
FUNCTION = {"name": "get_weather", "description": "Weather of a city", "parameters": PARAMETERS}
TOOLS: Any = [{"type": "function", "function": FUNCTION}]


class CalendarEvent(BaseModel):
    name: str
    day: int
    people: list[str]


class GetWeather(BaseModel):
    """Weather of a city"""

    city: str = Field(description="Name of the city")


def ask(text: str) -> Any:
    return [{"role": "user", "content": text}]


def results(calls: Any) -> list[dict[str, Any]]:
    return [
        {
            "role": "tool",
            "tool_call_id": call.id,
            "content": weather(json.loads(call.function.arguments)["city"]),
        }
        for call in calls
    ]


@step
def round_trip() -> Any:
    messages = ask(TWO_CALLS)
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    choice = first.choices[0]
    messages += [choice.message, *results(choice.message.tool_calls)]
    last = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    return [choice.finish_reason, choice.message.content, last.choices[0].message.content]


@step
def streamed_round_trip() -> Any:
    """The helper collects the calls; its events name the function and parse the arguments."""
    messages = ask(TWO_CALLS)
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        message = stream.get_final_completion().choices[0].message
    messages += [message, *results(message.tool_calls)]
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS) as stream:
        said = "".join(event.delta for event in stream if event.type == "content.delta")
    return [[[event.name, json.loads(event.arguments)] for event in done], said]


@step
def one_call_at_most() -> Any:
    answer = client.chat.completions.create(
        model=MODEL, messages=ask(TWO_CALLS), tools=TOOLS, parallel_tool_calls=False
    )
    return len(answer.choices[0].message.tool_calls or ())


@step
def legacy_functions() -> Any:
    messages = ask(ONE_CALL)
    first = client.chat.completions.create(model=MODEL, messages=messages, functions=[FUNCTION])
    message = first.choices[0].message
    call = message.function_call
    assert call is not None
    result = weather(json.loads(call.arguments)["city"])
    messages += [message, {"role": "function", "name": call.name, "content": result}]
    last = client.chat.completions.create(model=MODEL, messages=messages, functions=[FUNCTION])
    return [first.choices[0].finish_reason, call.name, last.choices[0].message.content]


@step
def legacy_functions_streamed() -> Any:
    name = arguments = ""
    reason = None
    for chunk in client.chat.completions.create(
        model=MODEL, messages=ask(ONE_CALL), functions=[FUNCTION], stream=True
    ):
        for choice in chunk.choices:
            if call := choice.delta.function_call:
                name += call.name or ""
                arguments += call.arguments or ""
            reason = choice.finish_reason or reason
    return [name, json.loads(arguments), reason]


@step
def parsed() -> Any:
    answer = client.chat.completions.parse(
        model=MODEL, messages=ask(EVENT), response_format=CalendarEvent
    )
    event = answer.choices[0].message.parsed
    assert event is not None
    return event.model_dump()


@step
def parsed_while_streamed() -> Any:
    with client.chat.completions.stream(
        model=MODEL, messages=ask(EVENT), response_format=CalendarEvent
    ) as stream:
        event = stream.get_final_completion().choices[0].message.parsed
    assert event is not None
    return event.model_dump()


@step
def parsed_tool() -> Any:
    text = ONE_CALL.replace("get_weather", "GetWeather")
    answer = client.chat.completions.parse(
        model=MODEL, messages=ask(text), tools=[pydantic_function_tool(GetWeather)]
    )
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    return [type(call.function.parsed_arguments).__name__ for call in calls]


@step
def custom_tool() -> Any:
    tools: Any = [{"type": "custom", "custom": {"name": "run_code", "description": "Runs Python"}}]
    text = "/sim agent\ncall run_code print('hello')"
    answer = client.chat.completions.create(model=MODEL, messages=ask(text), tools=tools)
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    return [[call.type, call.custom.name, call.custom.input] for call in calls]


@step
async def asynchronous() -> Any:
    async with AsyncOpenAI(base_url=API, api_key=KEY, max_retries=0, timeout=30) as own:
        stream = await own.chat.completions.create(
            model=MODEL,
            messages=ask("/sim agent\nsay Said without waiting."),
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
        text = "".join(choice.delta.content or "" for one in chunks for choice in one.choices)
        usage = chunks[-1].usage
        return [text, usage is not None and usage.completion_tokens > 0]


def kind(**changed: Any) -> list[Any]:
    """The class, the status, the code and the parameter of the error that a request ends with."""
    body: dict[str, Any] = {"model": MODEL, "messages": ask("/sim agent\nsay Hi."), **changed}
    other = OpenAI(
        base_url=body.pop("base_url", API),
        api_key=body.pop("api_key", KEY),
        max_retries=0,
        timeout=30,
    )
    try:
        other.chat.completions.create(**body)
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, error.param]
    return ["no error"]


@step
def errors() -> Any:
    orphan = {"role": "tool", "tool_call_id": "call_nowhere", "content": "cold"}
    return {
        "wrong key": kind(api_key="sk-not-a-key")[:3],
        "wrong path": kind(base_url=f"{ROOT}/v1/nowhere")[:2],
        "result without its call": kind(messages=[*ask("Hi"), orphan]),
        "wrong tool choice": kind(
            tools=TOOLS, tool_choice={"type": "function", "function": {"name": "absent"}}
        )[:2],
    }


tell()
