"""providers.chatgpt.decode: whole streams in, events out."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.chat.events import Citation, Finish, ImageRef, ReasoningDelta, TextDelta, Thread
from chat2api.codecs.sse import FastSseDecoder, SseDecoder, SseRecord
from chat2api.errors import Chat2ApiError, UpstreamTruncated
from chat2api.providers.chatgpt.decode import TurnDecoder

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


# --- pictures ------------------------------------------------------------------------------------


def picture(pointer: str, **fields: Any) -> dict[str, Any]:
    return {"content_type": "image_asset_pointer", "asset_pointer": pointer, **fields}


def pictures(wire, *parts: Any, **fields: Any) -> dict[str, Any]:
    content = {"content_type": "multimodal_text", "parts": list(parts)}
    return wire.snapshot("g", role="tool", name="t2uay3k", content=content, **fields)


def test_only_finished_pictures_go_out_and_uploads_never(decode, wire) -> None:
    upload = {"content_type": "multimodal_text", "parts": [picture("file-service://file-up")]}
    found = decode(
        [
            wire.snapshot("u", role="user", content=upload),
            pictures(wire, picture("sediment://file_part"), meta={"image_gen_async": True}),
            pictures(
                wire,
                picture("sediment://file_one", width=10, height=20, metadata={"dalle": {"prompt": "cat"}}),
                picture("file-service://file-two#page=1"),
                picture("sediment://file_mine"),
                picture("file-service://file-up"),
                done=True,
            ),
            pictures(wire, picture("sediment://file_one?again"), done=True),
            "[DONE]",
        ],
        own_files=["file_mine"],
    )  # fmt: skip

    assert found.events == [
        ImageRef("sediment://file_one", 10, 20, "cat"),
        ImageRef("file-service://file-two#page=1"),
        Finish("stop"),
    ]


def test_a_picture_after_the_stream_is_pending_until_the_document_has_it(decode, wire) -> None:
    working = pictures(wire, meta={"async_task_type": "image_gen"})
    found = decode(
        [
            wire.snapshot("u", "draw", role="user"),
            working,
            {"type": "conversation_async_status", "async_status": 3, "conversation_id": "c"},
            "[DONE]",
        ],
        sent=["u"],
        finish=False,
    )
    decoder = found.decoder
    assert (decoder.done, decoder.settled, decoder.complete) == (True, True, False)
    assert decoder.async_pending

    def document(async_status: Any, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "current_node": "g",
            "async_status": async_status,
            "mapping": {
                "u": {"message": wire.message("u", "draw", role="user"), "parent": None},
                "g": {"message": message, "parent": "u"},
            },
        }

    assert decoder.absorb_document(document(3, working["message"])) == []
    assert not decoder.complete
    ready = pictures(wire, picture("sediment://file_x"), done=True)["message"]
    assert decoder.absorb_document(document(None, ready)) == [ImageRef("sediment://file_x")]
    assert decoder.complete
    assert decoder.finish() == [Finish("stop")]


def test_an_unready_picture_is_not_an_empty_success(decode, wire) -> None:
    found = decode([pictures(wire, meta={"async_task_type": "image_gen"}), "[DONE]"])

    assert found.error is not None
    assert found.error.code == "upstream_truncated"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("You're generating images too quickly. Please wait for 2 minutes.", 120),
        ('{"code": "rate_limit_exceeded", "estimated_wait_seconds": 45}', 45),
        ("Error: rate_limit_exceeded", None),
    ],
)
def test_a_spent_picture_quota_is_a_limit(decode, wire, text: str, seconds: float | None) -> None:
    found = decode([wire.snapshot("t", text, role="tool", name="t2uay3k", done=True)])

    assert found.error is not None
    assert (found.error.code, found.error.retry_after) == ("rate_limit_exceeded", seconds)


def test_a_search_result_may_quote_a_quota(decode, wire) -> None:
    quoted = wire.snapshot("t", "rate_limit_exceeded", role="tool", name="web.search", done=True)

    assert decode([quoted, wire.snapshot("a", "Hi", done=True), "[DONE]"]).text == "Hi"


# --- endings -------------------------------------------------------------------------------------


def ended(wire, *, status: str = "in_progress", end_turn: bool | None = None, details: Any = None):
    meta = {} if details is None else {"finish_details": {"type": details}}
    return wire.snapshot("a", "Hi", status=status, end_turn=end_turn, meta=meta)


@pytest.mark.parametrize(
    ("message", "marker", "reason"),
    [
        ({}, "[DONE]", "stop"),
        ({}, {"type": "main_stream_complete"}, "stop"),
        ({}, {"type": "done"}, "stop"),
        ({"status": "finished_successfully"}, None, "stop"),
        ({"status": "finished_successfully", "end_turn": True}, None, "stop"),
        ({"status": "finished_partial_completion"}, None, "length"),
        ({"status": "finished_successfully", "details": "max_tokens"}, "[DONE]", "length"),
        ({"status": "finished_successfully", "details": "odd"}, "[DONE]", "stop"),
        ({"status": "finished_successfully", "end_turn": False}, "[DONE]", "stop"),
    ],
)
def test_evidence_of_an_end(decode, wire, message: Any, marker: Any, reason: str) -> None:
    found = decode([ended(wire, **message), *([marker] if marker else [])])

    assert found.reason == reason
    assert found.decoder.complete


@pytest.mark.parametrize(
    "records",
    [
        [],
        [{}],
        [{"status": "finished_successfully", "end_turn": False}],
        [{"status": "finished_successfully", "details": "interrupted"}],
    ],
)
def test_no_evidence_is_a_truncated_stream(decode, wire, records: list[Any]) -> None:
    found = decode([ended(wire, **fields) for fields in records])

    assert found.error is not None
    assert found.error.code == "upstream_truncated"


def test_a_tool_call_after_the_text_is_no_end(decode, wire) -> None:
    calling = wire.snapshot("k", "1+1", recipient="python")
    found = decode([ended(wire, status="finished_successfully"), calling])

    assert found.error is not None
    assert found.error.code == "upstream_truncated"


def test_an_ended_stream_without_an_answer_is_an_error(decode, wire) -> None:
    found = decode([wire.snapshot("r", "thinking", channel="commentary", done=True), "[DONE]"])

    assert found.reasoning == "thinking"
    assert found.error is not None
    assert (found.error.code, found.error.message) == (
        "upstream_bad_response",
        "The upstream's answer is empty.",
    )


@pytest.mark.parametrize(
    "marks",
    [
        ["[DONE]", "[DONE]"],
        [{"type": "message_stream_complete"}, "[DONE]"],
        [{"type": "message_stream_complete"}, {"type": "message_stream_complete"}],
    ],
)
def test_the_first_end_marker_wins(decode, wire, marks: list[Any]) -> None:
    late = wire.snapshot("a", "Hi, and too late", done=True)
    error = {"message": None, "error": "too late"}
    found = decode([wire.snapshot("a", "Hi"), marks[0], late, error, *marks[1:], late, "garbage"])

    assert found.events == [TextDelta("Hi"), Finish("stop")]
    assert found.decoder.done


def test_blocked_by_moderation(decode, wire) -> None:
    def verdict(blocked: bool) -> dict[str, Any]:
        return {"type": "moderation", "moderation_response": {"blocked": blocked, "flagged": True}}

    found = decode([
        wire.root("a", "Let me"),
        verdict(False),
        wire.append(" see \ue200cite"),
        verdict(True),
        wire.append(" more"),
        "[DONE]",
    ])  # fmt: skip

    assert found.text == "Let me see "
    assert found.reason == "content_filter"
    assert decode([verdict(True)]).events == [Finish("content_filter")]


def test_a_handoff_is_followed_or_told(decode, wire) -> None:
    handoff = {"type": "stream_handoff", "options": [{"type": "resume_sse_endpoint"}]}
    resume = {"type": "resume_conversation_token", "token": "t-secret", "conversation_id": "c"}
    found = decode([resume, handoff, "[DONE]"], finish=False)
    decoder = found.decoder

    assert decoder.facts.handoff
    assert decoder.facts.resume_token == "t-secret"
    assert "t-secret" not in repr(decoder.facts)
    assert (decoder.done, decoder.settled, decoder.complete) == (True, False, False)
    with pytest.raises(UpstreamTruncated, match="elsewhere"):
        decoder.finish()

    answer = [wire.root("a"), wire.append("Here"), wire.complete]
    events = [event for item in answer for event in decoder.feed(wire.record(item))]
    assert events == [TextDelta("Here")]
    assert decoder.complete
    assert decoder.finish() == [Finish("stop")]


def test_a_resumed_stream_may_begin_again(decode, wire) -> None:
    start = [SseRecord("delta_encoding", '"v1"'), wire.record(wire.root("a"))]
    found = decode([*start, wire.append("One"), {"v": ", two"}], finish=False)

    assert found.decoder.facts.events_seen == 4
    again = [*start, wire.record(wire.append("One, two")), wire.record({"v": ", three"})]
    events = [e for r in again for e in found.decoder.feed(r)]
    assert events == [TextDelta(", three")]


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "status", "code"),
    [
        ({"message": None, "conversation_id": "c", "error": "It broke."}, 502, "upstream_bad_response"),
        ({"error": {"message": "It broke.", "code": "network_error"}}, 502, "upstream_bad_response"),
        ({"error": "It broke.", "error_code": "model_cap_exceeded"}, 429, "rate_limit_exceeded"),
        ({"detail": {"code": "token_expired", "message": "Expired"}}, 502, "upstream_account_auth_failed"),
        ({"detail": "Unusual activity has been detected"}, 502, "upstream_access_denied"),
        ({"type": "error", "error": {"message": "It broke."}}, 502, "upstream_bad_response"),
        ({"p": "", "o": "add", "v": {"message": None, "error": "It broke."}}, 502, "upstream_bad_response"),
        ({"p": "/error", "o": "replace", "v": "It broke."}, 502, "upstream_bad_response"),
        ({"o": "patch", "p": "", "v": [{"p": "/error_code", "o": "add", "v": "conversation_too_large"}]},
         400, "context_length_exceeded"),
        ({"wss_url": "wss://example.org", "conversation_id": "c"}, 502, "upstream_bad_response"),
        ({"message": "Too many requests"}, 429, "rate_limit_exceeded"),
    ],
)  # fmt: skip
def test_errors_inside_the_stream(decode, wire, payload: Any, status: int, code: str) -> None:
    found = decode([wire.root("a", "Once"), payload])

    assert found.text == "Once"
    assert found.error is not None
    assert (found.error.status, found.error.code) == (status, code)


def test_a_system_error_counts_only_when_nothing_followed_it(decode, wire) -> None:
    failed = {"content_type": "system_error", "name": "tool_error", "text": "The tool broke."}
    told = wire.snapshot("s", role="tool", content=failed, done=True)
    begun, whole = wire.snapshot("a", "Hi"), wire.snapshot("a", "Hi", done=True)

    assert decode([told, whole, "[DONE]"]).text == "Hi"
    assert decode([whole, told, "[DONE]"]).reason == "stop"
    for stream in ([told, "[DONE]"], [told], [begun, told, "[DONE]"], [begun, told]):
        error = decode(stream).error
        assert error is not None
        assert error.message == "The tool broke."


def test_an_unknown_encoding_is_told_clearly(decode) -> None:
    found = decode([SseRecord("delta_encoding", '"v2"')])

    assert found.error is not None
    assert (
        found.error.message == "The upstream streams in an encoding that is not known here: 'v2'."
    )


BAD = [
    "{broken",
    "null",
    "5",
    '"text"',
    "[]",
    '{"message": null}',
    '{"type": "from_the_future"}',
    "{}",
]


@pytest.mark.parametrize("bad", [*BAD, '{"p": "", "o": "add", "v": {"message": null}}'])
def test_unreadable_events_are_skipped_up_to_twenty_in_a_row(decode, wire, bad: str) -> None:
    nineteen = [wire.record(bad)] * 19
    found = decode([*nineteen, wire.snapshot("a", "Hi"), *nineteen, wire.complete])

    assert found.text == "Hi"
    assert found.decoder.facts.events_skipped == 38

    too_many = decode([wire.snapshot("a", "Hi"), *nineteen, wire.record(bad)])
    assert too_many.text == "Hi"
    assert too_many.error is not None
    assert too_many.error.code == "upstream_bad_response"


def test_known_events_that_mean_nothing_do_not_count_as_unreadable(decode, wire) -> None:
    idle = [{"type": "heartbeat"}, {"type": "safety_review_update", "message": "wait"}] * 20
    ping, empty = SseRecord("ping", "{}"), SseRecord("message", "  ")
    found = decode([*idle, ping, empty, wire.snapshot("a", "Hi", done=True), "[DONE]"])

    assert found.text == "Hi"
    assert found.decoder.facts.events_skipped == 0
    assert found.decoder.facts.events_seen == 41


# --- facts and threads ---------------------------------------------------------------------------


def test_threads_are_announced_when_known_and_when_they_change(decode, wire) -> None:
    late = wire.snapshot("a", "Hi")
    del late["conversation_id"]
    found = decode(
        [
            late,
            {"type": "title_generation", "title": "x", "conversation_id": "c"},
            wire.snapshot("a", "Hi you"),
            wire.snapshot("b", "Bye", done=True),
            "[DONE]",
        ],
        history=True,
    )

    assert found.events == [
        TextDelta("Hi"),
        Thread("c", "a"),
        TextDelta(" you"),
        Thread("c", "b"),
        TextDelta("\n\nBye"),
        Finish("stop"),
    ]


def test_typed_events_are_known_by_event_name_too(decode, wire) -> None:
    found = decode([
        wire.snapshot("a", "Hi"),
        wire.record({"conversation_id": "c"}, "message_stream_complete"),
    ])  # fmt: skip

    assert found.events == [TextDelta("Hi"), Finish("stop")]


def test_late_sources_are_named_at_the_end(decode, wire) -> None:
    reference = {"type": "webpage", "items": [{"title": "T", "url": "https://example.org/"}]}
    found = decode([
        wire.root("a", "Said.", meta={"content_references": []}),
        {"p": "/message/metadata/content_references", "o": "append", "v": [reference]},
        wire.complete,
    ])  # fmt: skip

    assert found.events == [
        TextDelta("Said."),
        Citation("https://example.org/", "T"),
        Finish("stop"),
    ]


def test_the_model_that_served_is_the_one_the_upstream_measured(decode, wire) -> None:
    found = decode([
        {"type": "server_ste_metadata", "metadata": {"model_slug": "mini"}},
        wire.snapshot("a", "Hi", meta={"model_slug": "big", "resolved_model_slug": "bigger"}),
        "[DONE]",
    ])  # fmt: skip

    assert found.decoder.facts.served_model == "mini"


# --- stored conversations ------------------------------------------------------------------------


def stored(wire, *messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    parents = [None, *(message["id"] for message in messages)]
    mapping = {
        m["id"]: {"id": m["id"], "message": m, "parent": parent}
        for m, parent in zip(messages, parents, strict=False)
    }
    return {
        "conversation_id": "c",
        "mapping": mapping,
        "current_node": messages[-1]["id"],
        **fields,
    }


def test_a_document_adds_only_what_is_missing(decode, wire) -> None:
    user = wire.message("u", "Question", role="user", done=True)
    found = decode([wire.root("a", "One"), wire.append(", two")], sent=["u"], finish=False)
    decoder = found.decoder

    growing = stored(wire, user, wire.message("a", "One, two, three"))
    assert decoder.absorb_document(growing) == [TextDelta(", three")]
    assert not decoder.complete
    assert decoder.absorb_document(growing) == []

    whole = stored(
        wire,
        user,
        wire.message("a", "One, two, three, four", done=True, end_turn=False),
        wire.message("b", "Five", done=True),
    )
    assert decoder.absorb_document(whole) == [TextDelta(", four\n\nFive")]
    assert decoder.complete
    assert decoder.finish() == [Finish("stop")]


@pytest.mark.parametrize(
    ("last", "fields", "complete"),
    [
        ({"done": True}, {}, True),
        ({"done": True}, {"async_status": 4}, True),
        ({"done": True}, {"async_status": "COMPLETE"}, True),
        ({"done": True}, {"async_status": 3}, False),
        ({"done": True}, {"async_status": "IS_STREAMING"}, False),
        ({"done": True, "end_turn": False}, {}, False),
        ({}, {}, False),
        ({"done": True, "recipient": "web"}, {}, False),
        ({"done": True, "role": "tool"}, {}, False),
    ],
)
def test_when_a_document_is_whole(decode, wire, last: Any, fields: Any, complete: bool) -> None:
    decoder = decode([], finish=False).decoder
    document = stored(
        wire, wire.message("u", role="user"), wire.message("a", "Hi", **last), **fields
    )

    decoder.absorb_document(document)

    assert decoder.complete is complete


def test_a_research_report_is_waited_for(decode, wire) -> None:
    begun = [
        wire.snapshot("a", "I will look into it.", done=True),
        wire.snapshot("r", "", role="tool", meta={"async_task_type": "research"}),
        wire.complete,
    ]
    decoder = decode(begun, finish=False).decoder
    assert (decoder.settled, decoder.complete) == (True, False)

    before = [wire.message("u", role="user"), *(item["message"] for item in begun[:2])]
    decoder.absorb_document(stored(wire, *before))
    assert not decoder.complete
    report = wire.message("b", "The report.", done=True)
    assert decoder.absorb_document(stored(wire, *before, report)) == [TextDelta("\n\nThe report.")]
    assert decoder.complete


def test_a_refusal_instead_of_a_document(decode) -> None:
    decoder = decode([], finish=False).decoder

    with pytest.raises(Exception, match="Can't load") as caught:
        decoder.absorb_document(
            {"detail": {"code": "conversation_not_found", "message": "Can't load it"}}
        )
    assert caught.value.info.code == "conversation_not_found"
    with pytest.raises(Exception, match="not an object"):
        decoder.absorb_document([])


# --- any text, any cuts --------------------------------------------------------------------------

words = st.text(alphabet="ab 你【】†1\n😀", max_size=4)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(["append", "bare", "patch", "snapshot"]), words)))
def test_no_text_is_lost_or_doubled_however_it_comes(pieces: list[tuple[str, str]]) -> None:
    path = "/message/content/parts/0"
    message = {"id": "a", "author": {"role": "assistant"}, "status": "in_progress"}

    def root(text: str) -> dict[str, Any]:
        return {"message": {**message, "content": {"content_type": "text", "parts": [text]}}}

    payloads: list[Any] = [{"p": "", "o": "add", "v": root(""), "c": 0}]
    text, can_be_bare = "", False
    for form, piece in pieces:
        text += piece
        operation = {"p": path, "o": "append", "v": piece}
        if form == "snapshot":
            payloads.append(root(text))
        elif form == "patch":
            payloads.append({"p": "", "o": "patch", "v": [operation]})
        else:
            payloads.append({"v": piece} if form == "bare" and can_be_bare else operation)
        can_be_bare = form in ("append", "bare") or (can_be_bare and form == "snapshot")

    decoder = TurnDecoder((), keep_history=False)
    events = [e for p in payloads for e in decoder.feed(SseRecord("message", json.dumps(p)))]
    events += decoder.feed(SseRecord("message", "[DONE]"))

    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == text


VOCABULARY = ["", "a", "b", "assistant", "tool", "user", "python", "all", "text", "multimodal_text", "thoughts",
    "code", "execution_output", "system_error", "image_asset_pointer", "sediment://x", "finished_successfully",
    "max_tokens", "\ue200cite\ue202turn0search0\ue201", "【1†s】", "https://a.org", "append", "add", "patch",
    "truncate", "remove", "/message/content/parts/0", "/message/metadata", "/message/content/thoughts/0/content",
    "message_stream_complete", "moderation", "conversation_async_status", "grouped_webpages",
]  # fmt: skip
KEYS = ["id", "author", "role", "name", "content", "content_type", "parts", "text", "status", "end_turn",
    "recipient", "channel", "metadata", "thoughts", "summary", "chunks", "asset_pointer", "generation", "height",
    "content_references", "matched_text", "items", "url", "title", "citations", "start_ix", "search_result_groups",
    "entries", "ref_id", "finish_details", "type", "async_task_type", "attachments", "aggregate_result", "messages",
]  # fmt: skip
odd = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 12) | st.sampled_from(VOCABULARY),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=15,
)
odd_message = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b", None]),
        "author": st.fixed_dictionaries({"role": st.sampled_from(["assistant", "tool"])}) | odd,
        "content": st.fixed_dictionaries(
            {"content_type": st.sampled_from(VOCABULARY)},
            optional={"parts": odd, "text": odd, "thoughts": odd},
        ),
        "metadata": odd,
        "status": odd,
        "end_turn": odd,
        "recipient": odd,
        "channel": odd,
    },
)
odd_payload = st.one_of(
    st.fixed_dictionaries({"message": odd_message | odd}),
    st.fixed_dictionaries({"v": odd | st.fixed_dictionaries({"message": odd_message})}),
    st.fixed_dictionaries(
        {"v": odd},
        optional={"p": st.sampled_from(VOCABULARY), "o": st.sampled_from(VOCABULARY), "c": odd},
    ),
    st.dictionaries(st.sampled_from([*KEYS, "moderation_response", "async_status", "token"]), odd),
)


@settings(max_examples=8000)
@given(st.lists(odd_payload, max_size=8), odd)
def test_anything_is_survived(payloads: list[Any], mapping: Any) -> None:
    """Whatever comes, a decoder answers with events or with an error of ours."""
    decoder = TurnDecoder((), keep_history=True)
    with suppress(Chat2ApiError):
        for payload in payloads:
            decoder.feed(SseRecord("message", json.dumps(payload)))
    with suppress(Chat2ApiError):
        nodes = {
            str(n): {"message": p.get("message"), "parent": str(n - 1)}
            for n, p in enumerate(payloads)
        }
        decoder.absorb_document(
            {"mapping": nodes or mapping, "current_node": str(len(payloads) - 1)}
        )
    with suppress(Chat2ApiError):
        assert isinstance(decoder.finish()[-1], Finish)


@pytest.mark.timeout(20)
def test_a_hundred_thousand_tiny_events_are_quick(decode, wire) -> None:
    bare = b'event: delta\ndata: {"v": "tick "}\n\n'
    head = b"".join(
        b"data: " + json.dumps(item).encode() + b"\n\n" for item in (wire.root(), wire.append("x"))
    )
    body = head + bare * 100_000 + b"data: [DONE]\n\n"
    frames, decoder = FastSseDecoder(1 << 20), TurnDecoder((), keep_history=False)
    length = 0
    started = time.perf_counter()
    for start in range(0, len(body), 1000):
        for record in frames.feed(body[start : start + 1000]):
            length += sum(len(e.text) for e in decoder.feed(record) if isinstance(e, TextDelta))

    assert length == 500_001
    assert time.perf_counter() - started < 5
