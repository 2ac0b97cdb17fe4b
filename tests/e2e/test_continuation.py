"""Conversations that the upstream keeps, and going on with them."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

KEY = "sk-test-key-of-the-suite"


@pytest.fixture(scope="module")
def trio(start_server: Any, new_tokens: Any) -> Any:
    """Three accounts, as many tries."""
    return start_server(tokens=new_tokens(3), RETRY_TIMES="2")


def place_of(answer: Any) -> dict[str, str]:
    assert (answer.status, answer.error) == (200, None)
    return {"conversation_id": answer.conversation_id, "parent_message_id": answer.message_id}


@pytest.fixture(params=["2024", "2026"])
def generation(request: pytest.FixtureRequest, upstream: Any) -> str:
    upstream.control("config", {"generation": request.param})
    return str(request.param)


@pytest.mark.parametrize("stream", [False, True])
def test_going_on(trio: Any, ask: Any, turns: Any, generation: str, stream: bool) -> None:
    answer = ask(trio, history_disabled=False, stream=stream)
    first = turns()[-1]
    assert first["body"]["history_and_training_disabled"] is False
    assert "conversation_id" not in first["body"]
    for number in range(3):
        place = place_of(answer)
        answer = ask(trio, f"/sim text words={number + 1}", stream=stream, **place)
        turn = turns()[-1]
        body = turn["body"]
        assert turn["account"] == first["account"]
        assert body["conversation_id"] == place["conversation_id"]
        assert body["parent_message_id"] == place["parent_message_id"]
        assert body["history_and_training_disabled"] is False
        assert turn["headers"]["referer"].endswith(f"/c/{place['conversation_id']}")
        assert answer.conversation_id == place["conversation_id"]
        assert answer.message_id != place["parent_message_id"]
        assert answer.text == turn["expected"]["text"]


def test_only_what_is_new_is_sent(trio: Any, ask: Any, turns: Any) -> None:
    place = place_of(ask(trio, history_disabled=False))
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "Hello there!"},
        {"role": "user", "content": "/sim text"},
        {"role": "user", "content": "/sim text words=3"},
    ]
    ask(trio, messages=messages, **place)
    sent = turns()[-1]["body"]["messages"]
    assert [one["content"]["parts"] for one in sent] == [["/sim text"], ["/sim text words=3"]]


def test_a_whole_history_without_a_conversation_is_sent_whole(
    trio: Any, ask: Any, turns: Any
) -> None:
    messages = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "Hello there!"},
        {"role": "user", "content": "/sim text"},
    ]
    ask(trio, messages=messages)
    sent = turns()[-1]["body"]["messages"]
    assert [one["author"]["role"] for one in sent] == ["user", "assistant", "user"]


def test_a_conversation_with_nothing_new(trio: Any, ask: Any, turns: Any) -> None:
    place = place_of(ask(trio, history_disabled=False))
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    answer = ask(trio, messages=messages, **place)
    assert (answer.status, answer.error["param"]) == (400, "messages")
    assert len(turns()) == 1


def test_by_default_nothing_is_kept(trio: Any, ask: Any, turns: Any) -> None:
    for stream in (False, True):
        answer = ask(trio, stream=stream)
        assert (answer.conversation_id, answer.message_id) == (None, None)
    assert {turn["body"]["history_and_training_disabled"] for turn in turns()} == {True}


def test_the_default_is_a_setting(brief_server: Any, new_tokens: Any, ask: Any, turns: Any) -> None:
    server = brief_server(tokens=new_tokens(1), HISTORY_DISABLED="false")
    assert ask(server).conversation_id is not None
    assert ask(server, history_disabled=True).conversation_id is None
    kept = [not turn["body"]["history_and_training_disabled"] for turn in turns()]
    assert kept == [True, False]


def test_an_unknown_conversation(trio: Any, sdk: Any, turns: Any) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        sdk(trio).chat.completions.create(
            model="gpt-5-5",
            messages=[{"role": "user", "content": "/sim text"}],
            extra_body={"conversation_id": "11111111-2222-4333-8444-555555555555"},
        )
    assert caught.value.code == "conversation_not_found"
    assert len({turn["account"] for turn in turns()}) == len(turns()) == 3


def test_somebody_elses_conversation(trio: Any, ask: Any, demo_tokens: Any) -> None:
    place = place_of(ask(trio, history_disabled=False))
    answer = ask(trio, key=demo_tokens[0], **place)
    assert (answer.status, answer.code) == (404, "conversation_not_found")


def test_an_unknown_place_in_a_conversation(trio: Any, ask: Any, turns: Any) -> None:
    place = place_of(ask(trio, history_disabled=False))
    place["parent_message_id"] = "11111111-2222-4333-8444-555555555555"
    answer = ask(trio, **place)
    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
    assert len(turns()) == 2


def test_after_a_restart_the_account_is_remembered(
    brief_server: Any, new_tokens: Any, ask: Any, turns: Any
) -> None:
    tokens = new_tokens(3)
    server = brief_server(tokens=tokens, RETRY_TIMES="2")
    place = place_of(ask(server, history_disabled=False))
    home = turns()[0]["account"]
    server.stop()
    server.start()

    answer = ask(server, **place)
    assert answer.conversation_id == place["conversation_id"]
    assert [turn["status"] for turn in turns()] == [200, 200]
    assert {turn["account"] for turn in turns()} == {home}


def test_a_conversation_from_elsewhere_is_found_by_asking(
    brief_server: Any, new_tokens: Any, ask: Any, turns: Any
) -> None:
    """Another server's, of one of our accounts."""
    tokens = new_tokens(3)
    place = place_of(ask(brief_server(tokens=tokens), history_disabled=False))
    home = turns()[0]["account"]
    server = brief_server(tokens=tokens, RETRY_TIMES="2")

    answer = ask(server, **place)
    assert answer.conversation_id == place["conversation_id"]
    asked = turns()[1:]
    assert [turn["status"] for turn in asked] == [404] * (len(asked) - 1) + [200]
    assert asked[-1]["account"] == home
    seen = len(turns())
    assert ask(server, **place_of(answer)).status == 200
    assert [turn["account"] for turn in turns()][seen:] == [home]  # and remembered


