"""What a message knows about the sources of its marks, and the links made of it (sheet 5.9). Pure.

References come in metadata, often after the mark, sometimes piece by piece: `metadata.content_references`
(by the exact block), `metadata.citations` (2024, by position or order), and the search results of the
whole turn (by the ids that stand in a block).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from chat2api.chat.events import Citation
from chat2api.providers.chatgpt.messages import items_of, mapping_of, text_of

_SEPARATOR = "\ue202"
_PRIVATE_USE = re.compile("[\ue200-\ue206]")
_REFERENCE_ID = re.compile(r"turn(\d{1,6})([a-z_]+?)(\d{1,6})\Z")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Link:
    """What stands in the text instead of a mark, and the sources it names."""

    text: str
    sources: tuple[Citation, ...] = ()


_NOTHING = Link("")


class SearchResults:
    """Pages that the turn's searches found, by the id that blocks use."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], Citation] = {}

    def add(self, metadata: Mapping[str, Any]) -> None:
        for group in items_of(metadata.get("search_result_groups")):
            for entry in items_of(mapping_of(group).get("entries")):
                key = mapping_of(mapping_of(entry).get("ref_id"))
                source = _source(mapping_of(entry))
                if key and source is not None:
                    turn, kind, index = (
                        key.get(n) for n in ("turn_index", "ref_type", "ref_index")
                    )
                    self._found[str(turn), str(kind), str(index)] = source

    def find(self, block: str) -> list[Citation]:
        """The pages that a block names by id, in its order."""
        found = []
        for name in re.split(rf"[{_SEPARATOR},]", _inside(block)):
            match = _REFERENCE_ID.match(name.strip())
            source = self._found.get((match[1], match[2], match[3])) if match else None
            if source is not None and source not in found:
                found.append(source)
        return found


class NumberedSources:
    """The citations of 2024, by the position of their mark or else in their order.

    The list is read once as it grows, however many marks ask.
    """

    __slots__ = ("_by_start", "_links", "_list", "_next", "_read", "_seen", "_sources", "_used")

    def __init__(self) -> None:
        self._list: list[Any] = []
        self._read = 0  # how much of the list is in the two below
        self._sources: dict[int, Citation] = {}
        self._by_start: dict[int, int] = {}
        self._next = 0  # citations before it are not free
        self._used: set[int] = set()
        self._seen: set[int] = set()  # positions of marks
        self._links: dict[str, Link] = {}

    def update(self, citations: list[Any], *, rewritten: bool) -> None:
        """The list is this now; unless `rewritten`, one that was known only became longer."""
        if rewritten or citations is not self._list or len(citations) < self._read:
            self._read = self._next = 0
            self._sources.clear()
            self._by_start.clear()
        self._list = citations

    def link(self, number: str, position: int) -> Link | None:
        self._index()
        at = self._by_start.get(position)
        if at is None and number in self._links:
            return self._links[number]
        self._seen.add(position)
        if at is None:
            at = self._first_free()
        if at is None:
            return None
        self._used.add(at)
        source = self._sources[at]
        title = f' "{_one_line(source.title).replace(chr(34), chr(39))}"' if source.title else ""
        link = Link(f" [{number}]({_escaped_url(source.url)}{title})", (source,))
        self._links[number] = link
        return link

    def sources(self) -> Iterable[Citation]:
        self._index()
        return self._sources.values()

    def _index(self) -> None:
        for index in range(self._read, len(self._list)):
            citation = mapping_of(self._list[index])
            source = _source(mapping_of(citation.get("metadata")))
            if source is not None:
                self._sources[index] = source
                start = citation.get("start_ix")
                if isinstance(start, int):
                    self._by_start.setdefault(start, index)
        self._read = len(self._list)

    def _first_free(self) -> int | None:
        """The first citation that no mark has, and that belongs to no mark seen before."""
        while self._next < len(self._list):
            at = self._next
            start = mapping_of(self._list[at]).get("start_ix")
            if at in self._sources and at not in self._used and not self._is_seen(start):
                return at
            self._next += 1
        return None

    def _is_seen(self, start: Any) -> bool:
        return isinstance(start, int) and start in self._seen


