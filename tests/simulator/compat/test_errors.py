"""Refusals in the words of the other API."""

from __future__ import annotations

import json

from chat2api.simulator.compat.asking import Wrong
from chat2api.simulator.compat.errors import error, in_our_words, refused
from chat2api.simulator.refusals import Reply, coded, detail, errored


def told(reply: Reply) -> dict[str, str | None]:
    assert isinstance(reply.body, bytes)
    error: dict[str, str | None] = json.loads(reply.body)["error"]
    return error


def test_an_error_has_four_fields() -> None:
    reply = error(404, "No.", param="model", code="model_not_found")
    assert reply.status == 404
    assert told(reply) == {
        "message": "No.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
    assert told(error(503, "x"))["type"] == "server_error"


def test_a_wrong_body() -> None:
    refusal = refused(Wrong("No.", "n", "bad"))
    assert (refusal.reply.status, refusal.reason) == (400, "body")
    assert (told(refusal.reply)["param"], told(refusal.reply)["code"]) == ("n", "bad")


def test_the_words_of_the_web_are_put_into_ours() -> None:
    reply = in_our_words(coded(429, "cap", "Too many").with_headers(("Retry-After", "7")))
    assert (told(reply)["message"], told(reply)["code"]) == ("Too many", "cap")
    assert ("Retry-After", "7") in reply.headers
    assert [name for name, _ in reply.headers].count("Content-Type") == 1
    assert told(in_our_words(detail(500, "Oh")))["message"] == "Oh"


def test_other_answers_stay_as_they_are() -> None:
    for reply in (
        errored(403, "no", "No"),
        Reply(502, b"<html>"),
        Reply(200, b"[]"),
        Reply(200, iter(())),
    ):
        assert in_our_words(reply) is reply
