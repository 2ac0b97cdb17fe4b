"""From a file's bytes to text and JSON, within limits. A file is read whole or not at all. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sized
from functools import wraps
from typing import Any

from chat2api.service.importing.found import Found, nothing

LARGEST_BYTES = 64 * 1024 * 1024
MOST_ENTRIES = 200_000

TOO_LARGE = "is larger than 64 MB"
TOO_MANY = "has more than 200,000 entries"
TOO_DEEP = "is nested too deeply"
EMPTY = "is empty"
NOT_AN_OBJECT = "is not a JSON object"
NOT_A_LIST = "is not a JSON list"

Reader = Callable[[bytes, str], Found]
"""Content and where it comes from, to what it holds. Raises nothing."""

_BLANK = re.compile(r"\s*")


class Unreadable(Exception):
    """Why nothing is taken from a file: plain words, without content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def whole_or_nothing(reader: Reader) -> Reader:
    """A reader that skips the file where the one given finds it unreadable."""

    @wraps(reader)
    def reading(content: bytes, where: str) -> Found:
        try:
            return reader(content, where)
        except Unreadable as trouble:
            return nothing(where, trouble.reason)

    return reading


def text_of(content: bytes) -> str:
    """UTF-8 with or without a byte order mark; what is not UTF-8 becomes U+FFFD. Raises Unreadable."""
    if len(content) > LARGEST_BYTES:
        raise Unreadable(TOO_LARGE)
    return content.decode("utf-8-sig", "replace")


def lines_of(text: str) -> list[str]:
    """Lines as an editor counts them. Raises Unreadable."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    bounded(lines)
    return lines


def bounded(entries: Sized) -> None:
    """Raises Unreadable for more entries than anybody has."""
    if len(entries) > MOST_ENTRIES:
        raise Unreadable(TOO_MANY)


def damaged(line: int) -> Unreadable:
    """The line is all that is told: a parser's own words quote it, and it may hold a token."""
    return Unreadable(f"is damaged (line {line})")


def json_of(text: str) -> Any:
    """The one document of a file. Raises Unreadable."""
    documents = json_documents(text)
    document = next(documents)
    if next(documents, documents) is not documents:
        raise damaged(text.rstrip().count("\n") + 1)
    return document


def json_documents(text: str) -> Iterator[Any]:
    """One or more documents written one behind the other. Raises Unreadable."""
    decoder = json.JSONDecoder()
    position = _after_blanks(text, 0)
    if position == len(text):
        raise Unreadable(EMPTY)
    while position < len(text):
        try:
            document, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise damaged(error.lineno) from None
        except RecursionError:
            raise Unreadable(TOO_DEEP) from None
        except ValueError:  # a number of thousands of digits
            raise damaged(text.count("\n", 0, position) + 1) from None
        yield document
        position = _after_blanks(text, position)


def json_object(text: str) -> dict[str, Any]:
    """Raises Unreadable, also for more entries than anybody has."""
    return as_object(json_of(text))


def json_list(text: str) -> list[Any]:
    """Raises Unreadable, also for more entries than anybody has."""
    document = json_of(text)
    if not isinstance(document, list):
        raise Unreadable(NOT_A_LIST)
    bounded(document)
    return document


def as_object(document: Any) -> dict[str, Any]:
    """Raises Unreadable for anything else, and for more entries than anybody has."""
    if not isinstance(document, dict):
        raise Unreadable(NOT_AN_OBJECT)
    bounded(document)
    return document


def _after_blanks(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position
