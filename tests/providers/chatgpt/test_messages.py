"""providers.chatgpt.messages: kinds and fields of messages, complete or not."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.codecs.rope import Rope
from chat2api.providers.chatgpt.messages import (
    Kind,
    calls_picture_tool,
    first_text,
    is_finished,
    items_of,
    kind_of,
    mapping_of,
    text_of,
    text_parts,
)


def typed(content_type: str, **content: Any) -> dict[str, Any]:
    return {"content": {"content_type": content_type, **content}}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, Kind.ANSWER),
        ({"channel": "final"}, Kind.ANSWER),
        ({"channel": "commentary"}, Kind.REASONING),
        ({"channel": "analysis"}, Kind.HIDDEN),
        ({"meta": {"is_thinking_preamble_message": True}}, Kind.REASONING),
        ({"meta": {"is_visually_hidden_from_conversation": True}}, Kind.HIDDEN),
        ({"recipient": "bio"}, Kind.HIDDEN),
        ({"recipient": "python"}, Kind.SOURCE),
        ({"recipient": "python", **typed("code")}, Kind.SOURCE),
        ({"recipient": "python", **typed("multimodal_text")}, Kind.HIDDEN),
        (typed("multimodal_text"), Kind.ANSWER),
        (typed("thoughts"), Kind.THOUGHTS),
        (typed("reasoning_recap"), Kind.HIDDEN),
        (typed("code"), Kind.HIDDEN),
        (typed("system_error"), Kind.SYSTEM_ERROR),
        ({"role": "user"}, Kind.HIDDEN),
        ({"role": "system"}, Kind.HIDDEN),
        ({"role": "system", **typed("system_error")}, Kind.SYSTEM_ERROR),
        ({"role": "tool"}, Kind.TOOL_TEXT),
        ({"role": "tool", "meta": {"initial_text": "Reasoning"}}, Kind.REASONING),
        ({"role": "tool", **typed("multimodal_text")}, Kind.PICTURES),
        ({"role": "tool", "name": "python", **typed("execution_output")}, Kind.OUTPUT),
        ({"role": "tool", "name": "container.exec", **typed("execution_output")}, Kind.HIDDEN),
        ({"role": "tool", **typed("tether_quote")}, Kind.HIDDEN),
        ({"role": "tool", **typed("system_error")}, Kind.SYSTEM_ERROR),
        ({"author": None}, Kind.HIDDEN),
        ({"content": None, "recipient": Rope("all"), "channel": Rope("final")}, Kind.ANSWER),
    ],
)
def test_kinds(wire, fields: dict[str, Any], kind: Kind) -> None:
    assert kind_of(wire.message(**fields)) is kind


def test_empty_values_stand_for_odd_ones() -> None:
    assert (text_of(None), text_of(5), text_of(Rope("a"))) == ("", "", "a")
    assert (mapping_of(None), mapping_of([1])) == ({}, {})
    assert (items_of(None), items_of({"a": 1})) == ([], [])
    assert kind_of({}) is Kind.HIDDEN


def test_texts_of_a_message() -> None:
    rope = Rope("b")
    parts = {"content": {"parts": ["a", None, {"x": 1}, rope]}}

    assert list(text_parts(parts)) == ["a", rope]
    assert list(text_parts({"content": {"text": "c"}})) == ["c"]
    assert list(text_parts({})) == []
    assert first_text({"content": {"text": "c", "parts": ["a"]}}) == "c"
    assert first_text(parts) == "a"
    assert first_text({}) == ""


def test_states() -> None:
    assert is_finished({"status": "finished_successfully"})
    assert is_finished({"status": "finished_partial_completion"})
    assert not is_finished({"status": "in_progress"})
    assert not is_finished({})


@pytest.mark.parametrize(
    ("recipient", "draws"),
    [("dalle.text2im", True), ("t2uay3k.sj1i4kz", True), ("web.run", False), (None, False)],
)
def test_calls_of_picture_tools(wire, recipient: str | None, draws: bool) -> None:
    assert calls_picture_tool(wire.message(recipient=recipient)) is draws
