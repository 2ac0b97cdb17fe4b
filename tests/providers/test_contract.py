"""The laws of a stream (`chat2api.chat.events`), held by every provider against its simulated upstream."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import chat2api.providers
from chat2api.chat.events import (
    Event,
    Failure,
    Finish,
    ImageRef,
    ReasoningDelta,
    TextDelta,
    Thread,
    ToolCallDelta,
    Usage,
)
from chat2api.chat.fold import fold
from chat2api.errors import Chat2ApiError, ClientGone, UpstreamError
from chat2api.simulator.behaviours import Behaviour
from chat2api.simulator.faults import granting, registry
from chat2api.simulator.scenarios.registry import SCENARIOS

PROVIDERS = {"chatgpt": "simulated"}  # each by the fixture that puts it before its upstream

WIRES = [("2024", "snapshot"), ("2024", "v1"), ("2026", "snapshot"), ("2026", "v1")]

CASES = [
    "echo\nWhat is 你好？",
    *("text", "text words=60 catchup=7"),
    "long kb=5",
    "unicode",
    "reasoning commentary=0",
    "reasoning",
    "o1",
    "search",
    "search late=1",
    "search2024",
    "code",
    "code fail=1",
    "tools",
    "picture",
    "picture n=2",
    "refusal",
    "length",
    "continue",
    "flood deltas=300",
    "blob mib=1",
    "help",
]
ELSEWHERE = {"agent", "baked", "replay", "handoff"}  # in tests of their own
OF_CODEX = ["failed", "incomplete", "limit", "no_end", "overload"]  # in codex/test_laws.py

# What becomes of a turn whose stream goes wrong, by what the caller is told.
HARMLESS = [
    "malformed count=3",
    "strange",
    "scrambled",
    "double_end",
    "after_end",
    "end drop=done",
    "end drop=done typed=1",
    "end drop=complete,last_token",
    "end drop=status",
    "bytes",
    "chunks size=3",
    "split",
    "joined",
    "drip size=500 seconds=0",
    "crlf",
    "cr",
    "mixed",
    "padded",
    "tight",
    "nameless",
    "big mib=1",
]
_INBAND = ("text", "object", "code", "detail", "v1", "system_error")
ENDING = {
    "reset after=3": "upstream_connection_error",
    "reset at=start": "upstream_connection_error",
    "reset at=headers": "upstream_connection_error",
    "cut after=3": "upstream_truncated",
    "close after=3": "upstream_truncated",
    "close at=start": "upstream_truncated",
    "empty": "upstream_truncated",
    "end drop=done,complete,status": "upstream_truncated",
    "hang seconds=0.2": "upstream_timeout",
    "quiet seconds=0.2": "upstream_timeout",
    "silence seconds=0.2 after=3": "upstream_timeout",
    "malformed endless=1": "upstream_bad_response",
    "big mib=3": "upstream_bad_response",
    **{f"inband form={form}": "upstream_bad_response" for form in _INBAND},
    "inband code=rate_limit_exceeded form=code": "rate_limit_exceeded",
    "inband code=token_expired form=object": "upstream_account_auth_failed",
    "midway after=3": "upstream_bad_response",
    "midway after=3 form=detail done=0": "upstream_bad_response",
    "midway after=3 form=patch": "upstream_bad_response",
}
REFUSING = {
    "expired": "upstream_account_auth_failed",
    "invalidated": "upstream_account_auth_failed",
    "payment": "upstream_account_closed",
    "unusual": "upstream_access_denied",
    "challenge": "upstream_challenge_required",
    "forbidden": "upstream_access_denied",
    "country": "upstream_access_denied",
    "model": "model_not_found",
    "gone": "conversation_not_found",
    "busy": "rate_limit_exceeded",
    "too_long": "context_length_exceeded",
    "schema": "upstream_bad_response",
    "unsupported": "invalid_value",
    "policy": "content_policy_violation",
    "rate": "rate_limit_exceeded",
    "status": "upstream_bad_response",
    "redirect": "upstream_bad_response",
    "page": "upstream_bad_response",
    "json_error": "rate_limit_exceeded",
    "wss": "upstream_bad_response",
}
DEMANDING = {
    "no_proof": None,
    "turnstile": None,
    "arkose": "upstream_challenge_required",
    "force_login": "login_required",
    "difficulty": "proof_of_work_too_hard",
}
# Faults below what a provider sees: transport/test_http.py.
OF_THE_TRANSPORT = {"not_http", "short_body", "giant_header", "many_headers"}
OF_THE_TRANSPORT |= {"gzip", "bomb", "double_gzip", "stacked", "odd_encoding"}
LOGIN = {fault.name for fault in granting.FAULTS}  # no turn calls that endpoint


@pytest.fixture(params=PROVIDERS)
def world(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """world(patience=…, **config): a provider before its simulated upstream."""
    build = request.getfixturevalue(PROVIDERS[request.param])

    def made(patience: float = 10.0, **config: Any) -> Any:
        stage = build(**config)
        limits = ("first_byte_seconds", "idle_seconds", "resume_after_seconds")
        stage.options = {**dict.fromkeys(limits, patience), "event_limit_bytes": 2_000_000}
        return stage

    return made


def patience(fault: str) -> float:
    """Half of the silence that a fault makes."""
    return 0.1 if "seconds=0.2" in fault else 10.0


def calls(stage: Any, endpoint: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.simulator.journal.records(endpoint=endpoint, since=0)
    return found


def last_turn(stage: Any) -> dict[str, Any]:
    return calls(stage, "conversation")[-1]


def assert_lawful(events: list[Event], error: Chat2ApiError | None, *, kept: bool) -> None:
    ends = [number for number, event in enumerate(events) if isinstance(event, Finish)]
    assert ends == ([len(events) - 1] if error is None else []), "one Finish and last, or an error"
    named: set[int] = set()
    for event in events:
        match event:
            case TextDelta(text) | ReasoningDelta(text):
                assert text, "nothing was appended"
            case Thread():
                assert kept, "a conversation that is not kept is nowhere"
                assert event.conversation_id
                assert event.message_id
            case ToolCallDelta(index, call_id, name):
                assert (index in named) != bool(call_id and name), "named first, and once"
                named.add(index)
            case Failure():
                raise AssertionError("a provider raises")
    assert sum(isinstance(event, Usage) for event in events) <= 1
    assert error is None or (error.message and error.code)


def assert_over(stage: Any) -> None:
    """No exchange of the turn is left open, once what it began in the background has ended."""
    stage.settle()
    assert stage.simulator.journal.counters["active"] == 0


def wanted(record: dict[str, Any]) -> tuple[Any, ...]:
    """What a right reader gets, as the upstream says."""
    told = record["expected"]
    return told["markdown"], told["reasoning"] or "", told["images"], told["finish_reason"]


def got(events: list[Event]) -> tuple[Any, ...]:
    folded = fold(events)
    images = [event.pointer for event in events if isinstance(event, ImageRef)]
    return folded.text, folded.reasoning, images, folded.finish_reason


def assert_told_so_far(events: list[Event], record: dict[str, Any]) -> None:
    """What came before an error was right as far as it went."""
    text, reasoning, *_ = wanted(record)
    folded = fold(events)
    assert text.startswith(folded.text)
    assert reasoning.startswith(folded.reasoning)


# --- nobody is left out


def test_every_provider_is_here() -> None:
    found = {one.parent.name for one in Path(chat2api.providers.__path__[0]).glob("*/provider.py")}
    assert found == {*PROVIDERS, "openai_compatible", "codex"}  # those: test_laws.py in theirs


def test_every_scenario_and_fault_is_here() -> None:
    scenarios = {case.split()[0] for case in CASES} | ELSEWHERE
    assert scenarios == set(SCENARIOS)
    groups = (HARMLESS, ENDING, REFUSING, DEMANDING, OF_THE_TRANSPORT, LOGIN, OF_CODEX)
    assert {fault.split()[0] for group in groups for fault in group} == set(registry.FAULTS)


# --- turns that go well


@pytest.mark.parametrize(("generation", "encoding"), WIRES)
@pytest.mark.parametrize("case", CASES)
def test_scenarios(world: Any, generation: str, encoding: str, case: str) -> None:
    stage = world(generation=generation, encoding=encoding)
    for kept in (False, True):
        events, error = stage.played(f"/sim {case}", keep_history=kept)
        assert error is None
        assert_lawful(events, None, kept=kept)
        if last_turn(stage)["expected"]["text"] is not None:  # else it is enormous
            assert got(events) == wanted(last_turn(stage))
        assert any(isinstance(event, Thread) for event in events) is kept
        # What a blocked answer still has behind it is not awaited.
        assert last_turn(stage)["completed"] or case == "refusal"
        assert calls(stage, "stop") == []
        assert_over(stage)


@pytest.mark.parametrize(("generation", "encoding"), WIRES)
@pytest.mark.parametrize("case", ["text", "reasoning", "search", "unicode"])
def test_scenarios_without_an_account(
    world: Any, generation: str, encoding: str, case: str
) -> None:
    stage = world(generation=generation, encoding=encoding)
    if not stage.provider.capabilities.anonymous:
        pytest.skip("takes accounts only")
    stage.leave_account()
    events, error = stage.played(f"/sim {case}", model="auto", keep_history=True)
    assert error is None
    assert_lawful(events, None, kept=False)
    assert got(events) == wanted(last_turn(stage))
    assert_over(stage)


@pytest.mark.parametrize("case", ["baked deltas=50 gap=0", "replay", "replay cut=7"])
@pytest.mark.parametrize("encoding", ["snapshot", "v1"])
def test_prepared_bytes(world: Any, script: Any, encoding: str, case: str) -> None:
    stage = world(encoding=encoding)
    recorded = script.events(script.said("Hello!", done=True), "[DONE]")
    stage.simulator.recordings["default"] = recorded
    events = stage.turn(f"/sim {case}")
    assert_lawful(events, None, kept=False)
    assert fold(events).text
    assert_over(stage)


def test_turns_side_by_side(world: Any) -> None:
    """No turn knows of another."""
    stage = world()
    turns = [stage.begin(f"/sim text words={n}") for n in (3, 4, 5)]
    told: list[list[Event]] = [[] for _ in turns]
    for _ in range(50):
        for turn, events in zip(turns, told, strict=True):
            events.extend(islice(turn, 1))
    for count, events in enumerate(told, 3):
        assert_lawful(events, None, kept=False)
        assert len(fold(events).text.split()) == count


# --- turns that go wrong


@pytest.mark.parametrize("encoding", ["snapshot", "v1"])
@pytest.mark.parametrize("fault", HARMLESS)
def test_faults_that_nobody_notices(world: Any, encoding: str, fault: str) -> None:
    stage = world(encoding=encoding)
    for case, kept in (("text", False), ("reasoning", False), ("search", True)):
        events, error = stage.played(f"/sim {case} fault={fault}", keep_history=kept)
        assert error is None
        assert_lawful(events, None, kept=kept)
        assert got(events) == wanted(last_turn(stage))
        assert_over(stage)


@pytest.mark.parametrize("encoding", ["snapshot", "v1"])
@pytest.mark.parametrize("fault", ENDING)
def test_faults_that_end_a_temporary_turn(world: Any, encoding: str, fault: str) -> None:
    stage = world(patience(fault), encoding=encoding)
    events, error = stage.played(f"/sim text words=40 fault={fault}")
    assert_lawful(events, error, kept=False)
    assert (error.code, error.after_dispatch) == (ENDING[fault], True)
    assert_told_so_far(events, last_turn(stage))
    assert len(fold(events).text.split()) == 3 or "after=3" not in fault
    assert_over(stage)


@pytest.mark.parametrize("encoding", ["snapshot", "v1"])
@pytest.mark.parametrize("recover", ["resume", "poll", "none"])
@pytest.mark.parametrize("fault", ["reset", "cut", "close", "silence seconds=0.2"])
def test_faults_of_a_turn_that_is_kept(world: Any, encoding: str, recover: str, fault: str) -> None:
    """What the upstream still has is told in full, without a gap and without a repetition."""
    stage = world(patience(fault), encoding=encoding)
    text = f"/sim text words=40 recover={recover} fault={fault}"
    events, error = stage.played(text, keep_history=True)
    assert_lawful(events, error, kept=True)
    if recover == "none":
        assert isinstance(error, UpstreamError)
        assert error.after_dispatch
        assert_told_so_far(events, last_turn(stage))
    else:
        assert (error, got(events)) == (None, wanted(last_turn(stage)))
    assert len(calls(stage, "conversation")) == 1
    assert_over(stage)


@pytest.mark.parametrize(
    "case", ["handoff", "handoff done=0", "handoff takes=20", "picture later=9"]
)
def test_answers_that_come_another_way(world: Any, case: str) -> None:
    stage = world()
    events, error = stage.played(f"/sim {case}", keep_history=True)
    assert error is None
    assert_lawful(events, None, kept=True)
    assert got(events) == wanted(last_turn(stage))
    events, error = stage.played(f"/sim {case}", keep_history=False)
    assert_lawful(events, error, kept=False)
    assert getattr(error, "code", None) in ("upstream_truncated", None)
    assert_over(stage)


@pytest.mark.parametrize("fault", REFUSING)
def test_refusals(world: Any, fault: str) -> None:
    stage = world()
    for kept in (False, True):
        events, error = stage.played(f"/sim text fault={fault}", keep_history=kept)
        assert (events, error.code) == ([], REFUSING[fault])
        assert_lawful(events, error, kept=kept)
        status = last_turn(stage)["status"]
        assert getattr(error, "after_dispatch", False) is not (400 <= status < 500)
        assert_over(stage)
    assert calls(stage, "stop") == []


@pytest.mark.parametrize("fault", DEMANDING)
@pytest.mark.parametrize("generation", ["2024", "2026"])
def test_demands(world: Any, generation: str, fault: str) -> None:
    stage = world(generation=generation)
    endpoints = {"2024": "requirements", "2026": "prepare"}
    wish = Behaviour(endpoint=endpoints[generation], faults=(fault,), times=None)
    stage.simulator.behaviours.set_defaults([wish])
    events, error = stage.played("/sim text")
    assert_lawful(events, error, kept=False)
    assert getattr(error, "code", None) == DEMANDING[fault]
    assert bool(calls(stage, "conversation")) is (DEMANDING[fault] is None)
    assert_over(stage)


@pytest.mark.parametrize("fault", ["status", "reset", "rate", "expired", "page", "hang"])
@pytest.mark.parametrize("endpoint", ["home", "prepare", "finalize", "conversation_prepare"])
def test_what_goes_wrong_before_the_turn(world: Any, endpoint: str, fault: str) -> None:
    stage = world(0.1 if fault == "hang" else 10.0)
    params = {"at": "headers"} if fault == "reset" else {"seconds": 0.2}
    wish = Behaviour(endpoint=endpoint, faults=(fault,), params=params, times=None)
    stage.simulator.behaviours.set_defaults([wish])
    events, error = stage.played("/sim text", keep_history=True)
    assert_lawful(events, error, kept=True)
    if endpoint in ("home", "conversation_prepare"):
        assert error is None
        assert got(events) == wanted(last_turn(stage))
    else:
        assert not error.after_dispatch
        assert calls(stage, "conversation") == []
    assert_over(stage)


def test_a_credential_that_has_expired(world: Any) -> None:
    stage = world()
    assert stage.played("/sim text")[1] is None
    stage.clock.now += 11 * 86_400
    events, error = stage.played("/sim text")
    assert (events, error.code) == ([], "upstream_account_auth_failed")
    with pytest.raises(Chat2ApiError) as raised:
        stage.provider.models(stage.credential, stage.io)
    assert raised.value.code == "upstream_account_auth_failed"


# --- callers that leave


def beginnings(events: int) -> list[int]:
    """After how many events to leave: all early ones, and some of the others."""
    return [count for count in range(1, events) if count < 6 or count % 7 == 0]


@pytest.mark.parametrize("case", ["text", "reasoning", "search"])
@pytest.mark.parametrize("kept", [False, True])
def test_leaving_at_any_time_ends_the_upstreams_turn(world: Any, case: str, kept: bool) -> None:
    stage = world()
    for count in beginnings(len(stage.turn(f"/sim {case}", keep_history=kept))):
        with closing(stage.begin(f"/sim {case}", keep_history=kept)) as turn:
            told = [next(turn) for _ in range(count)]
        assert not any(isinstance(event, Finish) for event in told)
        assert last_turn(stage)["aborted"], f"left after {count} events"
        assert_over(stage)


@pytest.mark.parametrize("case", ["text", "reasoning"])
def test_cancelling_at_any_time_ends_it_too(world: Any, case: str) -> None:
    stage = world()
    for count in beginnings(len(stage.turn(f"/sim {case}"))):
        stage.call = type(stage.call)(stage.clock)
        gone = ClientGone("Gone.")
        turn = stage.begin(f"/sim {case}")
        events = [next(turn) for _ in range(count)]
        stage.call.cancel(gone)
        with pytest.raises(ClientGone) as raised:
            events.extend(turn)
        assert raised.value is gone
        assert_lawful(events, gone, kept=False)
        assert_over(stage)


def test_a_call_that_is_over_asks_nothing(world: Any) -> None:
    stage = world()
    stage.call.cancel(ClientGone("Gone."))
    assert stage.played("/sim text") == ([], stage.call.error)
    assert stage.upstream.requests == []
