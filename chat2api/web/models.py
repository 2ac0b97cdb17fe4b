"""GET /v1/models and /v1/models/ID."""

from __future__ import annotations

from flask import Blueprint, Response

from chat2api.dialects import anthropic_models
from chat2api.dialects.openai_models import render_model, render_models
from chat2api.service.access import may_use_model
from chat2api.service.models import no_such_model
from chat2api.web.auth import principal
from chat2api.web.calls import watched_call
from chat2api.web.json import json_response
from chat2api.web.messages import speaks_anthropic
from chat2api.web.state import runtime

blueprint = Blueprint("models", __name__)


@blueprint.get("/v1/models")
def list_models() -> Response:
    caller = principal("models")
    with watched_call() as call:
        models = runtime().catalog.available(caller, call)
    usable = [model for model in models if may_use_model(caller, model.name)]
    if not speaks_anthropic():
        return json_response(render_models(usable))
    names = runtime().completions.names
    offered = frozenset(model.name for model in models)
    aliases = []
    for name, chosen in names.listed():
        meaning = names.meaning_for(name, lambda: offered)
        # What the operator chose is there, listed or not.
        if may_use_model(caller, name) and (meaning in offered or meaning == chosen):
            aliases.append(anthropic_models.render_alias(name, meaning))
    entries = map(anthropic_models.render_model, usable)
    return json_response(anthropic_models.render_models([*aliases, *entries]))


@blueprint.get("/v1/models/<path:name>")
def retrieve_model(name: str) -> Response:
    caller = principal("models")
    if not may_use_model(caller, name):
        raise no_such_model(name)
    meaning = runtime().completions.names.meaning(name)
    if speaks_anthropic() and meaning != name:
        return json_response(anthropic_models.render_alias(name, meaning))
    with watched_call() as call:
        model = runtime().catalog.find(name, caller, call)
    render = anthropic_models.render_model if speaks_anthropic() else render_model
    return json_response(render(model))
