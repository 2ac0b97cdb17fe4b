"""Responses into a turn's decoder: what is read, where reading stops, and what it leaves open."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from chat2api.chat.events import Event, TextDelta
from chat2api.errors import (
    ClientGone,
    ContentPolicyViolation,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamTimeout,
    UpstreamTruncated,
)
from chat2api.providers.chatgpt.decode import TurnDecoder
from chat2api.providers.chatgpt.reading import StreamReader
from chat2api.transport.protocol import Outgoing

LIMIT = 4096


@pytest.fixture
def decoder() -> TurnDecoder:
    return TurnDecoder((), keep_history=False)


@pytest.fixture
def reader(decoder: TurnDecoder) -> StreamReader:
    return StreamReader(decoder, LIMIT)


@pytest.fixture
def answer(stage: Any, script: Any) -> Any:
    """answer(*pieces): a response that streams them."""

    def opened(*pieces: Any) -> Any:
        stage.upstream.plays("GET /stream", script.stream(*pieces))
        return stage.upstream.open(Outgoing("GET", "https://x.test/stream", {}), stage.call)

    return opened


@pytest.fixture
def story(script: Any) -> bytes:
    return bytes(script.events(script.said("Hel"), script.said("Hello", done=True), "[DONE]"))


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize("size", [1, 2, 7, 100, 100_000])
def test_chunk_borders_mean_nothing(
    reader: StreamReader, decoder: TurnDecoder, answer: Any, story: bytes, size: int
) -> None:
    response = answer(*(story[at : at + size] for at in range(0, len(story), size)))
    assert list(reader.events(response)) == [TextDelta("Hel"), TextDelta("lo")]
    assert (decoder.done, response.closed) == (True, True)


def test_nothing_is_read_before_it_is_asked_for(
    reader: StreamReader, answer: Any, script: Any
) -> None:
    pieces = [script.events(script.said("Hello"[:size])) for size in range(1, 6)]
    response = answer(*pieces)
    with closing(reader.events(response)) as events:
        assert response.taken == 0
        for size in range(1, 6):
            assert next(events) == TextDelta("Hello"[size - 1])
            assert response.taken == size


def test_whoever_leaves_early_closes_the_response(
    reader: StreamReader, answer: Any, script: Any, story: bytes
) -> None:
    response = answer(script.events(script.said("Hel")), story)
    with closing(reader.events(response)) as events:
        next(events)
        assert not response.closed
    assert (response.closed, response.taken) == (True, 1)


# --- the end


def test_after_the_end_only_what_is_nearly_here_is_awaited(
    reader: StreamReader, answer: Any, story: bytes
) -> None:
    """The body's own end, so that its connection can serve the next turn."""
    response = answer(story, b": bye\n\n")
    assert text_of(list(reader.events(response))) == "Hello"
    assert 0 < response.hurried < 0.1
    assert (response.taken, response.closed) == (2, True)


def test_before_the_end_nothing_is_hurried(reader: StreamReader, answer: Any, script: Any) -> None:
    response = answer(script.events(script.said("Hel")))
    list(reader.events(response))
    assert response.hurried is None


def test_an_upstream_that_never_ends_is_left(
    reader: StreamReader, answer: Any, story: bytes
) -> None:
    response = answer(story, *[b": ping\n\n"] * 100)
    assert text_of(list(reader.events(response))) == "Hello"
    assert (response.closed, response.taken < 10) == (True, True)


@pytest.mark.parametrize(
    "error",
    [UpstreamConnectionError("Reset."), UpstreamTimeout("Slow."), UpstreamTruncated("Cut.")],
)
def test_what_breaks_after_the_end_breaks_nothing(
    reader: StreamReader, answer: Any, story: bytes, error: Exception
) -> None:
    response = answer(story, error)
    assert text_of(list(reader.events(response))) == "Hello"
    assert response.closed


def test_what_follows_the_end_is_not_told(
    reader: StreamReader, answer: Any, story: bytes, script: Any
) -> None:
    ghost = script.events(script.said("GHOST", message_id="ghost"))
    assert text_of(list(reader.events(answer(story + ghost, ghost)))) == "Hello"


def test_an_end_without_a_marker_is_the_callers_to_judge(
    reader: StreamReader, decoder: TurnDecoder, answer: Any, script: Any
) -> None:
    assert text_of(list(reader.events(answer(script.events(script.said("Hel")))))) == "Hel"
    assert not decoder.complete


# --- failures


@pytest.mark.parametrize(
    "error",
    [
        UpstreamConnectionError("Reset."),
        UpstreamTimeout("Silent."),
        UpstreamTruncated("Cut."),
        ClientGone("Gone."),
    ],
)
def test_what_reading_raises_is_raised_after_what_was_read(
    reader: StreamReader, answer: Any, script: Any, error: Exception
) -> None:
    response = answer(script.events(script.said("Hel")), error)
    events = reader.events(response)
    assert next(events) == TextDelta("Hel")
    with pytest.raises(type(error)) as raised:
        next(events)
    assert raised.value is error
    assert response.closed


def test_an_error_in_the_stream_is_raised(reader: StreamReader, answer: Any, script: Any) -> None:
    refusal = {"error": {"code": "content_policy_violation", "message": "No."}}
    response = answer(script.events(refusal), b"never read")
    with pytest.raises(ContentPolicyViolation):
        list(reader.events(response))
    assert (response.closed, response.taken) == (True, 1)


@pytest.mark.parametrize("tail", [b"", b"\n\n"])
def test_an_event_beyond_the_limit(reader: StreamReader, answer: Any, tail: bytes) -> None:
    response = answer(b"data: " + b"x" * (LIMIT + 1) + tail, b"never read")
    with pytest.raises(UpstreamBadResponse, match="cannot be read"):
        list(reader.events(response))
    assert (response.closed, response.taken) == (True, 1)


# --- one stream after another


def test_streams_of_one_turn_add_up(
    reader: StreamReader, decoder: TurnDecoder, answer: Any, story: bytes, script: Any
) -> None:
    """A second stream repeats what the first said; a torn event of the first is forgotten."""
    torn = script.events(script.said("Hel")) + script.events(script.said("Hell"))[:-20]
    assert text_of(list(reader.events(answer(torn)))) == "Hel"
    assert text_of(list(reader.events(answer(story)))) == "lo"
    assert decoder.complete
