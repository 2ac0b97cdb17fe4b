"""Answers of many servers as events."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat.events import (
    Citation,
    Event,
    Failure,
    Finish,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from chat2api.codecs.sse import FastSseDecoder, SseRecord


def D(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "x", "object": "chat.completion.chunk", "choices": [choice]}


def call(index: int, call_id: str | None = None, **function: Any) -> dict[str, Any]:
    """A piece of a tool call."""
    given = {"id": call_id} if call_id else {}
    return D(tool_calls=[{"index": index, **given, "function": function}])


def used(**fields: Any) -> dict[str, Any]:
    return {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, **fields}}


def body_of(*chunks: Any) -> bytes:
    texts = (one if isinstance(one, str) else json.dumps(one) for one in chunks)
    return b"".join(b"data: %b\n\n" % text.encode() for text in texts)


Decode = Callable[..., Any]
Run = Callable[..., Any]


def test_a_plain_answer(decode: Decode) -> None:
    done = decode(
        D(role="assistant", content=""),
        D(content="Hel"),
        D(content="lo!"),
        D("stop"),
        used(
            prompt_tokens_details={"cached_tokens": 1},
            completion_tokens_details={"reasoning_tokens": 2},
        ),
        "[DONE]",
        D(content="after the end"),
    )
    assert done.events == [
        TextDelta("Hel"),
        TextDelta("lo!"),
        Usage(3, 2, reasoning_tokens=2, cached_tokens=1, estimated=False),
        Finish("stop"),
    ]
    assert done.decoder.done


def test_a_whole_answer_is_one_large_chunk(decode: Decode) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    message = {"role": "assistant", "content": "Hi", "refusal": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    whole = {"object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": 1}}
    assert decode(whole).events == [
        TextDelta("Hi"),
        ToolCallDelta(0, "a", "look", "{}"),
        Usage(1, 0, estimated=False),
        Finish("tool_calls"),
    ]


@pytest.mark.parametrize(
    ("delta", "event"),
    [
        ({"reasoning_content": "hm"}, ReasoningDelta("hm")),
        ({"reasoning": "hm", "reasoning_content": ""}, ReasoningDelta("hm")),
        ({"reasoning": "hm", "reasoning_content": "hm"}, ReasoningDelta("hm")),
        ({"thinking": "hm", "content": None}, ReasoningDelta("hm")),
        ({"content": [{"type": "thinking", "thinking": "hm"}]}, ReasoningDelta("hm")),
        (
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}, 1]}]},
            ReasoningDelta("hm"),
        ),
        ({"content": [{"type": "text", "text": "Hi"}, None, {"type": "text"}]}, TextDelta("Hi")),
        ({"refusal": "No."}, RefusalDelta("No.")),
        (
            {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]},
            ImageRef("data:image/png;base64,AA"),
        ),
        (
            {"content": [{"type": "image_url", "image_url": "https://a.test/p"}]},
            ImageRef("https://a.test/p"),
        ),
        (
            {"annotations": [{"url_citation": {"url": "https://a.test", "title": "A"}}, {}]},
            Citation("https://a.test", "A"),
        ),
    ],
)
def test_what_servers_say_besides(decode: Decode, delta: dict[str, Any], event: Event) -> None:
    assert decode(D(**delta), D("stop"), "[DONE]").events == [event, Finish("stop")]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("content_filter", "content_filter"),
        ("end_turn", "stop"),
        ("tool_calls", "stop"),  # nothing was called
        ("something new", "stop"),
    ],
)
def test_reasons(decode: Decode, told: str, reason: str) -> None:
    assert decode(D(content="a"), D(told)).events[-1] == Finish(reason)  # type: ignore[arg-type]


@pytest.mark.parametrize("told", ["stop", "tool_calls", "function_call", "tool_use"])
def test_after_a_call_the_answer_ended_for_it(decode: Decode, told: str) -> None:
    assert decode(call(0, "a", name="look"), D(told)).events[-1] == Finish("tool_calls")


def test_a_call_that_was_cut_off_is_not_finished(decode: Decode) -> None:
    assert decode(call(0, "a", name="look"), D("length")).events[-1] == Finish("length")


def test_the_legacy_call(decode: Decode) -> None:
    done = decode(D(function_call={"name": "look", "arguments": "{}"}), D("function_call"))
    assert done.calls == [("made_1", "look", "{}")]
    assert done.whole.finish_reason == "tool_calls"


def test_the_end_mark_may_be_missing_but_not_the_reason(decode: Decode) -> None:
    assert decode(D(content="a"), D("stop")).error is None
    for end in ((), ("[DONE]",)):
        assert decode(D(content="a"), *end).error.code == "upstream_truncated"
        assert decode(*end).error.code == "upstream_truncated"


def test_text_after_a_reason_still_counts(decode: Decode) -> None:
    """A server that gives a reason with every chunk."""
    done = decode(
        D("stop", content="a"), D("stop", content="b"), D("length", content="c"), D("stop")
    )
    assert done.events == [TextDelta("a"), TextDelta("b"), TextDelta("c"), Finish("length")]


def test_usage_that_grows_is_told_once(decode: Decode) -> None:
    done = decode(
        D(content="a") | {"usage": {"prompt_tokens": 3, "completion_tokens": 1}},
        D("stop") | {"usage": {"prompt_tokens": 3, "completion_tokens": 5}},
        used(completion_tokens=6, prompt_cache_hit_tokens=2) | {"choices": None},
        "[DONE]",
    )
    assert done.events[-2:] == [Usage(3, 6, cached_tokens=2, estimated=False), Finish("stop")]


@pytest.mark.parametrize("usage", [None, {}, [], {"prompt_tokens": "3"}, {"prompt_tokens": -1}])
def test_usage_that_is_none(decode: Decode, usage: Any) -> None:
    done = decode(D("stop", content="a") | {"usage": usage})
    assert done.events == [TextDelta("a"), Finish("stop")]


def test_a_reason_and_figures_in_every_chunk_end_nothing(decode: Decode) -> None:
    """As Gemini's API has it."""
    usage = used()["usage"]
    done = decode(
        call(0, "a", name="look", arguments="{}") | {"usage": usage},
        {**D("tool_calls"), "usage": usage},
        {**call(1, "b", name="hear", arguments="{}"), "usage": usage},
        {**D("stop"), "usage": usage},
    )
    assert done.calls == [("a", "look", "{}"), ("b", "hear", "{}")]
    assert done.whole.finish_reason == "tool_calls"


