"""All faults together: names, lookup, and application to streams and plain answers."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.faults import registry
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.refusals import Reply, json_reply
from chat2api.simulator.wire.items import Break, Frame, Pause

FRAMES = (Frame("one", tokens=1), Frame("two", tokens=1))


def chosen(*names: str) -> Any:
    return registry.find(names)


def test_every_fault_does_something_and_says_what() -> None:
    for name, fault in registry.FAULTS.items():
        stages = (fault.demands, fault.terms, fault.reply, fault.items, fault.style)
        assert any((*stages, fault.pieces, fault.head)), name
        assert fault.about, name


def test_an_unknown_fault_is_named() -> None:
    with pytest.raises(BadParameter, match="`nothing`"):
        registry.find(["reset", "nothing"])


def test_stages_add_up_on_a_stream() -> None:
    faults = chosen("close", "crlf", "chunks")
    params = Params({"after": 1, "size": 6})
    items = registry.shape(iter(FRAMES), faults, params)
    reply = Reply(200, registry.spell(items, faults, params))
    pieces = list(registry.finish(reply, faults, params, is_stream=True).pieces)
    assert pieces == [b"data: ", b"one\r\n\r", b"\n", Break("close")]


def test_a_plain_answer_knows_pauses_and_breaks_only() -> None:
    params = Params({"seconds": 2})
    reply = registry.finish(json_reply({}), chosen("silence", "scrambled"), params, is_stream=False)
    assert list(reply.pieces) == [Pause(2), b"{}"]
    reply = registry.finish(json_reply({}), chosen("reset"), params, is_stream=False)
    assert list(reply.pieces) == [Break("reset"), b"{}"]


def test_an_untouched_answer_stays_what_it_was() -> None:
    reply = json_reply({})
    assert registry.finish(reply, chosen("crlf"), Params(), is_stream=False) is reply


def test_the_first_refusal_wins() -> None:
    found = registry.replacement(chosen("crlf", "payment", "unusual"), Params())
    assert found is not None
    assert found.status == 402
    assert registry.replacement(chosen("crlf"), Params()) is None


def test_demands_are_collected() -> None:
    faults = chosen("turnstile", "difficulty", "crlf")
    found = registry.demands(faults, Params({"difficulty": "ff"}))
    assert found == {"turnstile": True, "difficulty": "ff"}


def test_terms_are_collected() -> None:
    found = registry.terms(chosen("no_refresh", "rotate_then_cut", "crlf"), Params())
    assert found == {"rotation": "keep", "unrotated": "missing", "late": True}
