"""codecs.rope: a text that grows in place behaves like the str it stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.codecs.rope import Rope

edits = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.text(max_size=5)),
        st.tuples(st.just("truncate"), st.integers(min_value=-1, max_value=30)),
        st.tuples(st.just("read"), st.just(0)),
    ),
    max_size=40,
)


@given(st.text(max_size=5), edits)
def test_equals_a_str_after_any_edits(start: str, steps: list[tuple[str, str | int]]) -> None:
    rope, text = Rope(start), start
    for name, argument in steps:
        if name == "append":
            rope.append(str(argument))
            text += str(argument)
        elif name == "truncate":
            length = max(int(argument), 0)
            rope.truncate(int(argument))
            text = text[:length]
        else:
            assert str(rope) == text
        assert len(rope) == len(text)
        for offset in range(len(text) + 1):
            assert rope.tail(offset) == text[offset:]
    assert str(rope) == text


def test_appending_keeps_the_revision_and_cutting_changes_it() -> None:
    rope = Rope("ab")

    rope.append("cd")
    rope.truncate(4)  # nothing to cut
    assert rope.revision == 0

    rope.truncate(3)
    assert rope.revision == 1
    assert repr(rope) == "Rope('abc')"


@pytest.mark.timeout(5)
def test_a_hundred_thousand_appends_and_reads_are_cheap() -> None:
    rope = Rope()
    read = 0
    for _ in range(100_000):
        rope.append("word ")
        read += len(rope.tail(read))
    assert read == len(rope) == 500_000
