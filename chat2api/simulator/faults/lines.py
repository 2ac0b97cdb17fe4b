"""Faults of the line: resets, early ends, silence, dripping, and answers that are not HTTP."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Literal

from chat2api.simulator.faults.model import Fault
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.refusals import Reply
from chat2api.simulator.wire.items import Break, Frame, Items, Pause, Pieces


def at_text(items: Items, after: int, interruption: Items) -> Items:
    """`items` with `interruption` right after the `after`-th text frame: before everything when it
    is 0, at the end when there are fewer. Nothing follows a broken line."""
    left = after
    for item in chain(items, (None,)):
        if item is None or left == 0:
            left = -1
            for one in interruption:
                yield one
                if isinstance(one, Break):
                    return
        if item is None:
            return
        yield item
        if left > 0 and isinstance(item, Frame) and item.tokens:
            left -= 1


def _break(kind: Literal["reset", "cut", "close"]) -> Fault:
    def items(items: Items, params: Params) -> Items:
        return at_text(items, params.integer("after", 3), iter((Break(kind),)))

    def head(reply: Reply, params: Params) -> Reply:
        where = params.text("at", "text")
        if where not in ("text", "start", "headers"):
            raise BadParameter(f"at={where!r} is none of text, start, headers")
        if where == "text":
            return reply
        return replace(reply, body=iter((Break(kind),)), headers_first=where == "start")

    about = {
        "reset": "TCP reset after so many text events",
        "cut": "the connection closes inside the body",
        "close": "a proper end of the body, without end marker",
    }[kind]
    parameters = "after=3 at=text|start|headers"
    return Fault(kind, about, parameters, breaks=True, items=items, head=head)


def _empty(items: Items, params: Params) -> Items:
    return iter(())


def hang(reply: Reply, params: Params) -> Reply:
    return replace(reply, pause=params.number("seconds", 30))


def _quiet(items: Items, params: Params) -> Items:
    seconds = params.number("seconds", 30)

    def quiet() -> Items:
        yield Pause(seconds)
        yield from items

    return quiet()


def _silence(items: Items, params: Params) -> Items:
    pause = Pause(params.number("seconds", 30))
    return at_text(items, params.integer("after", 3), iter((pause,)))


def _drip(pieces: Pieces, params: Params) -> Pieces:
    seconds, size = params.number("seconds", 1), max(params.integer("size", 1), 1)

    def drip() -> Pieces:
        for piece in pieces:
            if not isinstance(piece, bytes):
                yield piece
                continue
            for start in range(0, len(piece), size):
                yield piece[start : start + size]
                yield Pause(seconds)

    return drip()


def _not_http(reply: Reply, params: Params) -> Reply:
    return replace(reply, body=iter((Break("cut"),)), raw=b"SSH-2.0-OpenSSH_9.2\r\n")


def _short_body(reply: Reply, params: Params) -> Reply:
    """Promises more bytes than it sends."""
    wrong = f"HTTP/1.1 {reply.status} OK\r\nContent-Type: application/json\r\n"
    wrong += 'Content-Length: 1000\r\n\r\n{"half":'
    return replace(reply, body=iter((Break("cut"),)), raw=wrong.encode())


FAULTS = (
    _break("reset"),
    _break("cut"),
    _break("close"),
    Fault("empty", "an event stream without a single event", items=_empty),
    Fault("hang", "silence before the headers", "seconds=30", head=hang),
    Fault("quiet", "headers, then silence", "seconds=30", items=_quiet),
    Fault("silence", "silence after so many text events", "seconds=30 after=3", items=_silence),
    Fault("drip", "one byte at a time", "seconds=1 size=1", pieces=_drip),
    Fault("not_http", "bytes that are not HTTP", breaks=True, head=_not_http),
    Fault("short_body", "a Content-Length that is never reached", breaks=True, head=_short_body),
)
