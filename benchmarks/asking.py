"""What is asked of a server and what must come back: the same stream through either of the two."""

from __future__ import annotations

import base64
import functools
import json
import urllib.request
from collections.abc import Mapping

from benchmarks.processes import KEY, Server, Upstream
from benchmarks.wire import Check
from chat2api.simulator.canned import baked_word

_CHARACTERS = 5


def asked(deltas: int, gap: float = 0.0) -> str:
    """The message that makes the simulator send `deltas` pieces of text, `gap` seconds before each."""
    return f"/sim baked deltas={deltas} chars={_CHARACTERS} gap={gap}"


def answer(deltas: int) -> str:
    return "".join(baked_word(index, _CHARACTERS) for index in range(deltas))


def exchange(
    server: Server, source: Upstream, deltas: int, gap: float = 0.0, *, stream: bool = True
) -> tuple[str, Check]:
    """A request for that many deltas as raw text, and the check of its answer."""
    if server.name == "floor":
        return _through_floor(source, asked(deltas, gap))
    request = completion_request(asked(deltas, gap), stream=stream)
    return request, Check("stream" if stream else "json", answer(deltas))


def completion_request(message: str, *, stream: bool) -> str:
    body = {"model": "auto", "stream": stream, "messages": [{"role": "user", "content": message}]}
    return _post("/v1/chat/completions", body, {"Authorization": f"Bearer {KEY}"})


def _through_floor(source: Upstream, message: str) -> tuple[str, Check]:
    """The upstream's own request; its answer has to come through unchanged."""
    path = "/backend-api/f/conversation"
    body = {
        "action": "next",
        "messages": [
            {
                "id": "aaa11111-2222-4333-8444-555555555555",
                "author": {"role": "user"},
                "content": {"content_type": "text", "parts": [message]},
            }
        ],
        "parent_message_id": "client-created-root",
        "model": "auto",
        "supported_encodings": ["v1"],
        "history_and_training_disabled": True,
    }
    headers = {"Authorization": f"Bearer {source.tokens[0]}", "User-Agent": "benchmark"}
    return _post(path, body, headers), Check("bytes", _direct(source, path, json.dumps(body)))


@functools.cache
def _direct(source: Upstream, path: str, body: str) -> str:
    """What the upstream itself answers, in base64. The same request gets the same bytes again."""
    headers = {
        "Authorization": f"Bearer {source.tokens[0]}",
        "User-Agent": "benchmark",
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(source.url + path, body.encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return base64.b64encode(response.read()).decode()


def _post(path: str, body: object, headers: Mapping[str, str]) -> str:
    text = json.dumps(body)
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(text)}", "", text]
    return "\r\n".join(lines)
