"""The order of `chat.completion.chunk` events, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.schemas.frames import Frame, Streamed, is_object, same

_ENVELOPE = ("id", "created", "model", "service_tier", "system_fingerprint")


@dataclass
class _Choice:
    """What has come of one choice."""

    message: dict[str, Any] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    finish_reason: str | None = None

    def take(self, choice: dict[str, Any]) -> None:
        assert self.finish_reason is None, "a chunk after the finish_reason"
        delta = choice["delta"]
        assert ("role" in delta) == (not self.message), "the role comes first, and once"
        self.finish_reason = choice["finish_reason"]
        for key, value in delta.items():
            if key == "tool_calls":
                for call in value:
                    self._call(call)
            elif key == "function_call":
                self._function(value)
            elif key == "annotations":
                self.message[key] = self.message.get(key, []) + value
            elif value is not None:
                self.message[key] = self.message.get(key, "") + value

    def _call(self, delta: dict[str, Any]) -> None:
        kind = "function" if "function" in delta else "custom"
        text = "arguments" if kind == "function" else "input"
        if delta["index"] == len(self.calls):
            assert "id" in delta, f"a call begins without its id: {delta}"
            assert "name" in delta[kind], f"a call begins without its name: {delta}"
            self.calls.append({"id": delta["id"], "type": delta["type"], kind: {text: ""}})
            self.calls[-1][kind]["name"] = delta[kind]["name"]
        else:
            assert delta["index"] < len(self.calls), f"a call is left out before {delta}"
            assert "id" not in delta, f"an id repeated is an id doubled: {delta}"
            assert "name" not in delta[kind], f"a name repeated is a name doubled: {delta}"
        self.calls[delta["index"]][kind][text] += delta[kind].get(text, "")

    def _function(self, delta: dict[str, Any]) -> None:
        call = self.message.setdefault("function_call", {"name": "", "arguments": ""})
        assert ("name" in delta) == (not call["name"]), f"the name comes first, and once: {delta}"
        for key, value in delta.items():
            call[key] += value

    def end(self) -> dict[str, Any]:
        """The choice as a plain answer shows it."""
        reason = self.finish_reason
        assert reason is not None, "a choice without an end"
        if reason == "tool_calls":
            assert self.calls, "tool_calls without a call"
        if reason == "stop":
            assert not self.calls, "a call, but the reason is stop"
            assert "function_call" not in self.message
        for call in self.calls:
            if reason == "tool_calls" and call["type"] == "function":
                assert is_object(call["function"]["arguments"]), f"half a call: {call}"
        message = {"content": None, "refusal": None, **self.message}
        if self.calls:
            message["tool_calls"] = self.calls
        calling = self.calls or "function_call" in message or message["refusal"]
        if calling and not message["content"]:
            message["content"] = None
        message["refusal"] = message["refusal"] or None
        return {"message": message, "finish_reason": reason}


def follow(frames: list[Frame]) -> Streamed:
    """`whole` is a list of {"message", "finish_reason"}, one for each choice."""
    payloads = [frame.data for frame in frames]
    if isinstance(payloads[-1], dict) and "error" in payloads[-1]:
        assert "[DONE]" not in payloads, "an answer that failed has no [DONE]"
        assert all("error" not in payload for payload in payloads[:-1])
        return Streamed(payloads, None, payloads[-1]["error"])
    assert payloads.pop() == "[DONE]", "the last line is [DONE]"
    assert "[DONE]" not in payloads, "[DONE] comes once"
    assert all("error" not in chunk for chunk in payloads), "an answer that failed has no [DONE]"
    same([[chunk[key] for key in _ENVELOPE] for chunk in payloads], "the envelope")
    _check_usage(payloads)
    choices: dict[int, _Choice] = {}
    for chunk in payloads:
        for choice in chunk["choices"]:
            choices.setdefault(choice["index"], _Choice()).take(choice)
    assert sorted(choices) == list(range(len(choices)))
    return Streamed(payloads, [choices[index].end() for index in range(len(choices))])


def _check_usage(chunks: list[Any]) -> None:
    """Asked for: null in every chunk and figures in a last one without choices. Else: nowhere."""
    if "usage" in chunks[0]:
        assert [bool(chunk["choices"]) for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
        assert all("usage" in chunk for chunk in chunks)
        usage = chunks[-1]["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    else:
        assert all("usage" not in chunk for chunk in chunks)
