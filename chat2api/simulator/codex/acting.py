"""What the model did as output items: thoughts, words, calls, pictures and searches in their order."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from chat2api.simulator.codex.asking import Asked
from chat2api.simulator.codex.said import new_call_id
from chat2api.simulator.compat import media
from chat2api.simulator.documents import Json
from chat2api.simulator.mind.situation import Call, Decision, Think
from chat2api.simulator.script import Expected, Script, Write
from chat2api.simulator.turn import tokens

_MUSING = "**Looking at the task**\n\nI look at what I was told to do."
_MOST_PICTURES = 4
SOURCES: tuple[Json, ...] = (
    {"title": "Moons of Mars", "url": "https://example.org/mars"},
    {"title": "Asaph Hall", "url": "https://example.net/hall"},
)
_DRAWING = re.compile(r"\b(?:draw|paint|sketch|picture|image|illustration|photo)s?\b|画|图片")
_TOOL = "image_generation"
_SEARCHING = re.compile(r"\b(?:search|look up|latest|news)\b|搜索")

End = Literal["stop", "max_output_tokens", "content_filter"]


@dataclass(frozen=True, slots=True)
class Thought:
    """`parts` are the parts of the summary."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """A message. `pieces` joined are its text; a refusal is a part of its own kind. `sources` are
    cited at its end."""

    pieces: tuple[str, ...]
    is_refusal: bool = False
    sources: tuple[Json, ...] = ()
    phase: str | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Called:
    call_id: str
    name: str
    arguments: str
    custom: bool = False
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished picture as base64; `options` are those of the tool."""

    prompt: str
    picture: str
    options: Json


@dataclass(frozen=True, slots=True)
class Searched:
    query: str


Item = Thought | Words | Called | Drawn | Searched


@dataclass(frozen=True, slots=True)
class Outcome:
    """The items of an answer, and why it ended."""

    items: tuple[Item, ...]
    end: End = "stop"

    @property
    def text(self) -> str:
        return "\n".join(item.text for item in self.items if isinstance(item, Words))

    @property
    def thought(self) -> str:
        parts = [part for item in self.items if isinstance(item, Thought) for part in item.parts]
        return "\n\n".join(parts)

    @property
    def calls(self) -> tuple[Called, ...]:
        return tuple(item for item in self.items if isinstance(item, Called))

    @property
    def tokens(self) -> int:
        texts = [self.text, self.thought, *(call.name + call.arguments for call in self.calls)]
        return sum(len(tokens(text)) for text in texts) + sum(
            isinstance(item, Drawn) for item in self.items
        )


# --- what the mind decided


def acted(decision: Decision, asked: Asked, response: str) -> Outcome:
    """The acts as items; `response` is the answer's hexadecimal id."""
    items = list(_items(decision, asked, response))
    if "prose" in decision.styles:
        at = next((at for at, one in enumerate(items) if isinstance(one, Called)), None)
        if at is not None:
            items.insert(at, _words("Let me see."))
    outcome = Outcome(_phased(_thoughtful(items, asked), asked))
    return _halved(outcome) if "length" in decision.styles else outcome


def _items(decision: Decision, asked: Asked, response: str) -> Iterator[Item]:
    """Neighbours of a kind become one item: parts of one summary, lines of one message."""
    thoughts: list[str] = []
    said: list[str] = []
    calls = 0
    for act in decision.acts:
        if isinstance(act, Call) and asked.situation.tools:
            if calls and not asked.situation.parallel:
                continue
            yield from _settled(thoughts, said)
            yield _called(act, asked, new_call_id(response, calls))
            calls += 1
        elif isinstance(act, Think):
            yield from _settled([], said)
            thoughts.append(act.text)
        else:
            yield from _settled(thoughts, [])
            said.append(f"I have no way to call {act.name}." if isinstance(act, Call) else act.text)
    yield from _settled(thoughts, said)


def _settled(thoughts: list[str], said: list[str]) -> Iterator[Item]:
    if thoughts:
        yield Thought(tuple(thoughts))
        thoughts.clear()
    if said:
        yield _words("\n".join(said))
        said.clear()


