"""What a text offers to fill in a form: numbers, quotations, places, names. No knowledge, only patterns."""

from __future__ import annotations

import re

MOST = 8_000
"""Of a longer text nothing more is looked at."""
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
_QUOTED = re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”|`([^`\n]+)`|(?<!\w)'([^'\n]+)'(?!\w)")
_NAME = r"[A-ZÀ-Þ][\w.'’-]*(?: [A-ZÀ-Þ][\w.'’-]*)*(?:, [A-Z]{2}\b)?"
_PLACES = re.compile(
    rf"\b(?:in|at|for|near|to|from|of)\s+({_NAME}(?:(?:, and |, | and )(?:{_NAME}))*)"
)
_LOWER_PLACE = re.compile(r"\b(?:in|at|near)\s+([a-zà-þ]{3,})")
_HAN_PLACE = re.compile(r"(?:在|去|到)?([\u4e00-\u9fff]{2,4}?)(?:的|今天|明天|现在)*(?:天气|时间)")
_SPLIT = re.compile(r", and |, (?![A-Z]{2}\b)| and ")
_CAPITALS = re.compile(_NAME)
_WORD = re.compile(r"[^\W_]+")


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


_IDLE_WORDS = """
a about am an and any are as at be by can could did do does for from get give had has have how i in is it
its let like make may me much my of on one or our please she so some tell than that the their them then
there they this to up us use using want was we were what whats when where which who will with would you
your hi hello today now right should not no yes s t m re here if into return returns given current user
name value
"""
_IDLE = frozenset(_stem(word) for word in _IDLE_WORDS.split())
_DAYS = frozenset(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"])


def words(text: str) -> list[str]:
    """The words of `text` in lower case, `camelCase` and `snake_case` taken apart, plurals cut."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    return [_stem(word.lower()) for word in _WORD.findall(apart.replace("_", " "))]


def telling(text: str) -> list[str]:
    """Those of the words that say what a text is about."""
    return [word for word in words(text) if word not in _IDLE]


class Muse:
    """Hands out what is in a text, each thing once, then again from the beginning."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text[:MOST].split())
        self.numbers = [float(found) for found in _NUMBER.findall(self.text)]
        self.quotations = ["".join(groups) for groups in _QUOTED.findall(self.text)]
        self.places = _places(self.text)
        self.names = _names(self.text)
        self.keywords = list(dict.fromkeys(telling(self.text)))
        self._given: dict[str, int] = {}

    def rewind(self) -> None:
        """Begins again with the first of everything."""
        self._given.clear()

    def number(self) -> float | None:
        """The next number of the text."""
        at = self._next("number", len(self.numbers))
        return None if at is None else self.numbers[at]

    def words_for(self, name: str) -> str:
        """The text that a property of this name would get."""
        about = set(words(name))
        if about & {
            "location",
            "city",
            "place",
            "country",
            "destination",
            "origin",
            "region",
            "area",
        }:
            return self._one("place", self.places) or self._thing()
        if about & {"query", "question", "prompt", "message", "text", "input", "content", "task"}:
            return self._one("quotation", self.quotations) or self.text or "nothing"
        if about & {"name", "person", "participant", "author", "title", "user"}:
            return (
                self._one("quotation", self.quotations)
                or self._one("name", self.names)
                or self._thing()
            )
        return self._one("quotation", self.quotations) or self._thing()

    def _thing(self) -> str:
        return (
            self._one("place", self.places)
            or self._one("name", self.names)
            or self._one("keyword", self.keywords)
            or "something"
        )

    def _one(self, kind: str, things: list[str]) -> str:
        at = self._next(kind, len(things))
        return "" if at is None else things[at]

    def _next(self, kind: str, count: int) -> int | None:
        if not count:
            return None
        at = self._given.get(kind, 0)
        self._given[kind] = at + 1
        return at % count

    def mentions(self, phrase: str) -> bool:
        """Whether all words of the phrase are in the text."""
        wanted = words(phrase)
        return bool(wanted) and set(wanted) <= set(words(self.text))


def _places(text: str) -> list[str]:
    found = [one for group in _PLACES.findall(text) for one in _SPLIT.split(group)]
    found += _HAN_PLACE.findall(text)
    if not found:
        found = [one for one in _LOWER_PLACE.findall(text) if _stem(one) not in _IDLE]
    return list(dict.fromkeys(one.rstrip(".'’") for one in found))


def _names(text: str) -> list[str]:
    """Capitalised words that do not merely begin a sentence."""
    found = []
    for match in _CAPITALS.finditer(text):
        parts = match[0].rstrip(".'’").split(" ")
        while parts and (_stem(parts[0].lower()) in _IDLE or parts[0] in _DAYS):
            parts.pop(0)
        if name := " ".join(parts):
            found.append(name)
    return list(dict.fromkeys(found))
