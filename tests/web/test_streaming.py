"""The body of a streamed answer, as the WSGI server reads it."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import pytest

from chat2api.chat.events import Event, Failure, Finish, TextDelta
from chat2api.errors import ClientGone, ErrorInfo
from chat2api.lifetime.call import Call
from chat2api.web.caller import CallerLimits, CallerWatch
from chat2api.web.channel import Batch, Channel
from chat2api.web.streaming import HEADERS, StreamBody, sent_under_watch

FAILED = Failure(ErrorInfo(502, "server_error", "upstream_truncated", "Cut."))
STOP = Finish("stop")


class PlainRenderer:
    """Writes what it is told in words."""

    def __init__(self) -> None:
        self.failed = False

    def feed(self, index: int, events: Sequence[Event]) -> bytes:
        words = []
        for event in events:
            self.failed |= isinstance(event, Failure)
            words.append(event.text if isinstance(event, TextDelta) else type(event).__name__)
        return f"[{index} {' '.join(words)}]".encode() if words != [""] else b""

    def beat(self) -> bytes:
        return b":"

    def close(self) -> bytes:
        return b"" if self.failed else b"DONE"


class Stream:
    """A body with everything around it in reach."""

    def __init__(self, call: Call, clock: Any, first: Batch, writers: int = 1) -> None:
        self.call = call
        self.channel = Channel(call, writers)
        limits = CallerLimits(15.0, 30.0)
        self.watch = CallerWatch(call, None, limits, lambda: None, clock)
        self.body = StreamBody(self.channel, PlainRenderer(), first, call, self.watch)
        self.closed = 0
        self.body.on_close = self._on_close

    def _on_close(self) -> None:
        self.closed += 1

    def put(self, *events: Event, index: int = 0) -> None:
        for event in events:
            self.channel.put(index, event)


def batch(*events: Event, beat: bool = False, ended: bool = False) -> Batch:
    return Batch([(0, list(events))] if events else [], beat, ended)


@pytest.fixture
def stream(call: Call, clock: Any) -> Stream:
    return Stream(call, clock, batch(TextDelta("Hel")))


def test_one_piece_for_all_that_waits(stream: Stream) -> None:
    assert next(stream.body) == b"[0 Hel]"
    stream.put(TextDelta("lo"), TextDelta("!"), STOP)
    assert next(stream.body) == b"[0 lo ! Finish]"
    stream.channel.done()
    assert list(stream.body) == [b"DONE"]
    stream.body.close()
    assert (stream.call.error, stream.closed) == (None, 1)


def test_the_end_may_come_with_the_last_piece(call: Call, clock: Any) -> None:
    stream = Stream(call, clock, batch(TextDelta("Hi"), STOP, ended=True))
    assert list(stream.body) == [b"[0 Hi Finish]DONE"]


def test_a_beat_is_written_where_nothing_else_is_told(stream: Stream) -> None:
    next(stream.body)
    stream.channel.beat()
    assert next(stream.body) == b":"
    stream.channel.beat()
    stream.put(TextDelta("lo"))
    assert next(stream.body) == b"[0 lo]:"


def test_no_beat_after_the_end(stream: Stream) -> None:
    next(stream.body)
    stream.put(STOP)
    stream.channel.beat()
    stream.channel.done()
    assert list(stream.body) == [b"[0 Finish]DONE"]


def test_events_that_show_nothing_are_no_piece(call: Call, clock: Any) -> None:
    """An empty piece would end the answer for the server."""
    stream = Stream(call, clock, batch(TextDelta("")))
    stream.put(STOP)
    stream.channel.done()
    assert list(stream.body) == [b"[0 Finish]DONE"]


def test_a_failure_is_the_last_word_and_ends_the_other_choices(call: Call, clock: Any) -> None:
    stream = Stream(call, clock, batch(TextDelta("a")), writers=2)
    next(stream.body)
    stream.put(TextDelta("b"), FAILED)
    assert list(stream.body) == [b"[0 b Failure]"]
    assert isinstance(call.error, ClientGone)
    with pytest.raises(ClientGone):
        stream.put(TextDelta("more"), index=1)
    stream.body.close()
    assert stream.closed == 1


def test_closing_before_the_end_ends_the_call(stream: Stream) -> None:
    next(stream.body)
    stream.body.close()
    assert isinstance(stream.call.error, ClientGone)
    assert stream.call.error.message == "The caller hung up."
    stream.body.close()
    assert stream.closed == 1


def test_closing_a_body_nobody_read(stream: Stream) -> None:
    stream.body.close()
    assert isinstance(stream.call.error, ClientGone)
    assert stream.closed == 1


@pytest.mark.parametrize("size", [65_536, 65_537, 200_000])
def test_a_piece_is_never_more_than_a_caller_takes_in_time(
    call: Call, clock: Any, size: int
) -> None:
    text = "".join(chr(97 + n % 26) for n in range(size - 4))
    stream = Stream(call, clock, batch(TextDelta(text), ended=True))
    whole = f"[0 {text}]DONE".encode()
    pieces = list(stream.body)
    assert b"".join(pieces) == whole
    assert [len(piece) for piece in pieces[:-1]] == [65_536] * (len(whole) // 65_536)
    assert len(pieces[-1]) == len(whole) % 65_536


def test_the_watch_knows_when_a_piece_is_on_its_way(
    stream: Stream, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    next(stream.body)
    clock.now += 29
    stream.watch.tick(clock.now)
    stream.put(TextDelta("lo"))
    next(stream.body)  # the server came back: the first piece is out
    clock.now += 29
    stream.watch.tick(clock.now)
    assert stream.call.error is None
    clock.now += 2
    with caplog.at_level(logging.INFO):
        stream.watch.tick(clock.now)
    assert isinstance(stream.call.error, ClientGone)


def test_nothing_is_on_its_way_while_the_next_piece_is_awaited(stream: Stream, clock: Any) -> None:
    next(stream.body)
    stream.put(STOP)
    stream.channel.done()
    assert list(stream.body) == [b"[0 Finish]DONE"]
    clock.now = math.inf
    stream.watch.tick(1e9)
    assert stream.call.error is None


def test_headers_keep_proxies_from_holding_a_stream_back() -> None:
    assert HEADERS == {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-cache, no-transform",
        "X-Accel-Buffering": "no",
    }


def test_a_whole_answer_is_written_under_watch(call: Call, clock: Any) -> None:
    watch = CallerWatch(call, None, CallerLimits(15.0, 30.0), lambda: None, clock)
    body = sent_under_watch(b"x" * 70_000, watch)
    assert len(next(body)) == 65_536
    clock.now += 29
    watch.tick(clock.now)
    assert len(next(body)) == 70_000 - 65_536
    clock.now += 29
    watch.tick(clock.now)
    assert call.error is None
    clock.now += 2
    watch.tick(clock.now)
    assert isinstance(call.error, ClientGone)
    assert list(body) == []


class EventRenderer(PlainRenderer):
    """An event a word."""

    def feed(self, index: int, events: Sequence[Event]) -> bytes:
        words = [event.text for event in events if isinstance(event, TextDelta)]
        return b"".join(f"data: {word}\n\n".encode() for word in words)

    def close(self) -> bytes:
        return b"data: one\n\ndata: two\n\n"


def single(call: Call, clock: Any, *words: str) -> list[bytes]:
    channel = Channel(call, 0)
    watch = CallerWatch(call, None, CallerLimits(15.0, 30.0), lambda: None, clock)
    first = batch(*map(TextDelta, words), ended=True)
    return list(StreamBody(channel, EventRenderer(), first, call, watch, single_writes=True))


def test_each_event_in_a_write_of_its_own(call: Call, clock: Any) -> None:
    written = single(call, clock, "a", "b")
    assert written == [f"data: {word}\n\n".encode() for word in ("a", "b", "one", "two")]


@pytest.mark.parametrize(("size", "pieces"), [(1_000_000, 1), (2_500_000, 3)])
def test_an_event_is_cut_only_where_nobody_could_take_it_whole(
    call: Call, clock: Any, size: int, pieces: int
) -> None:
    written = single(call, clock, "x" * size)
    assert b"".join(written[:-2]) == b"data: " + b"x" * size + b"\n\n"
    assert len(written) == pieces + 2
