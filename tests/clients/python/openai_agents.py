"""The OpenAI Agents SDK: tools, structured answers, streams and hand-offs, on both of its models."""

from __future__ import annotations

from typing import Any

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from pydantic import BaseModel
from steps import API, EVENT, KEY, MODEL, TWO_CALLS, step, tell, weather

set_tracing_disabled(True)


class CalendarEvent(BaseModel):
    name: str
    day: int
    people: list[str]


@function_tool
def get_weather(city: str) -> str:
    """Weather of a city"""
    return weather(city)


async def both(function: Any) -> Any:
    told = []
    for kind in (OpenAIChatCompletionsModel, OpenAIResponsesModel):
        async with AsyncOpenAI(base_url=API, api_key=KEY, max_retries=0, timeout=30) as client:
            told.append(await function(kind(model=MODEL, openai_client=client)))
    return told


@step
async def tools() -> Any:
    async def run(model: Any) -> Any:
        agent = Agent(name="Helper", instructions="Be brief.", tools=[get_weather], model=model)
        return (await Runner.run(agent, TWO_CALLS)).final_output

    return await both(run)


@step
async def streamed() -> Any:
    async def run(model: Any) -> Any:
        settings = ModelSettings(include_usage=True)
        agent = Agent(name="Helper", tools=[get_weather], model=model, model_settings=settings)
        result = Runner.run_streamed(agent, TWO_CALLS)
        kinds = [
            event.item.type
            async for event in result.stream_events()
            if event.type == "run_item_stream_event"
        ]
        return [kinds, result.final_output]

    return await both(run)


@step
async def structured() -> Any:
    async def run(model: Any) -> Any:
        agent = Agent(name="Clerk", output_type=CalendarEvent, model=model)
        return (await Runner.run(agent, EVENT)).final_output.model_dump()

    return await both(run)


@step
async def handed_off() -> Any:
    async def run(model: Any) -> Any:
        expert = Agent(name="Expert", instructions="Know.", model=model)
        first = Agent(name="Front", instructions="Hand off.", handoffs=[expert], model=model)
        script = "/sim agent\ncall transfer_to_expert {}\n---\nsay The expert speaks."
        result = await Runner.run(first, script)
        return [result.last_agent.name, result.final_output]

    return await both(run)


tell()