def _words(text: str) -> Words:
    return Words(tuple(tokens(text)))


def _called(call: Call, asked: Asked, call_id: str) -> Called:
    tool = asked.situation.tool(call.name)
    is_custom = tool is not None and tool.schema is None
    space = asked.offer.spaces.get(call.name)
    return Called(call_id, call.name, call.arguments, is_custom, space)


def _thoughtful(items: list[Item], asked: Asked) -> list[Item]:
    """Without thoughts of its own the model has one, unless it is to make little effort."""
    if asked.effort in (None, "low") or any(isinstance(item, Thought) for item in items):
        return items
    return [Thought((_MUSING,)), *items]


def _phased(items: list[Item], asked: Asked) -> tuple[Item, ...]:
    if not asked.model.has_phases:
        return tuple(items)
    has_calls = any(isinstance(item, Called) for item in items)
    phase = "commentary" if has_calls else "final_answer"
    return tuple(replace(item, phase=phase) if isinstance(item, Words) else item for item in items)


def _halved(outcome: Outcome) -> Outcome:
    """Stops in the middle of the last item."""
    if not outcome.items:
        return outcome
    *first, last = outcome.items
    match last:
        case Called():
            last = replace(last, arguments=last.arguments[: len(last.arguments) // 2])
        case Words():
            last = replace(last, pieces=last.pieces[: len(last.pieces) // 2])
    return Outcome((*first, last), "max_output_tokens")


# --- what a scenario gives


def played(script: Script, asked: Asked, *, refuses: bool = False) -> Outcome:
    """The answer of a scenario that was not written for this wire. `refuses`: in so many words."""
    expected = script.expected
    seen = "".join(f"I see {picture}.\n\n" for picture in asked.prompt.pictures)
    words = Words((*tokens(seen), *_pieces(script, expected)), is_refusal=refuses)
    items: list[Item] = [Thought((expected.reasoning,))] if expected.reasoning else []
    items = _thoughtful([*items, words], asked)
    ends: dict[str, End] = {"length": "max_output_tokens", "content_filter": "content_filter"}
    end = "stop" if refuses else ends.get(expected.finish_reason, "stop")
    return Outcome(_phased(items, asked), end)


def _pieces(script: Script, expected: Expected) -> tuple[str, ...]:
    """The text as the scenario cuts it, where that is the text."""
    written = [step.text for step in script.steps if isinstance(step, Write)]
    return tuple(written if "".join(written) == expected.text else tokens(expected.text))


def wants_picture(asked: Asked) -> bool:
    """Whether the model draws by itself: it can, and is asked to."""
    if _TOOL not in asked.offer.hosted:
        return False
    told = any(line.role == "system" and _TOOL in line.text for line in asked.situation.lines)
    return told or _is_about(_DRAWING, asked)


def wants_search(asked: Asked) -> bool:
    return "web_search" in asked.offer.hosted and _is_about(_SEARCHING, asked)


def _is_about(words: re.Pattern[str], asked: Asked) -> bool:
    return asked.body.get("tool_choice") != "none" and bool(words.search(asked.prompt.text.lower()))


def drawn(asked: Asked, prompt: str, count: int) -> Outcome:
    """`count` pictures of the prompt, and nothing said."""
    options = asked.offer.hosted.get(_TOOL, {})
    items: list[Item] = []
    for number in range(min(max(count, 1), _MOST_PICTURES)):
        colour = zlib.crc32(prompt.encode("utf-8", "replace"), number) & 0xFFFFFF
        picture = base64.b64encode(media.png(*colour.to_bytes(3, "big"))).decode()
        items.append(Drawn(prompt, picture, options))
    return Outcome(tuple(_thoughtful(items, asked)))


def searched(asked: Asked, query: str) -> Outcome:
    """A search, and an answer that cites what it found."""
    words = replace(_words("Mars has two moons. Hall found them."), sources=SOURCES)
    return Outcome(_phased(_thoughtful([Searched(query), words], asked), asked))
