"""Many at once: everybody gets their own text and nothing else (fault matrix B24)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

TOGETHER = 30


@pytest.fixture
def server(stream_server: Any) -> Any:
    return stream_server


def all_at_once(tasks: list[Callable[[], Any]]) -> list[Any]:
    """What each task gives, run at the same time."""
    results: list[Any] = [None] * len(tasks)
    start = threading.Barrier(len(tasks))

    def run(index: int) -> None:
        start.wait(10)
        results[index] = tasks[index]()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_thirty_streams_do_not_mix(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    prompts = [f"This is caller number {n}, known as {chr(0x4E00 + n)}." for n in range(TOGETHER)]
    wires = [dial(server) for _ in prompts]

    def stream(index: int) -> list[Any]:
        text = f"/sim echo tps=3000\n{prompts[index]}"
        assert wires[index].ask(text, stream_options={"include_usage": True}).head() == 200
        told: list[Any] = payloads(wires[index].body())
        return told

    answers = all_at_once([lambda n=n: stream(n) for n in range(TOGETHER)])
    for index, told in enumerate(answers):
        assert told[-1] == "[DONE]"
        text = streamed_text(told)
        assert [n for n in range(TOGETHER) if prompts[n] in text] == [index]
        assert text == upstream.control(f"expected?scenario=echo&prompt={prompts[index]}")["text"]
    ids = [{chunk["id"] for chunk in told[:-1]} for told in answers]
    assert {len(one) for one in ids} == {1}
    assert len(set().union(*ids)) == TOGETHER


def test_the_same_question_twice_is_two_conversations(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    wires = [dial(server) for _ in range(6)]

    def ask(wire: Any) -> list[Any]:
        wire.ask("/sim text words=60 tps=400", history_disabled=False).head()
        told: list[Any] = payloads(wire.body())
        return told

    answers = all_at_once([lambda wire=wire: ask(wire) for wire in wires])
    words = " ".join(f"word{n}" for n in range(1, 61))
    assert [streamed_text(told) for told in answers] == [words] * 6
    places = [
        {one["conversation_id"] for one in told if "conversation_id" in one} for told in answers
    ]
    assert {len(one) for one in places} == {1}
    assert len(set().union(*places)) == 6


def test_what_breaks_one_stream_leaves_the_others_alone(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    """Whole, broken, abandoned and endless ones side by side."""
    words = " ".join(f"word{n}" for n in range(1, 41))
    whole = "/sim text words=40 tps=100"
    broken = "/sim text words=40 fault=reset after=3"
    wires = [dial(server) for _ in range(18)]

    def ask(index: int) -> Any:
        wire = wires[index]
        kind = index % 3
        wire.ask((whole, broken, "/sim text words=4000 tps=100")[kind]).head()
        if kind == 2:
            wire.until(b"word9")
            return wire.hang_up()
        return payloads(wire.body())

    answers = all_at_once([lambda n=n: ask(n) for n in range(len(wires))])
    for index, told in enumerate(answers):
        if index % 3 == 0:
            assert (streamed_text(told), told[-1]) == (words, "[DONE]")
        elif index % 3 == 1:
            assert streamed_text(told).split() == ["word1", "word2", "word3"]
            assert told[-1]["error"]["code"] == "upstream_connection_error"


def test_choices_of_one_request_do_not_mix(
    server: Any, upstream: Any, dial: Any, payloads: Any
) -> None:
    wire = dial(server)
    wire.ask("/sim text words=60 tps=2000", n=8).head()
    told = payloads(wire.body())
    texts = [""] * 8
    reasons: list[Any] = [None] * 8
    for chunk in told[:-1]:
        for choice in chunk["choices"]:
            assert reasons[choice["index"]] is None
            texts[choice["index"]] += choice["delta"].get("content") or ""
            reasons[choice["index"]] = choice["finish_reason"]
    assert texts == [" ".join(f"word{n}" for n in range(1, 61))] * 8
    assert reasons == ["stop"] * 8
    assert told.count("[DONE]") == 1
