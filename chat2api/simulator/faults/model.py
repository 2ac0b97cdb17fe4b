"""What a fault is: one name, and the stages of an answer at which it does its harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chat2api.simulator.params import Params
from chat2api.simulator.refusals import Reply
from chat2api.simulator.wire.framing import Style
from chat2api.simulator.wire.items import Items, Pieces


@dataclass(frozen=True, slots=True)
class Fault:
    """Every stage is optional. In order: `demands` changes what sentinel asks for, `terms` how a
    refresh token is exchanged; `reply` answers instead of the route; `items`, `style`, `pieces` change a stream's events, their spelling, and
    its bytes; `head` changes status and headers."""

    name: str
    about: str
    parameters: str = ""
    fails: bool = False  # the turn itself fails: nothing can be resumed or polled afterwards
    breaks: bool = False  # no whole answer comes through
    demands: Callable[[Params], dict[str, Any]] | None = None
    terms: Callable[[Params], dict[str, Any]] | None = None
    reply: Callable[[Params], Reply] | None = None
    items: Callable[[Items, Params], Items] | None = None
    style: Callable[[Style, Params], Style] | None = None
    pieces: Callable[[Pieces, Params], Pieces] | None = None
    head: Callable[[Reply, Params], Reply] | None = None
