"""litellm as a client: chat completions, responses, messages, and its errors."""

from __future__ import annotations

import json
from typing import Any

import litellm
from steps import API, KEY, MODEL, ONE_CALL, ROOT, TWO_CALLS, step, tell, weather

litellm.telemetry = False
litellm.suppress_debug_info = True
OPENAI: dict[str, Any] = {
    "model": f"openai/{MODEL}",
    "api_base": API,
    "api_key": KEY,
    "num_retries": 0,
}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "get_weather", "description": "Weather of a city", "parameters": PARAMETERS}
TOOLS = [{"type": "function", "function": FUNCTION}]


@step
def round_trip() -> Any:
    messages: list[Any] = [{"role": "user", "content": TWO_CALLS}]
    first = litellm.completion(**OPENAI, messages=messages, tools=TOOLS)
    message = first.choices[0].message
    messages.append(message.model_dump())
    for call in message.tool_calls:
        result = weather(json.loads(call.function.arguments)["city"])
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    last = litellm.completion(**OPENAI, messages=messages, tools=TOOLS)
    return [first.choices[0].finish_reason, last.choices[0].message.content]


@step
def streamed() -> Any:
    messages = [{"role": "user", "content": ONE_CALL}]
    chunks = list(litellm.completion(**OPENAI, messages=messages, tools=TOOLS, stream=True))
    whole = litellm.stream_chunk_builder(chunks, messages=messages)
    call = whole.choices[0].message.tool_calls[0].function
    return [call.name, json.loads(call.arguments), whole.choices[0].finish_reason]


@step
def responses() -> Any:
    answer = litellm.responses(**OPENAI, input="/sim agent\nsay Hello there.")
    return answer.output[-1].content[0].text


@step
def messages() -> Any:
    answer = litellm.completion(
        model=f"anthropic/{MODEL}",
        api_base=ROOT,
        api_key=KEY,
        max_tokens=200,
        messages=[{"role": "user", "content": "/sim agent\nsay Hello there."}],
    )
    return answer.choices[0].message.content


@step
def errors() -> Any:
    try:
        litellm.completion(
            **{**OPENAI, "api_key": "sk-not-a-key"}, messages=[{"role": "user", "content": "Hi"}]
        )
    except litellm.AuthenticationError:
        return "AuthenticationError"
    return "no error"


tell()