class References:
    """The references of one message."""

    __slots__ = ("_by_block", "_indexed", "_list", "_numbered", "_results")

    def __init__(self, results: SearchResults) -> None:
        self._results = results
        self._list: list[Any] = []
        self._indexed = 0  # how much of the list is in _by_block
        self._by_block: dict[str, Mapping[str, Any]] = {}
        self._numbered = NumberedSources()

    def update(self, metadata: Mapping[str, Any], *, rewritten: bool) -> None:
        """The metadata changed; unless `rewritten`, lists only became longer."""
        known = items_of(metadata.get("content_references"))
        if rewritten or known is not self._list:
            self._indexed = 0
            self._by_block.clear()
        self._list = known
        self._numbered.update(items_of(metadata.get("citations")), rewritten=rewritten)

    def block(self, block: str) -> Link | None:
        """The link for a 2025 block, or None while its reference is not known or says nothing yet."""
        kind, _, arguments = _inside(block).partition(_SEPARATOR)
        if kind == "entity":
            name = _entity_name(arguments)
            if name:
                return Link(name)
        self._index()
        reference = self._by_block.get(block)
        if reference is None:
            return None
        if reference.get("invalid") is True or text_of(reference.get("type")) == "hidden":
            return _NOTHING
        return _link_of(reference)

    def searched(self, block: str) -> Link:
        """What to make of a block without a reference: the search results it names, else nothing."""
        return _linked(self._results.find(block)) or _NOTHING

    def mark(self, number: str, position: int) -> Link | None:
        """The link for the 2024 mark `number` that begins at `position`, or None while unknown."""
        return self._numbered.link(number, position)

    def sources(self) -> Iterator[Citation]:
        """Every source the message names, whether or not a mark did."""
        for reference in map(mapping_of, self._list):
            if reference.get("invalid") is not True and text_of(reference.get("type")) != "hidden":
                yield from _sources_of(reference)
        yield from self._numbered.sources()

    def _index(self) -> None:
        for item in self._list[self._indexed :]:
            reference = mapping_of(item)
            block = text_of(reference.get("matched_text"))
            if block:
                self._by_block[block] = reference
        self._indexed = len(self._list)


def _inside(block: str) -> str:
    return block.removeprefix("\ue200").removesuffix("\ue201")


def _link_of(reference: Mapping[str, Any]) -> Link | None:
    """Links of the items, else the alternative text, else links of the fallback items."""
    linked = _linked(_sources_of(reference))
    if linked is not None:
        return linked
    alternative = _PRIVATE_USE.sub("", text_of(reference.get("alt")))
    if alternative:
        return Link(alternative)
    return _linked(_items_with_url(reference.get("fallback_items")))


def _sources_of(reference: Mapping[str, Any]) -> Iterator[Citation]:
    """The pages of a reference: its items, or the reference itself when it is one page."""
    found = False
    for source in _items_with_url(reference.get("items")):
        found = True
        yield source
    own = None if found else _source(reference)
    if own is not None:
        yield own


def _items_with_url(items: Any) -> Iterator[Citation]:
    for item in items_of(items):
        source = _source(mapping_of(item))
        if source is not None:
            yield source


def _source(fields: Mapping[str, Any]) -> Citation | None:
    """A page by `url`, titled by `title`, `attribution` or its host; None without a web address."""
    url = text_of(fields.get("url")).strip()
    if not url.startswith(("https://", "http://")):
        return None
    title = text_of(fields.get("title")) or text_of(fields.get("attribution")) or _host(url)
    return Citation(url, _one_line(title))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


def _linked(sources: Iterable[Citation]) -> Link | None:
    """`([title](url), [title](url))`, or None without a source."""
    unique = tuple(dict.fromkeys(sources))
    if not unique:
        return None
    links = (f"[{_escaped_title(s.title)}]({_escaped_url(s.url)})" for s in unique)
    return Link(f"({', '.join(links)})", unique)


def _one_line(text: str) -> str:
    return " ".join(_PRIVATE_USE.sub("", text).split())


def _escaped_title(title: str) -> str:
    return title.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _escaped_url(url: str) -> str:
    """Characters that would end a Markdown link are written in percent form."""
    for character, written in (
        (" ", "%20"),
        ("(", "%28"),
        (")", "%29"),
        ("<", "%3C"),
        (">", "%3E"),
    ):
        url = url.replace(character, written)
    return url.replace("\n", "").replace("\t", "")


def _entity_name(arguments: str) -> str:
    """The display name in an entity's arguments, a JSON-like list of kind, name and explanations."""
    text = arguments.strip()
    names = _listed(text)
    if names:
        return _one_line(names[1] if len(names) > 1 else names[0])
    if text.startswith("[") or _REFERENCE_ID.match(text):
        return ""
    return _one_line(text.replace(_SEPARATOR, " "))


def _listed(text: str) -> list[str]:
    if not text.startswith("["):
        return []
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _QUOTED.findall(text)
    return [value for value in values if isinstance(value, str)]
