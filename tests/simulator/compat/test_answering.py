"""Acts as completions and chunks."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from chat2api.simulator.compat.answering import Done, completion, done, frames, limited
from chat2api.simulator.compat.asking import Asked, parse
from chat2api.simulator.mind.situation import Act, Call, Decision, Say, Think, Value

TOOLS = [
    {"type": "function", "function": {"name": "f"}},
    {"type": "custom", "custom": {"name": "c"}},
]


def asked(**fields: Any) -> Asked:
    said = [{"role": "user", "content": "Hello"}]
    return parse({"model": "m", "messages": said, "tools": TOOLS, **fields})


def ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{next(numbers):024d}"


def made(*acts: Act, styles: str = "", **fields: Any) -> Done:
    manners = frozenset(filter(None, styles.split("+")))
    return done(Decision(acts, manners), asked(**fields), ids())


def test_words_thoughts_and_calls() -> None:
    answer = made(Think("Hm."), Say("Now."), Call("f", "{}"), Call("c", "text"))
    assert (answer.text, answer.thought, answer.finish) == ("Now.", "Hm.", "tool_calls")
    assert [call for _, call in answer.calls] == [Call("f", "{}"), Call("c", "text")]
    assert len({call_id for call_id, _ in answer.calls}) == 2
    assert answer.custom == {"c"}
    assert made(Value("{}")).text == "{}"


def test_only_what_is_allowed_is_called() -> None:
    assert len(made(Call("f", "{}"), Call("f", "{}"), parallel_tool_calls=False).calls) == 1
    answer = made(Call("f", "{}"), tool_choice="none")
    assert (answer.text, answer.calls) == ("I have no way to call f.", ())


def test_styles_that_matter_here() -> None:
    cut = made(Call("f", '{"a": 1}'), styles="length")
    assert (cut.calls[0][1].arguments, cut.finish) == ('{"a"', "length")
    assert made(Value("[1, 2]"), styles="length").text == "[1,"
    assert made(Call("f", "{}"), styles="prose").text == "Let me see."


def test_limits() -> None:
    answer = Done("one two three four", "five six", finish="stop")
    assert limited(answer, asked()) == answer
    assert limited(answer, asked(stop=["three", "two"])).text == "one "
    short = limited(answer, asked(max_tokens=4))
    assert (short.thought, short.text, short.finish) == ("five six", "one two", "length")
    calling = Done("one", calls=(("1", Call("f", "{}")), ("2", Call("f", "{}"))))
    cut = limited(calling, asked(max_tokens=3))
    assert (cut.calls, cut.finish) == ((("1", Call("f", "{")),), "length")


def test_one_object() -> None:
    answers = [made(Think("Hm."), Say("Yes."), Call("f", "{}"), Call("c", "text")), Done("No.")]
    value = completion(asked(), answers, "chatcmpl-1", 7.9)
    first, second = value["choices"]
    assert (value["object"], value["created"], value["model"]) == ("chat.completion", 7, "m")
    assert first["message"]["content"] == "Yes."
    assert first["message"]["reasoning_content"] == "Hm."
    assert [call["type"] for call in first["message"]["tool_calls"]] == ["function", "custom"]
    assert first["message"]["tool_calls"][1]["custom"] == {"name": "c", "input": "text"}
    assert (first["finish_reason"], second["finish_reason"]) == ("tool_calls", "stop")
    usage = value["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 2
    assert (
        completion(asked(), [made(Call("f", "{}"))], "x", 0)["choices"][0]["message"]["content"]
        is None
    )


@pytest.mark.parametrize("with_usage", [True, False])
def test_chunks_add_up_to_the_object(with_usage: bool) -> None:
    answers = [
        made(Think("Hm."), Say("Yes, yes."), Call("f", '{"long": "arguments, in pieces"}')),
        Done(refusal="I will not."),
    ]
    sent = asked(stream=True, stream_options={"include_usage": with_usage})
    *events, end = frames(sent, answers, "chatcmpl-1", 7)
    assert end.data == "[DONE]"
    chunks = [json.loads(event.data) for event in events]
    whole = completion(sent, answers, "chatcmpl-1", 7)
    if with_usage:
        last = chunks.pop()
        assert (last["choices"], last["usage"]) == ([], whole["usage"])
    assert all(("usage" in chunk) == with_usage for chunk in chunks)
    for choice in whole["choices"]:
        mine = [
            one["choices"][0] for one in chunks if one["choices"][0]["index"] == choice["index"]
        ]
        deltas = [one["delta"] for one in mine]
        message = choice["message"]
        assert deltas[0]["role"] == "assistant"
        for field in ("content", "reasoning_content", "refusal"):
            assert "".join(one.get(field) or "" for one in deltas) == (message.get(field) or "")
        arguments = [one["tool_calls"][0] for one in deltas if "tool_calls" in one]
        joined = "".join(one["function"]["arguments"] for one in arguments)
        assert joined == "".join(
            one["function"]["arguments"] for one in message.get("tool_calls") or []
        )
        assert [one["finish_reason"] for one in mine if one["finish_reason"]] == [
            choice["finish_reason"]
        ]