def test_parallel_turns_of_one_conversation_do_not_mix(
    trio: Any, ask: Any, turns: Any, upstream: Any
) -> None:
    """B24"""
    place = place_of(ask(trio, history_disabled=False))

    async def go_on(client: openai.AsyncOpenAI, words: int, stream: bool) -> tuple[str, set[str]]:
        asked: Any = {
            "model": "gpt-5-5",
            "messages": [{"role": "user", "content": f"/sim text words={words} tps=400"}],
            "extra_body": place,
        }
        if not stream:
            answer = await client.chat.completions.create(**asked)
            return answer.choices[0].message.content or "", {answer.model_extra["conversation_id"]}
        text, ids = "", set()
        async for chunk in await client.chat.completions.create(**asked, stream=True):
            text += chunk.choices[0].delta.content or ""
            ids |= {chunk.model_extra["conversation_id"]} if chunk.model_extra else set()
        return text, ids

    async def all_of_them() -> list[tuple[str, set[str]]]:
        async with openai.AsyncOpenAI(base_url=trio.base_url, api_key=KEY) as client:
            sizes = range(20, 28)
            return await asyncio.gather(*(go_on(client, n, n % 2 == 0) for n in sizes))

    answers = asyncio.run(all_of_them())
    for words, (text, ids) in zip(range(20, 28), answers, strict=True):
        assert text == " ".join(f"word{n}" for n in range(1, words + 1))
        assert ids == {place["conversation_id"]}
    assert len({turn["account"] for turn in turns()}) == 1


def test_parallel_new_conversations_do_not_mix(trio: Any, upstream: Any) -> None:
    async def begin(client: openai.AsyncOpenAI, words: int) -> tuple[str, str]:
        answer = await client.chat.completions.create(
            model="gpt-5-5",
            messages=[{"role": "user", "content": f"/sim text words={words}"}],
            extra_body={"history_disabled": False},
        )
        ids = answer.model_extra or {}
        return answer.choices[0].message.content or "", ids["conversation_id"]

    async def all_of_them() -> list[tuple[str, str]]:
        async with openai.AsyncOpenAI(base_url=trio.base_url, api_key=KEY) as client:
            return await asyncio.gather(*(begin(client, words) for words in range(1, 9)))

    answers = asyncio.run(all_of_them())
    assert len({conversation_id for _, conversation_id in answers}) == 8
    assert [len(text.split()) for text, _ in answers] == list(range(1, 9))
    seen = upstream.control("requests?endpoint=conversation")["requests"]
    assert len(seen) == 8
