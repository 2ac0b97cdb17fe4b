"""Failures that the Codex backend tells in its stream, and its 429s."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat2api.simulator.faults import registry
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.wire.items import Frame


def frame(kind: str, weight: int = 0, number: int | None = 0, **fields: Any) -> Frame:
    value = {"type": kind, **({} if number is None else {"sequence_number": number}), **fields}
    return Frame(json.dumps(value, separators=(",", ":")), kind, weight)


STREAM = (
    frame("codex.rate_limits", number=None),
    frame("response.created", number=0, response={"id": "resp_1", "status": "in_progress"}),
    frame("response.in_progress", number=1),
    frame("response.output_item.added", number=2),
    frame("response.output_text.delta", 1, 3),
    frame("response.output_text.delta", 1, 4),
    frame("response.output_item.done", number=5),
    frame("response.completed", number=6),
)


def shaped(name: str, **params: Any) -> list[Any]:
    items = registry.shape(iter(STREAM), registry.find([name]), Params(params))
    return [json.loads(one.data) for one in items if isinstance(one, Frame)]


def test_a_failure_right_after_the_handshake() -> None:
    *before, last = shaped("overload")
    assert [one["type"] for one in before] == [
        *("codex.rate_limits", "response.created", "response.in_progress"),
    ]
    assert (last["type"], last["sequence_number"]) == ("response.failed", 2)
    response = last["response"]
    assert (response["id"], response["status"]) == ("resp_1", "failed")
    assert response["error"]["code"] == "server_is_overloaded"


@pytest.mark.parametrize(("after", "sent"), [(1, 5), (2, 6), (9, 8)])
def test_a_failure_after_words(after: int, sent: int) -> None:
    *before, last = shaped("failed", after=after, code="cyber_policy")
    assert (len(before), last["response"]["error"]["code"]) == (sent, "cyber_policy")
    assert last["sequence_number"] == sent - 1


def test_forms_of_failures() -> None:
    flat = shaped("failed", form="flat", code="slow_down")[-1]
    assert (flat["type"], flat["code"], flat["message"]) == (
        "error",
        "slow_down",
        "Please slow down.",
    )
    nested = shaped("failed", form="nested", text="No.")[-1]["error"]
    assert (nested["code"], nested["type"], nested["message"]) == ("server_error",) * 2 + ("No.",)
    limited = shaped("failed", code="rate_limit_exceeded", seconds=0.25)[-1]["response"]["error"]
    assert "try again in 0.25s" in limited["message"]
    with pytest.raises(BadParameter, match="none of failed, flat, nested"):
        shaped("failed", form="loud")


def test_an_early_end() -> None:
    last = shaped("incomplete", after=1, reason="content_filter")[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "content_filter"}


def test_no_end() -> None:
    assert [one["type"] for one in shaped("no_end")][-1] == "response.output_item.done"
    assert len(shaped("no_end")) == len(STREAM) - 1


def limit(**params: Any) -> tuple[Any, dict[str, str]]:
    reply = registry.replacement(registry.find(["limit"]), Params(params))
    assert reply is not None
    assert reply.status == 429
    assert isinstance(reply.body, bytes)
    return json.loads(reply.body), dict(reply.headers)


def test_limits() -> None:
    body, headers = limit(seconds=90, plan="free")
    error = body["error"]
    assert (error["type"], error["plan_type"]) == ("usage_limit_reached", "free")
    assert error["resets_in_seconds"] == 90
    assert headers["x-codex-primary-used-percent"] == "100"
    assert headers["x-codex-primary-reset-at"] == str(error["resets_at"])
    assert limit(form="not_included")[0]["error"]["type"] == "usage_not_included"
    assert limit(form="quota")[0]["error"]["code"] == "insufficient_quota"
    assert "in 3s" in limit(form="words", seconds=3)[0]["error"]["message"]
    assert limit(form="header", seconds=2.5)[1]["Retry-After"] == "3"
    assert "detail" in limit(form="plain")[0]
    assert "at capacity" in limit(form="capacity")[0]["detail"]
    with pytest.raises(BadParameter, match="none of reached"):
        limit(form="never")
