"""Where the sources of an answer stand in its text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from chat2api.chat.events import Citation

_LABEL_CHARACTERS = 500
_AFTER_BARE_URL = re.compile(r"[\s)\]>\"'.,;]|$")


@dataclass(frozen=True, slots=True)
class Span:
    """A citation and its place: `text[start:end]` is the whole link, in characters."""

    citation: Citation
    start: int
    end: int


def locate(text: str, citations: Iterable[Citation]) -> list[Span]:
    """The citations found in `text`. One that is given twice takes the next place each time."""
    searched: dict[str, int] = {}
    spans = []
    for citation in citations:
        found = _find(text, citation.url, searched.get(citation.url, 0)) if citation.url else None
        if found is None:
            continue
        start, end = found
        searched[citation.url] = end
        spans.append(Span(citation, start, end))
    return spans


def _find(text: str, url: str, begin: int) -> tuple[int, int] | None:
    """The first Markdown link to `url` at or after `begin`, else the first bare mention of it."""
    bare = None
    at = text.find(url, begin)
    while at >= 0:
        after = at + len(url)
        link_end = _link_end(text, after) if text.startswith("](", at - 2) else None
        if link_end is not None:
            return _label_start(text, at - 2, begin, otherwise=at), link_end
        if bare is None and _AFTER_BARE_URL.match(text, after):
            bare = (at, after)
        at = text.find(url, after)
    return bare


def _link_end(text: str, after_url: int) -> int | None:
    """Past the closing bracket, over an optional quoted title."""
    if text.startswith(")", after_url):
        return after_url + 1
    if text.startswith(' "', after_url):
        quote = text.find('")', after_url + 2, after_url + 2 + _LABEL_CHARACTERS)
        return quote + 2 if quote >= 0 else None
    return None


def _label_start(text: str, label_end: int, begin: int, otherwise: int) -> int:
    """The bracket that opens the label closed at `label_end`; labels may hold brackets."""
    depth = 0
    for at in range(label_end, max(begin, label_end - _LABEL_CHARACTERS) - 1, -1):
        if text[at] == "]":
            depth += 1
        elif text[at] == "[":
            depth -= 1
            if depth == 0:
                return at
    return otherwise
