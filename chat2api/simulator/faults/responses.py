"""Faults of the Codex backend: failures that it tells inside a good stream, ends it leaves out, its 429s."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

from chat2api.simulator.documents import Json
from chat2api.simulator.faults.model import Fault
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.refusals import Reply, errored, json_reply
from chat2api.simulator.wire.items import Frame, Item, Items

_HANDSHAKE = frozenset(
    ("codex.rate_limits", "response.created", "response.in_progress", "response.metadata")
)
_TERMINAL = frozenset(("response.completed", "response.incomplete", "response.failed"))
_TEXTS = {
    "server_is_overloaded": "Our servers are currently overloaded. Please try again later.",
    "slow_down": "Please slow down.",
    "rate_limit_exceeded": "Rate limit reached. Please try again in {seconds}s.",
    "usage_limit_reached": "The usage limit has been reached",
    "context_length_exceeded": "Your input exceeds the context window of this model.",
    "insufficient_quota": "You exceeded your current quota.",
    "cyber_policy": "This request was flagged.",
}
_FAILED = "An error occurred while processing your request."


def _text(params: Params, code: str) -> str:
    seconds = params.text("seconds", "1.3")
    return params.text("text", _TEXTS.get(code, _FAILED).format(seconds=seconds))


def after_words(items: Items, after: int, interruption: Callable[[Json, int], Items]) -> Items:
    """`items` with an interruption after the `after`-th delta: 0 is right after the handshake, before
    the first item of output. It gets the response as it was created, and the next number."""
    response: Json = {}
    number, left = 0, after
    for item in items:
        if isinstance(item, Frame):
            is_handshake = item.event in _HANDSHAKE
            if left == 0 and not is_handshake:
                yield from interruption(response, number)
                return
            left -= item.tokens
            left = max(left, 0)
            if item.event == "response.created":
                response = json.loads(item.data)["response"]
            number += '"sequence_number":' in item.data
        yield item
    yield from interruption(response, number)


def _frame(kind: str, number: int, **fields: Any) -> Frame:
    value = {"type": kind, "sequence_number": number, **fields}
    return Frame(json.dumps(value, ensure_ascii=False, separators=(",", ":")), kind)


def _failure(params: Params) -> Callable[[Json, int], Item]:
    code = params.text("code", "server_error")
    text, form = _text(params, code), params.text("form", "failed")
    told: Json = {"code": code, "message": text}
    makers: dict[str, Callable[[Json, int], Item]] = {
        "failed": lambda response, number: _frame(
            "response.failed", number, response={**response, "status": "failed", "error": told}
        ),
        "flat": lambda _, number: _frame("error", number, **told, param=None),
        "nested": lambda _, number: _frame(
            "error", number, error={"type": code, **told, "param": None}
        ),
    }
    if form not in makers:
        raise BadParameter(f"form={form!r} is none of {', '.join(makers)}")
    return makers[form]


def _failed(items: Items, params: Params) -> Items:
    failure = _failure(params)

    def interruption(response: Json, number: int) -> Items:
        yield failure(response, number)

    return after_words(items, params.integer("after", 0), interruption)


def _overload(items: Items, params: Params) -> Items:
    code = params.text("code", "server_is_overloaded")
    return _failed(items, params.merged({"code": code}))


def _incomplete(items: Items, params: Params) -> Items:
    reason = params.text("reason", "max_output_tokens")

    def interruption(response: Json, number: int) -> Items:
        ended = {**response, "status": "incomplete", "incomplete_details": {"reason": reason}}
        yield _frame("response.incomplete", number, response=ended)

    return after_words(items, params.integer("after", 3), interruption)


def _no_end(items: Items, params: Params) -> Items:
    return (one for one in items if not (isinstance(one, Frame) and one.event in _TERMINAL))


def _limit(params: Params) -> Reply:
    """429 in the words of this backend; `seconds` is when it ends."""
    seconds = params.number("seconds", 7_200)
    at, left = math.ceil(time.time() + seconds), math.ceil(seconds)
    plan = params.text("plan", "plus")
    ends = {"plan_type": plan, "resets_at": at, "resets_in_seconds": left}
    full = {"used-percent": 100, "window-minutes": 300, "reset-at": at, "reset-after-seconds": left}
    told = [(f"x-codex-primary-{name}", str(value)) for name, value in full.items()]
    forms: dict[str, Callable[[], Reply]] = {
        "reached": lambda: _error(
            "usage_limit_reached", _TEXTS["usage_limit_reached"], **ends
        ).with_headers(("x-codex-plan-type", plan), *told),
        "not_included": lambda: _error(
            "usage_not_included", "Your plan does not include this.", plan_type=plan
        ),
        "quota": lambda: errored(
            429, "insufficient_quota", _TEXTS["insufficient_quota"], param=None
        ),
        "words": lambda: errored(
            429, "rate_limit_exceeded", _text(params, "rate_limit_exceeded"), param=None
        ),
        "plain": lambda: json_reply({"detail": "Rate limit exceeded"}, 429),
        "header": lambda: json_reply({"detail": "Rate limit exceeded"}, 429).with_headers(
            ("Retry-After", str(left))
        ),
        "capacity": lambda: json_reply({"detail": "Selected model is at capacity."}, 429),
    }
    form = params.text("form", "reached")
    if form not in forms:
        raise BadParameter(f"form={form!r} is none of {', '.join(forms)}")
    return forms[form]()


def _error(kind: str, text: str, **more: object) -> Reply:
    """These errors have a type and no code."""
    return json_reply(
        {"error": {"type": kind, "message": text, **more, "eligible_promo": None}}, 429
    )


FAULTS = (
    Fault(
        "failed",
        "Codex: the stream says that it failed",
        "after=0 form=failed|flat|nested code=server_error text=… seconds=1.3",
        fails=True,
        items=_failed,
    ),
    Fault(
        "overload",
        "Codex: overloaded, told inside a 200",
        "after=0 form=failed|flat|nested",
        fails=True,
        items=_overload,
    ),
    Fault(
        "incomplete",
        "Codex: ends early",
        "after=3 reason=max_output_tokens|content_filter",
        items=_incomplete,
    ),
    Fault("no_end", "Codex: no last event", fails=True, items=_no_end),
    Fault(
        "limit",
        "Codex: 429",
        "seconds=7200 plan=plus form=reached|not_included|quota|words|plain|header|capacity",
        reply=_limit,
    ),
)
