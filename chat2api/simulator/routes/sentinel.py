"""The sentinel routes of both generations (sheet 3.1, 3.2)."""

from __future__ import annotations

from typing import Any

from chat2api.simulator.exchange import Exchange
from chat2api.simulator.faults import registry as faults
from chat2api.simulator.refusals import Refusal, Reply, json_reply, not_found


def _require(exchange: Exchange, era: str) -> None:
    if exchange.simulator.config.generation not in ("both", era):
        raise Refusal(not_found(), f"no_{exchange.endpoint}_in_generation")


def requirements(exchange: Exchange) -> Reply:
    """POST {B}/sentinel/chat-requirements"""
    return _hand_out(exchange, "2024")


def prepare(exchange: Exchange) -> Reply:
    """POST {B}/sentinel/chat-requirements/prepare"""
    return _hand_out(exchange, "2026")


def _hand_out(exchange: Exchange, era: str) -> Reply:
    _require(exchange, era)
    exchange.identify()
    choice = exchange.choose()
    chosen = faults.find(choice.faults)
    reply = faults.replacement(chosen, choice.params)
    if reply is None:
        changes: dict[str, Any] = faults.demands(chosen, choice.params)
        sentinel = exchange.simulator.sentinel
        issue = sentinel.single if era == "2024" else sentinel.prepare
        reply = json_reply(issue(exchange.asked(), exchange.json(), changes))
    return faults.finish(reply, chosen, choice.params, is_stream=False)


def finalize(exchange: Exchange) -> Reply:
    """POST {B}/sentinel/chat-requirements/finalize"""
    _require(exchange, "2026")
    exchange.identify()
    answer = exchange.simulator.sentinel.finalize(exchange.asked(), exchange.json())
    return json_reply(answer)
