"""Cutting an answer at its limits, compared with the plain definition over the whole text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat import tokens
from chat2api.chat.conversation import Limits
from chat2api.chat.cut import Cutter
from chat2api.chat.events import (
    Citation,
    Event,
    Failure,
    Finish,
    ImageRef,
    ReasoningDelta,
    TextDelta,
    Thread,
    ToolCallDelta,
    Usage,
)
from chat2api.chat.fold import Completion, fold
from chat2api.errors import ErrorInfo

STOP = Finish("stop")
WORD = re.compile(r" ?[^ ]+| ")


def count_words(text: str) -> int:
    """A toy tokenizer: a word with the space before it is one token."""
    return len(WORD.findall(text))


def words_within(text: str, limit: int) -> str:
    return "".join(WORD.findall(text)[:limit])


def cutter(max_tokens: int | None = None, stop: tuple[str, ...] = ()) -> Cutter:
    return Cutter(Limits(max_tokens, stop), count_words, words_within)


def cut(limits: Cutter, *events: Event) -> list[Event]:
    return list(limits.cut(events))


def texts(*pieces: str) -> list[Event]:
    return [TextDelta(piece) for piece in pieces]


# --- no limits


def test_without_limits_the_very_same_iterator_comes_back() -> None:
    events = iter([*texts("a", ""), STOP])
    assert cutter().cut(events) is events


# --- stop strings


@pytest.mark.parametrize(
    ("pieces", "stop", "out"),
    [
        (["one END two"], ("END",), [*texts("one "), Finish("stop", "END")]),
        (["one E", "N", "D two"], ("END",), [*texts("one "), Finish("stop", "END")]),
        (["one E", "N", "D", " two"], ("END",), [*texts("one "), Finish("stop", "END")]),
        (["one E", "Nd"], ("END",), [*texts("one ", "ENd"), Finish("length")]),
        (["one EN"], ("END",), [*texts("one ", "EN"), Finish("length")]),
        (["END"], ("END",), [Finish("stop", "END")]),
        (["aab", "aabc"], ("aabaabc",), [Finish("stop", "aabaabc")]),
        (["a", "a", "b"], ("ab",), [*texts("a"), Finish("stop", "ab")]),
        (["xaab", "ac y"], ("abac",), [*texts("xa"), Finish("stop", "abac")]),
        (["abcd"], ("bcd", "c"), [*texts("ab"), Finish("stop", "c")]),
        (["xbcd"], ("cd", "bcd"), [*texts("x"), Finish("stop", "bcd")]),
        (["a\n", "\nb"], ("\n\n",), [*texts("a"), Finish("stop", "\n\n")]),
        (["👩‍👩", "‍👧"], ("👩‍👩‍👧",), [Finish("stop", "👩‍👩‍👧")]),
    ],
    ids=str,
)
def test_stop_strings(pieces: list[str], stop: tuple[str, ...], out: list[Event]) -> None:
    assert cut(cutter(stop=stop), *texts(*pieces), Finish("length")) == out


def test_text_before_a_possible_stop_string_is_not_kept_waiting() -> None:
    limits = cutter(stop=("END",))
    assert limits.feed(TextDelta("one E")) == texts("one ")
    assert limits.feed(TextDelta("very")) == texts("Every")
    assert limits.feed(TextDelta("E")) == []
    assert limits.feed(TextDelta("ND more")) == [Finish("stop", "END")]
    assert limits.done
    assert limits.feed(TextDelta("late")) == []


def test_the_upstream_is_read_no_further() -> None:
    read = []

    def upstream() -> Iterator[Event]:
        for event in [*texts("a", "END", "b", "c"), Finish("length")]:
            read.append(event)
            yield event

    assert list(cutter(stop=("END",)).cut(upstream())) == [*texts("a"), Finish("stop", "END")]
    assert read == texts("a", "END")


def test_what_is_no_text_passes_what_is_held() -> None:
    aside: list[Event] = [
        Thread("c1"),
        Citation("https://a.test", "A"),
        Usage(1, 2),
        ReasoningDelta("hm END"),
    ]
    out = cut(cutter(stop=("END",)), TextDelta("aE"), *aside, TextDelta("NDb"), Finish("length"))
    assert out == [*texts("a"), *aside, Finish("stop", "END")]


@pytest.mark.parametrize("aside", [ImageRef("sediment://file_1"), ToolCallDelta(0, "call_1", "f")])
def test_no_stop_string_reaches_across_a_picture_or_a_call(aside: Event) -> None:
    assert cut(cutter(stop=("END",)), TextDelta("aE"), aside, TextDelta("ND"), STOP) == [
        *texts("a", "E"),
        aside,
        *texts("ND"),
        STOP,
    ]


def test_a_failure_lets_out_what_was_held() -> None:
    failure = Failure(ErrorInfo(502, "server_error", "upstream_truncated", "It broke off."))
    assert cut(cutter(stop=("END",)), TextDelta("aE"), failure) == [*texts("a", "E"), failure]


def stopped(text: str, stops: tuple[str, ...]) -> str | None:
    """The definition: watch the text grow, and stop as soon as it ends with a stop string."""
    for end in range(1, len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            return text[: end - max(map(len, found))]
    return None


pieces = st.lists(st.text("ab", max_size=4), max_size=12)
stops = st.lists(st.text("ab", min_size=1, max_size=6), min_size=1, max_size=3).map(tuple)


@given(pieces, stops)
def test_any_split_and_any_stop_strings(pieces: list[str], stop: tuple[str, ...]) -> None:
    folded = fold(cutter(stop=stop).cut([*texts(*pieces), Finish("length")]))
    whole = "".join(pieces)
    expected = stopped(whole, stop)
    assert folded.text == (whole if expected is None else expected)
    assert folded.finish_reason == ("length" if expected is None else "stop")


@given(pieces, stops)
def test_text_is_held_only_while_it_may_begin_a_stop_string(
    pieces: list[str], stop: tuple[str, ...]
) -> None:
    limits = cutter(stop=stop)
    seen = out = ""
    for piece in pieces:
        seen += piece
        out += fold(limits.feed(TextDelta(piece))).text
        if limits.done:
            return
        held = seen[len(out) :]
        assert seen.startswith(out)
        assert not held or any(one.startswith(held) for one in stop)


def test_a_hostile_stop_string_is_no_burden() -> None:
    limits = Cutter(Limits(stop=("a" * 500 + "b" + "a" * 500,) * 16), count_words, words_within)
    folded = fold(limits.cut([*texts(*["a"] * 3_000), STOP]))
    assert folded.text == "a" * 3_000


# --- tokens


@pytest.mark.parametrize(
    ("limit", "events", "out"),
    [
        (3, texts("one two three"), [*texts("one two three"), STOP]),
        (3, texts("one two three four"), [*texts("one two three"), Finish("length")]),
        (
            3,
            texts("one", " two", " three", " four"),
            [*texts("one", " two", " three"), Finish("length")],
        ),
        (1, texts("one", " two"), [*texts("one"), Finish("length")]),
        (
            3,
            [ReasoningDelta("hm well"), *texts("one two")],
            [ReasoningDelta("hm well"), *texts("one"), Finish("length")],
        ),
        (
            2,
            [ReasoningDelta("hm well so"), *texts("one")],
            [ReasoningDelta("hm well"), Finish("length")],
        ),
        (
            2,
            [ReasoningDelta("hm"), *texts("one"), ReasoningDelta(" well"), *texts(" two")],
            [ReasoningDelta("hm"), *texts("one"), Finish("length")],
        ),
        (5, [], [STOP]),
    ],
)
def test_token_limits(limit: int, events: list[Event], out: list[Event]) -> None:
    assert cut(cutter(limit), *events, STOP) == out


def test_both_limits_and_the_first_one_wins() -> None:
    story = texts("one two ", "three four END five")
    assert fold(cutter(3, ("END",)).cut([*story, STOP])) == Completion(
        ["one two three"], finish_reason="length"
    )
    assert fold(cutter(30, ("END",)).cut([*story, Finish("length")])) == Completion(
        ["one two three four "], finish_reason="stop", stop="END"
    )


def test_what_is_hidden_of_the_thinking_passes() -> None:
    sealed = [ReasoningDelta("hm", "sealed"), ReasoningDelta("", "more")]
    assert cut(cutter(9, ("END",)), *sealed, STOP) == [*sealed, STOP]


def test_held_text_that_no_longer_fits() -> None:
    assert cut(cutter(2, (" END",)), *texts("one two", " E"), STOP) == [
        *texts("one two"),
        Finish("length"),
    ]


@given(st.lists(st.text("ab é", max_size=5), max_size=30), st.integers(1, 12))
def test_any_split_is_cut_at_the_same_token(pieces: list[str], limit: int) -> None:
    folded = fold(cutter(limit).cut([*texts(*pieces), STOP]))
    whole = "".join(pieces)
    assert folded.text == words_within(whole, limit)
    assert folded.finish_reason == ("stop" if count_words(whole) <= limit else "length")


def test_settling_a_long_text_does_not_move_the_cut() -> None:
    story = "some words and a longerone " * 200
    split = texts(*(story[at : at + 7] for at in range(0, len(story), 7)))
    assert fold(cutter(700).cut([*split, STOP])).text == words_within(story, 700)


@given(
    st.lists(st.text("ab é中👩\u200d\n.", max_size=8), max_size=30),
    st.lists(st.text("ab ", max_size=8), max_size=5),
    st.integers(1, 30),
)
def test_with_the_real_vocabulary_an_answer_never_exceeds_its_limit(
    pieces: list[str], thoughts: list[str], limit: int
) -> None:
    limits = Cutter(Limits(limit), tokens.count, tokens.prefix_within)
    folded = fold(limits.cut([*map(ReasoningDelta, thoughts), *texts(*pieces), STOP]))
    whole, thought = "".join(pieces), "".join(thoughts)
    assert tokens.count(folded.reasoning) + tokens.count(folded.text) <= limit
    assert whole.startswith(folded.text)
    assert thought.startswith(folded.reasoning)
    if folded.finish_reason == "stop":
        assert (folded.text, folded.reasoning) == (whole, thought)


@pytest.mark.parametrize(
    "text",
    ["The quick brown fox, 42 times; ", "中文没有空格，也要数得准。", "ab"],
    ids=["en", "zh", "run"],
)
def test_over_a_long_answer_the_count_stays_true(text: str) -> None:
    limits = Cutter(Limits(700), tokens.count, tokens.prefix_within)
    letters = texts(*text * (12_000 // len(text)))
    folded = fold(limits.cut([*letters, STOP]))
    assert folded.finish_reason == "length"
    # Settled stretches are counted apart, which may cost a token now and then.
    assert 690 <= tokens.count(folded.text) <= 700


class Meter:
    """Counts as the toy tokenizer does, and how much it was given to read."""

    def __init__(self) -> None:
        self.calls = 0
        self.characters = 0

    def count(self, text: str) -> int:
        self.calls += 1
        self.characters += len(text)
        return count_words(text)


@pytest.mark.parametrize("piece", ["word ", "中", "x"])
def test_counting_stays_linear(piece: str) -> None:
    def work(limit: int) -> Meter:
        meter = Meter()
        limits = Cutter(Limits(limit), meter.count, words_within)
        fold(limits.cut([*texts(*[piece] * (limit * 2)), STOP]))
        return meter

    small, large = work(2_000), work(20_000)
    assert large.characters < 12 * small.characters
    assert large.calls < 200


def test_nothing_is_counted_while_the_bytes_alone_fit() -> None:
    meter = Meter()
    fold(Cutter(Limits(100), meter.count, words_within).cut([*texts(*["abcdé"] * 16), STOP]))
    assert meter.calls == 0


def test_a_huge_delta_is_read_no_further_than_its_limit() -> None:
    meter = Meter()
    limits = Cutter(Limits(10), meter.count, words_within)
    folded = fold(limits.cut([*texts("one " * 1_000_000), STOP]))
    assert folded.text == " ".join(["one"] * 10)
    assert meter.characters < 10_000
