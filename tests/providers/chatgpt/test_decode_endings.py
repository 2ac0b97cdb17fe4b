"""providers.chatgpt.decode: how streams end, break, and tell it."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.events import Citation, Finish, TextDelta, Thread
from chat2api.codecs.sse import SseRecord
from chat2api.errors import UpstreamTruncated

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


def test_a_resume_token_must_fit_into_a_header(decode) -> None:
    tokens = ["good", "line\nbreak", "", None, ["odd"]]
    records = [{"type": "resume_conversation_token", "token": token} for token in tokens]
    assert decode(records, finish=False).decoder.facts.resume_token == "good"
    assert decode(records[1:], finish=False).decoder.facts.resume_token is None


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
    cut = decode([told, begun]).error
    assert cut is not None
    assert cut.code == "upstream_truncated"

    assert decode([told, whole, "[DONE]"]).text == "Hi"
    assert decode([whole, told, "[DONE]"]).reason == "stop"
    for stream in ([told, "[DONE]"], [told], [begun, told, "[DONE]"], [begun, told]):
        error = decode(stream).error
        assert error is not None
        assert error.message == "The tool broke."


@pytest.mark.parametrize("record", [("delta_encoding", '"v2"'), ("message", "v2")])
def test_an_unknown_encoding_is_told_clearly(decode, record: tuple[str, str]) -> None:
    found = decode([SseRecord(*record)])

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


def test_types_that_the_upstream_invents_never_break_a_stream(decode, wire) -> None:
    found = decode(
        [
            *[wire.record('{"type": "from_the_future"}')] * 50,
            wire.snapshot("a", "Hi"),
            wire.complete,
        ]
    )

    assert found.text == "Hi"
    assert found.decoder.facts.events_skipped == 50
    assert found.error is None


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


def test_who_served_says_nothing_to_the_caller(decode, wire) -> None:
    found = decode([
        {"type": "server_ste_metadata", "metadata": {"model_slug": "mini"}},
        wire.snapshot("a", "Hi", done=True),
        "[DONE]",
    ])  # fmt: skip

    assert found.events == [TextDelta("Hi"), Finish("stop")]
    assert found.decoder.facts.events_skipped == 0
