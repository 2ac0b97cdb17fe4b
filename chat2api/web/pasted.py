"""Tokens as people paste them: lines into accounts, and the numbers of lines that hold no token."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chat2api.errors import RequestError, TooLarge
from chat2api.pool.tokens import is_filler
from chat2api.pool.values import NewAccount
from chat2api.service.importing.content import Unreadable, lines_of
from chat2api.service.importing.fields import token_of
from chat2api.service.importing.logins import login_of

MOST_TOKENS = 10_000
_LINES_AT_ONCE = 200
_REST_SECONDS = 0.0005
_LONGEST_NAME = 40
# U+FFFD stands for bytes that are no UTF-8; tabs and line ends are the only control characters of text.
_JUNK = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")
_NOT_TEXT = "This is no plain text in UTF-8: nothing was stored."


@dataclass(frozen=True, slots=True)
class Place:
    """A line, counted from 1; `file` is empty for what stood in the form itself."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else str(self.line)


@dataclass(frozen=True, slots=True)
class Pasted:
    """`accounts` in the order of their lines, doubles included."""

    accounts: tuple[NewAccount, ...]
    unreadable: tuple[Place, ...]

    @property
    def access_tokens(self) -> int:
        return sum(new.access_token is not None for new in self.accounts)

    @property
    def refresh_tokens(self) -> int:
        return sum(new.refresh_token is not None for new in self.accounts)


def read_pasted(sources: Iterable[tuple[str, str]]) -> Pasted:
    """From pairs of a file's name ("" for the form's own text) and its text.

    Raises RequestError for what is no text at all, TooLarge for more tokens than at once.
    """
    accounts: list[NewAccount] = []
    unreadable: list[Place] = []
    for place, line in _lines(sources):
        token = token_of(line)
        if token is None:
            unreadable.append(place)
        elif len(accounts) == MOST_TOKENS:
            raise TooLarge(f"More than {MOST_TOKENS} tokens at once: nothing was stored.")
        else:
            accounts.append(login_of(token))
    return Pasted(tuple(accounts), tuple(unreadable))


def decoded_file(content: bytes) -> str:
    """A file's text. Raises RequestError for what is not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise RequestError(_NOT_TEXT, code="not_plain_text") from None


def _lines(sources: Iterable[tuple[str, str]]) -> Iterator[tuple[Place, str]]:
    """Those that say something. All sources are looked at first, so that junk stores nothing."""
    texts = [(name[-_LONGEST_NAME:], _checked(text)) for name, text in sources]
    for name, text in texts:
        try:
            lines = lines_of(text)
        except Unreadable:
            raise TooLarge("Too many lines at once: nothing was stored.") from None
        for number, line in enumerate(lines, start=1):
            if number % _LINES_AT_ONCE == 0:
                time.sleep(_REST_SECONDS)  # others have their turn
            if not is_filler(line):
                yield Place(name, number), line


def _checked(text: str) -> str:
    text = text.removeprefix("\ufeff")
    if _JUNK.search(text):
        raise RequestError(_NOT_TEXT, code="not_plain_text")
    return text
