"""Streams on their way out: their tempo and end, their faults, their being stopped, counted and resumed."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from chat2api.simulator.conversations import Running
from chat2api.simulator.exchange import Exchange
from chat2api.simulator.faults import registry as faults
from chat2api.simulator.faults.model import Fault
from chat2api.simulator.journal import Record
from chat2api.simulator.params import Params
from chat2api.simulator.refusals import Reply
from chat2api.simulator.script import Step, Wait
from chat2api.simulator.wire.items import DONE, Frame, Items, Pause

SSE_HEADERS: tuple[tuple[str, str], ...] = (
    ("Content-Type", "text/event-stream; charset=utf-8"),
    ("Cache-Control", "no-cache"),
)


def lively(steps: Sequence[Step], pace: float) -> list[Step]:
    """The steps without the pauses that only make a paced answer look alive."""
    if pace:
        return list(steps)
    return [step for step in steps if pace or not isinstance(step, Wait) or step.always]


def ended(frames: Items, done: bool) -> Items:
    yield from frames
    if done:
        yield DONE


def paced(items: Items, seconds_per_token: float) -> Items:
    for item in items:
        if isinstance(item, Frame) and item.tokens and seconds_per_token:
            yield Pause(item.tokens * seconds_per_token)
        yield item


def send(
    exchange: Exchange,
    items: Items,
    chosen: Sequence[Fault],
    params: Params,
    conversation_id: str,
    headers: tuple[tuple[str, str], ...],
) -> Reply:
    """A stream with its faults, counted in the record and stoppable by stop_conversation."""
    simulator, owner = exchange.simulator, exchange.owner
    stop = exchange.stop = simulator.begin(owner, conversation_id)
    exchange.on_close.append(lambda: simulator.end(owner, conversation_id))
    shaped = faults.shape(_stoppable(items, stop, exchange.record), chosen, params)
    pieces = faults.spell(_counted(shaped, exchange.record), chosen, params)
    return faults.finish(Reply(200, pieces, headers), chosen, params, is_stream=True)


def _stoppable(items: Items, stop: threading.Event, record: Record) -> Items:
    for item in items:
        if stop.is_set():
            record.stopped = True
            yield DONE
            return
        yield item


def _counted(items: Items, record: Record) -> Items:
    for item in items:
        if isinstance(item, Frame):
            record.frames_sent += 1
            record.tokens_sent += item.tokens
        yield item


def resume_stream(exchange: Exchange, running: Running, conversation_id: str, offset: int) -> Reply:
    """The stream again from its `offset`-th event on; paced only while it is still being made."""
    assert running.frames is not None
    items = _skipped(iter(running.frames()), offset)
    if exchange.simulator.clock() >= running.ready_at:
        items = (item for item in items if not isinstance(item, Pause))
    choice = exchange.choose()
    chosen = faults.find(choice.faults)
    refused = faults.replacement(chosen, choice.params)
    if refused is not None:
        return faults.finish(refused, chosen, choice.params, is_stream=False)
    return send(exchange, items, chosen, choice.params, conversation_id, SSE_HEADERS)


def _skipped(items: Items, offset: int) -> Items:
    left = offset
    for item in items:
        if left > 0 and isinstance(item, Frame) and item != DONE:
            left -= 1
        elif left <= 0 or item == DONE:
            yield item
