"""Requests of other kinds find an upstream that has the model."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.errors import Unsupported
from chat2api.service.access import PoolKey
from chat2api.service.passage import Passage

KEY = PoolKey("key-id")


class Crossing:
    """A router that knows one model, and the upstream that has it."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def entry_of(self, model: str, principal: Any) -> Any:
        return (self, "theirs") if model == "ours" else None

    def forward(self, *sent: Any) -> str:
        self.sent.append(sent)
        return "on its way"


def test_the_body_calls_the_model_as_the_upstream_does() -> None:
    crossing: Any = Crossing()
    call: Any = object()
    trace: Any = object()
    passing: Any = Passage(crossing).open(
        "/x", "ours", lambda name: name.encode(), "text/x", KEY, call, trace
    )
    assert passing == "on its way"
    assert crossing.sent == [("/x", b"theirs", "text/x", call, trace, "theirs")]


def test_no_upstream_no_way() -> None:
    crossing: Any = Crossing()
    nothing: Any = None
    with pytest.raises(Unsupported) as caught:
        Passage(crossing).open("/x", "other", lambda name: b"", "text/x", KEY, nothing, nothing)
    assert (caught.value.param, "other" in caught.value.message) == ("model", True)