@pytest.mark.parametrize("reason", ["error", "ABORT", "insufficient_system_resource"])
def test_what_broke_off_is_no_answer(decode: Decode, reason: str) -> None:
    done = decode(D(content="Hel"), D(reason), "[DONE]")
    assert done.error.code == "upstream_bad_response"


@pytest.mark.parametrize(
    ("chunk", "text"),
    [
        ('{"choices": [{"delta": {"content": "a"}, "logprobs": -Infinity}]}', "a"),
        ('{"choices": [{"delta": {"content": "a\\ud83d"}}]}', "a?"),
    ],
)
def test_json_that_is_not_quite_one_is_read(decode: Decode, chunk: str, text: str) -> None:
    assert decode(chunk, D("stop")).whole.text == text


def test_no_call_is_left_without_arguments(decode: Decode) -> None:
    assert decode(call(0, "a", name="look"), D("stop")).calls == [("a", "look", "{}")]
    assert decode(call(0, "a", name="look"), D("length")).calls == [("a", "look", "")]


def test_only_the_first_choice_is_read(decode: Decode) -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": "length"}]}
    done = decode(D(content="a"), other, D("stop"))
    assert done.events == [TextDelta("a"), Finish("stop")]


# --- what goes wrong


NONSENSE = ["{broken", "null", "[]", '"text"', "{}", '{"choices": "x"}', '{"type": "unknown"}']


def test_nonsense_is_skipped_and_counted(decode: Decode) -> None:
    done = decode(D(content="a"), *NONSENSE, '{"choices": [null, 3]}', D("stop"))
    assert done.events == [TextDelta("a"), Finish("stop")]
    assert done.decoder.skipped == len(NONSENSE)


def test_nothing_but_nonsense_is_no_stream(decode: Decode) -> None:
    assert decode(*["{broken"] * 19, D("stop")).error is None
    assert decode(*["{broken"] * 20).error.code == "upstream_bad_response"


def test_pings_are_no_nonsense(run: Run) -> None:
    pings = [SseRecord("ping", "{}"), SseRecord("message", '{"type": "ping"}')] * 20
    done = run([*pings, SseRecord("message", json.dumps(D("stop", content="a")))])
    assert (done.error, done.decoder.skipped) == (None, 0)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"error": {"message": "too busy", "code": 429}}, "rate_limit_exceeded"),
        ({"error": {"message": "broken"}}, "upstream_bad_response"),
        ({"error": "broken"}, "upstream_bad_response"),
        ({"object": "error", "message": "too long", "code": 400}, "invalid_value"),
        ({"error": {"code": "context_length_exceeded"}}, "context_length_exceeded"),
        ({"choices": [{"error": {"code": 502, "message": "x"}}]}, "upstream_bad_response"),
    ],
)
def test_an_error_in_the_stream_is_one(decode: Decode, document: Any, code: str) -> None:
    done = decode(D(content="a"), document, D("stop"))
    assert done.events == [TextDelta("a")]
    assert done.error.code == code


def test_an_error_event_is_one_without_the_word(run: Run) -> None:
    assert run([SseRecord("error", '{"message": "x"}')]).error is not None


# --- whatever comes

BODY = body_of(
    D(role="assistant", content=""),
    D(reasoning_content="🤔 hm"),
    D(content="你好 👨‍👩‍👧 \u2028 a"),
    call(0, "a", name="look", arguments='{"q":'),
    call(0, arguments='"é"}'),
    D("tool_calls"),
    used(),
    "[DONE]",
)


def test_an_error_event_may_be_plain_text(run: Run) -> None:
    done = run([SseRecord("error", "overloaded")])
    assert done.error.message.endswith("broke its answer off: overloaded")


@given(st.lists(st.integers(1, 40), max_size=30), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_cut_and_line_end_gives_the_same(run: Run, sizes: list[int], line_end: bytes) -> None:
    def decoded(pieces: list[bytes]) -> list[Event]:
        frames = FastSseDecoder(1 << 20)
        done = run(record for piece in pieces for record in frames.feed(piece))
        assert done.error is None
        return list(done.events)

    body = BODY.replace(b"\n", line_end)
    pieces, rest = [], body
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    assert decoded([*pieces, rest]) == decoded([BODY])


KEYS = ["choices", "delta", "message", "content", "finish_reason", "usage", "tool_calls", "error"]
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 600) | st.sampled_from(["", "stop", "x", "0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, "index", "type", "code"]), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@given(st.lists(DOCUMENTS, max_size=5))
def test_whatever_comes_the_laws_of_a_stream_hold(decode: Decode, documents: list[Any]) -> None:
    done = decode(*map(json.dumps, documents))
    ends = [event for event in done.events if isinstance(event, Finish | Failure)]
    if done.error is not None:
        assert ends == []
        return
    assert ends == done.events[-1:]
    assert isinstance(ends[0], Finish)
    assert sum(isinstance(event, Usage) for event in done.events) <= 1
