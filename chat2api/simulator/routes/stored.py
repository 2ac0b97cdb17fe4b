"""Reading, resuming, stopping and hiding kept conversations (sheet 4.7 and 5.10)."""

from __future__ import annotations

from chat2api.simulator.conversations import Stored
from chat2api.simulator.exchange import Exchange
from chat2api.simulator.refusals import (
    Refusal,
    Reply,
    coded,
    conversation_not_found,
    json_reply,
    not_found,
)
from chat2api.simulator.streaming import resume_stream


def _find(exchange: Exchange, conversation_id: str) -> Stored:
    exchange.identify()
    stored = exchange.simulator.conversations.find(conversation_id, exchange.owner)
    if stored is None:
        raise Refusal(conversation_not_found(), "conversation_unknown")
    return stored


def read(exchange: Exchange, conversation_id: str) -> Reply:
    """GET /backend-api/conversation/{id}"""
    stored = _find(exchange, conversation_id)
    return json_reply(exchange.simulator.conversations.document(stored))


def stream_status(exchange: Exchange, conversation_id: str) -> Reply:
    """GET /backend-api/conversation/{id}/stream_status"""
    stored = _find(exchange, conversation_id)
    return json_reply({"status": exchange.simulator.conversations.status(stored)})


def clear_async(exchange: Exchange, conversation_id: str) -> Reply:
    """POST /backend-api/conversation/{id}/async-status"""
    stored = _find(exchange, conversation_id)
    if stored.running is not None:
        stored.running.is_async = False
    return json_reply({"status": "OK"})


def change(exchange: Exchange, conversation_id: str) -> Reply:
    """PATCH /backend-api/conversation/{id}"""
    stored = _find(exchange, conversation_id)
    body = exchange.json()
    if body.get("is_visible") is False:
        stored.hidden = True
    if isinstance(body.get("title"), str):
        stored.title = body["title"]
    return json_reply({"success": True})


def stop(exchange: Exchange) -> Reply:
    """POST /backend-api/stop_conversation"""
    exchange.identify()
    conversation_id = str(exchange.json().get("conversation_id"))
    exchange.simulator.stop(exchange.owner, conversation_id)
    stored = exchange.simulator.conversations.find(conversation_id, exchange.owner)
    return json_reply({"status": "ok", "last_message_id": stored.current if stored else None})


def resume(exchange: Exchange) -> Reply:
    """POST /backend-api/f/conversation/resume"""
    if exchange.simulator.config.generation == "2024":
        raise Refusal(not_found(), "no_resume_in_generation")
    exchange.identify()
    body = exchange.json()
    conversation_id = str(body.get("conversation_id"))
    stored = exchange.simulator.conversations.find(conversation_id, exchange.owner)
    running = stored.running if stored else None
    token = exchange.headers.get("x-conduit-token")
    if running is not None and running.persisted_only:
        text = "The final answer was stored."
        raise Refusal(coded(410, "persisted_final_available", text), "resume_persisted")
    if running is None or running.frames is None or not token or token != running.resume_token:
        text = "This stream cannot be resumed."
        raise Refusal(coded(404, "tokenless_resume_unavailable", text), "resume_unavailable")
    offset = body.get("offset")
    return resume_stream(exchange, running, conversation_id, offset if type(offset) is int else 0)
