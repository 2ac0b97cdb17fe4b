"""Every answer of the APIs has the shape that is promised, and a stream adds up to the plain answer.

The shapes and the order of events are judged by `tests/schemas`; each case goes through chat completions,
responses and messages, by the emulation for chat accounts and natively through an OpenAI-compatible upstream.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import websocket

from tests.schemas.check import check, check_response_events, check_stream

from .processes import KEY, Server, Simulator

WEB, NATIVE = "gpt-5-5", "compat-large"
_IDS = re.compile(r"\b(msg|fc|ctc|rs|ig|call|toolu|file)_[A-Za-z0-9_-]+")
_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "day": {"type": "integer"}},
    "required": ["name", "day"],
    "additionalProperties": False,
}
_CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_CALLS = '/sim agent\ncall get_weather {"city": "Oslo"}\ncall get_weather {"city": "Lima"}'
_BOTH = '/sim agent\nsay I look.\ncall get_weather {"city": "Oslo"}'
_HALF = '/sim agent style=length\ncall get_weather {"city": "Oslo"}'


@dataclass(frozen=True)
class Case:
    """What is asked. `reason` is the finish_reason of chat completions; `only`: of this model alone."""

    text: str
    reason: str = "stop"
    only: str = ""
    tools: bool = False
    custom: bool = False
    schema: bool = False
    limit: int | None = None


CASES = {
    "text": Case("/sim agent\nsay Hello there, 你好 🎈."),
    "reasoning": Case("/sim agent\nthink Let me see.\nsay I have seen."),
    "long reasoning": Case("/sim reasoning", only=WEB),
    "citations": Case("/sim search", only=WEB),
    "pictures": Case("/sim picture", only=WEB),
    "moderated": Case("/sim refusal", "content_filter", only=WEB),
    "length": Case("/sim length", "length", only=WEB),
    "limit": Case("/sim agent\nsay " + "one two three " * 20, "length", limit=16),
    "calls": Case(_CALLS, "tool_calls", tools=True),
    "text and call": Case(_BOTH, "tool_calls", tools=True),
    "half a call": Case(_HALF, "length", only=NATIVE, tools=True),
    "no call": Case("/sim agent\nsay None needed.", tools=True),
    "free text call": Case("/sim agent\ncall run_code print('hi')", "tool_calls", custom=True),
    "json": Case('/sim agent\njson {"name": "Fair", "day": 5}', schema=True),
    "empty": Case("/sim agent\nsay ."),
}
ASKED = [
    pytest.param(case, model, id=f"{name}, {model}")
    for name, case in CASES.items()
    for model in (WEB, NATIVE)
    if case.only in ("", model)
]
asked = pytest.mark.parametrize(("case", "model"), ASKED)


@pytest.fixture(scope="module")
def house(start_server: Callable[..., Server], simulator: Simulator) -> Server:
    simulator.reset()
    return start_server(
        RETRY_TIMES="0",
        OPENAI_COMPATIBLE_BASE_URL=f"{simulator.url}/compat/v1",
        OPENAI_COMPATIBLE_API_KEY="sk-compat",
        OPENAI_COMPATIBLE_MODELS="compat-large,compat-mini",
    )


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {KEY}"
        yield session


Post = Callable[..., requests.Response]


@pytest.fixture
def post(house: Server, http: requests.Session) -> Post:
    def send(path: str, body: Any, **more: Any) -> requests.Response:
        return http.post(f"{house.base_url}/{path}", json=body, timeout=30, **more)

    return send


def read(answer: requests.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def without_ids(value: Any) -> Any:
    """Ids are drawn for each answer; in their places stands what they name."""
    return json.loads(_IDS.sub(r"\1", json.dumps(value)))


def chat_body(case: Case, model: str) -> dict[str, Any]:
    function = {"name": "get_weather", "description": "Weather", "parameters": _CITY}
    custom = {"name": "run_code", "description": "Runs Python"}
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": case.text}]}
    body |= {"tools": [{"type": "function", "function": function}]} if case.tools else {}
    body |= {"tools": [{"type": "custom", "custom": custom}]} if case.custom else {}
    body |= {"max_tokens": case.limit} if case.limit else {}
    if case.schema:
        schema = {"name": "event", "strict": True, "schema": _SCHEMA}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def responses_body(case: Case, model: str) -> dict[str, Any]:
    function = {"type": "function", "name": "get_weather", "parameters": _CITY}
    body: dict[str, Any] = {"model": model, "input": case.text}
    body |= {"tools": [function]} if case.tools else {}
    body |= {"tools": [{"type": "custom", "name": "run_code"}]} if case.custom else {}
    body |= {"max_output_tokens": case.limit} if case.limit else {}
    if case.schema:
        body["text"] = {"format": {"type": "json_schema", "name": "event", "schema": _SCHEMA}}
    return body


# --- chat completions


@asked
def test_chat_completions(case: Case, model: str, post: Post) -> None:
    body = chat_body(case, model)
    whole = read(post("chat/completions", body))
    check("chat.completion", whole)
    [choice] = whole["choices"]
    assert choice["finish_reason"] == case.reason
    options = {"stream": True, "stream_options": {"include_usage": True}}
    streamed = check_stream("chat", post("chat/completions", {**body, **options}).content)
    [same] = streamed.whole
    told = {key: value for key, value in choice["message"].items() if key != "annotations"}
    assert without_ids(same) == without_ids({"message": told, "finish_reason": case.reason})
    for key in ("prompt_tokens", "completion_tokens"):
        assert streamed.payloads[-1]["usage"][key] == whole["usage"][key]


@pytest.mark.parametrize("model", [WEB, NATIVE])
def test_legacy_functions(model: str, post: Post) -> None:
    function = {"name": "get_weather", "parameters": _CITY}
    text = '/sim agent\ncall get_weather {"city": "Oslo"}'
    body = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "functions": [function],
    }
    whole = read(post("chat/completions", body))
    check("chat.completion", whole)
    [choice] = whole["choices"]
    assert choice["finish_reason"] == "function_call"
    [same] = check_stream("chat", post("chat/completions", {**body, "stream": True}).content).whole
    told = {key: value for key, value in choice["message"].items() if key != "annotations"}
    assert same == {"message": told, "finish_reason": "function_call"}


@pytest.mark.parametrize("model", [WEB, NATIVE])
def test_several_choices(model: str, post: Post) -> None:
    body = {**chat_body(CASES["calls"], model), "n": 2}
    whole = read(post("chat/completions", body))
    check("chat.completion", whole)
    assert len(whole["choices"]) == 2
    streamed = check_stream("chat", post("chat/completions", {**body, "stream": True}).content)
    assert len(streamed.whole) == 2


# --- responses


@asked
def test_responses(case: Case, model: str, post: Post) -> None:
    body = responses_body(case, model)
    whole = read(post("responses", body))
    check("response", whole)
    assert whole["status"] == (
        "incomplete" if case.reason in ("length", "content_filter") else "completed"
    )
    streamed = check_stream("responses", post("responses", {**body, "stream": True}).content)
    assert without_ids(streamed.whole["output"]) == without_ids(whole["output"])
    assert streamed.whole["usage"] == whole["usage"]
    assert streamed.whole["status"] == whole["status"]


@pytest.mark.parametrize("model", [WEB, NATIVE])
def test_what_is_kept_of_a_response(
    model: str, post: Post, house: Server, http: requests.Session
) -> None:
    made = read(post("responses", responses_body(CASES["calls"], model)))
    [first, *_] = [item for item in made["output"] if item["type"] == "function_call"]
    results = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "cold"}
        for item in made["output"]
        if item["type"] == "function_call"
    ]
    after = read(
        post("responses", {"model": model, "input": results, "previous_response_id": made["id"]})
    )
    check("response", after)
    place = f"{house.base_url}/responses/{after['id']}"
    kept = read(http.get(place, timeout=10))
    check("response", kept)
    assert kept == after
    items = read(http.get(f"{place}/input_items", params={"order": "asc"}, timeout=10))
    check("response.input_items", items)
    assert first["call_id"] in [item.get("call_id") for item in items["data"]]
    check("response.deleted", read(http.delete(place, timeout=10)))
    gone = http.get(place, timeout=10)
    assert gone.status_code == 404
    check("error", gone.json())


def test_what_stands_beside_responses(post: Post) -> None:
    asked = {"model": WEB, "input": "How long is this?"}
    check("response.input_tokens", read(post("responses/input_tokens", asked)))
    check("response.compaction", read(post("responses/compact", asked)))


def test_responses_over_a_websocket(house: Server) -> None:
    """Two turns on one connection; the second goes on from the first, which is kept nowhere else."""
    address = f"ws://127.0.0.1:{house.port}/v1/responses"
    wire = websocket.create_connection(
        address, header={"Authorization": f"Bearer {KEY}"}, timeout=20
    )
    told: list[Any] = []
    with closing(wire):
        for text in (CASES["calls"].text, "/sim agent\nsay And so on."):
            body = {**responses_body(CASES["calls"], WEB), "input": text, "store": False}
            body["previous_response_id"] = told[-1]["id"] if told else None
            wire.send(json.dumps({"type": "response.create", **body}))
            events: list[Any] = []
            while not events or not events[-1]["type"].endswith((".completed", "error")):
                events.append(json.loads(wire.recv()))
            told.append(check_response_events(events).whole)
    assert [item["type"] for item in told[0]["output"]] == ["function_call"] * 2
    assert told[1]["previous_response_id"] == told[0]["id"]
    assert told[1]["output"][0]["content"][0]["text"] == "And so on."


# --- messages


def messages_body(case: Case, model: str) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "max_tokens": case.limit or 4000}
    body["messages"] = [{"role": "user", "content": case.text}]
    tool = {"name": "get_weather", "description": "Weather", "input_schema": _CITY}
    body |= {"tools": [tool]} if case.tools else {}
    body |= {"thinking": {"type": "enabled", "budget_tokens": 1024}} if "think" in case.text else {}
    return body


STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


@pytest.mark.parametrize(
    ("case", "model"), [one for one in ASKED if not (one.values[0].custom or one.values[0].schema)]
)
def test_messages(case: Case, model: str, post: Post) -> None:
    body = messages_body(case, model)
    whole = read(post("messages", body))
    check("anthropic.message", whole)
    assert whole["stop_reason"] == STOPS[case.reason]
    streamed = check_stream("messages", post("messages", {**body, "stream": True}).content)
    assert without_ids(streamed.whole["content"]) == without_ids(whole["content"])
    assert streamed.whole["stop_reason"] == whole["stop_reason"]
    assert streamed.whole["usage"]["output_tokens"] == whole["usage"]["output_tokens"]


def test_what_stands_beside_messages(post: Post, house: Server, http: requests.Session) -> None:
    asked = {"model": WEB, "messages": [{"role": "user", "content": "How long is this?"}]}
    check("anthropic.count_tokens", read(post("messages/count_tokens", asked)))
    version = {"anthropic-version": "2023-06-01"}
    listed = read(http.get(f"{house.base_url}/models", headers=version, timeout=10))
    check("anthropic.model.list", listed)
    one = f"{house.base_url}/models/{listed['data'][0]['id']}"
    check("anthropic.model", read(http.get(one, headers=version, timeout=10)))


# --- models and errors


def test_models(house: Server, http: requests.Session) -> None:
    listed = read(http.get(f"{house.base_url}/models", timeout=10))
    check("model.list", listed)
    one = f"{house.base_url}/models/{listed['data'][0]['id']}"
    check("model", read(http.get(one, timeout=10)))
    missing = http.get(f"{house.base_url}/models/no-such-model", timeout=10)
    assert missing.status_code == 404
    check("error", missing.json())


WRONG: dict[str, Callable[[str], dict[str, Any]]] = {
    "no body": lambda path: {"data": b""},
    "no JSON": lambda path: {"data": b'{"model": '},
    "a list": lambda path: {"json": []},
    "nothing in it": lambda path: {"json": {}},
    "wrong types": lambda path: {
        "json": {"model": 5, "messages": 5, "input": 5, "max_tokens": "x"}
    },
    "wrong key": lambda path: {"headers": {"Authorization": "Bearer sk-wrong"}, "json": {}},
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("path", ["chat/completions", "responses", "responses/compact", "messages"])
def test_errors(path: str, wrong: str, house: Server, http: requests.Session) -> None:
    answer = http.post(f"{house.base_url}/{path}", timeout=10, **WRONG[wrong](path))
    assert answer.status_code in (400, 401), answer.text
    assert (answer.status_code == 401) == (wrong == "wrong key")
    check("anthropic.error" if path == "messages" else "error", answer.json())


@pytest.mark.parametrize(
    ("kind", "path", "asked"),
    [
        ("chat", "chat/completions", "messages"),
        ("responses", "responses", "input"),
        ("messages", "messages", "messages"),
    ],
)
def test_a_stream_that_fails_says_so(kind: str, path: str, asked: str, post: Post) -> None:
    """After the first byte there is no status any more: the error is an event, and the last one."""
    text = "/sim text fault=reset after=3 recover=none"
    said: Any = [{"role": "user", "content": text}] if asked == "messages" else text
    body = {"model": WEB, asked: said, "stream": True, "max_tokens": 100}
    if asked == "input":
        del body["max_tokens"]
    answer = post(path, body)
    assert answer.status_code == 200, answer.text
    assert check_stream(kind, answer.content).error is not None
