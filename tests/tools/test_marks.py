"""Tags, also while they are being written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.tools.marks import Mark, Marks, Outlet, Sieve, end_of_stray

NONCE = "kzq3x9ab"
MARKS = Marks(NONCE)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        (f"a <tool_call_{NONCE}", Mark("call", 2, 21)),
        (f"</tool_call_{NONCE}>", Mark("call_end", 0, 20)),
        (f"<tool_result_{NONCE}", Mark("result", 0, 21)),
        (f"</tool_result_{NONCE}", Mark("result_end", 0, 22)),
        (f"&lt;tool_call_{NONCE}", Mark("call", 0, 22, escaped=True)),
        (f"tool_call_{NONCE}", Mark("bare", 10, 18)),
        ("x<think>", Mark("think", 1, 8)),
        ("</think>", Mark("think_end", 0, 8)),
        ("<tool_call_other>", None),
        ("think> <thinking>", None),
    ],
)
def test_the_first_mark_is_found(text: str, mark: Mark | None) -> None:
    assert MARKS.find(text) == mark


def test_thinking_is_looked_for_only_when_asked() -> None:
    assert MARKS.find("<think>", thinking=False) is None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("hello", 5),
        ("hello <", 6),
        ("hello <tool_ca", 6),
        ("hello </tool_result_kzq3", 6),
        ("a &l", 2),
        ("a <thi", 2),
        ("a kzq3", 2),
        ("a < b", 5),
        ("<tool_other", 11),
        ("kkzq", 1),
        ("<tool_call_kzqk", 14),
        ("", 0),
    ],
)
def test_the_beginning_of_a_mark_is_seen(text: str, at: int) -> None:
    assert MARKS.begun(text) == at


@pytest.mark.parametrize(
    ("text", "final", "rest"),
    [
        (' name="x"> y', False, (9, 10)),
        ("> y", False, (0, 1)),
        (" name=&quot;x&quot;&gt; y", False, (19, 23)),
        (' name="x', False, None),
        (" a&g", False, None),
        (' name="x', True, (8, 8)),
        (' name="x"\n{', False, (9, 9)),
        ("x" * 400, False, (300, 300)),
    ],
)
def test_the_rest_of_a_tag(text: str, final: bool, rest: tuple[int, int] | None) -> None:
    assert MARKS.rest(text, 0, final=final) == rest


def test_a_stray_tag_without_end_takes_nothing_with_it() -> None:
    mark = Mark("call_end", 0, 20)

    assert end_of_stray(mark, (25, 26)) == 26
    assert end_of_stray(mark, (25, 25)) == 20


def test_a_tag_that_was_cut_is_left_out() -> None:
    assert MARKS.unfinished("a <tool_call_kz") == "a "
    assert MARKS.unfinished("a &lt;/tool_result_") == "a "
    assert MARKS.unfinished("a <tool") == "a <tool"


def test_what_goes_out_does_not_add_up_to_the_marker() -> None:
    outlet = Outlet(MARKS)

    out = outlet.let_out(f"a {NONCE} kzq3")
    outlet.seam()

    assert out + outlet.let_out("x9ab") == "a _ kzq3 x9ab"


def test_a_seam_behind_other_text_is_not_seen() -> None:
    outlet = Outlet(MARKS)
    outlet.let_out("a b")
    outlet.seam()

    assert outlet.let_out("c") == "c"


PIECES = st.lists(
    st.sampled_from([NONCE, NONCE[:3], NONCE[3:], "<tool_call_", "</", ">", "\n", "a", "&lt;"]),
    max_size=12,
)


@given(PIECES)
def test_a_sieve_lets_no_marker_out_however_it_is_fed(pieces: list[str]) -> None:
    whole, split = Sieve(MARKS), Sieve(MARKS)
    text = "".join(pieces)

    out = whole.feed(text) + whole.flush()

    assert NONCE not in out
    assert "".join(map(split.feed, text)) + split.flush() == out
