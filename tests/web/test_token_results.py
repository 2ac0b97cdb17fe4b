"""What a change did: in words, in both languages, and through a cookie."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.pool.values import Added
from chat2api.web.pasted import Place
from chat2api.web.token_results import Result, from_cookie, result_of, sentence, to_cookie

ADDED = [Added("added", "a"), Added("revived", "b"), Added("updated", "c")]
KNOWN = [Added("unchanged", "d"), Added("unchanged", "e"), Added("unchanged", "f")]


def test_verdicts_are_counted() -> None:
    places = [Place("", number) for number in range(1, 31)]
    result = result_of([*ADDED, *KNOWN], 1, places)
    assert result == Result(
        "added",
        added=2,
        renewed=1,
        known=2,
        retried=1,
        unreadable=30,
        places=tuple(str(number) for number in range(1, 21)),
    )


@pytest.mark.parametrize(
    ("result", "english", "chinese"),
    [
        (
            Result("added", added=3, known=1, unreadable=1, places=("7",)),
            "3 new, 1 was already there, line 7 is unreadable.",
            "新增 3 个，已存在 1 个，第 7 行无法识别。",
        ),
        (
            Result("added", renewed=1, retried=2, known=2, unreadable=2, places=("1", "a:2")),
            "0 new, 1 renewed, 2 had failed and are tried again, 2 were already there,"
            " lines 1, a:2 are unreadable.",
            "新增 0 个，更新 1 个，2 个曾失效，将重新尝试，已存在 2 个，第 1, a:2 行无法识别。",
        ),
        (
            Result("added", added=1, unreadable=30, places=("1", "2")),
            "1 new, 30 lines are unreadable (1, 2 …).",
            "新增 1 个，30 行无法识别（第 1, 2 … 行）。",
        ),
        (
            Result("added", known=47),
            "Nothing to import: all 47 are already here.",
            "没有需要导入的内容，47 个账号都已存在。",
        ),
        (Result("cleared", count=1), "1 token was cleared.", "已清空 1 个 Token。"),
        (Result("cleared", count=2), "2 tokens were cleared.", "已清空 2 个 Token。"),
        (Result("removed", count=1), "Removed.", "已移除。"),
        (Result("restored", count=1), "Put back.", "已恢复。"),
    ],
)
def test_sentences(site: Any, result: Result, english: str, chinese: str) -> None:
    for lang, expected in (("en", english), ("zh", chinese)):
        with site.app.test_request_context(f"/?lang={lang}"):
            assert sentence(result) == expected


_NUMBERS = st.integers(0, 10_000)


@given(
    st.builds(
        Result,
        st.sampled_from(["added", "cleared", "removed", "restored"]),
        added=_NUMBERS,
        renewed=_NUMBERS,
        known=_NUMBERS,
        retried=_NUMBERS,
        count=_NUMBERS,
        unreadable=_NUMBERS,
        places=st.lists(st.text(min_size=1, max_size=20), max_size=5).map(tuple),
        account_id=st.sampled_from(["", "acc_0123456789abcdef"]),
    )
)
def test_a_cookie_brings_it_over(result: Result) -> None:
    assert from_cookie(to_cookie(result)) == result


@given(st.text(max_size=200))
def test_a_forged_cookie_does_no_harm(text: str) -> None:
    for forged in (text, f"kind=added&added={text}", f"kind=removed&account_id={text}"):
        result = from_cookie(forged)
        assert result is None or (result.added < 10**9 and len(result.account_id) < 40)


def test_a_cookie_that_would_be_too_long_leaves_the_places_out() -> None:
    result = Result("added", added=1, unreadable=20, places=("中" * 40,) * 20)
    assert from_cookie(to_cookie(result)) == Result("added", added=1, unreadable=20)
    assert from_cookie("kind=added&" + "x" * 4000) is None
