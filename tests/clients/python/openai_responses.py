"""The official SDK on responses: whole, streamed, parsed, continued, with tools; stored ones read and deleted."""

from __future__ import annotations

import json
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel
from steps import API, EVENT, KEY, MODEL, ONE_CALL, TWO_CALLS, step, tell, weather

client = OpenAI(base_url=API, api_key=KEY, max_retries=0, timeout=30)
TOOLS: Any = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "Weather of a city",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    }
]


class CalendarEvent(BaseModel):
    name: str
    day: int
    people: list[str]


def results(output: Any) -> list[Any]:
    return [
        {
            "type": "function_call_output",
            "call_id": item.call_id,
            "output": weather(json.loads(item.arguments)["city"]),
        }
        for item in output
        if item.type == "function_call"
    ]


@step
def plain() -> Any:
    answer = client.responses.create(model=MODEL, input="/sim agent\nsay Hello there.")
    usage = answer.usage
    return [answer.output_text, answer.status, usage is not None and usage.output_tokens > 0]


@step
def round_trip_by_id() -> Any:
    first = client.responses.create(model=MODEL, input=TWO_CALLS, tools=TOOLS)
    last = client.responses.create(
        model=MODEL, input=results(first.output), tools=TOOLS, previous_response_id=first.id
    )
    return [[item.type for item in first.output], last.output_text]


@step
def round_trip_by_items() -> Any:
    """Nothing is kept: the items go back as they came, as agents send them."""
    items: list[Any] = [{"role": "user", "content": TWO_CALLS}]
    first = client.responses.create(model=MODEL, input=items, tools=TOOLS, store=False)
    items += [*first.output, *results(first.output)]
    last = client.responses.create(model=MODEL, input=items, tools=TOOLS, store=False)
    return last.output_text


@step
def streamed() -> Any:
    with client.responses.stream(model=MODEL, input=ONE_CALL, tools=TOOLS) as stream:
        kinds = {event.type for event in stream}
        first = stream.get_final_response()
    with client.responses.stream(
        model=MODEL, input=results(first.output), tools=TOOLS, previous_response_id=first.id
    ) as stream:
        said = "".join(
            event.delta for event in stream if event.type == "response.output_text.delta"
        )
        last = stream.get_final_response()
    return ["response.function_call_arguments.done" in kinds, said, last.output_text]


@step
def parsed() -> Any:
    answer = client.responses.parse(model=MODEL, input=EVENT, text_format=CalendarEvent)
    assert answer.output_parsed is not None
    return answer.output_parsed.model_dump()


@step
def parsed_while_streamed() -> Any:
    with client.responses.stream(model=MODEL, input=EVENT, text_format=CalendarEvent) as stream:
        event = stream.get_final_response().output_parsed
    assert event is not None
    return event.model_dump()


@step
def custom_tool() -> Any:
    tools: Any = [{"type": "custom", "name": "run_code", "description": "Runs Python"}]
    text = "/sim agent\ncall run_code print('hello')"
    answer = client.responses.create(model=MODEL, input=text, tools=tools)
    return [[item.name, item.input] for item in answer.output if item.type == "custom_tool_call"]


@step
def kept() -> Any:
    made = client.responses.create(model=MODEL, input="/sim agent\nsay Keep me.")
    read = client.responses.retrieve(made.id)
    items = list(client.responses.input_items.list(made.id))
    client.responses.delete(made.id)
    try:
        client.responses.retrieve(made.id)
        after = "still there"
    except openai.NotFoundError as error:
        after = type(error).__name__
    return [read.output_text, [item.type for item in items], after]


@step
def counted() -> Any:
    return (
        client.responses.input_tokens.count(model=MODEL, input="How long is this?").input_tokens > 0
    )


@step
def compacted() -> Any:
    long = [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Hello Ada."},
    ]
    compact = client.responses.compact(model=MODEL, input=long)
    answer = client.responses.create(
        model=MODEL,
        input=[*compact.output, {"role": "user", "content": "/sim agent\nsay Going on."}],
    )
    return [compact.object, answer.output_text]


@step
async def asynchronous() -> Any:
    async with AsyncOpenAI(base_url=API, api_key=KEY, max_retries=0, timeout=30) as own:
        stream = await own.responses.create(
            model=MODEL, input="/sim agent\nsay Said without waiting.", stream=True
        )
        events = [event async for event in stream]
        return [
            events[0].type,
            events[-1].type,
            [e.sequence_number for e in events] == list(range(len(events))),
        ]


@step
def errors() -> Any:
    told = {}
    for name, changed in {
        "unknown earlier response": {"previous_response_id": "resp_0123456789abcdef"},
        "background": {"background": True},
    }.items():
        try:
            client.responses.create(**{"model": MODEL, "input": "Hi", **changed})
            told[name] = ["no error"]
        except openai.APIStatusError as error:
            told[name] = [type(error).__name__, error.status_code, error.param]
    return told


tell()
