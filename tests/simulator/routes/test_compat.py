"""The API like OpenAI's, over HTTP."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

KEY = {"Authorization": "Bearer sk-compat"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}},
            "required": ["location"],
        },
    },
}


@pytest.fixture
def post(app: Flask) -> Callable[..., TestResponse]:
    client = app.test_client()
    return lambda path, body, headers=KEY: client.post(
        f"/compat/v1{path}", json=body, headers=headers
    )


@pytest.fixture
def ask(post: Any) -> Callable[..., Any]:
    """`ask(text or messages, field=value)` gives the answer's JSON."""

    def asked(said: Any, *, status: int = 200, **fields: Any) -> Any:
        messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
        answer = post(
            "/chat/completions", {"model": "compat-large", "messages": messages, **fields}
        )
        assert answer.status_code == status, answer.data
        return answer.get_json()

    return asked


def events(body: bytes) -> list[str]:
    return [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]


def test_only_holders_of_the_key(post: Any, app: Flask, control: Any) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}):
        answer = post("/chat/completions", {}, headers)
        assert answer.status_code == 401
        assert set(answer.get_json()["error"]) == {"message", "type", "param", "code"}
    control("/config", {"compat_key": ""})
    assert app.test_client().get("/compat/v1/models").status_code == 200


def test_the_models(app: Flask) -> None:
    client = app.test_client()
    data = client.get("/compat/v1/models", headers=KEY).get_json()["data"]
    names = [model["id"] for model in data]
    assert names == ["compat-large", "compat-mini", "compat-image", "compat-tts"]
    one = client.get("/compat/v1/models/compat-mini", headers=KEY).get_json()
    assert one == data[1]
    missing = client.get("/compat/v1/models/gpt-9", headers=KEY)
    assert (missing.status_code, missing.get_json()["error"]["code"]) == (404, "model_not_found")


def test_a_tool_is_called_and_its_result_told(ask: Any) -> None:
    said = [{"role": "user", "content": "Weather in Rome and Oslo?"}]
    choice = ask(said, tools=[WEATHER])["choices"][0]
    calls = choice["message"]["tool_calls"]
    assert [json.loads(call["function"]["arguments"])["location"] for call in calls] == [
        "Rome",
        "Oslo",
    ]
    assert choice["finish_reason"] == "tool_calls"
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": f"{at} C"}
        for at, call in enumerate(calls)
    ]
    told = ask([*said, choice["message"], *results], tools=[WEATHER])["choices"][0]
    assert told["message"]["content"] == "Here is what I found: 0 C\n1 C"
    assert told["finish_reason"] == "stop"


def test_without_anything_to_do_it_is_the_echo(ask: Any) -> None:
    said = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Good morning"}]
    text = ask(said, tools=[WEATHER])["choices"][0]["message"]["content"]
    assert "> Good morning" in text
    assert "Be kind." in text


def test_pictures_are_seen(ask: Any) -> None:
    url = f"data:image/png;base64,{base64.b64encode(b'12345').decode()}"
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    text = ask([{"role": "user", "content": content}])["choices"][0]["message"]["content"]
    assert text.startswith("I see a picture of 5 bytes.")


def test_json(ask: Any) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "integer"}}}
    assert ask("I am 7", response_format=form)["choices"][0]["message"]["content"] == "7"


def test_scenarios_of_text(ask: Any) -> None:
    thinking = ask("/sim reasoning")["choices"][0]["message"]
    assert (thinking["content"][:2], bool(thinking["reasoning_content"])) == ("97", True)
    assert ask("/sim length")["choices"][0]["finish_reason"] == "length"
    assert ask("/sim refusal")["choices"][0]["finish_reason"] == "content_filter"
    words = ask("/sim text words=9", max_tokens=3, n=2)
    assert [one["message"]["content"] for one in words["choices"]] == ["word1 word2 word3"] * 2
    assert words["usage"]["completion_tokens"] == 6


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("/sim nothing", "no scenario `nothing`"),
        ("/sim text fault=nothing", "no fault `nothing`"),
        ("/sim agent style=loud", "no style `loud`"),
        ("/sim baked", "not for this API"),
        ("/sim text words=many", "not a number"),
    ],
)
def test_mistakes_are_named(ask: Any, text: str, problem: str) -> None:
    assert problem in ask(text, status=400)["error"]["message"]


def test_bodies_that_are_none(post: Any, app: Flask, ask: Any) -> None:
    client = app.test_client()
    for data in (b"{", b"[]", b""):
        answer = client.post("/compat/v1/chat/completions", data=data, headers=KEY)
        assert answer.status_code == 400
    assert post("/chat/completions", {"model": "compat-large"}).get_json()["error"]["param"] == (
        "messages"
    )
    assert ask("Hi", status=404, model="gpt-9")["error"]["code"] == "model_not_found"


