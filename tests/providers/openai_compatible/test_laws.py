"""The laws of a stream (`chat2api.chat.events`), held against the simulator's API and all its faults."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from chat2api.chat.conversation import Conversation, Message, Text, ToolSpec
from chat2api.chat.events import Event, Failure, Finish, TextDelta, ToolCallDelta, Usage
from chat2api.chat.fold import fold
from chat2api.errors import Chat2ApiError
from chat2api.lifetime.call import Call
from chat2api.pool.values import Credential
from chat2api.providers.openai_compatible.provider import CompatibleOptions, CompatibleProvider
from chat2api.providers.protocol import Io
from chat2api.secret import Secret
from tests.providers.conftest import WsgiTransport

Played = tuple[list[Event], Chat2ApiError | None]
Play = Callable[..., Played]

SCENARIOS = ["text words=60", "echo\nWhat is 你好？", "unicode", "length", "reasoning", "long kb=5"]
HARMLESS = [
    "malformed count=3", "strange", "double_end", "after_end", "bytes", "chunks size=3", "split",
    "joined", "drip size=500 seconds=0", "crlf", "cr", "mixed", "padded", "tight", "nameless",
    "big mib=1",
]  # fmt: skip
ENDING = {
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
    "payment": "rate_limit_exceeded",
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


@pytest.fixture
def play(simulator: Any) -> Play:
    """play(text, patience=…): the events of a turn, and the error that ended it if one did."""
    app, _ = simulator
    app.extensions["simulator"].reset()
    app.extensions["simulator"].configure({})
    nothing: Any = None

    def played(text: str, patience: float = 10.0, **more: Any) -> Played:
        options = CompatibleOptions(
            "compat",
            "https://upstream.test/compat/v1",
            Secret("sk-compat"),
            "agent/1",
            first_byte_seconds=patience,
            idle_seconds=patience,
            event_limit_bytes=2_000_000,
        )
        io = Io(WsgiTransport(app), nothing, Call(math.inf))
        asked = Conversation("compat-large", (Message("user", (Text(text),)),), **more)
        events: list[Event] = []
        error = None
        try:
            events.extend(CompatibleProvider(options).stream(asked, Credential("x", None), io))
        except Chat2ApiError as refusal:
            error = refusal
        assert_lawful(events, error)
        assert app.extensions["simulator"].journal.counters["active"] == 0
        return events, error

    return played


def assert_lawful(events: list[Event], error: Chat2ApiError | None) -> None:
    ends = [number for number, event in enumerate(events) if isinstance(event, Finish)]
    assert ends == ([len(events) - 1] if error is None else []), "one Finish and last, or an error"
    assert not any(isinstance(event, Failure) for event in events)
    assert all(event.text for event in events if isinstance(event, TextDelta))
    assert sum(isinstance(event, Usage) for event in events) <= 1
    named: set[int] = set()
    for event in events:
        if isinstance(event, ToolCallDelta):
            is_new = event.index not in named
            assert is_new == bool(event.call_id and event.name), "named first, and once"
            named.add(event.index)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenarios(play: Play, scenario: str) -> None:
    events, error = play(f"/sim {scenario}")
    assert error is None
    told = fold(events)
    assert told.text
    assert told.usage is not None
    assert not told.usage.estimated
    assert told.finish_reason == ("length" if scenario == "length" else "stop")
    assert bool(told.reasoning) is (scenario == "reasoning")


@pytest.mark.parametrize("fault", HARMLESS)
def test_faults_that_nobody_notices(play: Play, fault: str) -> None:
    for scenario in ("unicode", "reasoning"):
        plain, odd = fold(play(f"/sim {scenario}")[0]), play(f"/sim {scenario} fault={fault}")
        assert odd[1] is None
        read = fold(odd[0])
        assert (read.text, read.reasoning) == (plain.text, plain.reasoning)
        assert read.finish_reason == plain.finish_reason


@pytest.mark.parametrize("fault", ENDING)
def test_faults_that_end_a_turn(play: Play, fault: str) -> None:
    patience = 0.1 if "seconds=0.2" in fault else 10.0
    events, error = play(f"/sim text words=40 fault={fault}", patience)
    assert error is not None
    assert error.code == ENDING[fault]
    said = {"after=3": 3, "endless=1": 1}
    expected = next((words for sign, words in said.items() if sign in fault), 0)
    assert len(fold(events).text.split()) == expected


def test_calls(play: Play) -> None:
    look = ToolSpec("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})
    script = '/sim agent\ncall look {"at": "x"}\ncall look {"at": "y"}'
    events, error = play(script, tools=(look,))
    assert error is None
    told = fold(events)
    assert [call.name for call in told.tool_calls] == ["look", "look"]
    assert told.finish_reason == "tool_calls"
    assert len({call.call_id for call in told.tool_calls}) == 2
