"""The backend that the Codex program uses: it speaks Responses over the same mind, with native tools."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from flask import request

from chat2api.simulator import canned
from chat2api.simulator.behaviours import Behaviour, Choice, parse_directive
from chat2api.simulator.codex import acting, catalog, events, limits
from chat2api.simulator.codex.acting import Outcome
from chat2api.simulator.codex.asking import Asked, Sender, parse
from chat2api.simulator.codex.events import Manner, Told
from chat2api.simulator.codex.sealing import seal, unseal
from chat2api.simulator.codex.wrong import gate
from chat2api.simulator.compat.errors import in_our_words
from chat2api.simulator.exchange import UNPARSABLE, Exchange, Handler
from chat2api.simulator.faults import registry as faults
from chat2api.simulator.faults.model import Fault
from chat2api.simulator.mind.decide import decide
from chat2api.simulator.mind.situation import Decision, Say
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.refusals import Refusal, Reply, detail, json_reply, workspace_deactivated
from chat2api.simulator.scenarios import agent, talk
from chat2api.simulator.scenarios import registry as scenarios
from chat2api.simulator.script import Expected
from chat2api.simulator.streaming import SSE_HEADERS, paced, send
from chat2api.simulator.tokens import TERMINAL_CLIENT, fingerprint
from chat2api.simulator.turn import Turn, new_id
from chat2api.simulator.wire.items import Items, Pause

_BUSY = "Too many requests at a time."


def guarded(handler: Handler) -> Handler:
    """A route for accounts that have logged in with Codex and say which workspace they mean."""

    def route(exchange: Exchange, **values: Any) -> Reply:
        _admit(exchange)
        return handler(exchange, **values)

    return route


def _admit(exchange: Exchange) -> None:
    config = exchange.simulator.config
    try:
        exchange.identify()
    except Refusal as refusal:
        raise Refusal(_worded(refusal), refusal.reason) from None
    assert exchange.account is not None
    if config.codex_logins == "codex" and exchange.client_id != TERMINAL_CLIENT:
        raise Refusal(detail(403, "This login is not for Codex."), "not_codex")
    if config.codex_account_header == "required" and "chatgpt-account-id" not in exchange.headers:
        raise Refusal(detail(400, "ChatGPT-Account-ID header is required"), "account_header")
    if exchange.workspace in exchange.account.deactivated:
        raise Refusal(workspace_deactivated(), "deactivated")


def _worded(refusal: Refusal) -> Reply:
    """A refused token in this backend's words."""
    if refusal.reason in ("token_unknown", "token_missing"):
        return detail(401, UNPARSABLE)
    return in_our_words(refusal.reply)


def nothing_here(exchange: Exchange) -> Reply:
    """POST /chat/completions: there is no such thing."""
    return detail(403, "Forbidden")


def models(exchange: Exchange) -> Reply:
    """GET /models?client_version=X.Y.Z"""
    client = catalog.version(request.args.get("client_version", ""))
    if client is None:
        raise gate("client_version is required")
    tag = catalog.etag()
    if exchange.headers.get("if-none-match") == tag:
        return Reply(304, b"", (("ETag", tag),))
    return json_reply(catalog.listing(exchange.plan, client), 200, ("ETag", tag))


# --- answers


def responses(exchange: Exchange) -> Reply:
    """POST /responses"""
    simulator = exchange.simulator
    asked = _asked(exchange)
    choice, prompt = _chosen(exchange, asked)
    chosen, params = faults.find(choice.faults), choice.params
    if (reply := faults.replacement(chosen, params)) is not None:
        if reply.status == 401 and params.text("form", "") != "text":
            reply = in_our_words(reply)
        return faults.finish(reply, chosen, params, is_stream=False)
    if not simulator.enter(exchange.owner):
        raise Refusal(detail(429, _BUSY), "busy")
    exchange.on_close.append(lambda: simulator.leave(exchange.owner))
    _count(exchange, asked.model.slug)
    if asked.size > simulator.config.max_message_chars:
        chosen, params = faults.find(["failed"]), Params({"code": "context_length_exceeded"})
    exchange.record.scenario = choice.scenario
    if choice.scenario == "replay":
        pieces = canned.replay(simulator.recordings, params)
        reply = Reply(200, pieces, _headers(exchange, asked.model.slug))
        return faults.finish(reply, chosen, params, is_stream=False)
    response = new_id().replace("-", "")
    outcome = _outcome(exchange, asked, choice, prompt, response)
    return _sent(exchange, asked, outcome, response, chosen, params)


def _asked(exchange: Exchange) -> Asked:
    config = exchange.simulator.config
    state = exchange.headers.get("x-codex-turn-state")
    if state is not None and unseal(exchange.workspace, state) is None:
        raise gate("Invalid turn state")
    needs = config.codex_instructions == "required"
    sender = Sender(exchange.workspace, exchange.plan, exchange.is_paid, needs)
    return parse(exchange.json(), sender)


def _chosen(exchange: Exchange, asked: Asked) -> tuple[Choice, str]:
    """What is played, and the prompt without the directive."""
    text = asked.prompt.text
    directive, prompt = parse_directive(text)
    if directive is not None:
        faults.find(directive.faults)
        if directive.faults and not exchange.simulator.behaviours.still_due(text, directive.times):
            directive = Behaviour(scenario=directive.scenario, params=directive.params)
    return exchange.choose(directive, asked.model.slug, _natural(asked)), prompt


