"""The Messages API: `/v1/messages` and counting its tokens, and which requests are told its errors."""

from __future__ import annotations

import re

from flask import Blueprint, Response, request

from chat2api.dialects.anthropic_messages import AnthropicMessages
from chat2api.dialects.anthropic_request import parse_prompt
from chat2api.dialects.openai_chat import OpenAIChat
from chat2api.dialects.protocol import Dialect
from chat2api.service.access import check_model
from chat2api.web.auth import principal
from chat2api.web.calls import read_json, watched_call
from chat2api.web.chat import complete
from chat2api.web.json import json_response
from chat2api.web.state import runtime, state

blueprint = Blueprint("messages", __name__)

_PATH = re.compile(r"/v1/messages(?:/|$)")


@blueprint.post("/v1/messages")
def messages() -> Response:
    return complete(AnthropicMessages(state().request_id), "messages")


@blueprint.post("/v1/messages/count_tokens")
def count_tokens() -> Response:
    caller = principal("messages")
    conversation = parse_prompt(read_json())
    check_model(caller, conversation.model)
    with watched_call() as call:
        counted = runtime().completions.prompt_tokens(conversation, call)
    return json_response({"input_tokens": counted})


def speaks_anthropic() -> bool:
    """Whether the caller is a client of that API, by what it asks for or by the version it names."""
    return "anthropic-version" in request.headers or _PATH.search(request.path) is not None


def first_dialect(request_id: str) -> Dialect:
    """What tells the errors of a request that no view has taken up yet."""
    return AnthropicMessages(request_id) if speaks_anthropic() else OpenAIChat()


def add_request_id(response: Response) -> None:
    """The header by which that API's clients know a request."""
    if speaks_anthropic():
        response.headers["request-id"] = state().request_id
