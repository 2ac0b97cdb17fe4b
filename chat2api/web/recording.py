"""The record of one API request, from what its view, its turns and its answer tell."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from chat2api.chat.conversation import Conversation, Message, Reasoning, Text, ToolCall, ToolResult
from chat2api.errors import Chat2ApiError, ClientGone, ErrorInfo
from chat2api.lifetime.call import Call
from chat2api.runtime import Runtime
from chat2api.service.access import Anonymous, Direct, DirectRefresh, PoolKey, Principal
from chat2api.service.tracing import CLIENT_GONE, CONTENT_CHARACTERS, Tracer
from chat2api.store.account_events import AccountEvent
from chat2api.store.request_records import RequestRecord

log = logging.getLogger(__name__)

_LONGEST_MODEL = 1_000


@dataclass(slots=True)
class Recording:
    """What is known so far. It becomes a record if it is known who called.

    `told` is the error that the whole answer is, if it is one.
    """

    tracer: Tracer
    caller: Principal | None = None
    model: str = ""
    stream: bool = False
    conversation: Conversation | None = None
    call: Call | None = None
    told: ErrorInfo | None = None

    def note_body(self, body: dict[str, object]) -> None:
        """What is asked for, as far as it can be told before anything is checked."""
        model = body.get("model")
        self.model = model if isinstance(model, str) else ""
        self.stream = body.get("stream") is True

    def note_conversation(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.model = conversation.model


@dataclass(frozen=True, slots=True)
class Envelope:
    """What HTTP tells of a request. `seconds` until its last byte was out; `address` is the caller's."""

    request_id: str
    path: str
    address: str
    status: int
    seconds: float


def write_record(recording: Recording, held: Runtime, envelope: Envelope) -> None:
    """Hand the record to whoever stores it. Never fails: the answer is out."""
    try:
        recorder = held.desk.recorder
        began_at = recorder.now() - envelope.seconds
        record = _record(recording, held, envelope, began_at)
        recorder.finish(record, _content(recording) if held.settings.log_content else None)
        for one in recording.tracer.happened:
            event = AccountEvent(
                event_id=0,
                account_id=one.account_id,
                at=began_at + one.after,
                kind=one.kind,
                request_id=envelope.request_id,
                detail=one.detail,
            )
            recorder.event(event)
    except Exception:  # the boundary of bookkeeping: no request may fail for it
        log.exception("a request could not be recorded")


def _record(
    recording: Recording, held: Runtime, envelope: Envelope, began_at: float
) -> RequestRecord:
    tracer, conversation = recording.tracer, recording.conversation
    call_error = recording.call.error if recording.call is not None else None
    tracer.digest()
    told = _told(recording, call_error)
    status = envelope.status if told is None else told.status
    code = "" if told is None else _code(told)
    used = asked = None
    if conversation is not None and tracer.turns:
        used = held.completions.recorded_usage(tracer, conversation)
        asked = tracer.asked_for
    first_byte = tracer.first_byte_seconds
    trace = tracer.trace(call_error, "random" if held.settings.random_token else "turn", told)
    if told is not None and envelope.status < 400:
        trace = replace(trace, begun_with=envelope.status)
    return RequestRecord(
        request_id=envelope.request_id,
        at=began_at,
        seconds=envelope.seconds,
        status=status,
        # A caller who has heard enough is no failure of ours.
        failed=status >= 400 and code != CLIENT_GONE,
        code=code,
        path=envelope.path,
        # As long as it likes in the request; the record outlives that in memory.
        model=recording.model[:_LONGEST_MODEL],
        answered_by=asked if asked and first_byte is not None else "",
        provider=tracer.provider,
        key_id=_key_id(recording.caller),
        account_id=tracer.account_id,
        attempts=len(trace.attempts),
        stream=recording.stream,
        first_byte_seconds=first_byte,
        prompt_tokens=used.prompt_tokens if used else 0,
        completion_tokens=used.completion_tokens if used else 0,
        estimated=used.estimated if used else False,
        address=envelope.address,
        trace=trace,
    )


def _told(recording: Recording, call_error: Chat2ApiError | None) -> ErrorInfo | None:
    """What the request failed with: as the answer, within it, or by its caller's leaving."""
    if recording.told is not None:
        return recording.told
    error = recording.tracer.error
    if error is not None:
        return error.info
    left = isinstance(call_error, ClientGone) and recording.tracer.is_unfinished
    return call_error.info if call_error is not None and left else None


def _code(told: ErrorInfo) -> str:
    return CLIENT_GONE if told.code == ClientGone.code else told.code or told.type


def _key_id(caller: Principal | None) -> str:
    match caller:
        case PoolKey(key_id):
            return key_id
        case Direct() | DirectRefresh():
            return "direct"
        case Anonymous():
            return "anonymous"
        case _:
            return ""


# --- contents, where the operator wants them logged


def _content(recording: Recording) -> str:
    """Prompt and answer, each cut to its most."""
    prompt = ""
    if recording.conversation is not None:
        messages = recording.conversation.messages
        prompt = "\n\n".join(f"[{one.role}]\n{_text_of(one)}" for one in messages)
    answers = [f"[answer]\n{turn.kept_text}" for turn in recording.tracer.turns if turn.kept_text]
    return "\n\n".join([prompt[:CONTENT_CHARACTERS], *answers])


def _text_of(message: Message) -> str:
    texts: list[str] = []
    for part in message.parts:
        match part:
            case Text(text) | Reasoning(text) | ToolResult(_, text):
                texts.append(text)
            case ToolCall(_, name, arguments):
                texts.append(f"{name}({arguments})")
            case _:
                texts.append(f"({type(part).__name__.lower()})")
    return "\n".join(texts)
