"""The Messages API judged by Anthropic's own SDK, on an upstream without tools and on one that has them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import anthropic
import pytest
import requests
from anthropic import beta_tool
from pydantic import BaseModel

KEY = "sk-test-key-of-the-suite"
OPUS = "claude-opus-5"
NATIVE = "compat-large"
"""A model of the other upstream."""
BOTH = [pytest.param(OPUS, id="emulated"), pytest.param(NATIVE, id="native")]

MARKER = re.compile(rb"tool_(?:call|result)_[a-z0-9]{4}|</?tool_")
"""What only the upstream and we may see."""

PIXEL = {"type": "base64", "media_type": "image/png", "data": "aGk="}
STRING = {"type": "string"}
WEATHER: Any = {
    "name": "get_weather",
    "description": "The current weather in a city.",
    "input_schema": {
        "type": "object",
        "properties": {"location": STRING},
        "required": ["location"],
    },
}
TIME: Any = {
    "name": "get_time",
    "description": "What time it is in a zone.",
    "input_schema": {"type": "object", "properties": {"zone": STRING}, "required": ["zone"]},
}
OSLO = {"location": "Oslo"}


def said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def script(*lines: str, style: str = "") -> list[Any]:
    first = f"/sim agent style={style}" if style else "/sim agent"
    return said("\n".join((first, *lines)))


HELLO = said("/sim text")
CALL_OSLO = script("say Let me see.", f"call get_weather {json.dumps(OSLO)}")
TWO_CALLS = script(f"call get_weather {json.dumps(OSLO)}", 'call get_time {"zone": "Europe/Oslo"}')


@pytest.fixture(scope="module")
def server(start_server: Any, simulator: Any, demo_tokens: list[str]) -> Any:
    """With a paid account: what Opus stands for is for those."""
    return start_server(
        tokens=demo_tokens[:1],
        RETRY_TIMES="1",
        CLAUDE_MODELS='{"haiku": "gpt-5-6"}',
        OPENAI_COMPATIBLE_BASE_URL=f"{simulator.url}/compat/v1",
        OPENAI_COMPATIBLE_API_KEY="sk-compat",
        OPENAI_COMPATIBLE_MODELS=NATIVE,
    )


@pytest.fixture
def client_of(server: Any, upstream: Any) -> Iterator[Callable[..., anthropic.Anthropic]]:
    """client_of(api_key=…, auth_token=…): the official client; closed with the test."""
    with ExitStack() as opened:

        def make(**more: Any) -> anthropic.Anthropic:
            more.setdefault("max_retries", 0)
            client = anthropic.Anthropic(base_url=server.url, timeout=30, **more)
            return opened.enter_context(client)

        yield make


@pytest.fixture
def client(client_of: Any) -> Any:
    return client_of(api_key=KEY)


@pytest.fixture
def create(client: Any) -> Callable[..., Any]:
    """create(messages, **more): a whole answer."""

    def one(messages: list[Any], **more: Any) -> Any:
        more = {"model": OPUS, "max_tokens": 1_000, **more}
        return client.messages.create(messages=messages, **more)

    return one


@pytest.fixture
def streamed(client: Any) -> Callable[..., Any]:
    """streamed(messages, **more): what the SDK's stream helper makes of a stream."""

    def one(messages: list[Any], **more: Any) -> Any:
        more = {"model": OPUS, "max_tokens": 1_000, **more}
        with client.messages.stream(messages=messages, **more) as stream:
            return stream.get_final_message()

    return one


@pytest.fixture
def expected(upstream: Any) -> str:
    return str(upstream.control("expected?scenario=text")["text"])


def calls_of(message: Any) -> list[tuple[str, Any]]:
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


def answered(message: Any, *results: str) -> list[Any]:
    """The two messages that go on from one with calls."""
    used = [block for block in message.content if block.type == "tool_use"]
    blocks = [
        {"type": "tool_result", "tool_use_id": block.id, "content": result}
        for block, result in zip(used, results, strict=True)
    ]
    return [
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": blocks},
    ]


def without_ids(message: Any) -> Any:
    told = message.to_dict(mode="json")
    told.pop("id")
    for block in told["content"]:
        for name in ("id", "signature", "parsed_output", "citations"):
            block.pop(name, None)
    return {key: value for key, value in told.items() if value is not None}


# --- answers


def test_create(create: Any, expected: str) -> None:
    message = create(HELLO, system=[{"type": "text", "text": "Be brief."}])
    (block,) = message.content
    assert (block.type, block.text) == ("text", expected)
    assert (message.type, message.role, message.model) == ("message", "assistant", OPUS)
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert message.usage.input_tokens > 5
    assert message.usage.output_tokens > 5
    assert message._request_id.startswith("req_")