def _natural(asked: Asked) -> str | None:
    """The scenario that a request asks for by itself, when the mind has nothing else to do."""
    if decide(asked.situation) is not None:
        return None
    if acting.wants_picture(asked):
        return "picture"
    return "search" if acting.wants_search(asked) else None


def _count(exchange: Exchange, model: str) -> None:
    simulator, account = exchange.simulator, exchange.account
    assert account is not None
    full = limits.take(simulator.quotas, account, simulator.config.codex_week_turns, model)
    if full is not None:
        stands = _stands(exchange)
        reply = limits.reached(full, account.plan, stands.now)
        raise Refusal(reply.with_headers(*limits.headers(stands, model)), "quota")


def _outcome(
    exchange: Exchange, asked: Asked, choice: Choice, prompt: str, response: str
) -> Outcome:
    """What the scenario gives; the default and `agent` leave it to the mind."""
    scenario, params = choice.scenario, choice.params
    if scenario in ("echo", "agent"):
        decision = decide(asked.situation)
        if decision is not None or scenario == "agent":
            decision = decision or Decision((Say(agent.GREETING),))
            return acting.acted(decision, asked, response)
    if scenario == "picture":
        return acting.drawn(asked, prompt, params.integer("n", 1))
    if scenario == "search":
        return acting.searched(asked, prompt)
    turn = _turn(exchange, asked, prompt, params)
    play = scenarios.find(scenario).play
    if play is None:
        raise BadParameter(f"the scenario `{scenario}` is not for this API")
    script = talk.echo(turn) if scenario == "echo" else play(turn)
    refuses = scenario == "refusal" and params.flag("spoken")
    return acting.played(script, asked, refuses=refuses)


def _turn(exchange: Exchange, asked: Asked, prompt: str, params: Params) -> Turn:
    lines = asked.situation.lines
    users = [line.text for line in lines if line.role == "user"]
    return Turn(
        prompt,
        asked.model.slug,
        number=max(len(users), 1),
        opening=users[0] if len(users) > 1 else "",
        system=next((line.text for line in lines if line.role == "system"), ""),
        plan=exchange.plan,
        params=params,
        now=exchange.simulator.clock(),
    )


def _sent(
    exchange: Exchange,
    asked: Asked,
    outcome: Outcome,
    response: str,
    chosen: Sequence[Fault],
    params: Params,
) -> Reply:
    simulator, now = exchange.simulator, exchange.simulator.clock()
    manner = _manner(simulator.config.codex_output, params)
    cached = 0
    if asked.cache_key is not None:
        cached = simulator.prompt_cache.read(exchange.owner, asked.cache_key, asked.parts)
    told = Told(asked, outcome, response, exchange.workspace, now, cached, manner)
    if not simulator.config.cheap:
        exchange.record.expected = _noted(told)
    slug = asked.model.slug
    items: Items = events.frames(told, limits.event(_stands(exchange), slug))
    rate = params.number("tps", simulator.config.pacing)
    if rate > 0:
        items = chain((Pause(simulator.config.first_token_seconds),), paced(items, 1 / rate))
    return send(exchange, items, chosen, params, response, _headers(exchange, slug))


def _manner(output: str, params: Params) -> Manner:
    known = {
        "output": ("empty", "full"),
        "usage": ("full", "bare", "null"),
        "arguments": ("pieces", "whole"),
    }
    usual = {"output": output, "usage": "full", "arguments": "pieces"}
    words = {name: params.text(name, usual[name]) for name in known}
    for name, word in words.items():
        if word not in known[name]:
            raise BadParameter(f"{name}={word!r} is none of {', '.join(known[name])}")
    return Manner(words["output"], words["usage"], deltas=words["arguments"] == "pieces")


def _noted(told: Told) -> dict[str, Any]:
    outcome = told.outcome
    ends = {"stop": "stop", "max_output_tokens": "length", "content_filter": "content_filter"}
    finish = "tool_calls" if outcome.calls and outcome.end == "stop" else ends[outcome.end]
    calls = [
        {"call_id": call.call_id, "name": call.name, "arguments": call.arguments}
        for call in outcome.calls
    ]
    pictures = tuple(item.picture for item in outcome.items if isinstance(item, acting.Drawn))
    expected = Expected(outcome.text, reasoning=outcome.thought, images=pictures).as_json()
    return {**expected, "finish_reason": finish, "calls": calls, "usage": events.usage(told)}


def _stands(exchange: Exchange) -> limits.Standing:
    simulator, account = exchange.simulator, exchange.account
    assert account is not None
    week = simulator.config.codex_week_turns
    return limits.standing(simulator.quotas, account, week, simulator.clock())


def _headers(exchange: Exchange, slug: str) -> limits.Headers:
    sealed = seal(exchange.workspace, fingerprint(new_id()), exchange.simulator.clock())
    return (
        *SSE_HEADERS,
        *limits.headers(_stands(exchange), slug),
        ("openai-model", slug),
        ("x-request-id", new_id()),
        ("x-models-etag", catalog.etag()),
        ("x-reasoning-included", "true"),
        ("x-codex-turn-state", sealed),
    )
