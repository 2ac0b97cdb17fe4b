"""Node clients: what each of their features makes of our answers, emulated and native alike."""

from __future__ import annotations

import pytest

from tests.clients.running import INSTALL, NODE, NODE_MODULES, Place, judge

pytestmark = [
    pytest.mark.skipif(NODE is None or not NODE_MODULES.exists(), reason=INSTALL),
    pytest.mark.timeout(300),
]

SAID = "In Oslo it is cold, in Lima warm."
EVENT = {"name": "Science fair", "day": 5, "people": ["Alice", "Bob"]}


def test_openai_chat(place: Place) -> None:
    right = {
        "chunks": ["Word by word.", True],
        "stream_helper": [True, "Word by word."],
        "readable_stream": "Word by word.",
        "run_tools": SAID,
        "run_tools_streamed": SAID,
        "parsed": EVENT,
        "parsed_tool": [{"city": "Oslo"}],
        "legacy_functions": ["function_call", "get_weather", {"city": "Oslo"}],
        "errors": {
            "wrong key": ["AuthenticationError", 401],
            "no messages": ["BadRequestError", 400],
        },
    }
    judge(place.node("openai_chat.mjs"), right)


def test_openai_responses(place: Place) -> None:
    right = {
        "plain": ["Hello there.", "completed"],
        "round_trip": [["function_call", "function_call"], SAID],
        "streamed": [True, SAID],
        "parsed": EVENT,
        "parsed_while_streamed": EVENT,
        "kept": ["Keep me.", 404],
        "errors": [
            "BadRequestError",
            400,
            "previous_response_not_found",
            "previous_response_id",
        ],
    }
    judge(place.node("openai_responses.mjs"), right)


def test_ai_sdk(place: Place) -> None:
    right = {
        "round_trips": [SAID, SAID, SAID],
        "streamed": [SAID, SAID, SAID],
        "structured": [EVENT, EVENT],
    }
    judge(place.node("ai_sdk.mjs"), right)
