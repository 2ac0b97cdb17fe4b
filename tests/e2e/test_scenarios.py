"""Whatever the upstream sends, in each of its generations and encodings, the caller gets it whole."""

from __future__ import annotations

import hashlib
from itertools import product
from typing import Any

import pytest

CASES = [
    ("/sim echo\nWhat is a proof of work?", "gpt-5-5"),
    ("/sim echo\n你好，世界", "gpt-5-5"),
    ("/sim echo\nThink about it.", "some-thinking-model"),
    ("/sim text", "gpt-5-5"),
    ("/sim text words=300 catchup=7", "gpt-5-5"),
    ("/sim long kb=10", "gpt-5-5"),
    ("/sim unicode", "gpt-5-5"),
    ("/sim reasoning", "gpt-5-5"),
    ("/sim agent\nthink A plan.\nsay Its end.", "gpt-5-5"),
    ("/sim reasoning commentary=0", "gpt-5-5"),
    ("/sim o1", "gpt-5-5"),
    ("/sim search", "gpt-5-5"),
    ("/sim search late=1", "gpt-5-5"),
    ("/sim search2024", "gpt-5-5"),
    ("/sim code", "gpt-5-5"),
    ("/sim code fail=1", "gpt-5-5"),
    ("/sim tools", "gpt-5-5"),
    ("/sim picture", "gpt-5-5"),
    ("/sim picture n=3", "gpt-5-5"),
    ("/sim refusal", "gpt-5-5"),
    ("/sim length", "gpt-5-5"),
    ("/sim continue", "gpt-5-5"),
    ("/sim flood count=200", "gpt-5-5"),
    ("/sim blob", "gpt-5-5"),
    ("/sim help", "gpt-5-5"),
]
# These send prepared bytes and say nothing of what to expect, or need more than one stream.
ELSEWHERE = {"replay", "baked", "handoff"}


WIRES = [
    ("2024", "snapshot"),
    ("2024", "v1"),
    ("2026", "snapshot"),
    ("2026", "v1"),
    ("both", "auto"),
]


def wanted(turn: Any) -> tuple[Any, ...]:
    """Text, reasoning, pictures and end, as the upstream says a right reader gets them."""
    told = turn["expected"]
    text = told["markdown"] or told["sha256"]  # of an enormous text only the hash is kept
    return text, told["reasoning"] or "", tuple(told["images"]), told["finish_reason"]


def played(turns: Any) -> list[Any]:
    """The turns that were answered: the first of a generation may have knocked at the other's door."""
    return [turn for turn in turns() if turn["scenario"] is not None]


def got(answer: Any) -> tuple[Any, ...]:
    assert (answer.error, answer.done) == (None, True)
    enormous = len(answer.text) > 300_000
    text = hashlib.sha256(answer.text.encode()).hexdigest() if enormous else answer.text
    return text, answer.reasoning, answer.images, answer.finish_reason


def test_no_scenario_is_left_out(upstream: Any) -> None:
    known = {one["name"] for one in upstream.control("catalogue")["scenarios"]}
    assert known == {text.split()[1] for text, _ in CASES} | ELSEWHERE


@pytest.mark.parametrize(("text", "model"), CASES)
@pytest.mark.parametrize(("generation", "encoding"), WIRES)
def test_scenario(
    server: Any,
    upstream: Any,
    ask: Any,
    turns: Any,
    generation: str,
    encoding: str,
    text: str,
    model: str,
) -> None:
    upstream.control("config", {"generation": generation, "encoding": encoding})
    ways = [
        {"stream": stream, "history_disabled": temporary}
        for stream, temporary in product((False, True), repeat=2)
    ]
    answers = [ask(server, text, model=model, **way) for way in ways]
    for way, answer, turn in zip(ways, answers, played(turns), strict=True):
        assert got(answer) == wanted(turn), way
        assert (answer.conversation_id is None) is way["history_disabled"]
        assert turn["body"]["history_and_training_disabled"] is way["history_disabled"]


