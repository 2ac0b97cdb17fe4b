"""The conversation calls: checks in the upstream's order, then a scenario is played (sheet 4 and 5)."""

from __future__ import annotations

from chat2api.simulator import models
from chat2api.simulator.behaviours import Behaviour, parse_directive
from chat2api.simulator.config import Era
from chat2api.simulator.conversations import Stored
from chat2api.simulator.exchange import Exchange
from chat2api.simulator.faults import registry as faults
from chat2api.simulator.params import BadParameter
from chat2api.simulator.performance import Performance, perform
from chat2api.simulator.refusals import (
    Refusal,
    Reply,
    coded,
    conversation_not_found,
    detail,
    json_reply,
    model_not_found,
    not_found,
    workspace_deactivated,
)
from chat2api.simulator.validation import ROOT, Ask, parse_ask, text_of

_BUSY = (
    "Only one message at a time. Please allow any other responses to complete before sending "
    "another message, or wait one minute."
)


def conversation_prepare(exchange: Exchange) -> Reply:
    """POST {B}/f/conversation/prepare (sheet 4.2)"""
    simulator = exchange.simulator
    if simulator.config.generation == "2024":
        raise Refusal(not_found(), "no_prepare_in_generation")
    exchange.identify()
    simulator.conduits.check(exchange.headers.get("x-conduit-token"), exchange.owner)
    body = exchange.json()
    if not isinstance(body.get("model"), str) or body.get("action") not in (
        "next",
        "variant",
        "continue",
    ):
        raise Refusal(
            detail(422, [{"loc": ["body"], "msg": "Field required", "type": "missing"}]), "schema"
        )
    if simulator.config.conduit == "missing":
        return json_reply({"status": "ok"})
    return json_reply({"status": "ok", "conduit_token": simulator.conduits.issue(exchange.owner)})


def classic(exchange: Exchange) -> Reply:
    """POST {B}/conversation"""
    config = exchange.simulator.config
    if config.generation == "2026" and not exchange.anonymous:
        gone = not_found() if config.classic_status == 404 else detail(405, "Method Not Allowed")
        raise Refusal(gone, "no_classic_in_generation")
    return _converse(exchange, None)


def f_conversation(exchange: Exchange) -> Reply:
    """POST {B}/f/conversation"""
    if exchange.simulator.config.generation == "2024":
        raise Refusal(not_found(), "no_f_in_generation")
    return _converse(exchange, "2026")


def _converse(exchange: Exchange, era: Era | None) -> Reply:
    simulator = exchange.simulator
    exchange.identify()
    ask = parse_ask(exchange.json())
    if exchange.account is not None and exchange.workspace in exchange.account.deactivated:
        raise Refusal(workspace_deactivated(), "deactivated")
    _check_model(exchange, ask)
    if sum(len(text_of(message)) for message in ask.messages) > simulator.config.max_message_chars:
        text = "The message you submitted was too long, please reload the conversation."
        raise Refusal(coded(413, "message_length_exceeds_limit", text), "too_long")
    flow = _admit(exchange)
    simulator.conduits.check(exchange.headers.get("x-conduit-token"), exchange.owner)
    stored = _stored(exchange, ask)
    directive, prompt, problem = _read_directive(exchange, ask)
    choice = exchange.choose(directive, ask.model, _natural(ask))
    chosen = faults.find(choice.faults)
    reply = faults.replacement(chosen, choice.params)
    if reply is not None:
        return faults.finish(reply, chosen, choice.params, is_stream=False)
    if not simulator.enter(exchange.owner):
        raise Refusal(detail(429, _BUSY), "busy")
    exchange.on_close.append(lambda: simulator.leave(exchange.owner))
    exchange.count_turn(ask.model)
    performance = Performance(exchange, ask, era or flow, stored, choice, chosen, prompt, problem)
    return perform(performance)


def _check_model(exchange: Exchange, ask: Ask) -> None:
    offered = models.is_offered(
        ask.model,
        paid=exchange.is_paid,
        anonymous=exchange.anonymous,
        accept_unknown=exchange.simulator.config.unknown_models == "accept",
    )
    if not offered:
        raise Refusal(model_not_found(ask.model), "model")


def _admit(exchange: Exchange) -> Era:
    simulator = exchange.simulator
    if simulator.config.sentinel == "off":
        return "2026" if simulator.config.generation == "2026" else "2024"
    return simulator.sentinel.admit(exchange.owner, exchange.user_agent, exchange.headers)


def _stored(exchange: Exchange, ask: Ask) -> Stored | None:
    if ask.conversation_id is None:
        return None
    stored = exchange.simulator.conversations.find(ask.conversation_id, exchange.owner)
    if stored is None:
        raise Refusal(conversation_not_found(), "conversation_unknown")
    if ask.parent != ROOT and ask.parent not in stored.nodes:
        raise Refusal(detail(400, "parent_message_id is not part of the conversation"), "parent")
    return stored


def _natural(ask: Ask) -> str | None:
    """The scenario that a request asks for by itself."""
    if ask.action == "continue":
        return "continue"
    hints = {"picture_v2": "picture", "search": "search", "reason": "reasoning"}
    return next((hints[hint] for hint in ask.hints if hint in hints), None)


def _read_directive(exchange: Exchange, ask: Ask) -> tuple[Behaviour | None, str, str | None]:
    """The directive, the text without it, and what is wrong with it."""
    try:
        directive, prompt = parse_directive(ask.last_user_text)
        if directive is None:
            return None, prompt, None
        faults.find(directive.faults)
    except BadParameter as problem:
        return None, ask.last_user_text, str(problem)
    key = ask.last_user_text
    if directive.faults and not exchange.simulator.behaviours.still_due(key, directive.times):
        directive = Behaviour(scenario=directive.scenario, params=directive.params)
    return directive, prompt, None
