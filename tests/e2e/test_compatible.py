"""An OpenAI-compatible upstream beside the accounts: what is passed through, and what goes wrong on the way
(fault matrix A08 to A20 and B01 to B16, as far as they concern an upstream with a key)."""

from __future__ import annotations

import base64
import time
from typing import Any

import openai
import pytest
import requests

from .processes import KEY

LARGE = "compat-large"
WORDS = "word1 word2 word3"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture(scope="module")
def server(start_server: Any, simulator: Any, demo_tokens: list[str]) -> Any:
    """With an account, and everything that the other upstream lists."""
    return start_server(
        tokens=demo_tokens[:1],
        ALLOW_ANONYMOUS="true",
        RETRY_TIMES="1",
        KEEPALIVE_SECONDS="0.4",
        FIRST_BYTE_SECONDS="2",
        IDLE_SECONDS="1.5",
        OPENAI_COMPATIBLE_NAME="compat",
        OPENAI_COMPATIBLE_BASE_URL=f"{simulator.url}/compat/v1",
        OPENAI_COMPATIBLE_API_KEY="sk-compat",
    )


@pytest.fixture
def client(sdk: Any, server: Any, upstream: Any) -> Any:
    return sdk(server)


def seen(upstream: Any, endpoint: str = "compat_chat") -> list[Any]:
    return list(upstream.control(f"requests?endpoint={endpoint}")["requests"])


# --- who is asked


def test_its_models_are_listed_with_the_accounts(client: Any, server: Any) -> None:
    owners = {model.id: model.owned_by for model in client.models.list()}
    assert (owners[LARGE], owners["auto"]) == ("compat", "openai")
    assert client.models.retrieve(f"compat/{LARGE}").owned_by == "compat"
    keyless = requests.get(f"{server.base_url}/models", timeout=10).json()["data"]
    assert LARGE not in {model["id"] for model in keyless}


@pytest.mark.parametrize("model", [LARGE, f"compat/{LARGE}"])
def test_a_name_leads_to_it(server: Any, upstream: Any, ask: Any, model: str) -> None:
    answer = ask(server, "/sim text words=3", model=model)
    assert (answer.text, answer.finish_reason) == (WORDS, "stop")
    assert answer.headers["x-chat2api-provider"] == "compat"
    assert len(seen(upstream)) == 1


def test_other_names_and_strangers_are_for_the_accounts(
    server: Any, upstream: Any, ask: Any
) -> None:
    assert ask(server, model="gpt-5-5").headers["x-chat2api-provider"] == "chatgpt"
    assert ask(server, model=LARGE, key=None).headers["x-chat2api-provider"] == "chatgpt"
    assert seen(upstream) == []


def test_a_model_that_it_does_not_have(server: Any, upstream: Any, ask: Any) -> None:
    answer = ask(server, model="compat/none")
    assert (answer.status, answer.code, answer.error["param"]) == (404, "model_not_found", "model")


# --- what is passed through


@pytest.mark.parametrize("stream", [True, False])
def test_text_usage_and_parameters(client: Any, upstream: Any, stream: bool) -> None:
    request: dict[str, Any] = {
        "model": LARGE,
        "messages": [{"role": "user", "content": "/sim text words=40"}],
        "max_tokens": 5,
        "temperature": 0.5,
    }
    if not stream:
        done = client.chat.completions.create(**request)
        reason, usage = done.choices[0].finish_reason, done.usage
    else:
        chunks = list(
            client.chat.completions.create(
                **request, stream=True, stream_options={"include_usage": True}
            )
        )
        reason, usage = chunks[-2].choices[0].finish_reason, chunks[-1].usage
        assert chunks[-1].choices == []
    assert reason == "length"
    assert usage.completion_tokens == 5
    raw = client.chat.completions.with_raw_response.create(**request)
    assert "x-chat2api-ignored" not in raw.headers


def test_native_tools(client: Any) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Oslo?"}]
    first = client.chat.completions.create(model=LARGE, messages=messages, tools=[WEATHER])
    (call,) = first.choices[0].message.tool_calls
    assert (first.choices[0].finish_reason, call.function.name) == ("tool_calls", "get_weather")
    messages += [
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "Rain, 7 degrees"},
    ]
    second = client.chat.completions.create(model=LARGE, messages=messages, tools=[WEATHER])
    assert "Rain, 7 degrees" in second.choices[0].message.content


def test_pictures_and_speech(client: Any, upstream: Any) -> None:
    made = client.images.generate(
        model="compat/compat-image", prompt="A cat", response_format="b64_json"
    )
    picture = base64.b64decode(made.data[0].b64_json)
    assert picture.startswith(b"\x89PNG")
    edited = client.images.edit(
        model="compat-image", prompt="Bluer", image=("a.png", picture), response_format="b64_json"
    )
    assert base64.b64decode(edited.data[0].b64_json).startswith(b"\x89PNG")
    speech = client.audio.speech.create(
        model="compat-tts", voice="alloy", input="Hello", response_format="wav"
    )
    assert speech.content.startswith(b"RIFF")
    assert speech.response.headers["content-type"] == "audio/wav"
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model="gpt-5-5", prompt="A cat")
    assert refused.value.code == "unsupported_value"


