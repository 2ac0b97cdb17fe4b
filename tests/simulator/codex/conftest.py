"""Requests of the Codex backend in the making."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chat2api.simulator.codex.asking import Asked, Sender, parse
from chat2api.simulator.refusals import Refusal

OWNER = "account-1"


@pytest.fixture
def body() -> Callable[..., dict[str, Any]]:
    """`body(item or text, …, field=value)`: None leaves a field out."""

    def made(*said: Any, **fields: Any) -> dict[str, Any]:
        items = [
            {"type": "message", "role": "user", "content": one} if isinstance(one, str) else one
            for one in said or ("Hello",)
        ]
        whole = {"model": "gpt-5.5", "instructions": "Be kind.", "input": items}
        whole |= {"store": False, "stream": True, **fields}
        return {name: value for name, value in whole.items() if value is not None}

    return made


@pytest.fixture
def asked(body: Any) -> Callable[..., Asked]:
    """The same, read by the backend for a paid account."""
    sender = Sender(OWNER, "plus", paid=True)
    return lambda *said, **fields: parse(body(*said, **fields), sender)


@pytest.fixture
def refusal() -> Callable[..., Any]:
    """`refusal(call)`: status and body of the refusal that a call ends with."""

    def told(call: Callable[[], object]) -> tuple[int, Any]:
        with pytest.raises(Refusal) as caught:
            call()
        reply = caught.value.reply
        assert isinstance(reply.body, bytes)
        return reply.status, json.loads(reply.body)

    return told
