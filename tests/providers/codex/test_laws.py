"""The laws of a stream (`chat2api.chat.events`), for any events and however they are framed."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.chat.conversation import (
    Builtin,
    Conversation,
    JsonOutput,
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from chat2api.chat.events import (
    Citation,
    Event,
    Failure,
    Finish,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from chat2api.chat.fold import fold
from chat2api.errors import Chat2ApiError, UpstreamTruncated
from chat2api.pool.values import Credential, StoredCredential
from chat2api.providers.codex.decode import TurnDecoder
from chat2api.providers.codex.refusals import classify
from chat2api.providers.codex.tools import short_name
from chat2api.secret import Secret

HELLO = Conversation("gpt-5.5", (Message("user", (Text("Hi"),)),))


def turn(desk: Any, account: Credential) -> list[Event]:
    return list(desk.provider.stream(HELLO, account, desk.io))


def done(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": fields}


def text(delta: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "output_index": 1, "delta": delta}


DONE = {"type": "response.completed", "response": {"status": "completed", "output": []}}
CALL = {"type": "function_call", "call_id": "c", "name": "look", "arguments": '{"city":"Oslo"}'}
STREAM = [
    {"type": "response.created", "response": {"id": "r"}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}},
    {
        "type": "response.reasoning_summary_text.delta",
        "output_index": 0,
        "summary_index": 0,
        "delta": "Think 思",
    },
    done(0, type="reasoning", summary=[], encrypted_content="gAAA"),
    text("Hello 👨‍👩‍👧"),
    text("!"),
    done(2, **CALL),
    DONE,
]


def lawful(events: list[Event]) -> None:
    ends = [index for index, event in enumerate(events) if isinstance(event, Finish)]
    assert ends in ([], [len(events) - 1])
    assert not any(isinstance(event, Failure) for event in events)
    assert all(event.text for event in events if isinstance(event, TextDelta | RefusalDelta))
    assert all(one.text or one.encrypted for one in events if isinstance(one, ReasoningDelta))
    named: set[int] = set()
    for event in events:
        if isinstance(event, ToolCallDelta):
            assert (event.index not in named) == bool(event.call_id and event.name)
            named.add(event.index)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_however_the_bytes_are_cut(desk: Any, account: Credential, size: int, ends: str) -> None:
    framed = "".join(
        f"event: {event['type']}{ends}data: {json.dumps(event, ensure_ascii=False)}{ends}{ends}"
        for event in STREAM
    ).encode()
    desk.backend.plays(*[framed[at : at + size] for at in range(0, len(framed), size)])
    events = turn(desk, account)
    lawful(events)
    told = fold(events)
    assert (told.text, told.reasoning) == ("Hello 👨‍👩‍👧!", "Think 思")
    assert [(call.name, call.arguments) for call in told.tool_calls] == [
        ("look", CALL["arguments"])
    ]
    assert told.finish_reason == "tool_calls"


@pytest.mark.parametrize("count", range(len(STREAM)))
def test_wherever_it_breaks_it_is_no_quiet_success(
    desk: Any, account: Credential, count: int
) -> None:
    desk.backend.plays(*STREAM[:count])
    events: list[Event] = []
    with pytest.raises(Chat2ApiError) as caught:
        events.extend(desk.provider.stream(HELLO, account, desk.io))
    assert caught.value.code == "upstream_truncated"
    lawful(events)


def test_turns_side_by_side_know_nothing_of_each_other(desk: Any, account: Credential) -> None:
    desk.backend.plays(*STREAM)
    turns = [desk.provider.stream(HELLO, account, desk.io) for _ in range(3)]
    told = list(zip(*turns, strict=True))
    assert all(len(set(events)) == 1 for events in told)


def test_a_frame_of_megabytes(desk: Any, account: Credential) -> None:
    picture = done(0, type="image_generation_call", result="A" * 3_000_000)
    desk.backend.plays(picture, DONE)
    (image, _) = turn(desk, account)
    assert len(image.pointer) > 3_000_000  # type: ignore[union-attr]


# --- the simulator's backend

SCENARIOS = ["text words=60", "echo\nWhat is 你好？", "unicode", "length", "reasoning", "long kb=5"]
TOLD = ["text output=full", "text usage=bare", "text usage=null", "text arguments=whole"]
HARMLESS = [
    "malformed count=3", "strange", "double_end", "after_end", "bytes", "chunks size=3", "split",
    "joined", "drip size=500 seconds=0", "crlf", "cr", "mixed", "padded", "tight", "nameless",
    "big mib=1",
]  # fmt: skip
ENDING = {
    "failed": "upstream_bad_response",
    "failed after=30 form=flat": "upstream_bad_response",
    "failed code=context_length_exceeded": "context_length_exceeded",
    "failed code=cyber_policy": "content_policy_violation",
    "failed code=insufficient_quota": "rate_limit_exceeded",
    "failed form=nested code=rate_limit_exceeded seconds=1.3": "rate_limit_exceeded",
    "overload": "upstream_bad_response",
    "overload after=3 form=flat": "upstream_bad_response",
    "no_end": "upstream_truncated",
    "limit": "rate_limit_exceeded",
    "limit form=not_included": "rate_limit_exceeded",
    "limit form=capacity": "upstream_bad_response",
    "reset after=3": "upstream_connection_error",
    "reset at=start": "upstream_connection_error",
    "cut after=3": "upstream_truncated",
    "close after=3": "upstream_truncated",
    "close at=start": "upstream_truncated",
    "empty": "upstream_truncated",
    "hang seconds=0.2": "upstream_timeout",
    "quiet seconds=0.2": "upstream_timeout",
    "silence seconds=0.2 after=3": "upstream_timeout",
    "malformed endless=1": "upstream_bad_response",
    "big mib=3": "upstream_bad_response",
    "expired": "upstream_account_auth_failed",
    "invalidated": "upstream_account_auth_failed",
    "payment": "upstream_account_closed",
    "unusual": "upstream_access_denied",
    "challenge": "upstream_challenge_required",
    "forbidden": "upstream_access_denied",
    "country": "upstream_access_denied",
    "model": "model_not_found",
    "busy": "rate_limit_exceeded",
    "too_long": "context_length_exceeded",
    "rate": "rate_limit_exceeded",
    "status": "upstream_bad_response",
    "redirect": "upstream_bad_response",
    "page": "upstream_bad_response",
}


@pytest.mark.parametrize("scenario", [*SCENARIOS, *TOLD])
def test_scenarios(enrolled: Any, scenario: str) -> None:
    events, error = enrolled().play(f"/sim {scenario}")
    assert error is None
    lawful(events)
    told = fold(events)
    assert told.text
    assert told.reasoning
    assert told.finish_reason == ("length" if scenario == "length" else "stop")
    assert (told.usage is None) is ("usage=null" in scenario)


@pytest.mark.parametrize("fault", HARMLESS)
def test_faults_that_nobody_notices(enrolled: Any, fault: str) -> None:
    coder = enrolled()
    for scenario in ("unicode", "reasoning"):
        plain = fold(coder.play(f"/sim {scenario}")[0])
        events, error = coder.play(f"/sim {scenario} fault={fault}")
        assert error is None
        lawful(events)
        read = fold(events)
        assert (read.text, read.reasoning) == (plain.text, plain.reasoning)


@pytest.mark.parametrize("fault", ENDING)
def test_faults_that_end_a_turn(enrolled: Any, fault: str) -> None:
    coder = enrolled()
    coder.patience = 0.1 if "seconds=0.2" in fault else 10.0
    events, error = coder.play(f"/sim text words=40 fault={fault}")
    lawful(events)
    assert error is not None
    assert error.code == ENDING[fault]
    assert not any(isinstance(event, Finish) for event in events)
    if "overload" in fault and "after" not in fault:
        assert events == [], "another account may be tried"


def test_words_of_its_own_when_it_will_not(enrolled: Any) -> None:
    (*_, finish), _ = enrolled().play("/sim refusal")
    assert finish == Finish("content_filter")
    events, _ = enrolled("bob").play("/sim refusal spoken=1")
    assert fold(events).refusal


def test_tools_of_its_own(enrolled: Any) -> None:
    coder = enrolled()
    events, error = coder.play("/sim search", builtins=(Builtin("web_search", {}),))
    assert error is None
    assert any(isinstance(event, Citation) for event in events)
    events, error = coder.play("/sim picture", builtins=(Builtin("image_generation", {}),))
    assert error is None
    assert any(isinstance(event, ImageRef) for event in events)


LOOK = ToolSpec("mcp.look/" + "x" * 70, "Looks.", {"type": "object", "properties": {"at": {}}})


def test_an_agent_at_work(enrolled: Any) -> None:
    """Calls, what they gave, and the reasoning before them, sent back over several turns."""
    coder = enrolled()
    said: list[Any] = [Message("system", (Text("Be brief."),))]
    cached = []
    for at in range(4):
        said.append(f'/sim agent\ncall {short_name(LOOK.name)} {{"at": "{at}"}}')
        events, error = coder.play(*said, tools=(LOOK,))
        assert error is None
        lawful(events)
        told = fold(events)
        (call,) = told.tool_calls
        assert (call.name, call.arguments.replace(" ", "")) == (LOOK.name, f'{{"at":"{at}"}}')
        (sealed,) = [one.encrypted for one in events if getattr(one, "encrypted", None)]
        made = ToolCall(call.call_id, call.name, call.arguments)
        said.append(Message("assistant", (Reasoning(told.reasoning, sealed), made)))
        said.append(Message("tool", (ToolResult(call.call_id, f"{at} C"),)))
        assert told.usage is not None
        cached.append(told.usage.cached_tokens)
    assert cached == sorted(cached)
    assert cached[-1] > 0
    events, error = coder.play(*said, tools=(LOOK,))
    assert error is None
    assert fold(events).text
    other, error = enrolled("bob").play(*said, tools=(LOOK,))
    assert error is None, "its reasoning is not sent to another account"
    assert fold(other).text


def test_a_token_that_has_ended_is_renewed(enrolled: Any) -> None:
    coder = enrolled()
    coder.control("/accounts/ann/expire", {"what": "access"})
    events, error = coder.play("Hi")
    assert (events, error.code) == ([], "upstream_account_auth_failed")
    stored = StoredCredential("c", 1, None, Secret(coder.account["refresh_token"]))
    grant = coder.provider.refresh(stored, coder.io)
    coder.credential = replace(coder.credential, access_token=grant.access_token)
    assert coder.play("Hi")[1] is None


def test_models_that_a_plan_lacks(enrolled: Any) -> None:
    _, error = enrolled().play("Hi", model="gpt-5.1-codex")
    assert (error.status, error.code) == (404, "model_not_found")
    assert error.another_account_helps


def test_every_model_and_effort_that_is_offered_is_taken(enrolled: Any) -> None:
    coder = enrolled()
    names = [model.name for model in coder.provider.models(coder.credential, coder.io)]
    assert "gpt-5.5" in names
    for name in names:
        for ending in ("-minimal", "(ultra)"):
            assert coder.play("Hi", model=name + ending)[1] is None


def test_a_check_of_the_account(enrolled: Any) -> None:
    coder = enrolled()
    found = coder.provider.check(coder.credential, coder.io)
    assert (found.email, found.plan, found.limits) == ("ann@example.com", "plus", {})
    assert found.quota.windows


@pytest.mark.parametrize("wanted", [JsonOutput(), JsonOutput({"type": "object"}, "any")])
def test_json(enrolled: Any, wanted: JsonOutput) -> None:
    events, error = enrolled().play("Tell me of Oslo", output=wanted)
    assert error is None
    assert isinstance(json.loads(fold(events).text), dict)


# --- any events

_VALUES = st.none() | st.integers(-1, 3) | st.sampled_from(["a", "message", "rs_1"])
_INNER = st.dictionaries(
    st.sampled_from(["type", "id", "summary", "content", "arguments", "name", "call_id", "text"]),
    _VALUES | st.lists(st.dictionaries(st.sampled_from(["type", "text"]), _VALUES), max_size=2),
)
_KINDS = st.sampled_from(
    [
        "output_item.added", "output_item.done", "output_text.delta", "output_text.done",
        "refusal.delta", "reasoning_summary_text.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "custom_tool_call_input.done", "completed", "incomplete",
    ]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda kind, rest, item: {
                **rest,
                "type": f"response.{kind}",
                "item": item,
                "response": {"output": [item]},
            },
            _KINDS,
            st.dictionaries(
                st.sampled_from(["output_index", "item_id", "delta", "text", "summary_index"]),
                _VALUES,
            ),
            _INNER,
        ),
        max_size=8,
    )
)
def test_any_events(events: list[dict[str, Any]]) -> None:
    decoder = TurnDecoder(lambda told: classify(200, {}, told, 0.0))
    found: list[Event] = []
    with suppress(UpstreamTruncated):
        for event in events:
            found += decoder.feed_event(event)
    lawful(found)
