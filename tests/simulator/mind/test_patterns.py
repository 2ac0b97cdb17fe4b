"""Texts for regular expressions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.simulator.mind.patterns import example


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{4}-\d{2}-\d{2}$",
        r"^[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}$",
        r"^(?:red|green)(?P<shade>-dark)?$",
        r"^#?[^a-z\s]{2}$",
        r"\bword\b",
        r"^\+?[1-9]\d{1,14}$",
        r"^[\w-]+\s\S*?.$",
        r"^\w{2,5}+$",
        r"^[]a]$",
        "^(a|b)(c|d)$",
        "",
    ],
)
def test_the_text_matches(pattern: str) -> None:
    assert re.search(pattern, example(pattern))


def test_a_word_of_ones_own_is_better() -> None:
    assert example(r"^[A-Z]{2}\d$", ["hello", "AB7"]) == "AB7"
    assert example(r"^[A-Z]{2}\d$", ["hello"]) == "AA1"


def test_no_expression_at_all() -> None:
    assert example("(", ["hello"]) == "hello"
    assert example("(") == "x"


_pieces = st.recursive(
    st.sampled_from(["a", "[b-d]", r"\d", r"\w", ".", "[^x]", r"\."]),
    lambda inner: st.one_of(
        st.builds("({})".format, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("{}{}".format, inner, inner),
        st.builds(
            "(?:{}){}".format, inner, st.sampled_from(["?", "*", "+", "{2}", "{1,3}", "{2,}", "+?"])
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=100)
@given(_pieces)
def test_any_expression_of_these_pieces(pattern: str) -> None:
    assert re.fullmatch(pattern, example(f"^{pattern}$"))


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@settings(max_examples=60)
@given(st.text(alphabet="ab()[]{}|*+?\\^$.-:,123p", max_size=12))
def test_anything_comes_to_an_end(pattern: str) -> None:
    assert isinstance(example(pattern), str)
