"""providers.chatgpt.decode: whole streams in, events out."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.events import Citation, Finish, ReasoningDelta, TextDelta, Thread
from chat2api.codecs.sse import FastSseDecoder, SseDecoder, SseRecord

TRANSCRIPTS = [
    "t1-text-snapshots.sse",
    "t2-text-deltas.sse",
    "t3-reasoning.sse",
    "t4-picture.sse",
    "t5-code.sse",
    "t6-error.sse",
    "t7-citation.sse",
    "t8-moderation.sse",
    "t9-length.sse",
]
STREAMS = [
    "2024-10-v1-text.sse",
    "2026-05-snapshot-text.sse",
    "2026-05-v1-image.sse",
    *TRANSCRIPTS,
]


def one_by_one(body: bytes) -> list[SseRecord]:
    decoder = SseDecoder(1 << 25)
    return [r for i in range(len(body)) for r in decoder.feed(body[i : i + 1])]


# --- recordings ----------------------------------------------------------------------------------


def test_every_recording_has_its_place_here(recorded) -> None:
    assert sorted(recorded) == sorted(STREAMS)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("cut", ["whole", "bytes"])
def test_recordings_decode_to_what_they_must(recorded, decode, read, name: str, cut: str) -> None:
    body, expected = recorded[name]

    found = decode(read(body) if cut == "whole" else one_by_one(body), history=True)

    assert found.text == expected["text"]
    assert found.images == expected["images"]
    if name in TRANSCRIPTS:
        assert found.reasoning == expected["reasoning"]
        assert found.reason == expected["finish_reason"]
        assert found.decoder.facts.conversation_id == expected["conversation_id"]
        assert found.decoder.facts.message_id == expected["message_id"]
    error = expected.get("error")
    assert (found.error and (found.error.message, found.error.type, found.error.code)) == (
        error and (error["message"], error["type"], error["code"])
    )
    assert found.decoder.facts.events_skipped == 0


@pytest.mark.parametrize("name", STREAMS)
def test_recordings_give_the_same_records_cut_at_every_offset(recorded, read, name: str) -> None:
    """Events depend on records alone, so this holds for them as well."""
    body, _ = recorded[name]
    whole = read(body)

    for cut in range(len(body) + 1):
        fast = FastSseDecoder(1 << 25)
        assert fast.feed(body[:cut]) + fast.feed(body[cut:]) == whole


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_line_ends_and_missing_event_names_change_nothing(recorded, decode, read, name) -> None:
    body, _ = recorded[name]
    expected = decode(read(body)).events

    assert decode(read(body.replace(b"\n", b"\r\n"))).events == expected
    assert decode(read(body.replace(b"\n", b"\r"))).events == expected
    nameless = body.replace(b"event: delta\n", b": ping\n").replace(b"event: delta_encoding\n", b"")
    assert decode(read(nameless)).events == expected


def test_deltas_come_one_by_one(recorded, decode, read) -> None:
    body, _ = recorded["t7-citation.sse"]

    assert decode(read(body), history=True).events == [
        Thread("c7", "a7"),
        TextDelta("Mars has two moons "),
        TextDelta("([Moons of Mars](https://example.org/mars))."),
        Citation("https://example.org/mars", "Moons of Mars"),
        Finish("stop"),
    ]


# --- text ----------------------------------------------------------------------------------------


def test_two_visible_answers_are_joined_by_an_empty_line(decode, wire) -> None:
    found = decode([
        wire.snapshot("a", "Let me look.", done=True, end_turn=False),
        wire.snapshot("k", "search(1)", recipient="web", done=True, end_turn=False),
        wire.snapshot("t", "found", role="tool", name="web", done=True),
        wire.snapshot("b", "Here"),
        wire.snapshot("b", "Here it is.", done=True),
        "[DONE]",
    ])  # fmt: skip

    assert found.text == "Let me look.\n\nHere it is."
    assert found.decoder.facts.message_id == "b"


@pytest.mark.parametrize(
    "hidden",
    [
        {"role": "system"},
        {"role": "user"},
        {"role": "tool", "name": "web"},
        {"recipient": "bio"},
        {"channel": "analysis"},
        {"meta": {"is_visually_hidden_from_conversation": True}},
        {"content": {"content_type": "model_editable_context", "model_set_context": "x"}},
        {"content": {"content_type": "reasoning_recap", "content": "Thought for 4s"}},
        {"content": {"content_type": "code", "text": "x"}},
        {"content": {"content_type": "text", "parts": []}},
        {"content": {"content_type": "text", "parts": [None, 5, {"x": 1}]}},
        {"author": None},
        {"content": None, "author": {"role": "tool"}},
    ],
)
def test_what_is_not_an_answer_stays_hidden(decode, wire, hidden: dict[str, Any]) -> None:
    found = decode([
        wire.snapshot("h", "secret", done=True, **hidden),
        wire.snapshot("a", "Hi", done=True),
        "[DONE]",
    ])  # fmt: skip

    assert found.events == [TextDelta("Hi"), Finish("stop")]


@pytest.mark.parametrize(
    "fields",
    [
        {"channel": "final"},
        {"recipient": None},
        {"author": {"role": "assistant"}, "metadata": None},
        {"content": {"content_type": "multimodal_text", "parts": ["Hi"]}},
        {"content": {"content_type": "text", "text": "Hi"}},
        {"content": {"content_type": "text", "parts": ["H", None, "i"]}},
    ],
)
def test_visible_text_in_all_its_forms(decode, wire, fields: dict[str, Any]) -> None:
    assert decode([wire.snapshot("a", "Hi", done=True, **fields), "[DONE]"]).text == "Hi"


def test_echoes_of_sent_messages_are_dropped_by_id(decode, wire) -> None:
    found = decode(
        [
            wire.snapshot("old", "Earlier answer", done=True),
            {"type": "input_message", "input_message": {"id": "older"}, "conversation_id": "c"},
            wire.snapshot("older", "Still earlier", done=True),
            wire.snapshot("a", "New", done=True),
            "[DONE]",
        ],
        sent=["old"],
    )

    assert found.text == "New"
    assert found.decoder.facts.message_id == "a"


def test_snapshots_and_deltas_share_a_stream(decode, wire) -> None:
    found = decode([
        wire.root("a", "One"),
        wire.append(", two"),
        wire.snapshot("u", "echo", role="user"),
        {"v": ", three"},
        wire.snapshot("a", "One, two, three, four"),
        {"v": ", five"},
        wire.snapshot("b", "Six"),
        {"v": ", seven"},
        wire.complete,
    ])  # fmt: skip

    assert found.text == "One, two, three, four, five\n\nSix, seven"


def test_a_rewrite_adds_only_what_does_not_contradict(decode, wire) -> None:
    found = decode([
        wire.root("a", "Hello wor"),
        {"p": "/message/content/parts/0", "o": "truncate", "v": 5},
        wire.append(" wor"),
        {"v": "ld"},
        {"p": "/message/content/parts/0", "o": "replace", "v": "Goodbye world, and more"},
        wire.append(" lost"),
        {"p": "/message/content/parts/0", "o": "replace", "v": "Hello world, found"},
        wire.complete,
    ])  # fmt: skip

    assert found.text == "Hello world, found"


def test_repeated_and_reordered_events_say_nothing_twice(decode, wire) -> None:
    opening = [wire.root("a"), wire.append("One"), {"v": ", two"}]
    found = decode([
        *opening,
        *opening,
        wire.snapshot("a", "One"),
        {"p": "/nowhere/at/all", "o": "append", "v": "x"},
        {"p": "/message/content/parts/7", "o": "append", "v": "x"},
        {"p": "/message/content/parts/0", "o": "explode", "v": "x"},
        wire.append(", two, three"),
        wire.complete,
    ])  # fmt: skip

    assert found.text == "One, two, three"


def test_odd_characters_pass_unchanged(decode, wire) -> None:
    text = "a\u2028b\u2029c\u0085d\x0be\x0cf\x00g 👩‍👩‍👧‍👦"

    assert decode([wire.root("a"), wire.append(text), wire.complete]).text == text


def test_a_message_that_turns_into_commentary_goes_on_as_reasoning(decode, wire) -> None:
    found = decode([
        wire.root("a", "Hm"),
        {"p": "/message/channel", "o": "replace", "v": "commentary"},
        wire.append(", let me see"),
        wire.root("b", "Yes.", c=1, done=True),
        wire.complete,
    ])  # fmt: skip

    assert found.events[0] == TextDelta("Hm")
    assert found.reasoning == ", let me see"


# --- thinking, code ------------------------------------------------------------------------------


def test_preambles_and_commentary_are_reasoning(decode, wire) -> None:
    found = decode([
        wire.snapshot("p", "I will", done=True, meta={"is_thinking_preamble_message": True}),
        wire.snapshot("m", "Searching", done=True, end_turn=False, channel="commentary"),
        wire.snapshot("a", "Done", done=True),
        "[DONE]",
    ])  # fmt: skip

    assert found.events == [
        ReasoningDelta("I will"),
        ReasoningDelta("\n\nSearching"),
        TextDelta("Done"),
        Finish("stop"),
    ]


def test_hidden_code_leaves_only_the_answer(recorded, decode, read) -> None:
    body, _ = recorded["t5-code.sse"]

    assert decode(read(body), code="hide").events == [TextDelta("The sum is 5050."), Finish("stop")]


def test_code_without_an_answer_counts_in_markdown_only(decode, wire) -> None:
    program = wire.snapshot(
        "k", recipient="python", content={"content_type": "code", "text": "1 + 1"}
    )

    assert decode([program, wire.complete]).text == "\n```python\n1 + 1\n```\n"
    hidden = decode([program, wire.complete], code="hide")
    assert hidden.error is not None
    assert hidden.error.code == "upstream_bad_response"
