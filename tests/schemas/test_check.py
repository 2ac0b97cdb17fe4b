"""The judge is judged: good streams pass, each spoilt in one way does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.schemas.check import check, check_response_events, check_stream, names

_ENVELOPE = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
_ENVELOPE |= {"service_tier": "default", "system_fingerprint": None}


_NULLS = [
    "completed_at",
    "error",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "usage",
    "user",
]


def chunk(delta: Any, reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return {**_ENVELOPE, "choices": [choice]}


def chat() -> list[Any]:
    """One call, streamed."""
    begin = {"index": 0, "id": "call_1", "type": "function"}
    return [
        chunk({"role": "assistant", "content": "", "refusal": None}),
        chunk({"tool_calls": [{**begin, "function": {"name": "look", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        chunk({}, "tool_calls"),
        "[DONE]",
    ]


def chat_bytes(events: list[Any]) -> bytes:
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return b": keep-alive\n\n" + "".join(f"data: {line}\n\n" for line in lines).encode()


def named_bytes(events: list[Any]) -> bytes:
    return "".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events
    ).encode()


def message() -> list[Any]:
    """An Anthropic message of one text block."""
    usage = {"input_tokens": 3, "output_tokens": 1}
    usage |= {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    started = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    started |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        {"type": "message_start", "message": started},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]


def response(status: str, **more: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(_NULLS),
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "background": False,
        "model": "m",
        "output": [],
        "parallel_tool_calls": True,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "truncation": "disabled",
        "metadata": {},
        **more,
    }


def responses() -> list[Any]:
    """One message of one part."""
    item = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    whole = {**item, "status": "completed", "content": [{**part, "text": "Hi"}]}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    usage |= {"input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}  # type: ignore[dict-item]
    usage |= {"output_tokens_details": {"reasoning_tokens": 0}}  # type: ignore[dict-item]
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    done = response("completed", completed_at=2, output=[whole], usage=usage)
    events = [
        {"type": "response.created", "response": response("in_progress")},
        {"type": "response.in_progress", "response": response("in_progress")},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress"},
        },
        {"type": "response.content_part.added", **place, "part": part},
        {"type": "response.output_text.delta", **place, "delta": "Hi", "logprobs": []},
        {"type": "response.output_text.done", **place, "text": "Hi", "logprobs": []},
        {"type": "response.content_part.done", **place, "part": {**part, "text": "Hi"}},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
        {"type": "response.completed", "response": done},
    ]
    return numbered(events)


def numbered(events: list[Any]) -> list[Any]:
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def test_every_schema_is_one() -> None:
    for path in Path(__file__).parent.glob("*.json"):
        Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_good_streams_pass() -> None:
    [choice] = check_stream("chat", chat_bytes(chat())).whole
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}
    assert check_stream("messages", named_bytes(message())).whole["content"][0]["text"] == "Hi"
    assert check_stream("responses", named_bytes(responses())).whole["status"] == "completed"
    assert check_response_events(responses()).error is None


@pytest.mark.parametrize("left_out", range(5))
def test_a_chat_stream_needs_each_of_its_events(left_out: int) -> None:
    events = chat()
    del events[left_out]
    with pytest.raises(AssertionError):
        check_stream("chat", chat_bytes(events))


@pytest.mark.parametrize("left_out", [0, 2, 4, 5, 6])
def test_a_message_needs_its_events(left_out: int) -> None:
    events = message()
    del events[left_out]
    with pytest.raises(AssertionError):
        check_stream("messages", named_bytes(events))


@pytest.mark.parametrize("left_out", range(9))
def test_a_response_needs_each_of_its_events(left_out: int) -> None:
    events = responses()
    del events[left_out]
    with pytest.raises(AssertionError):
        check_stream("responses", named_bytes(numbered(events)))


SPOILT: dict[str, Callable[[list[Any]], Any]] = {
    "a number is left out": lambda events: events[4].update(sequence_number=9),
    "an unknown key": lambda events: events[4].update(extra=1),
    "done says more than the deltas": lambda events: events[5].update(text="Hi you"),
    "the item says less than its parts": lambda events: events[7]["item"].update(content=[]),
    "the response has another item": lambda events: events[8]["response"].update(output=[]),
    "the model changes": lambda events: events[8]["response"].update(model="other"),
    "no usage": lambda events: events[8]["response"].update(usage=None),
    "an event of another item": lambda events: events[4].update(item_id="msg_2"),
    "something after the end": lambda events: events.append({**events[4], "sequence_number": 9}),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_response_is_seen(how: str) -> None:
    events = json.loads(json.dumps(responses()))
    SPOILT[how](events)
    with pytest.raises(AssertionError):
        check_stream("responses", named_bytes(events))


@pytest.mark.parametrize(
    "call",
    [
        {"index": 0, "id": "call_1", "type": "function", "function": {"arguments": "{}"}},
        {"index": 0, "function": {"name": "look", "arguments": "{}"}},
        {"index": 1, "function": {"arguments": "{}"}},
        {"index": 0, "function": {"arguments": "{"}},
    ],
    ids=["id again", "name again", "another index", "no JSON"],
)
def test_a_spoilt_call_is_seen(call: Any) -> None:
    events = chat()
    events[2] = chunk({"tool_calls": [call]})
    with pytest.raises(AssertionError):
        check_stream("chat", chat_bytes(events))


@pytest.mark.parametrize(
    ("text", "reason", "good"),
    [
        ('{"city": "Oslo"}', "tool_use", True),
        ("", "tool_use", True),
        ('{"city":', "max_tokens", True),
        ('{"city":', "tool_use", False),
    ],
)
def test_half_a_call_is_for_the_limit_alone(text: str, reason: str, good: bool) -> None:
    events = json.loads(json.dumps(message()))
    block = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    events[2]["content_block"] = block
    events[3]["delta"] = {"type": "input_json_delta", "partial_json": text}
    events[5]["delta"]["stop_reason"] = reason
    if good:
        check_stream("messages", named_bytes(events))
    else:
        with pytest.raises(AssertionError, match="half a call"):
            check_stream("messages", named_bytes(events))


def test_framing() -> None:
    good = named_bytes(message())
    for bad in (
        good[:-1],
        good.replace(b"event: ping", b"event: pong"),
        good.replace(b"\n", b"\r\n"),
    ):
        with pytest.raises(AssertionError):
            check_stream("messages", bad)


def test_an_error_ends_a_stream() -> None:
    error = {"message": "gone", "type": "server_error", "param": None, "code": None}
    streamed = check_stream("chat", chat_bytes([*chat()[:2], {"error": error}]))
    assert streamed.error == error
    with pytest.raises(AssertionError):
        check_stream("chat", chat_bytes([*chat()[:2], {"error": error}, "[DONE]"]))


def test_names() -> None:
    assert {"chat.completion", "response", "anthropic.message", "error"} <= set(names())
    check("response.deleted", {"id": "resp_1", "object": "response", "deleted": True})
    with pytest.raises(AssertionError, match="no schema"):
        check("nothing", {})
