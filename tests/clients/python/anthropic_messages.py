"""The official Anthropic SDK: whole and streamed messages, tools, its tool runner, errors."""

from __future__ import annotations

from typing import Any

import anthropic
from anthropic import Anthropic, AsyncAnthropic, beta_tool
from steps import KEY, MODEL, ONE_CALL, ROOT, TWO_CALLS, step, tell, weather

client = Anthropic(base_url=ROOT, api_key=KEY, max_retries=0, timeout=30)
TOOLS: Any = [
    {
        "name": "get_weather",
        "description": "Weather of a city",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
]


def ask(text: str) -> Any:
    return [{"role": "user", "content": text}]


def results(content: Any) -> Any:
    return [
        {"type": "tool_result", "tool_use_id": block.id, "content": weather(block.input["city"])}
        for block in content
        if block.type == "tool_use"
    ]


@step
def round_trip() -> Any:
    messages = ask(TWO_CALLS)
    first = client.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=TOOLS)
    messages += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results(first.content)},
    ]
    last = client.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=TOOLS)
    return [first.stop_reason, last.content[0].text, last.stop_reason]


@step
def streamed() -> Any:
    with client.messages.stream(
        model=MODEL, max_tokens=500, messages=ask(ONE_CALL), tools=TOOLS
    ) as stream:
        final = stream.get_final_message()
    return [[block.name, block.input] for block in final.content if block.type == "tool_use"]


@step
def text_stream() -> Any:
    with client.messages.stream(
        model=MODEL, max_tokens=500, messages=ask("/sim agent\nsay Word by word.")
    ) as stream:
        return "".join(stream.text_stream)


@step
def tool_runner() -> Any:
    @beta_tool
    def get_weather(city: str) -> str:
        """Weather of a city

        Args:
            city: Name of the city
        """
        return weather(city)

    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=500, messages=ask(TWO_CALLS), tools=[get_weather]
    )
    return runner.until_done().content[0].text


@step
async def asynchronous() -> Any:
    async with AsyncAnthropic(base_url=ROOT, api_key=KEY, max_retries=0, timeout=30) as own:
        answer = await own.messages.create(
            model=MODEL, max_tokens=500, messages=ask("/sim agent\nsay Said without waiting.")
        )
        return answer.content[0].text


@step
def counted() -> Any:
    return (
        client.messages.count_tokens(model=MODEL, messages=ask("How long is this?")).input_tokens
        > 0
    )


@step
def models() -> Any:
    return sorted({model.type for model in client.models.list()})


@step
def errors() -> Any:
    told = {}
    for name, own, changed in (
        ("wrong key", Anthropic(base_url=ROOT, api_key="sk-not-a-key", max_retries=0), {}),
        ("no messages", client, {"messages": []}),
    ):
        try:
            own.messages.create(
                **{"model": MODEL, "max_tokens": 9, "messages": ask("Hi"), **changed}
            )
            told[name] = ["no error"]
        except anthropic.APIStatusError as error:
            told[name] = [type(error).__name__, error.body["error"]["type"]]
    return told


tell()
