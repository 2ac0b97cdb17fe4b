"""All faults by name, and how a set of them is applied to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from chat2api.simulator.faults import (
    bulk,
    events,
    granting,
    lines,
    refusing,
    responses,
    spelling,
)
from chat2api.simulator.faults import demands as demanding
from chat2api.simulator.faults.model import Fault
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.refusals import Reply
from chat2api.simulator.wire.framing import PLAIN, encode
from chat2api.simulator.wire.items import Break, Items, Pause, Pieces

FAULTS = {
    fault.name: fault
    for group in (refusing, lines, events, spelling, bulk, demanding, granting, responses)
    for fault in group.FAULTS
}


def find(names: Sequence[str]) -> tuple[Fault, ...]:
    """Raises BadParameter for a name that is not in the list."""
    for name in names:
        if name not in FAULTS:
            raise BadParameter(f"there is no fault `{name}`")
    return tuple(FAULTS[name] for name in names)


def demands(faults: Sequence[Fault], params: Params) -> dict[str, Any]:
    """What the faults change in the requirements."""
    changed: dict[str, Any] = {}
    for fault in faults:
        if fault.demands is not None:
            changed |= fault.demands(params)
    return changed


def terms(faults: Sequence[Fault], params: Params) -> dict[str, Any]:
    """What the faults change in the exchange of a refresh token."""
    changed: dict[str, Any] = {}
    for fault in faults:
        if fault.terms is not None:
            changed |= fault.terms(params)
    return changed


def replacement(faults: Sequence[Fault], params: Params) -> Reply | None:
    """The answer given instead, when a fault has one."""
    for fault in faults:
        if fault.reply is not None:
            return fault.reply(params)
    return None


def shape(items: Items, faults: Sequence[Fault], params: Params) -> Items:
    """A stream's events after all event faults."""
    for fault in faults:
        if fault.items is not None:
            items = fault.items(items, params)
    return items


def spell(items: Items, faults: Sequence[Fault], params: Params) -> Pieces:
    """The bytes of a stream, in the spelling the faults ask for."""
    style = PLAIN
    for fault in faults:
        if fault.style is not None:
            style = fault.style(style, params)
    return encode(items, style)


def finish(reply: Reply, faults: Sequence[Fault], params: Params, *, is_stream: bool) -> Reply:
    """The last stages, for streams and plain answers alike."""
    pieces = reply.pieces
    touched = False
    for fault in faults:
        if fault.items is not None and not is_stream:
            # A plain answer has no events: what is left of the fault is its pause or its break.
            quiet = fault.items(iter(()), params)
            pieces = chain((one for one in quiet if isinstance(one, Pause | Break)), pieces)
            touched = True
        if fault.pieces is not None:
            pieces = fault.pieces(pieces, params)
            touched = True
    if touched:
        reply = replace(reply, body=pieces)
    for fault in faults:
        if fault.head is not None:
            reply = fault.head(reply, params)
    return reply
