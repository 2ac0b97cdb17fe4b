"""Token counts: known values, hostile texts, prefixes, and the estimate."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.chat import tokens
from chat2api.chat.conversation import (
    Conversation,
    File,
    Image,
    JsonOutput,
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from chat2api.chat.tokens import Counter, EstimatingCounter, load_counter

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200) | st.text(
    "a \n汉👩\u200d\u0301\ud800-'", max_size=200
)


@pytest.fixture(params=["vocabulary", "estimate"])
def counter(request: pytest.FixtureRequest) -> Counter:
    return load_counter() if request.param == "vocabulary" else EstimatingCounter()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("hello world", 2),
        ("<|endoftext|>", 7),  # a user's text is never a control token
        ("Don't  stop\n\n  now 12345", 9),
        (" " * 128, 1),
    ],
)
def test_counts_of_the_vocabulary(text: str, expected: int) -> None:
    assert tokens.count(text) == expected


def test_the_counter_is_loaded_once_and_is_real_here() -> None:
    assert load_counter() is load_counter()
    assert not load_counter().estimated


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        " " * 1_000_000 + "x",
        "\n" * 200_000,
        "-" * 100_000,
        "汉字测试" * 100_000,
        "".join(map(chr, range(0x20))) * 5_000,
        "\ud800" * 100_000,
        "👩\u200d👩\u200d👧" * 20_000,
        "a" + "\u0301" * 200_000,
    ],
    ids=["a", "blanks", "lines", "dashes", "CJK", "control", "surrogates", "emoji", "marks"],
)
@pytest.mark.timeout(20)
def test_hostile_texts_are_counted_in_linear_time(counter: Counter, text: str) -> None:
    whole = counter.count(text)

    assert 0 < whole <= len(text.encode("utf-8", "surrogatepass"))
    half = counter.prefix_within(text, whole // 2)
    assert text.startswith(half)
    assert counter.count(half) <= whole // 2
    assert len(half) > len(text) // 3


def test_a_lone_surrogate_counts_as_the_mark_that_replaces_it() -> None:
    assert tokens.count("a\ud800b") == tokens.count("a\ufffdb")


@settings(max_examples=300)
@given(text=ANY_TEXT, limit=st.integers(-1, 120))
@pytest.mark.parametrize("made", [load_counter, EstimatingCounter])
def test_laws_of_prefixes(made: Any, text: str, limit: int) -> None:
    counter: Counter = made()

    prefix = counter.prefix_within(text, limit)

    assert text.startswith(prefix)
    assert counter.count(prefix) <= max(limit, 0)
    if limit > 0 and prefix != text:
        assert counter.count(text[: len(prefix) + 1]) > limit
    if counter.count(text) <= limit:
        assert prefix == text


def test_a_prefix_ends_where_its_last_token_does() -> None:
    text = "The quick brown fox jumps over the lazy dog."

    assert [tokens.prefix_within(text, limit) for limit in (1, 3, 9, 10)] == [
        "The",
        "The quick brown",
        "The quick brown fox jumps over the lazy dog",
        text,
    ]


def test_a_prefix_never_ends_inside_a_character() -> None:
    text = "𓀀𓀁"  # several tokens each
    each = tokens.count("𓀀")
    assert each > 1

    assert tokens.prefix_within(text, each - 1) == ""
    assert tokens.prefix_within(text, each) == "𓀀"


def test_a_prefix_of_a_huge_text_looks_at_its_beginning_only() -> None:
    class Guarded(str):
        """Complains about whoever reads it as a whole."""

        def __getitem__(self, key: Any) -> str:
            assert key.stop <= 10_000
            return str(self)[key]

    assert tokens.prefix_within(Guarded("word " * 1_000_000), 3) == "word word word"


def test_the_estimate() -> None:
    counter = EstimatingCounter()

    assert counter.estimated
    assert [counter.count(text) for text in ("", "a", "four", "fives", "汉字", "汉字ab")] == [
        0, 1, 1, 2, 2, 3,
    ]  # fmt: skip
    assert counter.prefix_within("汉字abcdefgh", 3) == "汉字abcd"


def test_without_the_extension_module_counts_are_estimates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain_import = builtins.__import__

    def refuse(name: str, *args: Any) -> Any:
        if name.startswith("rs_bpe"):
            raise ImportError(name)
        return plain_import(name, *args)

    monkeypatch.setattr(builtins, "__import__", refuse)

    assert load_counter.__wrapped__().estimated


def test_the_tokens_of_a_prompt() -> None:
    hello = Conversation("m", (Message("user", (Text("hello"),)),))
    assert tokens.prompt_tokens(hello) == 3 + 1 + 1 + 3  # frame, role, text, reply

    everything = Conversation(
        "m",
        (
            Message("system", (Text("hello"), Text(" world")), name="guide"),
            Message("assistant", (Reasoning("hello"), ToolCall("call_1", "hello", "hello world"))),
            Message("tool", (ToolResult("call_1", "hello world", (Image("https://a.test"),)),)),
            Message("user", (Image("data:image/png;base64,AAAA"), File(file_id="file-1"))),
        ),
        tools=(
            ToolSpec("hello", "hello world", {"type": "object"}),
            ToolSpec("custom", "", {}, custom=True, format={"type": "text"}),
        ),
        output=JsonOutput({"type": "array"}, "answer", "world"),
    )

    assert list(tokens.prompt_texts(everything)) == [
        "system", "guide", "hello", " world",
        "assistant", "hello", "hello", "hello world",
        "tool", "hello world",
        "user",
        "hello", "hello world", '{"type":"object"}',
        "custom", "", '{"type":"text"}',
        "world", '{"type":"array"}',
    ]  # fmt: skip
    assert tokens.prompt_overhead(everything) == 4 * 3 + 3 + 1 + 2 * 85
    assert tokens.prompt_tokens(everything) == tokens.prompt_overhead(everything) + sum(
        map(tokens.count, tokens.prompt_texts(everything))
    )