def test_stream(client: Any, create: Any, expected: str) -> None:
    with client.messages.stream(model=OPUS, max_tokens=1_000, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == expected
        final = stream.get_final_message()
    assert without_ids(final) == without_ids(create(HELLO))


def test_raw_events(client: Any) -> None:
    stream = client.messages.create(model=OPUS, max_tokens=1_000, messages=HELLO, stream=True)
    kinds = [event.type for event in stream]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}


def test_async(server: Any, upstream: Any, expected: str) -> None:
    async def read() -> tuple[Any, str]:
        client = anthropic.AsyncAnthropic(base_url=server.url, api_key=KEY, max_retries=0)
        async with client:
            asked: Any = {"model": OPUS, "max_tokens": 1_000, "messages": HELLO}
            message = await client.messages.create(**asked)
            async with client.messages.stream(**asked) as stream:
                text = [piece async for piece in stream.text_stream]
            return message, "".join(text)

    message, text = asyncio.run(read())
    assert message.content[0].text == text == expected


@pytest.mark.parametrize(
    ("name", "slug"),
    [(OPUS, "gpt-5-5-thinking"), ("claude-haiku-4-5[1m]", "gpt-5-6"), ("sonnet", "gpt-5-5")],
)
def test_names_of_claude_models(create: Any, turns: Any, name: str, slug: str) -> None:
    assert create(HELLO, model=name).model == name
    assert turns()[-1]["body"]["model"] == slug


def test_thinking(create: Any, streamed: Any) -> None:
    question = said("/sim reasoning")
    plain = create(question)
    assert [block.type for block in plain.content] == ["text"]
    thinking = {"type": "enabled", "budget_tokens": 1_024}
    whole, stream = create(question, thinking=thinking), streamed(question, thinking=thinking)
    assert {block.type for block in whole.content} == {"thinking", "text"}
    assert all(block.signature for block in whole.content if block.type == "thinking")
    assert without_ids(whole) == without_ids(stream)
    again = [*question, {"role": "assistant", "content": whole.content}, *HELLO]
    assert create(again).content


