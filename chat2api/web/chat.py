"""Completions in every dialect: path in, dialect out; the rest is the same."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, after_this_request

from chat2api.chat.events import Event, EventStream, Failure
from chat2api.chat.fold import Completion, fold
from chat2api.dialects.openai_chat import OpenAIChat
from chat2api.dialects.protocol import Ask, Dialect, Stamp
from chat2api.errors import Chat2ApiError, ErrorInfo
from chat2api.service.access import Principal, check_scope
from chat2api.service.completion import Plan
from chat2api.service.key_limits import Admission
from chat2api.service.tracing import Tracer
from chat2api.store.api_keys import Scope
from chat2api.web.admission import admit
from chat2api.web.auth import principal
from chat2api.web.calls import WatchedCall, begin_call, read_json
from chat2api.web.channel import open_channel
from chat2api.web.errors import error_response
from chat2api.web.ids import new_answer_id
from chat2api.web.json import json_response
from chat2api.web.recording import Recording
from chat2api.web.state import runtime, state
from chat2api.web.streaming import HEADERS, StreamBody, sent_under_watch

blueprint = Blueprint("chat", __name__)


@blueprint.post("/v1/chat/completions")
def chat_completions() -> Response:
    return complete(OpenAIChat(), "chat")


def complete(dialect: Dialect, scope: Scope, body: dict[str, Any] | None = None) -> Response:
    """The answer to the request at hand, read and told by `dialect`, whole or streamed.

    `body`: what is asked, where it did not come as the body of the request.
    """
    recording, caller, ask = read_ask(dialect, scope, body)
    stamp = Stamp(new_answer_id(dialect.id_prefix), int(time.time()))
    watched = begin_call()
    recording.call = watched.call
    admission = Admission()
    try:
        admission = admit(caller, ask.conversation, ask.choices)
        turns = _turns(ask, caller, watched, admission, recording.tracer)
        if ask.stream:
            return _streamed(dialect, ask, stamp, turns, watched)
        return _whole(dialect, ask, stamp, turns, watched)
    except BaseException:
        watched.abandon()
        admission.release()
        raise


def read_ask(
    dialect: Dialect, scope: Scope, body: dict[str, Any] | None = None
) -> tuple[Recording, Principal, Ask]:
    """Who asks for what. The record of the request begins here, so that refusals are in it."""
    state().dialect = dialect
    recording = Recording(Tracer(keep_text=runtime().settings.log_content))
    state().recording = recording
    caller = recording.caller = principal()
    check_scope(caller, scope)
    body = read_json() if body is None else body
    recording.note_body(body)
    ask = dialect.parse(body)
    recording.note_conversation(ask.conversation)
    return recording, caller, ask


def _turns(
    ask: Ask, caller: Principal, watched: WatchedCall, admission: Admission, tracer: Tracer
) -> list[EventStream]:
    completions = runtime().completions
    conversation = admission.limited(ask.conversation)
    plan = completions.plan(conversation, caller, watched.call)
    _tell_of(plan, ask, tracer)
    count_usage = not ask.stream or ask.include_usage or admission.is_metered
    return admission.metered(
        [
            completions.events(plan, caller, watched.call, count_usage=count_usage, tracer=tracer)
            for _ in range(ask.choices)
        ]
    )


def _tell_of(plan: Plan, ask: Ask, tracer: Tracer) -> None:
    """Headers that say who answers, as far as that is known, and which parameters nobody uses."""
    ignored = sorted({*plan.ignored, *ask.ignored})

    @after_this_request
    def tell(response: Response) -> Response:
        first = plan.first.backend.provider.name
        response.headers["x-chat2api-provider"] = tracer.provider or first
        if ignored:
            response.headers["x-chat2api-ignored"] = ", ".join(ignored)
        return response


def _whole(
    dialect: Dialect, ask: Ask, stamp: Stamp, turns: list[EventStream], watched: WatchedCall
) -> Response:
    completions = [fold(turns[0])] if len(turns) == 1 else _folded_apart(turns, watched)
    failure = next((done.failure for done in completions if done.failure is not None), None)
    if failure is not None:
        response = error_response(failure)
    else:
        response = json_response(dialect.render(ask, stamp, completions))
        if notes := sorted({note for done in completions for note in done.notes}):
            response.headers["x-chat2api-warning"] = ", ".join(notes)
    response.response = sent_under_watch(response.get_data(), watched.watch)
    response.call_on_close(watched.end)
    return response


def _folded_apart(turns: list[EventStream], watched: WatchedCall) -> list[Completion]:
    """Read all turns at once; the first failure ends the others."""
    channel = open_channel(turns, watched.call)
    events: list[list[Event]] = [[] for _ in turns]
    ended = False
    while not ended:
        batch = channel.take()
        for index, group in batch.groups:
            events[index].extend(group)
        if batch.failure is not None:
            watched.call.cancel(_Failed(batch.failure.error))
        ended = batch.ended
    return [fold(group) for group in events]


class _Failed(Chat2ApiError):
    """A sibling choice failed; its error stands for all."""

    def __init__(self, error: ErrorInfo) -> None:
        super().__init__(error.message)
        self._error = error

    @property
    def info(self) -> ErrorInfo:
        return self._error


def _streamed(
    dialect: Dialect, ask: Ask, stamp: Stamp, turns: list[EventStream], watched: WatchedCall
) -> Response:
    """Wait for the first event, so that an early failure is a true HTTP status; a beat ends the wait."""
    channel = open_channel(turns, watched.call)
    watched.watch.beat = channel.beat
    first = channel.take()
    nothing_else = all(isinstance(event, Failure) for _, group in first.groups for event in group)
    if first.failure is not None and nothing_else:
        watched.call.cancel(_Failed(first.failure.error))
        watched.end()
        return error_response(first.failure.error)
    renderer = dialect.renderer(ask, stamp)
    body = StreamBody(
        channel,
        renderer,
        first,
        watched.call,
        watched.watch,
        single_writes=dialect.single_writes,
    )
    # Passed through as it is, at the price that only the body's own close is called, so it calls on.
    response = Response(body, 200, HEADERS, direct_passthrough=True)
    body.on_close = response.close
    response.call_on_close(watched.end)
    return response
