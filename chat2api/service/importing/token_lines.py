"""`token.txt` and `error_token.txt`: a token a line, `token,account_id` for a workspace, `#` comments. Pure."""

from __future__ import annotations

from chat2api.pool.tokens import is_filler
from chat2api.service.importing.content import lines_of, text_of, whole_or_nothing
from chat2api.service.importing.fields import NOT_A_TOKEN, token_of
from chat2api.service.importing.found import Found, FoundAccount, joined, nothing
from chat2api.service.importing.logins import login_of

REFUSED = "listed among the failed tokens"


@whole_or_nothing
def read_token_lines(content: bytes, where: str) -> Found:
    return _read(content, where, refused="")


@whole_or_nothing
def read_failed_lines(content: bytes, where: str) -> Found:
    """Tokens that an earlier program gave up on; most files have each many times."""
    return _read(content, where, refused=REFUSED)


def _read(content: bytes, where: str, refused: str) -> Found:
    return joined(
        _line(line, f"{where} line {number}", refused)
        for number, line in enumerate(lines_of(text_of(content)), start=1)
        if not is_filler(line)
    )


def _line(line: str, where: str, refused: str) -> Found:
    token = token_of(line)
    if token is None:
        return nothing(where, NOT_A_TOKEN)
    account = login_of(token, refused=refused)
    return Found(accounts=(FoundAccount(account, where, hint=bool(refused)),))