def test_a_stream(post: Any) -> None:
    body = {
        "model": "compat-mini",
        "messages": [{"role": "user", "content": "/sim text words=3"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    answer = post("/chat/completions", body)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    *data, end = events(answer.data)
    assert end == "[DONE]"
    *chunks, usage = map(json.loads, data)
    text = "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks)
    assert text == "word1 word2 word3"
    assert usage["usage"]["completion_tokens"] == 3
    assert len({one["id"] for one in chunks}) == 1


def test_faults(ask: Any, post: Any, control: Any) -> None:
    error = ask("/sim text fault=status status=503", status=503)["error"]
    assert (error["message"], error["type"]) == ("Something went wrong.", "server_error")
    said = {"messages": [{"role": "user", "content": "/sim text fault=rate seconds=7"}]}
    limited = post("/chat/completions", {"model": "compat-large", **said})
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "7")
    # The same text again is the same request.
    once = "/sim text fault=status status=500 times=1"
    ask(once, status=500)
    ask(once)
    control("/next", {"endpoint": "compat_chat", "fault": "policy"})
    assert ask("Hi", status=400)["error"]["code"] == "content_policy_violation"


def test_faults_of_streams(post: Any) -> None:
    def stream(text: str) -> list[str]:
        said = [{"role": "user", "content": text}]
        body = {"model": "compat-mini", "messages": said, "stream": True}
        return events(post("/chat/completions", body).data)

    assert json.loads(stream("/sim text fault=midway after=1")[2])["error"]["message"]
    assert "not json at all" in stream("/sim text fault=malformed")
    assert "[DONE]" not in stream("/sim text fault=close after=2")
    assert len(stream("/sim text fault=close after=2")) == 3


def test_other_routes_play_faults_too(app: Flask, control: Any) -> None:
    control("/next", {"endpoint": "compat_models", "fault": "status", "params": {"status": 500}})
    answer = app.test_client().get("/compat/v1/models", headers=KEY)
    assert answer.get_json()["error"]["type"] == "server_error"


def test_it_is_recorded(ask: Any, control: Any) -> None:
    ask("Weather in Rome", tools=[WEATHER])
    (record,) = control("/requests?endpoint=compat_chat")["requests"]
    assert (record["status"], record["completed"], record["scenario"]) == (200, True, "echo")
    assert record["expected"]["finish_reason"] == "tool_calls"
    assert "sk-compat" not in json.dumps(record)


# --- pictures and speech


def test_pictures(post: Any, app: Flask) -> None:
    body = {"model": "compat-image", "prompt": "a cat", "n": 2}
    value = post("/images/generations", body).get_json()
    pictures = [base64.b64decode(one["b64_json"]) for one in value["data"]]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert pictures[0] != pictures[1]
    assert value["usage"]["total_tokens"] > 0
    by_url = post("/images/generations", {**body, "response_format": "url"}).get_json()
    kept = app.test_client().get(by_url["data"][0]["url"])
    assert (kept.mimetype, kept.data) == ("image/png", pictures[0])
    assert app.test_client().get("/compat/v1/pictures/none.png").status_code == 404


def test_a_picture_in_events(post: Any) -> None:
    answer = post("/images/generations", {"model": "compat-image", "prompt": "x", "stream": True})
    kinds = [json.loads(one)["type"] for one in events(answer.data)]
    assert kinds == ["image_generation.partial_image", "image_generation.completed"]
    assert b"event: image_generation.completed" in answer.data


def test_an_edited_picture_depends_on_what_was_sent(app: Flask) -> None:
    def edit(picture: bytes | None, **fields: str) -> TestResponse:
        data: dict[str, Any] = {"model": "compat-image", "prompt": "x", **fields}
        if picture is not None:
            data["image"] = (io.BytesIO(picture), "a.png")
        return app.test_client().post("/compat/v1/images/edits", data=data, headers=KEY)

    assert edit(b"one").get_json()["data"] != edit(b"two").get_json()["data"]
    assert len(edit(b"one", n="3").get_json()["data"]) == 3
    assert b"image_edit.completed" in edit(b"one", stream="true").data
    assert edit(None).get_json()["error"]["param"] == "image"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x", "n": "two"}, "n"),
        ({"prompt": "x", "n": 99}, "n"),
    ],
)
def test_pictures_that_cannot_be(post: Any, body: Any, param: str) -> None:
    answer = post("/images/generations", {"model": "compat-image", **body})
    assert (answer.status_code, answer.get_json()["error"]["param"]) == (400, param)


def test_speech(post: Any) -> None:
    body = {"model": "compat-tts", "voice": "alloy", "input": "Good morning"}
    spoken = post("/audio/speech", body)
    assert (spoken.mimetype, spoken.data[:2]) == ("audio/mpeg", b"\xff\xfb")
    sound = post("/audio/speech", {**body, "response_format": "wav"})
    raw = post("/audio/speech", {**body, "response_format": "pcm"})
    assert (sound.mimetype, sound.data[44:]) == ("audio/wav", raw.data)
    kinds = [
        json.loads(one)["type"]
        for one in events(post("/audio/speech", {**body, "stream_format": "sse"}).data)
    ]
    assert kinds == ["speech.audio.delta", "speech.audio.done"]
    for wrong in ({"input": ""}, {"voice": None}, {"response_format": "vinyl"}):
        assert post("/audio/speech", {**body, **wrong}).status_code == 400
