"""From several writers to one reader: in order, bounded, and never stuck."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from chat2api.chat.events import Event, EventStream, Failure, Finish, TextDelta, Usage
from chat2api.errors import ClientGone, ErrorInfo
from chat2api.lifetime.call import Call
from chat2api.web.channel import Batch, Channel, open_channel

FAILED = Failure(ErrorInfo(502, "server_error", "upstream_truncated", "Cut."))
STOP = Finish("stop")
BIG = TextDelta("x" * 200_000)


def settled(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 2
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def no_writer_is_left() -> Iterator[None]:
    yield
    settled(lambda: not [t for t in threading.enumerate() if t.name.startswith("turn-")])


def turn(*events: Event) -> EventStream:
    yield from events


def everything(channel: Channel) -> list[Batch]:
    batches = [channel.take()]
    while not batches[-1].ended:
        batches.append(channel.take())
    return batches


def told(batches: list[Batch], index: int) -> list[Event]:
    return [
        event for batch in batches for at, events in batch.groups for event in events if at == index
    ]


# --- the reader's side


def test_what_waits_is_taken_at_once(call: Call) -> None:
    channel = Channel(call, 1)
    for event in (TextDelta("a"), TextDelta("b"), STOP):
        channel.put(0, event)
    assert channel.take() == Batch([(0, [TextDelta("a"), TextDelta("b"), STOP])], False, False)
    channel.done()
    assert channel.take() == Batch([], False, True)


def test_neighbours_of_one_choice_stand_together(call: Call) -> None:
    channel = Channel(call, 2)
    for index, text in ((0, "a"), (0, "b"), (1, "c"), (0, "d"), (1, "e"), (1, "f")):
        channel.put(index, TextDelta(text))
    assert [(index, [e.text for e in events]) for index, events in channel.take().groups] == [  # type: ignore[union-attr]
        (0, ["a", "b"]),
        (1, ["c"]),
        (0, ["d"]),
        (1, ["e", "f"]),
    ]


def test_a_beat_comes_with_what_waits_or_alone(call: Call) -> None:
    channel = Channel(call, 1)
    channel.beat()
    assert channel.take() == Batch([], True, False)
    channel.beat()
    channel.put(0, STOP)
    assert channel.take() == Batch([(0, [STOP])], True, False)


def test_a_reader_waits_for_the_next(call: Call) -> None:
    channel = Channel(call, 1)
    for wake, batch in (
        (lambda: channel.put(0, STOP), Batch([(0, [STOP])], False, False)),
        (channel.beat, Batch([], True, False)),
        (channel.done, Batch([], False, True)),
    ):
        timer = threading.Timer(0.02, wake)
        timer.start()
        assert channel.take() == batch
        timer.join()


def test_a_failure_is_the_last_of_its_group(call: Call) -> None:
    channel = Channel(call, 2)
    for index, event in ((0, TextDelta("a")), (0, FAILED), (0, STOP), (1, STOP)):
        channel.put(index, event)
    batch = channel.take()
    assert batch.groups == [(0, [TextDelta("a"), FAILED]), (0, [STOP]), (1, [STOP])]
    assert batch.failure is FAILED


def test_a_batch_without_a_failure(call: Call) -> None:
    assert Batch([(0, [STOP]), (1, [TextDelta("a")])], False, True).failure is None
    assert Batch([], True, False).failure is None


# --- the writer's side


def test_a_writer_waits_while_the_reader_is_far_behind(call: Call) -> None:
    written: list[int] = []

    def endless() -> EventStream:
        for number in range(12):
            written.append(number)
            yield BIG

    channel = open_channel([endless()], call)
    settled(lambda: len(written) >= 3)
    time.sleep(0.03)
    assert len(written) == 3  # 600 000 characters, the third is what went over
    first = channel.take()
    assert len(told([first], 0)) == 3
    rest = everything(channel)
    assert told([first, *rest], 0) == [BIG] * 12


def test_many_small_events_weigh_too(call: Call) -> None:
    written: list[int] = []

    def endless() -> EventStream:
        for number in range(20_000):
            written.append(number)
            yield Usage(1, 1)

    channel = open_channel([endless()], call)
    settled(lambda: len(written) > 8_000)
    time.sleep(0.03)
    assert len(written) < 8_200
    assert len(told(everything(channel), 0)) == 20_000


def test_a_waiting_writer_is_released_when_the_call_ends(call: Call) -> None:
    closed = threading.Event()

    def endless() -> EventStream:
        try:
            while True:
                yield BIG
        finally:
            closed.set()

    channel = open_channel([endless()], call)
    settled(lambda: len(call._hooks) > 0)
    call.cancel(ClientGone("The caller hung up."))
    assert closed.wait(1)
    assert everything(channel)[-1].ended


def test_all_writers_far_ahead_get_on(call: Call) -> None:
    """Several wait for room at once; each batch lets all of them go on."""
    turns = [turn(*[BIG] * 8, STOP) for _ in range(4)]
    batches = everything(open_channel(turns, call))
    for index in range(4):
        assert told(batches, index) == [*[BIG] * 8, STOP]
    most = max(len(events) for batch in batches for _, events in batch.groups)
    assert most < 8


def test_a_weight_that_is_wrong_stops_nobody(call: Call) -> None:
    """Writers share the sum without a lock; an error in it may not outlast the next batch."""
    channel = Channel(call, 1)
    channel._weight = 10**9
    waiting = threading.Thread(target=channel.put, args=(0, BIG))
    waiting.start()
    assert channel.take().groups == [(0, [BIG])]
    waiting.join(1)
    assert not waiting.is_alive()
    channel._weight = 10**9
    channel._wait_for_room()  # nothing waits to be taken: at once


def test_after_the_call_has_ended_only_a_failure_is_taken(call: Call) -> None:
    channel = Channel(call, 1)
    gone = ClientGone("The caller hung up.")
    call.cancel(gone)
    with pytest.raises(ClientGone) as caught:
        channel.put(0, STOP)
    assert caught.value is gone
    channel.put(0, FAILED)
    assert channel.take().groups == [(0, [FAILED])]


# --- turns in threads


def test_each_choice_keeps_its_order(call: Call) -> None:
    turns = [turn(*(TextDelta(f"{index}.{n}") for n in range(500)), STOP) for index in range(4)]
    batches = everything(open_channel(turns, call))
    for index in range(4):
        assert told(batches, index) == [*(TextDelta(f"{index}.{n}") for n in range(500)), STOP]
    assert [batch.ended for batch in batches] == [False] * (len(batches) - 1) + [True]


def test_a_turn_that_ends_by_the_calls_error_is_quiet(call: Call) -> None:
    gone = ClientGone("The caller hung up.")

    def cancelled() -> EventStream:
        yield TextDelta("a")
        call.cancel(gone)
        yield TextDelta("b")

    batches = everything(open_channel([cancelled()], call))
    assert told(batches, 0) == [TextDelta("a")]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_reader_is_not_left_waiting_by_a_turn_that_breaks(call: Call) -> None:
    def broken() -> EventStream:
        yield TextDelta("a")
        raise ZeroDivisionError

    def broken_at_its_end() -> EventStream:
        try:
            call.cancel(ClientGone("The caller hung up."))
            yield TextDelta("not taken any more")
        finally:
            raise ZeroDivisionError

    batches = everything(open_channel([broken()], call))
    assert told(batches, 0) == [TextDelta("a")]
    ending = open_channel([broken_at_its_end()], call)
    assert everything(ending)[-1].ended


def test_turns_run_in_the_context_of_their_request(call: Call) -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")

    def named() -> EventStream:
        yield TextDelta(name.get())

    name.set("me")
    assert told(everything(open_channel([named(), named()], call)), 1) == [TextDelta("me")]