# --- before the first byte


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("expired", 502, "upstream_account_auth_failed"),
        ("forbidden", 502, "upstream_access_denied"),
        ("challenge", 502, "upstream_challenge_required"),
        ("rate form=header seconds=120", 429, "rate_limit_exceeded"),
        ("redirect to=http://127.0.0.1:1/", 502, "upstream_bad_response"),
        ("not_http", 502, "upstream_bad_response"),
        ("hang", 504, "upstream_timeout"),
        ("quiet", 504, "upstream_timeout"),
        ("page", 502, "upstream_bad_response"),
        ("status status=500 form=html", 502, "upstream_bad_response"),
        ("status status=400 form=broken", 400, "invalid_value"),
    ],
)
def test_refusals_and_silence(
    server: Any, upstream: Any, ask: Any, fault: str, status: int, code: str
) -> None:
    answer = ask(server, f"/sim text fault={fault}", model=f"compat/{LARGE}")
    assert (answer.status, answer.code) == (status, code)
    message = answer.error["message"]
    for hidden in ("sk-compat", "127.0.0.1", "<", "http"):
        assert hidden not in message
    if "seconds=120" in fault:
        assert 110 <= int(answer.headers["Retry-After"]) <= 120


@pytest.mark.parametrize(
    "fault", ["status status=503", "reset at=headers", "empty", "close at=start"]
)
@pytest.mark.parametrize("stream", [True, False])
def test_what_passes_is_tried_again(
    server: Any, upstream: Any, ask: Any, fault: str, stream: bool
) -> None:
    text = f"/sim text words=3 fault={fault} times=1"
    assert ask(server, text, model=LARGE, stream=stream).text == WORDS
    assert len(seen(upstream)) == 2


def test_attempts_are_counted(server: Any, upstream: Any, ask: Any) -> None:
    answer = ask(server, "/sim text fault=status status=500", model=LARGE)
    assert (answer.status, answer.code) == (502, "upstream_bad_response")
    assert len(seen(upstream)) == 2


# --- in mid-stream


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("reset after=3", "upstream_connection_error"),
        ("cut after=3", "upstream_truncated"),
        ("close after=3", "upstream_truncated"),
        ("silence after=3", "upstream_timeout"),
    ],
)
def test_a_broken_stream_is_told_and_not_tried_again(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any, fault: str, code: str
) -> None:
    wire = dial(server)
    assert wire.ask(f"/sim text words=40 fault={fault}", model=LARGE).head() == 200
    body = wire.body()
    told = payloads(body)
    assert b"[DONE]" not in body
    assert streamed_text(told).strip() == WORDS
    assert told[-1]["error"]["code"] == code
    assert all(choice["finish_reason"] is None for one in told[:-1] for choice in one["choices"])
    assert len(seen(upstream)) == 1


@pytest.mark.parametrize(
    "fault",
    ["bytes", "chunks", "split", "joined", "crlf", "cr", "mixed", "padded", "tight", "gzip",
     "malformed", "strange", "double_end", "after_end"],
)  # fmt: skip
def test_odd_streams_read_the_same(server: Any, upstream: Any, ask: Any, fault: str) -> None:
    plain = ask(server, "/sim unicode", model=LARGE, stream=True)
    odd = ask(server, f"/sim unicode fault={fault}", model=LARGE, stream=True)
    assert plain.text
    assert (odd.text, odd.finish_reason, odd.done) == (plain.text, "stop", True)


def test_a_caller_who_leaves_ends_the_upstream(
    server: Any, upstream: Any, dial: Any, eventually: Any
) -> None:
    wire = dial(server)
    wire.ask("/sim text words=40 fault=silence after=3 seconds=20", model=LARGE)
    assert wire.head() == 200
    eventually(lambda: upstream.control("running")["running"] or seen(upstream))
    wire.sock.close()
    left = time.monotonic()
    eventually(lambda: all(one.get("finished_at") for one in seen(upstream)), seconds=3)
    assert time.monotonic() - left < 2


# --- what the operator learns


def test_the_record_and_the_log(server: Any, upstream: Any, ask: Any, eventually: Any) -> None:
    answer = ask(server, "/sim text fault=expired", model=LARGE)
    url = f"{server.url}/why/{answer.headers['x-request-id']}"

    def told() -> Any:
        found = requests.get(url, headers={"Authorization": f"Bearer {KEY}"}, timeout=10)
        return found.json() if found.status_code == 200 else None

    verdict = eventually(told, seconds=10)
    assert (verdict["code"], verdict["side"]) == ("upstream_account_auth_failed", "server")
    assert "sk-compat" not in server.log
