"""Agents of pydantic-ai on its models for chat completions and responses."""

from __future__ import annotations

from typing import Any

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from steps import API, EVENT, KEY, MODEL, TWO_CALLS, step, tell, weather


class CalendarEvent(BaseModel):
    name: str
    day: int
    people: list[str]


async def both(function: Any) -> Any:
    told = []
    for kind in (OpenAIChatModel, OpenAIResponsesModel):
        async with AsyncOpenAI(base_url=API, api_key=KEY, max_retries=0, timeout=30) as client:
            told.append(await function(kind(MODEL, provider=OpenAIProvider(openai_client=client))))
    return told


def get_weather(city: str) -> str:
    """Weather of a city"""
    return weather(city)


@step
async def tools() -> Any:
    async def run(model: Any) -> Any:
        return (await Agent(model, tools=[get_weather]).run(TWO_CALLS)).output

    return await both(run)


@step
async def streamed() -> Any:
    async def run(model: Any) -> Any:
        async with Agent(model, tools=[get_weather]).run_stream(TWO_CALLS) as result:
            return "".join([text async for text in result.stream_text(delta=True)])

    return await both(run)


@step
async def structured_by_tool() -> Any:
    async def run(model: Any) -> Any:
        text = EVENT.replace("json", "call final_result")
        return (await Agent(model, output_type=CalendarEvent).run(text)).output.model_dump()

    return await both(run)


@step
async def structured_by_schema() -> Any:
    async def run(model: Any) -> Any:
        agent = Agent(model, output_type=NativeOutput(CalendarEvent))
        return (await agent.run(EVENT)).output.model_dump()

    return await both(run)


tell()
