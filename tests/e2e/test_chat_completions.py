"""The product's main job, end to end, judged by the official SDK."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

KEY = "sk-test-key-of-the-suite"


def said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


HELLO = said("/sim text")


def expected(upstream: Any, scenario: str) -> Any:
    return upstream.control(f"expected?scenario={scenario}")


def joined(chunks: list[Any], field: str = "content") -> str:
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    return "".join(getattr(delta, field, None) or "" for delta in deltas)


@pytest.fixture(params=["2024", "2026"])
def generation(request: pytest.FixtureRequest, upstream: Any) -> str:
    upstream.control("config", {"generation": request.param})
    return str(request.param)


@pytest.fixture
def chat(sdk: Any, server: Any, upstream: Any) -> Any:
    """`client.chat.completions` of the official SDK."""
    return sdk(server).chat.completions


# --- answers


def test_create(chat: Any, upstream: Any, generation: str) -> None:
    answer = chat.create(model="gpt-5-5", messages=HELLO)
    assert answer.choices[0].message.content == expected(upstream, "text")["text"]
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "gpt-5-5"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens > 5
    assert answer.model_extra == {}  # nothing is kept, so there is nothing to continue


def test_stream(chat: Any, upstream: Any, generation: str) -> None:
    stream = chat.create(model="gpt-5-5", messages=HELLO, stream=True)
    chunks = list(stream)
    assert joined(chunks) == expected(upstream, "text")["text"]
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert {(chunk.id, chunk.model, chunk.object) for chunk in chunks} == {
        (chunks[0].id, "gpt-5-5", "chat.completion.chunk")
    }
    assert all(chunk.usage is None for chunk in chunks)


def test_async_stream(chat: Any, server: Any, upstream: Any, generation: str) -> None:
    async def read() -> list[Any]:
        client = openai.AsyncOpenAI(base_url=server.base_url, api_key=KEY, max_retries=0)
        async with client:
            stream = await client.chat.completions.create(
                model="gpt-5-5", messages=HELLO, stream=True
            )
            return [chunk async for chunk in stream]

    assert joined(asyncio.run(read())) == expected(upstream, "text")["text"]


def test_stream_helper(chat: Any, upstream: Any, generation: str) -> None:
    with chat.stream(model="gpt-5-5", messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert kinds == {"chunk", "content.delta", "content.done"}
    assert final.choices[0].message.content == expected(upstream, "text")["text"]
    assert final.choices[0].finish_reason == "stop"


def test_many_at_once_are_not_mixed_up(chat: Any, server: Any, upstream: Any) -> None:
    async def ask(client: openai.AsyncOpenAI, words: int) -> str:
        answer = await client.chat.completions.create(
            model="gpt-5-5", messages=said(f"/sim text words={words}")
        )
        return answer.choices[0].message.content or ""

    async def all_of_them() -> list[str]:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key=KEY) as client:
            return await asyncio.gather(*(ask(client, words) for words in range(1, 25)))

    wanted = [" ".join(f"word{n + 1}" for n in range(words)) for words in range(1, 25)]
    assert asyncio.run(all_of_them()) == wanted


# --- choices, usage


def test_three_choices_whole(chat: Any, upstream: Any, turns: Any) -> None:
    answer = chat.create(model="gpt-5-5", messages=HELLO, n=3)
    text = expected(upstream, "text")["text"]
    assert [(choice.index, choice.message.content) for choice in answer.choices] == [
        (0, text),
        (1, text),
        (2, text),
    ]
    one = chat.create(model="gpt-5-5", messages=HELLO).usage
    assert answer.usage.completion_tokens == 3 * one.completion_tokens
    assert answer.usage.prompt_tokens == one.prompt_tokens
    proofs = [turn["headers"]["openai-sentinel-proof-token"] for turn in turns()]
    assert len(proofs) == len(set(proofs)) == 4


def test_three_choices_streamed(chat: Any, upstream: Any) -> None:
    stream = chat.create(model="gpt-5-5", messages=said("/sim text words=30"), n=3, stream=True)
    texts = ["", "", ""]
    ends = []
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            ends += [(choice.index, choice.finish_reason)] if choice.finish_reason else []
    assert texts == [" ".join(f"word{n}" for n in range(1, 31))] * 3
    assert sorted(ends) == [(0, "stop"), (1, "stop"), (2, "stop")]


def test_one_failing_choice_fails_the_answer(chat: Any, upstream: Any) -> None:
    upstream.control("next", {"fault": "unsupported", "times": 1})
    with pytest.raises(openai.BadRequestError):
        chat.create(model="gpt-5-5", messages=HELLO, n=3)


def test_usage_at_the_end_of_a_stream(chat: Any, upstream: Any) -> None:
    whole = chat.create(model="gpt-5-5", messages=HELLO)
    stream = chat.create(
        model="gpt-5-5",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = list(stream)
    assert last.choices == []
    assert last.usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks)


# --- limits


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_the_token_limit_ends_the_turn_upstream_too(
    server: Any, upstream: Any, ask: Any, turns: Any, eventually: Any, limit: str, stream: bool
) -> None:
    answer = ask(server, "/sim text words=5000 tps=500", stream=stream, **{limit: 12})
    assert (answer.finish_reason, answer.done) == ("length", True)
    assert answer.text == "word1 word2 word3 word4 word5 word6"
    eventually(lambda: turns()[0]["aborted"])
    eventually(lambda: upstream.control("requests?endpoint=stop")["requests"])


@pytest.mark.parametrize("stream", [False, True])
def test_stop_strings(server: Any, upstream: Any, ask: Any, stream: bool) -> None:
    answer = ask(server, "/sim text words=50", stream=stream, stop=["xyz", "ord9 "])
    assert answer.text == " ".join(f"word{n}" for n in range(1, 9)) + " w"
    assert (answer.finish_reason, answer.done) == ("stop", True)


def test_usage_counts_only_what_was_given_out(chat: Any, upstream: Any) -> None:
    answer = chat.create(model="gpt-5-5", messages=said("/sim text words=500"), max_tokens=12)
    assert answer.usage.completion_tokens == 12


# --- requests


def test_reasoning_content(chat: Any, upstream: Any) -> None:
    wanted = expected(upstream, "reasoning")
    request: Any = {"model": "gpt-5-5", "messages": said("/sim reasoning")}
    message = chat.create(**request).choices[0].message
    assert (message.content, message.reasoning_content) == (wanted["text"], wanted["reasoning"])
    chunks = list(chat.create(**request, stream=True))
    assert joined(chunks) == wanted["text"]
    assert joined(chunks, "reasoning_content") == wanted["reasoning"]


def test_a_developer_message_is_the_systems(chat: Any, upstream: Any, turns: Any) -> None:
    messages: list[Any] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "/sim text"}]},
    ]
    chat.create(model="gpt-5-5", messages=messages)
    sent = turns()[0]["body"]["messages"]
    assert [(one["author"]["role"], one["content"]["parts"]) for one in sent] == [
        ("system", ["Be brief."]),
        ("user", ["/sim text"]),
    ]


def test_a_missing_model_is_auto(server: Any, upstream: Any, turns: Any) -> None:
    response = server.post({"messages": HELLO})
    assert (response.status_code, response.json()["model"]) == (200, "auto")
    assert turns()[0]["body"]["model"] == "auto"


def test_unknown_and_unsupported_optional_fields_are_ignored(chat: Any, upstream: Any) -> None:
    answer = chat.create(
        model="gpt-5-5",
        messages=HELLO,
        temperature=0.3,
        seed=7,
        logprobs=True,
        service_tier="flex",
        metadata={"a": "b"},
        extra_body={"made_up": {"deeply": [1, None]}, "web_search_options": {}},
    )
    assert answer.choices[0].message.content == expected(upstream, "text")["text"]


def test_a_model_name_goes_upstream_as_a_slug(
    sdk: Any, server: Any, turns: Any, demo_tokens: list[str]
) -> None:
    paid = sdk(server, demo_tokens[0]).chat.completions
    for name in ("gpt-4o-2024-08-06", "gpt-5.5", "something-new", "gpt-4-gizmo-g-abc123"):
        paid.create(model=name, messages=HELLO)
    bodies = [turn["body"] for turn in turns()]
    assert [body["model"] for body in bodies] == ["gpt-4o", "gpt-5-5", "something-new", "gpt-4o"]
    assert bodies[3]["conversation_mode"] == {"kind": "gizmo_interaction", "gizmo_id": "g-abc123"}


# --- headers (J06)


@pytest.mark.parametrize("stream", [False, True])
def test_headers_of_an_answer(chat: Any, upstream: Any, stream: bool) -> None:
    create = chat.with_raw_response.create
    response = create(model="gpt-5-5", messages=HELLO, stream=stream)
    assert response.headers["x-request-id"].startswith("req_")
    assert int(response.headers["openai-processing-ms"]) >= 1
    assert response.headers["openai-version"] == "2020-10-01"
    assert "server" not in response.headers
    if stream:
        assert joined(list(response.parse()))
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"


def test_every_answer_has_a_request_id_of_its_own(
    server: Any, upstream: Any, eventually: Any
) -> None:
    errors = [
        server.post({"messages": HELLO}, key="sk-wrong"),
        server.post({"messages": []}),
        server.post({"messages": said("/sim text fault=model")}),
    ]
    streams = [server.post({"messages": HELLO, "stream": True}) for _ in range(2)]
    ids = {response.headers["x-request-id"] for response in errors + streams}
    assert len(ids) == 5
    eventually(lambda: all(one in server.log for one in ids))
    assert {response.headers["openai-version"] for response in errors} == {"2020-10-01"}


def test_a_callers_request_id_is_not_taken_over(server: Any, upstream: Any) -> None:
    response = server.post({"messages": HELLO}, headers={"X-Request-ID": "of-my-own"})
    assert response.headers["x-request-id"] != "of-my-own"


# --- typed exceptions


@pytest.mark.parametrize(
    ("text", "key", "kind", "status", "code", "type_"),
    [
        ("/sim text", "sk-no", openai.AuthenticationError, 401, "invalid_api_key", "invalid"),
        ("/sim text fault=model", KEY, openai.NotFoundError, 404, "model_not_found", "invalid"),
        ("/sim text fault=too_long", KEY, openai.BadRequestError, 400, "context_length", "invalid"),
        ("/sim text fault=policy", KEY, openai.BadRequestError, 400, "content_policy", "invalid"),
        ("/sim text fault=schema", KEY, openai.InternalServerError, 502, "upstream_bad", "server"),
        ("/sim text fault=page", KEY, openai.InternalServerError, 502, "upstream_bad", "server"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_typed_exceptions(
    sdk: Any,
    server: Any,
    upstream: Any,
    text: str,
    key: str,
    kind: type[openai.APIStatusError],
    status: int,
    code: str,
    type_: str,
    stream: bool,
) -> None:
    client = sdk(server, key)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="gpt-5-5", messages=said(text), stream=stream)
    error = caught.value
    assert type(error) is kind
    assert error.status_code == status
    assert str(error.code).startswith(code)
    assert str(error.type).startswith(type_)
    assert error.request_id == error.response.headers["x-request-id"]
    assert set(error.response.json()["error"]) == {"message", "type", "param", "code"}


def test_a_rate_limit_is_waited_for(
    sdk: Any, server: Any, upstream: Any, turns: Any, demo_tokens: list[str]
) -> None:
    """A direct token has no other account to go to, so the limit is the caller's to see."""
    limited = said("/sim text fault=rate seconds=1 times=1")
    with pytest.raises(openai.RateLimitError) as caught:
        sdk(server, demo_tokens[0]).chat.completions.create(model="gpt-5-5", messages=limited)
    assert caught.value.response.headers["retry-after"] == "1"
    assert caught.value.type == "rate_limit_error"
    upstream.reset()
    patient = sdk(server, demo_tokens[0], max_retries=1)
    answer = patient.chat.completions.create(model="gpt-5-5", messages=limited)
    assert answer.choices[0].message.content == expected(upstream, "text")["text"]
    first, second = turns()
    assert second["started_at"] - first["started_at"] >= 1


def test_what_is_wrong_is_named(chat: Any, upstream: Any, turns: Any) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat.create(model="gpt-5-5", messages=HELLO, n=9)
    assert (caught.value.param, caught.value.code) == ("n", "invalid_value")
    assert turns() == []


def test_a_stream_that_breaks_is_an_api_error(chat: Any, upstream: Any) -> None:
    stream = chat.create(
        model="gpt-5-5", messages=said("/sim text fault=reset after=2"), stream=True
    )
    chunks: list[Any] = []
    with pytest.raises(openai.APIError) as caught:
        chunks.extend(stream)
    assert type(caught.value) is openai.APIError
    assert (caught.value.code, caught.value.type) == ("upstream_connection_error", "server_error")
    assert joined(chunks)
