"""Event faults: a reader that keeps to the rules still gets the answer, or a clear error."""

from __future__ import annotations

import json
from typing import Any

import pytest

ENCODINGS = pytest.mark.parametrize("encodings", [["v1"], []], ids=["v1", "snapshot"])
FAILED = "Something went wrong while generating the response."


@ENCODINGS
@pytest.mark.parametrize("fault", ["malformed", "strange", "scrambled", "double_end"])
@pytest.mark.parametrize("scenario", ["text", "reasoning", "search", "tools", "picture"])
def test_the_answer_survives(
    scenario: str, fault: str, encodings: list[str], caller: Any, control: Any
) -> None:
    reading = caller.read(f"/sim {scenario} fault={fault}", supported_encodings=encodings)
    expected = control("/requests")["requests"][-1]["expected"]
    assert (reading.text, reading.reasoning) == (expected["raw"], expected["reasoning"])
    assert reading.finish_reason == "stop"
    assert reading.images == expected["images"]


def test_scrambled_deltas_do_carry_useless_edits(caller: Any) -> None:
    body = caller.talk("/sim text words=20 fault=scrambled").body
    assert b"/message/nowhere/at/all" in body
    assert b"__proto__" in body
    assert b"LOST" in body


def test_malformed_events_are_counted_by_the_reader(caller: Any) -> None:
    assert caller.read("/sim text fault=malformed count=6").broken == 6


def test_endless_garbage_ends_only_with_the_caller(live: Any, live_caller: Any) -> None:
    headers = {**live_caller.headers, **live_caller.two_step()}
    body = live_caller.body("/sim text fault=malformed endless=1")
    connection = live.open("POST", "/backend-api/f/conversation", headers, body)
    response = connection.getresponse()
    read = b""
    while read.count(b"not json") < 3:
        read += response.read1()
    connection.close()


@pytest.mark.parametrize(
    ("form", "errors"),
    [
        ("text", ["Oops"]),
        ("object", [{"message": "Oops", "code": "rate_limit_exceeded"}]),
        ("code", ["Oops"]),
        ("detail", [{"message": "Oops", "code": "rate_limit_exceeded"}]),
        ("v1", ["Oops"]),
        ("system_error", []),
    ],
)
def test_the_first_event_is_an_error(form: str, errors: list[Any], caller: Any) -> None:
    reading = caller.read(f"/sim text fault=inband form={form} text=Oops code=rate_limit_exceeded")
    assert (reading.errors, reading.text, reading.done) == (errors, "", True)
    if form == "system_error":
        assert reading.messages[0]["content"]["content_type"] == "system_error"


@ENCODINGS
@pytest.mark.parametrize("form", ["text", "object", "patch"])
def test_an_error_in_the_middle(form: str, encodings: list[str], caller: Any) -> None:
    if form == "patch" and not encodings:
        pytest.skip("a patch needs a delta stream")
    words = f"/sim text words=9 fault=midway after=3 form={form}"
    reading = caller.read(words, supported_encodings=encodings)
    assert reading.text == "word1 word2 word3"
    assert FAILED in json.dumps(reading.errors)
    assert reading.done


def test_a_failed_turn_is_not_kept(caller: Any) -> None:
    reading = caller.read("/sim text fault=midway")
    path = f"/backend-api/conversation/{reading.conversation_id}"
    status = caller.call("GET", f"{path}/stream_status").json()
    assert status == {"status": "FAILURE"}
    roles = [
        node["message"]["author"]["role"]
        for node in caller.call("GET", path).json()["mapping"].values()
        if node["message"]
    ]
    assert roles == ["user"]


def test_what_comes_after_the_end_is_there_to_be_ignored(caller: Any) -> None:
    before, _, after = caller.talk("/sim text fault=after_end").body.partition(b"[DONE]")
    assert b"GHOST" in after
    assert b"GHOST" not in before


@ENCODINGS
@pytest.mark.parametrize(
    "drop",
    [
        "done",
        "complete",
        "last_token",
        "status",
        "done,complete",
        "done,complete,last_token,status",
    ],
)
def test_end_markers_left_out(drop: str, encodings: list[str], caller: Any) -> None:
    body = caller.talk(f"/sim text fault=end drop={drop}", supported_encodings=encodings).body
    marks = {
        "done": b"[DONE]",
        "complete": b'"message_stream_complete"',
        "last_token": b'"last_token"',
        "status": b'"is_complete"' if encodings else b'"end_turn":true,"weight":1.0',
    }
    missing = {name for name, mark in marks.items() if mark not in body}
    assert missing == set(drop.split(","))


def test_a_typed_end_instead_of_the_usual_one(caller: Any) -> None:
    body = caller.talk("/sim text fault=end typed=1").body
    assert body.endswith(b'data: {"type":"done"}\n\n')


@pytest.mark.parametrize("words", ["end drop=nothing", "inband form=nope", "midway form=nope"])
def test_a_wrong_parameter_is_explained(words: str, caller: Any) -> None:
    answer = caller.talk(f"/sim text fault={words}")
    assert answer.status == 400
    assert "is none of" in answer.json()["detail"]
