"""The Responses API over HTTP: asking, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request

from chat2api.errors import InternalError, RequestError, Unsupported
from chat2api.service.access import Principal, check_model
from chat2api.store.responses import Turn
from chat2api.web.auth import principal
from chat2api.web.calls import read_json, watched_call
from chat2api.web.chat import complete
from chat2api.web.compaction import Compaction
from chat2api.web.json import json_response
from chat2api.web.state import runtime, state
from chat2api.web.threaded import ThreadedResponses

blueprint = Blueprint("responses", __name__)

_MOST_LISTED = 100
_LISTED = 20
_YES = ("true", "1")


@blueprint.post("/v1/responses")
def create_response() -> Response:
    return complete(ThreadedResponses(runtime().threads, caller_of_request), "responses")


@blueprint.post("/v1/responses/compact")
def compact() -> Response:
    return complete(Compaction(runtime().threads, caller_of_request), "responses")


@blueprint.post("/v1/responses/input_tokens")
def count_input_tokens() -> Response:
    caller = principal("responses")
    dialect = ThreadedResponses(runtime().threads, lambda: caller)
    ask = dialect.parse({**read_json(), "store": False})
    check_model(caller, ask.conversation.model)
    with watched_call() as call:
        count = runtime().completions.prompt_tokens(ask.conversation, call)
    return json_response({"object": "response.input_tokens", "input_tokens": count})


@blueprint.get("/v1/responses/<response_id>")
def retrieve(response_id: str) -> Response:
    turn = _find(response_id)
    if request.args.get("stream", "").lower() in _YES:
        raise Unsupported(
            "Invalid 'stream': only responses in the background can be streamed again, and there are "
            "none here.",
            param="stream",
        )
    return json_response(turn.response)


@blueprint.delete("/v1/responses/<response_id>")
def delete(response_id: str) -> Response:
    threads = runtime().threads
    threads.delete(response_id, threads.owner_of(principal("responses")))
    return json_response({"id": response_id, "object": "response", "deleted": True})


@blueprint.post("/v1/responses/<response_id>/cancel")
def cancel(response_id: str) -> Response:
    _find(response_id)
    raise RequestError("Cannot cancel a synchronous response.", param="response_id")


@blueprint.get("/v1/responses/<response_id>/input_items")
def list_input_items(response_id: str) -> Response:
    return json_response(_page(_find(response_id).input_items))


def caller_of_request() -> Principal:
    """Who asks for the answer that is being made."""
    recording = state().recording
    if recording is None or recording.caller is None:
        raise InternalError("A request was read before its caller was known.")
    return recording.caller


def _find(response_id: str) -> Turn:
    threads = runtime().threads
    return threads.find(response_id, threads.owner_of(principal("responses")))


# --- pages of items


def _page(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The part of a list that the query asks for: `limit`, `order`, and `after` or `before` an id."""
    order = request.args.get("order", "desc")
    if order not in ("asc", "desc"):
        raise RequestError("Invalid 'order': it is 'asc' or 'desc'.", param="order")
    limit = _limit(request.args.get("limit", str(_LISTED)))
    ordered = list(items) if order == "asc" else list(reversed(items))
    after, before = request.args.get("after"), request.args.get("before")
    start = 0 if after is None else _place(ordered, after, "after") + 1
    end = len(ordered) if before is None else _place(ordered, before, "before")
    found = ordered[start:end]
    data = found[:limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(found) > limit,
    }


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST_LISTED):
        raise RequestError(f"Invalid 'limit': it is 1 to {_MOST_LISTED}.", param="limit")
    return int(text[:9])


def _place(items: Sequence[Mapping[str, Any]], item_id: str, param: str) -> int:
    for place, item in enumerate(items):
        if item["id"] == item_id:
            return place
    raise RequestError(f"Invalid '{param}': no such item in this list.", param=param)
