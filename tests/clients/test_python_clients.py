"""Python clients: what each of their features makes of our answers, emulated and native alike."""

from __future__ import annotations

import pytest

from tests.clients.running import INSTALL, PYTHON, Place, judge

pytestmark = [
    pytest.mark.skipif(not PYTHON.exists(), reason=INSTALL),
    pytest.mark.timeout(300),
]

SAID = "In Oslo it is cold, in Lima warm."
EVENT = {"name": "Science fair", "day": 5, "people": ["Alice", "Bob"]}
OSLO, LIMA = {"city": "Oslo"}, {"city": "Lima"}


def test_openai_chat(place: Place) -> None:
    right = {
        "round_trip": ["tool_calls", None, SAID],
        "streamed_round_trip": [[["get_weather", OSLO], ["get_weather", LIMA]], SAID],
        "one_call_at_most": 1,
        "legacy_functions": ["function_call", "get_weather", "In Oslo it is cold."],
        "legacy_functions_streamed": ["get_weather", OSLO, "function_call"],
        "parsed": EVENT,
        "parsed_while_streamed": EVENT,
        "parsed_tool": ["GetWeather"],
        "custom_tool": [["custom", "run_code", "print('hello')"]],
        "asynchronous": ["Said without waiting.", True],
        "errors": {
            "wrong key": ["AuthenticationError", 401, "invalid_api_key"],
            "wrong path": ["NotFoundError", 404],
            "result without its call": [
                "BadRequestError",
                400,
                "tool_call_not_found",
                "messages[1].tool_call_id",
            ],
            "wrong tool choice": ["BadRequestError", 400],
        },
    }
    judge(place.python("openai_chat.py"), right)


def test_openai_responses(place: Place) -> None:
    right = {
        "plain": ["Hello there.", "completed", True],
        "round_trip_by_id": [["function_call", "function_call"], SAID],
        "round_trip_by_items": SAID,
        "streamed": [True, "In Oslo it is cold.", "In Oslo it is cold."],
        "parsed": EVENT,
        "parsed_while_streamed": EVENT,
        "custom_tool": [["run_code", "print('hello')"]],
        "kept": ["Keep me.", ["message"], "NotFoundError"],
        "counted": True,
        "compacted": ["response.compaction", "Going on."],
        "asynchronous": ["response.created", "response.completed", True],
        "errors": {
            "unknown earlier response": ["BadRequestError", 400, "previous_response_id"],
            "background": ["BadRequestError", 400, "background"],
        },
    }
    judge(place.python("openai_responses.py"), right)


def test_anthropic_messages(place: Place) -> None:
    right = {
        "round_trip": ["tool_use", SAID, "end_turn"],
        "streamed": [["get_weather", OSLO]],
        "text_stream": "Word by word.",
        "tool_runner": SAID,
        "asynchronous": "Said without waiting.",
        "counted": True,
        "models": ["model"],
        "errors": {
            "wrong key": ["AuthenticationError", "authentication_error"],
            "no messages": ["BadRequestError", "invalid_request_error"],
        },
    }
    judge(place.python("anthropic_messages.py"), right)


def test_langchain_agents(place: Place) -> None:
    parsed = {"json_schema": EVENT, "function_calling": EVENT}
    right = {
        "agents": [SAID, SAID],
        "agents_that_stream": [SAID, SAID],
        "structured": [parsed, parsed],
        "usage": [["Word by word.", True], ["Word by word.", True]],
    }
    judge(place.python("langchain_agents.py"), right)


def test_litellm(place: Place) -> None:
    right = {
        "round_trip": ["tool_calls", SAID],
        "streamed": ["get_weather", OSLO, "tool_calls"],
        "responses": "Hello there.",
        "messages": "Hello there.",
        "errors": "AuthenticationError",
    }
    judge(place.python("litellm_client.py"), right)


def test_openai_agents(place: Place) -> None:
    calls = ["tool_call_item", "tool_call_item", "tool_call_output_item", "tool_call_output_item"]
    streamed = [[*calls, "message_output_item"], SAID]
    handed = ["Expert", "The expert speaks."]
    right = {
        "tools": [SAID, SAID],
        "streamed": [streamed, streamed],
        "structured": [EVENT, EVENT],
        "handed_off": [handed, handed],
    }
    judge(place.python("openai_agents.py"), right)


def test_pydantic_agents(place: Place) -> None:
    right = {
        "tools": [SAID, SAID],
        "streamed": [SAID, SAID],
        "structured_by_tool": [EVENT, EVENT],
        "structured_by_schema": [EVENT, EVENT],
    }
    judge(place.python("pydantic_agents.py"), right)


def test_llm(place: Place) -> None:
    right = {
        "prompted": "Hello there.",
        "continued": "And again.",
        "tools": [SAID, SAID],
        "schema": EVENT,
    }
    judge(place.python("llm_tool.py"), right)
