"""Tool calls whole and in pieces: the same answer either way, and never a mark of ours in it (B21)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .toolbox import CALL_OSLO, MODEL, OSLO, TOOLS, TWO_CALLS, script

MARKER = re.compile(rb"tool_(?:call|result)_[a-z0-9]")
"""What only the upstream and we may see."""

CASES = {
    "call": CALL_OSLO,
    "two calls": TWO_CALLS,
    "prose": script(f"say Well.\n\n  call get_weather {OSLO}", style="prose"),
    "custom": script("call run_sql SELECT 1;\n-- done"),
    "text": script("say No tool: <tool_ is not one, nor { or ``` or <tool_call."),
    "unicode": script('call get_weather {"location": "呼和浩特 👩‍👩‍👧 \\"quoted\\" \\u00e9"}'),
    "thinking": script("think Hm.", f"call get_weather {OSLO}", style="think"),
    "fence": script("say Look:", f"call get_weather {OSLO}", style="fence"),
    "unknown": script("say Look:", f"call get_weather {OSLO}", style="unknown"),
    "broken": script("say Look:", f"call get_weather {OSLO}", style="broken"),
    "length": script("say Look:", f"call get_weather {OSLO}", style="length"),
}


@pytest.mark.parametrize("messages", CASES.values(), ids=CASES)
def test_a_stream_is_the_whole_answer_in_pieces(
    stream_server: Any, upstream: Any, payloads: Any, messages: list[Any]
) -> None:
    body = {"model": MODEL, "messages": messages, "tools": TOOLS}
    whole = stream_server.post(body)
    streamed = stream_server.post({**body, "stream": True})
    *chunks, done = payloads(streamed.content)
    assert done == "[DONE]"
    message = {"role": "assistant", "content": "", "reasoning_content": "", "tool_calls": []}
    for chunk in chunks:
        (choice,) = chunk["choices"]
        _add(message, choice["delta"])
    wanted = whole.json()["choices"][0]
    for told in (whole.content, streamed.content, json.dumps(message).encode()):
        assert not MARKER.search(told)
    assert choice["finish_reason"] == wanted["finish_reason"]
    assert message["content"] == (wanted["message"]["content"] or "")
    assert message["reasoning_content"] == wanted["message"].get("reasoning_content", "")
    assert _without_ids(message["tool_calls"]) == _without_ids(
        wanted["message"].get("tool_calls", [])
    )


def _add(message: Any, delta: Any) -> None:
    for channel in ("content", "reasoning_content"):
        message[channel] += delta.get(channel) or ""
    for piece in delta.get("tool_calls", ()):
        if piece["index"] == len(message["tool_calls"]):
            message["tool_calls"].append({"id": piece["id"], "type": piece["type"]})
        call = message["tool_calls"][piece["index"]]
        for name, value in piece.get(call["type"], {}).items():
            call.setdefault(call["type"], {}).setdefault(name, "")
            call[call["type"]][name] += value


def _without_ids(calls: list[Any]) -> list[Any]:
    return [{name: value for name, value in call.items() if name != "id"} for call in calls]
