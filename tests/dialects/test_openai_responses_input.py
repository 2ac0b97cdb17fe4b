"""Input items as they are kept and listed."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.dialects.openai_responses import OpenAIResponses
from chat2api.dialects.openai_responses_input import (
    INPUT_SIDE,
    OUTPUT_SIDE,
    input_items,
    item_id,
    kept_input,
)
from chat2api.dialects.protocol import Stamp

STAMP = Stamp("resp_AbC", 1_730_000_000)
PNG = "data:image/png;base64,iVBORw0KGgo="


def test_a_text_is_a_message() -> None:
    assert kept_input("Hi", None) == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    ]
    assert kept_input(None, None) == []


@pytest.mark.parametrize(
    ("item", "kept"),
    [
        (
            {"role": "assistant", "content": "Yes", "id": None, "phase": "commentary"},
            {
                "type": "message",
                "role": "assistant",
                "phase": "commentary",
                "content": [
                    {"type": "output_text", "text": "Yes", "annotations": [], "logprobs": []}
                ],
            },
        ),
        (
            {
                "role": "user",
                "internal": 1,
                "content": [
                    {"type": "text", "text": "a", "prompt_cache_breakpoint": {}},
                    {"type": "input_image", "image_url": PNG, "file_id": None},
                    {"type": "input_file", "file_id": "file-1", "extra": 1},
                ],
            },
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "a"},
                    {"type": "input_image", "detail": "auto", "image_url": PNG},
                    {"type": "input_file", "file_id": "file-1"},
                ],
            },
        ),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "refusal", "refusal": "No."}],
            },
        ),
        ({"type": "web_search_call", "id": "ws_1"}, {"type": "web_search_call", "id": "ws_1"}),
    ],
)
def test_items_are_kept_in_one_form(item: dict[str, Any], kept: dict[str, Any]) -> None:
    assert kept_input([item], None) == [kept]


def test_kept_items_are_kept_as_they_are() -> None:
    once = kept_input(
        [{"role": "assistant", "content": "Yes"}, {"role": "user", "content": "a"}], None
    )
    assert kept_input(once, None) == once


def test_references_are_kept_as_what_they_refer_to() -> None:
    earlier = {"type": "reasoning", "id": "rs_1", "summary": []}
    assert kept_input([{"id": "rs_1"}], lambda item: [earlier]) == [earlier]


def test_every_listed_item_has_an_id() -> None:
    ask = OpenAIResponses(lambda: 0.0).parse(
        {
            "input": [
                {"role": "user", "content": "a"},
                {"role": "user", "content": "b", "id": "msg_mine"},
                {"role": "user", "content": "c", "id": "m" * 200},
                {"type": "function_call", "call_id": "x", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "x", "output": "1", "status": None},
                {"type": "reasoning", "summary": []},
                {"type": "something", "status": "odd"},
            ]
        }
    )
    listed = input_items(ask, STAMP)
    assert [item["id"] for item in listed] == [
        "msg_AbC000000",
        "msg_mine",
        "msg_AbC000002",
        "fc_AbC000003",
        "fco_AbC000004",
        "rs_AbC000005",
        "item_AbC000006",
    ]
    assert [item.get("status") for item in listed] == [*["completed"] * 5, None, "odd"]
    assert listed == input_items(ask, STAMP)


def test_no_two_listed_items_have_one_id() -> None:
    """Pages are turned by them: the first of two would come again and again."""
    said = [{"role": "user", "content": text, "id": "msg_mine"} for text in "abc"]
    listed = input_items(OpenAIResponses(lambda: 0.0).parse({"input": said}), STAMP)
    assert [item["id"] for item in listed] == ["msg_mine", "msg_AbC000001", "msg_AbC000002"]


def test_ids_of_both_sides_differ() -> None:
    sides = (INPUT_SIDE, OUTPUT_SIDE)
    made = {item_id("message", STAMP, side, place) for side in sides for place in range(100)}
    assert len(made) == 200
