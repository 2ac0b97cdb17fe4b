"""What our answers must look like, for any test to ask.

    check("chat.completion", answer.json())          # whole answers, by name: NAMES lists them
    streamed = check_stream("chat", answer.content)  # "chat", "responses" or "messages"
    streamed.whole                                   # what a client makes of it: compare with the plain answer
    streamed.error                                   # None, or the error that ended it

The schemas beside this file were written from the facts of OpenAI's published OpenAPI document and of
Anthropic's public SDK. They are closed: a key that is not listed is a fault. `check_stream` judges the bytes
as sent: framing, every event by its schema, and the order of events. All raise AssertionError.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from tests.schemas import chat_stream, messages_stream, responses_stream
from tests.schemas.frames import Frame, Streamed, read_frames

_HERE = Path(__file__).parent
_STREAMS = {
    "chat": chat_stream.follow,
    "responses": responses_stream.follow,
    "messages": messages_stream.follow,
}


@functools.cache
def _documents() -> dict[str, Any]:
    """Each schema file by its $id."""
    loaded = [json.loads(path.read_text("utf-8")) for path in sorted(_HERE.glob("*.json"))]
    return {document["$id"]: document for document in loaded}


@functools.cache
def _places() -> dict[str, str]:
    """The address of each shape that is asked for by name; the events go by their type."""
    return {
        name: f"{file}#/$defs/{name}"
        for file, document in _documents().items()
        if file != "response_events.json"
        for name in document["$defs"]
        if "." in name or name in ("response", "model", "error")
    }


def names() -> list[str]:
    """Every name that `check` knows."""
    return sorted(_places())


@functools.cache
def _validator(address: str) -> Draft202012Validator:
    resources = [(name, Resource.from_contents(body)) for name, body in _documents().items()]
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": address}
    return Draft202012Validator(schema, registry=Registry().with_resources(resources))


def _judge(address: str, name: str, value: Any) -> None:
    error = best_match(_validator(address).iter_errors(value))
    if error is not None:
        shown = json.dumps(value, ensure_ascii=False)
        raise AssertionError(f"{name}: {error.json_path}: {error.message}\nin {shown[:2000]}")


def check(name: str, value: Any) -> None:
    """That `value` has the shape `name`."""
    assert name in _places(), f"no schema {name!r}; there are {', '.join(names())}"
    _judge(_places()[name], name, value)


def check_response_event(event: Any) -> None:
    """One event of `/v1/responses`, as its data line or a WebSocket frame carries it."""
    kind = event["type"]
    assert kind in _documents()["response_events.json"]["$defs"], f"no such event: {kind}"
    _judge(f"response_events.json#/$defs/{kind}", kind, event)


def _check_frame(kind: str, frame: Frame) -> None:
    match kind, frame.data:
        case "chat", "[DONE]":
            pass
        case "chat", {"error": _}:
            check("error", frame.data)
        case "chat", _:
            check("chat.completion.chunk", frame.data)
        case "responses", _:
            check_response_event(frame.data)
        case "messages", _:
            check("anthropic.event", frame.data)


def check_stream(kind: str, body: bytes) -> Streamed:
    """Judge the bytes of a whole stream. Gives its events and what they add up to."""
    frames = read_frames(body, named=kind != "chat")
    for frame in frames:
        _check_frame(kind, frame)
    streamed = _STREAMS[kind](frames)
    if kind == "messages" and streamed.error is None:
        check("anthropic.message", streamed.whole)
    return streamed


def check_response_events(events: list[Any]) -> Streamed:
    """As `check_stream("responses", …)`, for events that came over a WebSocket."""
    for event in events:
        check_response_event(event)
    return responses_stream.follow([Frame(event["type"], event) for event in events])
