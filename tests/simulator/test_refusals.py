"""Refusals in the upstream's own words."""

from __future__ import annotations

import json

import pytest

from chat2api.simulator.params import BadParameter
from chat2api.simulator.refusals import (
    Refusal,
    Reply,
    coded,
    grant_refused,
    json_reply,
    model_not_found,
    unusual_activity,
    wrong_schema,
)


def body(reply: Reply) -> object:
    assert isinstance(reply.body, bytes)
    return json.loads(reply.body)


def test_json_with_more_headers() -> None:
    reply = json_reply({"é": 1}, 201, ("X-A", "b")).with_headers(("X-C", "d"))
    assert (reply.status, body(reply)) == (201, {"é": 1})
    assert reply.headers == (("Content-Type", "application/json"), ("X-A", "b"), ("X-C", "d"))
    assert list(reply.pieces) == [reply.body]


def test_a_coded_detail() -> None:
    reply = coded(429, "model_cap_exceeded", "Later.", clears_in=5)
    assert body(reply) == {
        "detail": {"code": "model_cap_exceeded", "message": "Later.", "clears_in": 5}
    }


def test_an_unknown_model_is_named() -> None:
    assert body(model_not_found("gpt-9")) == {
        "detail": {
            "message": "The model `gpt-9` does not exist or you do not have access to it.",
            "type": "invalid_request_error",
            "param": None,
            "code": "model_not_found",
        }
    }


def test_a_wrong_schema_lists_every_problem() -> None:
    refusal = wrong_schema((("a", 0), "Field required", "missing"), (("b",), "Bad", "type"))
    assert (refusal.reply.status, refusal.reason) == (422, "schema")
    assert body(refusal.reply) == {
        "detail": [
            {"type": "missing", "loc": ["body", "a", 0], "msg": "Field required"},
            {"type": "type", "loc": ["body", "b"], "msg": "Bad"},
        ]
    }


@pytest.mark.parametrize(
    ("code", "form", "status", "shown"),
    [
        ("refresh_token_reused", "auto", 401, "object"),
        ("invalid_grant", "auto", 400, "string"),
        ("invalid_grant", "object", 400, "object"),
        ("refresh_token_reused", "string", 401, "string"),
        ("app_session_terminated", "code", 400, "code"),
    ],
)
def test_a_refused_grant_says_its_code_in_one_place(
    code: str, form: str, status: int, shown: str
) -> None:
    reply = grant_refused(code, form)
    found = body(reply)
    assert isinstance(found, dict)
    text = found.get("error_description") or found.get("message") or found["error"]["message"]
    shapes = {
        "object": {"error": {"code": code, "message": text, "type": code, "param": None}},
        "string": {"error": code, "error_description": text},
        "code": {"code": code, "message": text},
    }
    assert (reply.status, found) == (status, shapes[shown])
    assert grant_refused(code, form, 403).status == 403


def test_an_unknown_place_is_explained() -> None:
    with pytest.raises(BadParameter, match="form='nope' is none of"):
        grant_refused("invalid_grant", "nope")


def test_unusual_activity_keeps_its_reason_to_itself() -> None:
    refusal = unusual_activity("proof_work")
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "proof_work"
    assert body(refusal.reply) == {
        "detail": "Unusual activity has been detected from your device. Try again later."
    }