def test_limits(create: Any) -> None:
    words = said("/sim text words=50")
    cut = create(words, max_tokens=10)
    assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 10)
    stopped = create(words, stop_sequences=["word4"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "word4")
    assert stopped.content[0].text == "word1 word2 word3 "


def test_as_claude_code_asks(create: Any, expected: str) -> None:
    """Blocks of many kinds, a system message after the user's, and fields that nobody here uses."""
    blocks = [
        {"type": "text", "text": "<system-reminder>Be kind.</system-reminder>"},
        {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}},
    ]
    messages = [
        {"role": "user", "content": blocks},
        {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
        *HELLO,
        {"role": "system", "content": "Today is Monday."},
    ]
    message = create(
        messages,
        system=[
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2;"},
            {
                "type": "text",
                "text": "You are Claude Code.",
                "cache_control": {"type": "ephemeral"},
            },
        ],
        thinking={"type": "adaptive"},
        metadata={"user_id": "user_1"},
        extra_body={"context_management": {"edits": []}, "output_config": {"effort": "medium"}},
        extra_query={"beta": "true"},
        extra_headers={"anthropic-beta": "claude-code-20250219"},
    )
    assert [block.text for block in message.content if block.type == "text"] == [expected]


# --- tools


@pytest.mark.parametrize("model", BOTH)
def test_a_round_trip(create: Any, model: str) -> None:
    messages = script(f"call get_weather {json.dumps(OSLO)}", "---", "say It is {result}.")
    asked = create(messages, model=model, tools=[WEATHER, TIME])
    assert (asked.stop_reason, calls_of(asked)) == ("tool_use", [("get_weather", OSLO)])
    assert asked.content[0].id.startswith("toolu_")
    messages += answered(asked, "sunny")
    told = create(messages, model=model, tools=[WEATHER, TIME])
    assert (told.stop_reason, told.content[0].text) == ("end_turn", "It is sunny.")


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("messages", [CALL_OSLO, TWO_CALLS], ids=["text", "two"])
def test_a_stream_says_the_same(
    create: Any, streamed: Any, model: str, messages: list[Any]
) -> None:
    whole = create(messages, model=model, tools=[WEATHER, TIME])
    stream = streamed(messages, model=model, tools=[WEATHER, TIME])
    assert without_ids(whole) == without_ids(stream)
    assert len(calls_of(whole)) == (1 if messages is CALL_OSLO else 2)


@pytest.mark.parametrize("model", BOTH)
def test_choices(create: Any, model: str) -> None:
    question = said("What's the weather like in Paris?")
    forced = create(
        question,
        model=model,
        tools=[WEATHER, TIME],
        tool_choice={"type": "tool", "name": "get_time"},
    )
    assert [name for name, _ in calls_of(forced)] == ["get_time"]
    must = create(question, model=model, tools=[TIME], tool_choice={"type": "any"})
    assert [name for name, _ in calls_of(must)] == ["get_time"]
    not_now = create(question, model=model, tools=[WEATHER], tool_choice={"type": "none"})
    assert (not_now.stop_reason, calls_of(not_now)) == ("end_turn", [])


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_tool_runner(client: Any, model: str, stream: bool) -> None:
    asked: list[str] = []

    @beta_tool
    def get_weather(location: str) -> str:
        """The current weather in a city.

        Args:
            location: The city.
        """
        asked.append(location)
        return "sunny"

    runner = client.beta.messages.tool_runner(
        model=model,
        max_tokens=1_000,
        tools=[get_weather],
        messages=said("What's the weather like in Paris?"),
        stream=stream,
    )
    last = runner.until_done()
    assert len(asked) == 1
    assert "Paris" in asked[0]
    assert last.stop_reason == "end_turn"
    assert "sunny" in last.content[0].text


def test_no_byte_of_our_markup_is_told(server: Any, upstream: Any) -> None:
    for messages in (CALL_OSLO, TWO_CALLS, script("call get_weather {}", style="prose+fence")):
        for stream in (False, True):
            body = {"model": OPUS, "max_tokens": 500, "messages": messages, "stream": stream}
            answer = requests.post(
                f"{server.url}/v1/messages",
                json={**body, "tools": [WEATHER, TIME]},
                headers={"x-api-key": KEY},
                timeout=30,
            )
            assert answer.status_code == 200
            assert not MARKER.search(answer.content)


class City(BaseModel):
    name: str
    people: int


@pytest.mark.parametrize("model", BOTH)
def test_answers_in_json(client: Any, model: str) -> None:
    told = client.messages.parse(
        model=model,
        max_tokens=1_000,
        messages=script('json {"name": "Oslo", "people": 700000}'),
        output_format=City,
    )
    assert told.parsed_output == City(name="Oslo", people=700_000)


# --- counting and models


def test_count_tokens(client: Any, create: Any) -> None:
    counted = client.messages.count_tokens(model=OPUS, messages=HELLO, tools=[WEATHER])
    assert (
        counted.input_tokens > client.messages.count_tokens(model=OPUS, messages=HELLO).input_tokens
    )
    assert client.messages.count_tokens(model=OPUS, messages=HELLO).input_tokens == (
        create(HELLO).usage.input_tokens
    )
    long = said("Many words. " * 20_000)
    assert client.messages.count_tokens(model=OPUS, messages=long).input_tokens > 40_000


def test_models(client: Any) -> None:
    names = [model.id for model in client.models.list()]
    assert names[:3] == ["claude-opus", "claude-sonnet", "claude-haiku"]
    assert "gpt-5-5" in names
    assert client.models.retrieve("claude-sonnet-4-5").id == "claude-sonnet-4-5"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("no-such-model")


# --- errors


@pytest.mark.parametrize("how", ["api_key", "auth_token"])
def test_keys(client_of: Any, how: str) -> None:
    asked: Any = {"model": OPUS, "max_tokens": 100, "messages": HELLO}
    assert client_of(**{how: KEY}).messages.create(**asked).content
    with pytest.raises(anthropic.AuthenticationError) as caught:
        client_of(**{how: "sk-wrong"}).messages.create(**asked)
    assert caught.value.body["error"]["type"] == "authentication_error"
    assert caught.value.body["request_id"] == caught.value.request_id


def test_mistakes(client: Any, create: Any) -> None:
    orphan = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
    with pytest.raises(anthropic.BadRequestError, match="tool_use_id"):
        create([{"role": "user", "content": [orphan]}])
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        create(HELLO, max_tokens=0)
    with pytest.raises(anthropic.NotFoundError):
        client.get("/v1/unheard-of", cast_to=object)


def test_pictures_that_the_upstream_cannot_take(create: Any) -> None:
    picture = {"type": "image", "source": PIXEL}
    with pytest.raises(anthropic.BadRequestError) as caught:
        create([{"role": "user", "content": [picture, {"type": "text", "text": "What is it?"}]}])
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    told = create([{"role": "user", "content": [picture]}], model=NATIVE)
    assert told.stop_reason == "end_turn"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_limit_of_the_upstream(client_of: Any, demo_tokens: list[str], stream: bool) -> None:
    """With a token of the caller's own, so that no account rests for the others."""
    client = client_of(auth_token=demo_tokens[1])
    asked: Any = {"model": "sonnet", "max_tokens": 99, "stream": stream}
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**asked, messages=said("/sim text fault=rate seconds=30"))
    assert int(caught.value.response.headers["retry-after"]) > 0


def test_a_stream_that_breaks_off(client: Any) -> None:
    asked = said("/sim text words=50 fault=reset after=3 recover=none")
    seen: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(model=OPUS, max_tokens=1_000, messages=asked) as stream,
    ):
        seen.extend(event.type for event in stream)
    assert caught.value.body["error"]["type"] in {"api_error", "overloaded_error"}
    assert "message_stop" not in seen
