"""The way of events from the threads that read upstreams to the one that writes to the caller."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from dataclasses import dataclass

from chat2api.chat.events import Event, EventStream, Failure, ReasoningDelta, TextDelta
from chat2api.lifetime.call import Call

_MOST_PENDING_CHARACTERS = 512 * 1024
_EVENT_WEIGHT = 64


@dataclass(frozen=True, slots=True)
class Batch:
    """What was waiting: events by choice, in order; whether a keep-alive is due; whether all is told."""

    groups: list[tuple[int, list[Event]]]
    beat: bool
    ended: bool

    @property
    def failure(self) -> Failure | None:
        for _, events in self.groups:
            if isinstance(events[-1], Failure):
                return events[-1]
        return None


class Channel:
    """Several writers, one reader. A writer waits while the reader is far behind, so memory is bounded."""

    def __init__(self, call: Call, writers: int) -> None:
        self._call = call
        self._writers = writers
        self._items: deque[tuple[int, Event]] = deque()
        self._weight = 0
        self._beat = False
        self._signal = threading.Event()
        self._room = threading.Event()

    def put(self, index: int, event: Event) -> None:
        """Raises what the call was cancelled with; `Failure` is let through, it is the last word."""
        if self._call.error is not None and not isinstance(event, Failure):
            raise self._call.error
        self._items.append((index, event))
        self._weight += _EVENT_WEIGHT
        if isinstance(event, TextDelta | ReasoningDelta):
            self._weight += len(event.text)
        self._signal.set()
        if self._is_full():
            self._wait_for_room()

    def _is_full(self) -> bool:
        # Writers add to the weight without a lock, so it can be too high by what the reader has just
        # taken; but then nothing waits.
        over = self._weight > _MOST_PENDING_CHARACTERS
        return over and bool(self._items) and self._call.error is None

    def _wait_for_room(self) -> None:
        with self._call.waking(self._room.set):
            while self._is_full():
                self._room.clear()
                if self._is_full():
                    self._room.wait(timeout=60)

    def done(self) -> None:
        """A writer has nothing more to say."""
        self._writers -= 1
        self._signal.set()

    def beat(self) -> None:
        self._beat = True
        self._signal.set()

    def take(self) -> Batch:
        """All that waits; waits itself while there is nothing. The watchdog's beats bound the wait."""
        while not (self._items or self._beat or self._writers <= 0):
            self._signal.clear()
            if not (self._items or self._beat or self._writers <= 0):
                self._signal.wait()
        groups = self._drain()
        beat, self._beat = self._beat, False
        return Batch(groups, beat, self._writers <= 0 and not self._items)

    def _drain(self) -> list[tuple[int, list[Event]]]:
        """The waiting events, neighbours of one choice together."""
        groups: list[tuple[int, list[Event]]] = []
        items = self._items
        for _ in range(len(items)):
            index, event = items.popleft()
            if groups and groups[-1][0] == index and not isinstance(groups[-1][1][-1], Failure):
                groups[-1][1].append(event)
            else:
                groups.append((index, [event]))
        self._weight = 0
        self._room.set()
        return groups


def open_channel(turns: list[EventStream], call: Call) -> Channel:
    """A thread for each turn reads it into the channel. Closing the call ends them."""
    channel = Channel(call, len(turns))
    for index, turn in enumerate(turns):
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run,
            args=(_pump, channel, index, turn, call),
            name=f"turn-{index}",
            daemon=True,
        ).start()
    return channel


def _pump(channel: Channel, index: int, turn: EventStream, call: Call) -> None:
    try:
        for event in turn:
            channel.put(index, event)
    except Exception as error:
        if error is not call.error:
            raise
    finally:
        try:
            turn.close()
        finally:
            channel.done()