@pytest.mark.parametrize(("generation", "encoding"), WIRES)
def test_the_anonymous_upstream(
    server: Any, upstream: Any, ask: Any, turns: Any, generation: str, encoding: str
) -> None:
    upstream.control("config", {"generation": generation, "encoding": encoding})
    texts = ("/sim text", "/sim reasoning", "/sim search", "/sim unicode")
    ways = list(product(texts, (False, True)))
    answers = [ask(server, text, stream=stream, model="auto", key=None) for text, stream in ways]
    assert [got(answer) for answer in answers] == [wanted(turn) for turn in played(turns)]
    assert {turn["path"].split("/")[1] for turn in turns()} == {"backend-anon"}
    assert {turn["account"] for turn in turns()} == {None}


# --- hand-over: the rest of the answer comes by other ways


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("done", [0, 1])
def test_a_stream_that_is_handed_over_is_followed(
    server: Any, upstream: Any, ask: Any, turns: Any, done: int, stream: bool
) -> None:
    answer = ask(server, f"/sim handoff done={done}", stream=stream, history_disabled=False)
    assert got(answer) == wanted(turns()[0])
    assert len(turns()) == 1
    assert len(upstream.control("requests?endpoint=resume")["requests"]) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_hand_over_that_nobody_can_follow_is_no_empty_answer(
    server: Any, upstream: Any, ask: Any, stream: bool
) -> None:
    answer = ask(server, "/sim handoff", stream=stream, history_disabled=True)
    assert (answer.status, answer.code) == (502, "upstream_truncated")


def test_a_kept_answer_is_read_when_it_cannot_be_resumed(
    server: Any, upstream: Any, ask: Any, turns: Any
) -> None:
    text = "/sim text words=80 fault=close after=20 recover=poll"
    answer = ask(server, text, stream=True, history_disabled=False)
    assert got(answer) == wanted(turns()[0])
    assert len(upstream.control("requests?endpoint=read")["requests"]) == 1


def test_a_broken_stream_is_resumed_without_a_gap(
    server: Any, upstream: Any, ask: Any, turns: Any
) -> None:
    text = "/sim text words=80 fault=reset after=20 recover=resume"
    answer = ask(server, text, stream=True, history_disabled=False)
    assert got(answer) == wanted(turns()[0])
    assert len(turns()) == 1


# --- the sentinel's variants


@pytest.mark.parametrize(
    "config",
    [
        {"pow_required": False},
        {"so_token": True},
        {"token_in_prepare": True},
        {"conduit": "missing"},
        {"turnstile": True},
        {"echo_inputs": "none"},
        {"classic_status": 404, "generation": "2026"},
        {"difficulty": "00ffff"},
        {"difficulty": "0FFFFF"},
        {"generation": "2024", "variant": "sha3", "difficulty": "00FFFF"},
    ],
)
def test_variants_of_the_requirements(
    server: Any, upstream: Any, ask: Any, turns: Any, config: dict[str, Any]
) -> None:
    upstream.control("config", config)
    assert got(ask(server, "/sim text")) == wanted(turns()[-1])


def test_each_turn_brings_a_fresh_proof(server: Any, upstream: Any, ask: Any, turns: Any) -> None:
    for _ in range(3):
        ask(server)
    for header in ("openai-sentinel-chat-requirements-token", "openai-sentinel-proof-token"):
        assert len({turn["headers"][header] for turn in turns()}) == 3
    assert len(upstream.control("requests?endpoint=home")["requests"]) <= 1


def test_the_older_routes_by_setting(
    brief_server: Any, new_tokens: Any, ask: Any, upstream: Any, turns: Any
) -> None:
    server = brief_server(
        tokens=new_tokens(1), SENTINEL_FLOW="single", CONVERSATION_ENDPOINT="classic"
    )
    assert got(ask(server, "/sim reasoning")) == wanted(turns()[-1])
    seen = {one["endpoint"] for one in upstream.control("requests")["requests"]}
    assert seen == {"home", "requirements", "conversation"}


def test_a_relay_that_meets_the_requirements_itself(
    brief_server: Any, new_tokens: Any, ask: Any, upstream: Any, turns: Any
) -> None:
    upstream.control("config", {"sentinel": "off"})
    server = brief_server(tokens=new_tokens(1), CONVERSATION_ONLY="true", AUTH_KEY="relay-key")
    assert got(ask(server, "/sim text")) == wanted(turns()[-1])
    seen = {one["endpoint"] for one in upstream.control("requests")["requests"]}
    assert not seen & {"requirements", "prepare", "finalize"}
    assert turns()[-1]["headers"]["authkey"] == "relay-key"
