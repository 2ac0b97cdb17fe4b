"""The Responses dialect with a memory: what is loaded before a turn and kept after it."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.events import Event, Failure, Finish, TextDelta, Usage
from chat2api.chat.fold import fold
from chat2api.dialects.protocol import Ask, Stamp
from chat2api.errors import ErrorInfo, PreviousResponseNotFound
from chat2api.service.access import Anonymous, PoolKey, Principal
from chat2api.service.threads import Memory, Threads
from chat2api.store.opening import Store
from chat2api.store.responses import StoredResponses, Turn
from chat2api.web.threaded import ThreadedResponses

HELLO: list[Event] = [TextDelta("Hello!"), Usage(1, 1), Finish("stop")]
BROKEN: list[Event] = [
    TextDelta("Hel"),
    Failure(ErrorInfo(502, "server_error", "upstream_truncated", "Cut.")),
]
MINE = "key:1"


@pytest.fixture
def threads(key_store: Store) -> Threads:
    return Threads(StoredResponses(key_store), key_store.vault, 30)


class Turns:
    """One turn after another, of one caller."""

    def __init__(
        self, threads: Threads, memory: Memory | None = None, caller: Principal | None = None
    ) -> None:
        self.threads = threads
        self.memory = memory
        self.caller = caller or PoolKey("1")
        self.count = 0
        self.dialect: Any = None

    def ask(self, text: str = "Hi", **body: Any) -> tuple[Ask, Stamp]:
        self.count += 1
        self.dialect = ThreadedResponses(self.threads, lambda: self.caller, self.memory)
        ask = self.dialect.parse({"model": "m", "input": text, **body})
        return ask, Stamp(f"resp_{self.count}", 1)

    def whole(self, text: str = "Hi", **body: Any) -> str:
        ask, stamp = self.ask(text, **body)
        self.dialect.render(ask, stamp, [fold(HELLO)])
        return stamp.answer_id

    def kept(self, response_id: str) -> Turn | None:
        try:
            return self.threads.find(response_id, MINE)
        except Exception:
            return None


def texts(ask: Ask) -> list[str]:
    return [message.text for message in ask.conversation.messages]


def test_a_whole_answer_is_kept(threads: Threads) -> None:
    turns = Turns(threads)
    found = turns.kept(turns.whole("Hi"))
    assert found is not None
    assert found.response["status"] == "completed"
    assert [item["role"] for item in found.items] == ["user", "assistant"]
    assert turns.dialect.succeeded


def test_a_streamed_one_before_its_last_event_is_handed_out(threads: Threads) -> None:
    turns = Turns(threads)
    ask, stamp = turns.ask(stream=True)
    stream = turns.dialect.renderer(ask, stamp)
    stream.feed(0, HELLO[:1])
    stream.beat()
    assert turns.kept(stamp.answer_id) is None
    assert not turns.dialect.succeeded
    assert b"response.completed" in stream.feed(0, HELLO[1:])
    assert turns.kept(stamp.answer_id) is not None
    stream.close()


def test_what_failed_or_is_not_to_be_kept_is_not(threads: Threads) -> None:
    turns = Turns(threads)
    ask, stamp = turns.ask(stream=True)
    turns.dialect.renderer(ask, stamp).feed(0, BROKEN)
    assert turns.kept(stamp.answer_id) is None
    assert not turns.dialect.succeeded
    assert turns.kept(turns.whole(store=False)) is None
    assert turns.dialect.succeeded


def test_what_was_cut_at_its_limit_is_kept(threads: Threads) -> None:
    turns = Turns(threads)
    ask, stamp = turns.ask()
    turns.dialect.render(ask, stamp, [fold([TextDelta("He"), Usage(1, 1), Finish("length")])])
    found = turns.kept(stamp.answer_id)
    assert found is not None
    assert found.response["status"] == "incomplete"


def test_a_turn_goes_on_from_all_before(threads: Threads) -> None:
    turns = Turns(threads)
    first = turns.whole("one")
    second = turns.whole("two", previous_response_id=first)
    ask, _ = turns.ask("three", previous_response_id=second)
    assert texts(ask) == ["one", "Hello!", "two", "Hello!", "three"]
    found = turns.kept(second)
    assert found is not None
    assert (len(found.input_items), found.previous_id) == (1, first)


def test_nobodys_turns_are_told_as_not_stored(threads: Threads) -> None:
    turns = Turns(threads, caller=Anonymous())
    ask, stamp = turns.ask(store=True)
    assert turns.dialect.render(ask, stamp, [fold(HELLO)])["store"] is False
    with pytest.raises(PreviousResponseNotFound):
        turns.ask(previous_response_id=stamp.answer_id)


def test_a_connection_goes_on_from_what_is_not_stored(threads: Threads) -> None:
    turns = Turns(threads, threads.memory())
    first = turns.whole("one", store=False)
    second = turns.whole("two", store=False, previous_response_id=first)
    ask, _ = turns.ask("three", previous_response_id=second)
    assert texts(ask) == ["one", "Hello!", "two", "Hello!", "three"]
    with pytest.raises(PreviousResponseNotFound):
        Turns(threads, threads.memory()).ask(previous_response_id=second)


def test_a_stored_turn_after_one_that_is_not_carries_it(threads: Threads) -> None:
    turns = Turns(threads, threads.memory())
    first = turns.whole("one", store=False)
    second = turns.whole("two", previous_response_id=first)
    third = turns.whole("three", previous_response_id=second)
    elsewhere = Turns(threads)
    ask, _ = elsewhere.ask("four", previous_response_id=third)
    assert texts(ask) == ["one", "Hello!", "two", "Hello!", "three", "Hello!", "four"]
    found = turns.kept(third)
    assert found is not None
    assert (len(found.input_items), found.previous_id) == (1, second)


def test_a_previous_id_that_is_none_is_the_dialects_to_refuse(threads: Threads) -> None:
    turns = Turns(threads)
    ask, _ = turns.ask(previous_response_id=None)
    assert texts(ask) == ["Hi"]
    with pytest.raises(Exception, match="previous_response_id"):
        turns.ask(previous_response_id=7)
