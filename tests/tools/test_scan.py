"""Calls in what a model writes, however it is cut; and the marker, which nobody may see."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat.conversation import ToolSpec
from chat2api.chat.events import (
    Citation,
    Event,
    FinishReason,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Thread,
)
from chat2api.tools.scan import RESULT_INVENTED, FoundCall, Item, Scanner, without_marker

NONCE = "kzq3x9ab"
WEATHER = ToolSpec("get_weather", "", {"type": "object"})
PATCH = ToolSpec("patch", "", {}, custom=True)
TOOLS = (WEATHER, PATCH)
OPEN = f'<tool_call_{NONCE} name="get_weather">'
CLOSE = f"</tool_call_{NONCE}>"
OSLO = '{"city": "Oslo"}'
CALL = f"{OPEN}\n{OSLO}\n{CLOSE}"
RESULT = f'<tool_result_{NONCE} id="1" name="get_weather">'

Seen = tuple[str, list[tuple[str, str]], str]
"""The text, the calls (name, body without outer white space), the reasoning."""


def scanned(
    pieces: Iterable[str | Event],
    reason: FinishReason = "stop",
    tools: tuple[ToolSpec, ...] = TOOLS,
) -> list[Item]:
    scanner = Scanner(tools, NONCE)
    out: list[Item] = []
    for piece in pieces:
        out += scanner.feed(TextDelta(piece) if isinstance(piece, str) else piece)
    return out + scanner.close(reason)


def seen(items: Iterable[Item]) -> Seen:
    items = list(items)
    return (
        "".join(item.text for item in items if isinstance(item, TextDelta)),
        [(item.tool.name, item.body.strip()) for item in items if isinstance(item, FoundCall)],
        "".join(item.text for item in items if isinstance(item, ReasoningDelta)),
    )


def read(text: str, reason: FinishReason = "stop") -> tuple[str, list[tuple[str, str]]]:
    told, calls, _ = seen(scanned([text], reason))
    return told, calls


ANSWERS = {
    "no call": ("Hello, a < b and `x` &lt; y.\n", ("Hello, a < b and `x` &lt; y.\n", 0)),
    "a call alone": (CALL, ("", 1)),
    "prose before": (f"I will look.\n\n{CALL}", ("I will look.", 1)),
    "prose around": (f"First.\n{CALL}\nThen.", ("First.\n\nThen.", 1)),
    "two calls": (f"{CALL}\n{CALL}", ("", 2)),
    "prose between": (f"One\n{CALL}\ntwo\n{CALL} three", ("One\n\ntwo\n\nthree", 2)),
    "in a fence": (f"Look:\n```xml\n{CALL}\n```\nDone.", ("Look:\n\nDone.", 1)),
    "two in one fence": (f"```\n{CALL}\n{CALL}\n```", ("", 2)),
    "two fences": (f"```xml\n{CALL}\n```\n```xml\n{CALL}\n```\n", ("", 2)),
    "behind a code block": (f"```py\nx\n```\n{CALL}", ("```py\nx\n```", 1)),
    "inside a code block": (f"```py\nx\n{CALL}\n```", ("```py\nx\n\n```", 1)),
    "a fence of four": (f"````xml\n{CALL}\n````", ("", 1)),
    "escaped": (f"Hi {CALL.replace('<', '&lt;').replace('>', '&gt;')} ho", ("Hi\n\nho", 1)),
    "half escaped": (f"&lt;{CALL[1:]}", ("", 1)),
    "smart quotes": (CALL.replace('name="get_weather"', "name=“get_weather”"), ("", 1)),
    "single quotes": (CALL.replace('"get_weather"', "'get_weather'"), ("", 1)),
    "no quotes": (CALL.replace('"get_weather"', "get_weather"), ("", 1)),
    "more attributes": (CALL.replace("name=", 'id="3" name='), ("", 1)),
    "a prefixed name": (CALL.replace('"get', '"functions.get'), ("", 1)),
    "on one line": (f"{OPEN}{OSLO}{CLOSE}", ("", 1)),
    "not closed": (f"Hm. {OPEN}\n{OSLO}", ("Hm.", 1)),
    "closed in part": (f"{OPEN}\n{OSLO}\n</tool_call_kzq", ("", 1)),
    "closed by the next": (f"{OPEN}\n{OSLO}\n{OPEN}\n{OSLO}", ("", 2)),
    "a tag that is not ended": (f'<tool_call_{NONCE} name="get_weather"\n{OSLO}\n{CLOSE}', ("", 1)),
    "citations inside": (CALL.replace("Oslo", "Oslo\ue200cite\ue202turn0\ue201\ue204"), ("", 1)),
    "the name in the JSON": (
        f'<tool_call_{NONCE}>{{"name":"get_weather","arguments":{OSLO}}}{CLOSE}',
        ("", 1),
    ),
    "a stray end": (f"a {CLOSE} b", ("a  b", 0)),
    "a stray marker": (f"The marker is {NONCE}.", ("The marker is .", 0)),
    "a cut tag": ("So: <tool_call_kz", ("So: ", 0)),
    "an end that is none": ("if a <", ("if a <", 0)),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_text_and_what_is_a_call(name: str) -> None:
    answer, (text, calls) = ANSWERS[name]

    told, found = read(answer)

    assert told == text
    assert len(found) == calls
    for tool, body in found:
        assert tool == "get_weather"
        assert json.loads(body) == {"city": "Oslo"}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_cut_gives_the_same(name: str) -> None:
    answer, _ = ANSWERS[name]
    whole = seen(scanned([answer]))

    assert seen(scanned(list(answer))) == whole
    for at in range(len(answer)):
        assert seen(scanned([answer[:at], answer[at:]])) == whole


# --- thinking


def test_nothing_is_a_call_inside_of_thinking() -> None:
    text = f"<think>I could <think>write</think> {CALL} now.</think>{CALL}"

    told, calls = read(text)

    assert told == f"<think>I could <think>write</think> \n{OSLO}\n now.</think>"
    assert calls == [("get_weather", OSLO)]


def test_thinking_that_never_ends_has_no_calls() -> None:
    assert read(f"<think>\n{CALL}") == (f"<think>\n\n{OSLO}\n", [])


def test_an_end_of_thinking_without_its_beginning_is_text() -> None:
    assert read(f"So.</think>\n{CALL}") == ("So.</think>", [("get_weather", OSLO)])


def test_reasoning_makes_no_calls_and_shows_no_marker() -> None:
    pieces = [ReasoningDelta(one) for one in f"I write {CALL} so."] + [TextDelta("Hi")]

    text, calls, reasoning = seen(scanned(pieces))

    assert (text, calls) == ("Hi", [])
    assert reasoning == f"I write \n{OSLO}\n so."


def test_reasoning_stays_before_the_text_that_follows() -> None:
    items = scanned([ReasoningDelta("a <tool"), TextDelta("b")])

    assert items == [ReasoningDelta("a "), ReasoningDelta("<tool"), TextDelta("b")]


def test_refusals_show_no_marker() -> None:
    items = scanned([RefusalDelta(f"I cannot write {NONCE[:5]}"), RefusalDelta(NONCE[5:])])

    assert items == [RefusalDelta("I cannot write ")]


# --- what is no call


def test_a_call_of_an_unknown_tool_is_text() -> None:
    text = f'Hm.\n<tool_call_{NONCE} name="rm">\n{{"a": 1}}\n</tool_call_{NONCE}>\nSo.'

    assert read(text) == ('Hm.\n\n{"a": 1}\n\nSo.', [])


def test_without_tools_imitated_markup_is_text() -> None:
    text, calls, _ = seen(scanned([f"Look: {CALL}"], tools=()))

    assert (text, calls) == (f"Look:\n\n{OSLO}", [])


def test_a_call_without_a_name_that_is_no_json_is_text() -> None:
    assert read(f"<tool_call_{NONCE}>what{CLOSE}") == ("what", [])


def test_a_call_that_was_cut_off_is_dropped() -> None:
    for reason in ("length", "content_filter"):
        assert read(f"Hm. {OPEN}\n{OSLO}", reason) == ("Hm.", [])


def test_a_complete_call_before_the_cut_counts() -> None:
    assert read(f"{CALL}\n{OPEN}\n{{", "length") == ("", [("get_weather", OSLO)])


def test_invented_results_end_the_answer() -> None:
    scanner = Scanner(TOOLS, NONCE)

    items = scanner.feed(TextDelta(f"{CALL}\n{RESULT}\nSun.\n</tool_result_{NONCE}>\nIt is sunny."))

    assert [type(item) for item in items] == [FoundCall]
    assert scanner.done
    assert scanner.notes == (RESULT_INVENTED,)
    assert scanner.feed(TextDelta("More.")) == []
    assert scanner.close("stop") == []


def test_results_in_an_open_call_end_it() -> None:
    assert read(f"{OPEN}\n{OSLO}\n{RESULT}\nSun.") == ("", [("get_weather", OSLO)])


# --- bodies


def test_a_custom_tool_gets_its_text_as_it_is() -> None:
    (call,) = scanned([f'<tool_call_{NONCE} name="patch">\n  a <b>\n\n</tool_call_{NONCE}>'])

    assert call == FoundCall(PATCH, "  a <b>\n")


def test_an_escaped_call_is_unescaped_once() -> None:
    body = "{&quot;a&quot;: &quot;&amp;lt;&quot;}"
    text = f"&lt;tool_call_{NONCE} name=&quot;get_weather&quot;&gt;{body}&lt;/tool_call_{NONCE}&gt;"

    assert read(text) == ("", [("get_weather", '{"a": "&lt;"}')])


def test_markers_inside_of_arguments_are_hidden() -> None:
    assert read(f'{OPEN}{{"a": "{NONCE}"}}{CLOSE}') == ("", [("get_weather", '{"a": "_"}')])


@pytest.mark.parametrize(
    ("arguments", "hidden"),
    [
        (f'{{"a": "{NONCE}"}}', '{"a": "_"}'),
        ('{"a": "\\u006bzq3x9ab \\u00e9"}', '{"a":"_ \\u00e9"}'),
        ('{"a": "\\u00e9"}', '{"a": "\\u00e9"}'),
    ],
)
def test_markers_in_the_guise_of_escapes_are_hidden(arguments: str, hidden: str) -> None:
    assert without_marker(arguments, NONCE) == hidden


# --- other events


def test_citations_that_never_end_take_no_time() -> None:
    began = time.process_time()
    scanned([f'<tool_call_{NONCE} name="get_weather">' + "\ue200" * 300_000])
    assert time.process_time() - began < 1


def test_other_events_pass_also_in_the_middle_of_a_call() -> None:
    thread, source = Thread("c", "m"), Citation("https://example.org", "Example")

    items = scanned([f"A {OPEN}\n{OSLO[:5]}", thread, source, f"{OSLO[5:]}\n{CLOSE}"])

    assert items[1:3] == [thread, source]
    assert seen(items)[:2] == ("A", [("get_weather", OSLO)])


def test_a_picture_comes_behind_the_text_before_it() -> None:
    picture = ImageRef("file-1")

    assert scanned(["a <", picture, "b"]) == [
        TextDelta("a"),
        TextDelta(" <"),
        picture,
        TextDelta("b"),
    ]


# --- whatever is written

PIECES = st.sampled_from(
    [
        OPEN,
        CLOSE,
        RESULT,
        NONCE,
        NONCE[:5],
        NONCE[5:],
        "<",
        "</",
        "&lt;",
        ">",
        "tool_call_",
        f"<tool_call_{NONCE}",
        f"&lt;/tool_call_{NONCE}&gt;",
        f'<tool_call_{NONCE} name="rm">',
        "<think>",
        "</think>",
        "```",
        "`",
        "xml",
        "\n",
        "  ",
        OSLO,
        "k",
        "word ",
        "\ue200",
        "\ue201",
    ]
)
GARBAGE = st.lists(PIECES, max_size=24).map("".join)


@st.composite
def cut_answers(draw: st.DrawFn) -> tuple[str, list[str]]:
    text = draw(GARBAGE)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=12)))
    bounds = [0, *cuts, len(text)]
    return text, [text[a:b] for a, b in itertools.pairwise(bounds)]


@given(cut_answers(), st.sampled_from(["stop", "length"]))
def test_no_cut_changes_garbage_and_no_marker_comes_out(
    answer: tuple[str, list[str]], reason: FinishReason
) -> None:
    text, pieces = answer
    whole = seen(scanned([text], reason))

    assert seen(scanned(pieces, reason)) == whole
    told, calls, _ = whole
    assert NONCE not in told
    assert f"tool_call_{NONCE[0]}" not in told or f"tool_call_{NONCE[0]}" in text.replace(NONCE, "")
    assert all(NONCE not in body for _, body in calls)


@given(st.lists(st.tuples(st.sampled_from([TextDelta, ReasoningDelta, RefusalDelta]), PIECES)))
def test_no_marker_comes_out_of_mixed_channels(said: list[tuple[type, str]]) -> None:
    items = scanned([kind(text) for kind, text in said])

    for kind in (TextDelta, ReasoningDelta, RefusalDelta):
        assert NONCE not in "".join(item.text for item in items if isinstance(item, kind))
