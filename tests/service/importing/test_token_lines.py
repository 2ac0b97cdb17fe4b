"""Token files, whatever an editor made of them."""

from __future__ import annotations

import pytest

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.importing.found import Found, FoundAccount, Skipped
from chat2api.service.importing.merging import merge
from chat2api.service.importing.token_lines import REFUSED, read_failed_lines, read_token_lines

from .samples import TEAM, access, legacy, refresh

AT, RT, OLD = access("anna"), refresh("anna"), legacy("anna")


def test_lines() -> None:
    text = f"\ufeff# mine\r\n{AT}  # Anna\r\n\r\n-----\r{RT}\n{OLD} , {TEAM}\nhello\n{AT},\n<{AT}>"
    assert read_token_lines(text.encode(), "token.txt") == Found(
        accounts=(
            FoundAccount(NewAccount(access_token=Secret(AT)), "token.txt line 2"),
            FoundAccount(NewAccount(refresh_token=Secret(RT)), "token.txt line 5"),
            FoundAccount(
                NewAccount(refresh_token=Secret(OLD), workspace_id=TEAM), "token.txt line 6"
            ),
            FoundAccount(NewAccount(access_token=Secret(AT)), "token.txt line 8"),
        ),
        skipped=(
            Skipped("token.txt line 7", "not a token"),
            Skipped("token.txt line 9", "not a token"),
        ),
    )


def test_failed_tokens_are_accounts_that_were_refused() -> None:
    assert read_failed_lines(f"{RT}\n".encode(), "error_token.txt") == Found(
        accounts=(
            FoundAccount(
                NewAccount(refresh_token=Secret(RT), refused=REFUSED),
                "error_token.txt line 1",
                True,
            ),
        )
    )


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# nothing\n---", "\ufeff".encode()])
def test_nothing_in_it_is_nothing_to_report(content: bytes) -> None:
    assert read_token_lines(content, "token.txt") == Found()


def test_binary_is_no_token() -> None:
    found = read_token_lines(bytes(range(256)), "token.txt")
    assert found.accounts == ()
    assert {skipped.reason for skipped in found.skipped} == {"not a token"}


def test_a_token_of_a_megabyte_is_refused_with_its_line() -> None:
    found = read_token_lines(b"eyJhbGciOi" + b"x" * 2**20, "token.txt")
    assert found == Found(skipped=(Skipped("token.txt line 1", "not a token"),))


def test_ten_thousand_lines() -> None:
    """2,500 people: an access token, again for a team, a refresh token, and the first line once more."""
    lines = ["# people", "", "-----"]
    for number in range(2_500):
        name = f"p{number}"
        lines += [access(name), f"{access(name)},{TEAM}", refresh(name), access(name)]
    content = ("\ufeff" + "\r\n".join(lines)).encode()
    found = merge([read_token_lines(content, "token.txt")])
    expected = [
        FoundAccount(new, f"token.txt line {4 + 4 * number + place}")
        for number in range(2_500)
        for place, new in enumerate(
            (
                NewAccount(access_token=Secret(access(f"p{number}"))),
                NewAccount(access_token=Secret(access(f"p{number}")), workspace_id=TEAM),
                NewAccount(refresh_token=Secret(refresh(f"p{number}"))),
            )
        )
    ]
    assert found == Found(accounts=tuple(expected))
