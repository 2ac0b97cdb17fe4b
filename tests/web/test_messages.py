"""The Messages API over a provider that plays a script: from body to bytes, and whose errors are told."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

import pytest

from chat2api.chat.conversation import Limits, Message, Text
from chat2api.chat.events import Finish, ReasoningDelta, TextDelta
from chat2api.errors import UpstreamRateLimited, UpstreamTruncated

BODY = {
    "model": "claude-opus-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hi"}],
}
VERSION = {"anthropic-version": "2023-06-01"}


def ask(site: Any, path: str = "/v1/messages", **more: Any) -> Any:
    sent = {name: more.pop(name) for name in ("key", "headers") if name in more}
    return site.send("POST", path, json={**BODY, **more}, **sent)


def told(response: Any) -> list[Any]:
    blocks = response.get_data(as_text=True).split("\n\n")[:-1]
    return [json.loads(block.split("\n")[1].removeprefix("data: ")) for block in blocks]


def failure(response: Any) -> tuple[int, str, str]:
    """Status, type and message of an error; its form is checked."""
    body = response.get_json()
    assert (body["type"], set(body)) == ("error", {"type", "error", "request_id"})
    assert set(body["error"]) == {"type", "message"}
    assert body["request_id"] == response.headers["request-id"] == response.headers["x-request-id"]
    return response.status_code, body["error"]["type"], body["error"]["message"]


@pytest.fixture(autouse=True)
def nothing_is_left(site: Any) -> Any:
    yield
    assert site.is_idle()


def test_a_whole_message(site: Any) -> None:
    response = ask(site, "/v1/messages?beta=true", temperature=0.5, top_k=3)
    document = response.get_json()
    assert re.fullmatch(r"msg_[A-Za-z0-9]{29}", document["id"])
    assert document["content"] == [{"type": "text", "text": "Hello!"}]
    assert (document["model"], document["stop_reason"]) == ("claude-opus-5", "end_turn")
    assert document["usage"]["output_tokens"] > 0
    assert response.headers["request-id"] == response.headers["x-request-id"]
    assert response.headers["x-chat2api-provider"] == "fake"
    assert response.headers["x-chat2api-ignored"] == "temperature, top_k"


def test_the_conversation_that_is_asked(site: Any) -> None:
    ask(site, system="Be brief.")
    (conversation, _, _) = site.provider.turns[0]
    assert conversation.messages == (
        Message("system", (Text("Be brief."),)),
        Message("user", (Text("Hi"),)),
    )
    assert conversation.limits == Limits(100)


def test_a_stream_counts_its_tokens(site: Any) -> None:
    response = ask(site, stream=True)
    assert response.content_type == "text/event-stream; charset=utf-8"
    frames = told(response)
    assert [frame["type"] for frame in frames][:3] == [
        "message_start",
        "ping",
        "content_block_start",
    ]
    assert [frame["type"] for frame in frames][-2:] == ["message_delta", "message_stop"]
    said = [frame["delta"]["text"] for frame in frames if frame["type"] == "content_block_delta"]
    assert "".join(said) == "Hello!"
    assert frames[-2]["usage"]["input_tokens"] > 0
    assert frames[-2]["usage"]["output_tokens"] > 0


def test_thinking(site: Any) -> None:
    site.plays([ReasoningDelta("hm"), TextDelta("Hi"), Finish("stop")])
    assert [block["type"] for block in ask(site).get_json()["content"]] == ["text"]
    thinking = {"type": "adaptive"}
    blocks = ask(site, thinking=thinking).get_json()["content"]
    assert [block["type"] for block in blocks] == ["thinking", "text"]


def test_pings_keep_it_alive(site: Any) -> None:
    """The first comes after the beginning of a message, as clients demand."""
    going_on = threading.Event()
    site.given["keepalive_seconds"] = 0.001

    def one_beat() -> None:
        time.sleep(0.002)
        site.watchdog.tick(time.monotonic())

    site.plays([one_beat, lambda: going_on.wait(5), TextDelta("a"), Finish("stop")])
    pieces = ask(site, stream=True).iter_encoded()
    first = next(pieces).decode()
    assert re.findall(r"^event: (.*)$", first, re.MULTILINE) == ["message_start", "ping", "ping"]
    going_on.set()
    assert b"".join(pieces).endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')


def test_a_stop_sequence(site: Any) -> None:
    site.plays([TextDelta("one END two"), Finish("stop")])
    document = ask(site, stop_sequences=["END"]).get_json()
    assert document["content"] == [{"type": "text", "text": "one "}]
    assert (document["stop_reason"], document["stop_sequence"]) == ("stop_sequence", "END")


@pytest.mark.parametrize("header", ["Authorization", "x-api-key"])
def test_where_a_key_may_stand(site: Any, header: str) -> None:
    assert ask(site, key=None, headers={header: "sk-key-of-the-suite"}).status_code == 200
    refused = ask(site, key=None, headers={header: "sk-wrong"})
    assert failure(refused)[:2] == (401, "authentication_error")


def test_both_at_once(site: Any) -> None:
    headers = {"Authorization": "Bearer sk-key-of-the-suite", "x-api-key": "sk-another"}
    assert ask(site, key=None, headers=headers).status_code == 200


# --- errors


def test_a_request_that_is_wrong(site: Any) -> None:
    status, kind, message = failure(ask(site, max_tokens=None))
    assert (status, kind) == (400, "invalid_request_error")
    assert "max_tokens" in message


@pytest.mark.parametrize(
    ("method", "path", "request_", "expected"),
    [
        ("POST", "/v1/messages", {"data": b"{"}, (400, "invalid_request_error")),
        ("GET", "/v1/messages", {}, (405, "invalid_request_error")),
        ("POST", "/v1/messages/batches", {"json": {}}, (404, "not_found_error")),
        ("GET", "/v1/unheard-of", {"headers": VERSION}, (404, "not_found_error")),
        ("GET", "/v1/models/none", {"headers": VERSION}, (404, "not_found_error")),
        ("GET", "/v1/messages?a=%00", {}, (400, "invalid_request_error")),
    ],
)
def test_errors_before_a_view_had_its_say(
    site: Any, method: str, path: str, request_: Any, expected: tuple[int, str]
) -> None:
    assert failure(site.send(method, path, **request_))[:2] == expected


def test_others_are_told_errors_as_before(site: Any) -> None:
    response = site.send("GET", "/v1/unheard-of")
    assert "code" in response.get_json()["error"]
    assert "request-id" not in response.headers
    assert "code" in site.ask(messages=[]).get_json()["error"]


def test_a_key_that_may_not(site: Any) -> None:
    _, secret = site.keys.create("Bob", models=["claude-haiku*"])
    key = secret.reveal()
    assert failure(ask(site, key=key))[:2] == (403, "permission_error")
    assert ask(site, key=key, model="claude-haiku-5").status_code == 200
    refused = ask(site, "/v1/messages/count_tokens", key=key)
    assert failure(refused)[:2] == (403, "permission_error")


def test_a_key_for_this_alone_and_one_for_all_else(site: Any) -> None:
    _, ours = site.keys.create("Bob", scopes=["messages"])
    _, others = site.keys.create("Eve", scopes=["chat", "responses"])
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        assert ask(site, path, key=ours.reveal()).status_code == 200
        assert failure(ask(site, path, key=others.reveal()))[:2] == (403, "permission_error")


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_refuses(site: Any, stream: bool) -> None:
    site.plays([UpstreamRateLimited("Used up.", retry_after=7)])
    response = ask(site, stream=stream)
    assert failure(response) == (429, "rate_limit_error", "Used up.")
    assert response.headers["Retry-After"] == "7"


def test_a_stream_that_breaks_off(site: Any) -> None:
    site.plays([TextDelta("Hel"), UpstreamTruncated("It broke off.")])
    frames = told(ask(site, stream=True))
    assert frames[-1]["error"] == {"type": "api_error", "message": "It broke off."}
    assert "message_stop" not in [frame["type"] for frame in frames]


# --- counting


def test_tokens_are_counted_without_asking_anybody(site: Any) -> None:
    body = {"model": "claude-x", "messages": BODY["messages"]}
    small = site.send("POST", "/v1/messages/count_tokens?beta=true", json=body).get_json()
    system = {**body, "system": "Be brief. " * 10}
    large = site.send("POST", "/v1/messages/count_tokens", json=system).get_json()
    assert set(small) == {"input_tokens"}
    assert 0 < small["input_tokens"] < large["input_tokens"] - 20
    assert site.provider.turns == []
    wrong = site.send("POST", "/v1/messages/count_tokens", json={"messages": []})
    assert failure(wrong)[:2] == (400, "invalid_request_error")


def test_a_probe_at_the_root_does_no_harm(site: Any) -> None:
    response = site.send("HEAD", "/", key=None)
    assert (response.status_code, response.get_data()) == (200, b"")
