"""Lines into accounts: every line is a token, a comment, or named by its number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.errors import RequestError, TooLarge
from chat2api.pool.tokens import parse_line
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.web.pasted import MOST_TOKENS, Pasted, Place, decoded_file, read_pasted

AT = "eyJhbGciOiJSUzI1NiJ9.e30.sig"
RT = "rt_" + "a1B2c3D4" * 5


def test_tokens_comments_and_junk() -> None:
    text = f"\ufeff# mine\r\n\r\n  {AT}  # Alice\r\n-----\r{RT},team-1\n<img src=x>\nhello\n{AT}"
    assert read_pasted([("", text)]) == Pasted(
        (
            NewAccount(access_token=Secret(AT)),
            NewAccount(refresh_token=Secret(RT), workspace_id="team-1"),
            NewAccount(access_token=Secret(AT)),
        ),
        (Place("", 6), Place("", 7)),
    )


def test_lines_of_files_are_counted_apart() -> None:
    pasted = read_pasted([("", "x"), ("a.txt", f"{AT}\nx"), ("long" * 20 + ".txt", "x")])
    assert [str(place) for place in pasted.unreadable] == ["1", "a.txt:2", "long" * 9 + ".txt:1"]
    assert (pasted.access_tokens, pasted.refresh_tokens) == (1, 0)


@pytest.mark.parametrize("junk", ["\x00", "\x07", "\x7f", "\ufffd"])
def test_what_is_no_text_is_refused_as_a_whole(junk: str) -> None:
    with pytest.raises(RequestError) as refusal:
        read_pasted([("", AT), ("file", f"{AT}\n{junk}")])
    assert (refusal.value.status, refusal.value.code) == (400, "not_plain_text")


def test_a_file_must_be_utf8() -> None:
    assert decoded_file("中".encode()) == "中"
    with pytest.raises(RequestError):
        decoded_file("中".encode("utf-16"))


def test_too_much_at_once() -> None:
    with pytest.raises(TooLarge):
        read_pasted([("", f"{RT}\n" * (MOST_TOKENS + 1))])
    with pytest.raises(TooLarge):
        read_pasted([("", "\n" * 200_001)])


@given(st.lists(st.text(st.characters(exclude_categories=["C"])) | st.sampled_from([AT, RT])))
def test_every_line_is_accounted_for(lines: list[str]) -> None:
    pasted = read_pasted([("", "\n".join(lines))])
    assert len(pasted.accounts) + len(pasted.unreadable) <= len(lines)
    assert pasted.access_tokens >= lines.count(AT)
    assert pasted.refresh_tokens >= lines.count(RT)
    for place in pasted.unreadable:
        assert parse_line(lines[place.line - 1]) is None
