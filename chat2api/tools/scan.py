"""Reads the calls out of what a model writes that was told of tools by `weave`. Pure.

Text passes as it comes, but for what may still become a tag: the end of a text that looks like the beginning
of one, with the white space and an opening code fence before it. Inside `<think>` nothing is a call. From a
tag on everything is collected up to the closing tag; it comes out as `FoundCall`, unchecked. The result is
the same however the text was cut into pieces.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from chat2api.chat.conversation import ToolSpec
from chat2api.chat.events import (
    Event,
    FinishReason,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
)
from chat2api.tools.marks import PIECE_CHARACTERS, Mark, Marks, Outlet, Sieve, end_of_stray

RESULT_INVENTED = "tool_result_invented"
"""The note of an answer that went on with results of its own; it ends there."""

_MOST_SPACE = 64
_MOST_TICKS = 64
_MOST_INFO = 20
_FENCE_WINDOW = _MOST_TICKS + _MOST_INFO
_FENCE = re.compile(rf"`{{3,{_MOST_TICKS}}}[\w+-]{{0,{_MOST_INFO}}}\Z")
_FENCE_BEGUN = re.compile(rf"(?:`{{1,2}}|`{{3,{_MOST_TICKS}}}[\w+-]{{0,{_MOST_INFO}}})\Z")
_SPECIAL = re.compile(r"[<&`]|\s\Z")
_TICKS = re.compile(r"`{3,}")
_NAME = re.compile(r"\bname\s*[=:]\s*[\"'“”„‘’«»`]*\s*([A-Za-z0-9_.-]+)")
_CITATION = re.compile("\ue200[^\ue200\ue201]{0,2000}\ue201|[\ue200-\ue206]")
_MOST_NAMELESS = 100_000
_ARGUMENT_KEYS = ("arguments", "parameters", "input")


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A call as it was written: `body` is what stood between the tags, JSON or not."""

    tool: ToolSpec
    body: str


Item = Event | FoundCall


@dataclass(slots=True)
class _Block:
    """A call being written. `inside` is what stands in its tag behind the marker."""

    inside: str
    escaped: bool
    pieces: list[str] = field(default_factory=list)


class Scanner:
    """Reads one answer. `done` says that nothing more of it counts."""

    def __init__(self, tools: Iterable[ToolSpec], nonce: str) -> None:
        self.done = False
        self.notes: tuple[str, ...] = ()
        self._tools = {tool.name: tool for tool in tools}
        self._marks = Marks(nonce)
        self._outlet = Outlet(self._marks)
        self._reasoning = Sieve(self._marks)
        self._refusal = Sieve(self._marks)
        self._held = ""
        self._block: _Block | None = None
        self._thoughts = 0  # how deep inside <think>
        self._fences = 0  # let out so far; odd inside a code block
        self._spoke = False
        self._behind_call = False
        self._in_fence = False  # a fence opened around the call and was left out
        self._out: list[Item] = []

    def feed(self, event: Event) -> list[Item]:
        """What `event` lets out, in order. `Finish` is not for here: see `close`."""
        if self.done:
            return []
        out: list[Item] = []
        self._out = out
        match event:
            case TextDelta(text):
                if self._is_plain(text):
                    self._outlet.note(text)
                    self._spoke = True
                    return [event]
                self._flush_sieves()
                for start in range(0, len(text), PIECE_CHARACTERS):
                    piece = text[start : start + PIECE_CHARACTERS]
                    self._read(self._held + piece, final=False)
            case ReasoningDelta(text):
                if told := self._reasoning.feed(text):
                    out.append(ReasoningDelta(told))
            case RefusalDelta(text):
                if told := self._refusal.feed(text):
                    out.append(RefusalDelta(told))
            case ImageRef():
                if self._block is None:  # no call reaches across a picture that it began before
                    self._read(self._held, final=True)
                    self._outlet.seam()
                out.append(event)
            case _:
                out.append(event)
        return out

    def _is_plain(self, text: str) -> bool:
        """Whether a text surely has nothing to do with tags; most are of this kind."""
        busy = self._held or self._block or self._behind_call or self._outlet.has_seam
        if busy or self._reasoning.holds or self._refusal.holds:
            return False
        if not text or len(text) > PIECE_CHARACTERS or self._marks.nonce[0] in text:
            return False
        return _SPECIAL.search(text) is None

    def close(self, reason: FinishReason) -> list[Item]:
        """What was held at the end. A call without its closing tag counts if the model stopped by itself."""
        out: list[Item] = []
        self._out = out
        self._flush_sieves()
        if self.done:
            return out
        if self._block is not None and reason not in ("stop", "tool_calls"):
            self._block = None
        else:
            self._read(self._held, final=True)
        self.done = True
        return out

    def _flush_sieves(self) -> None:
        if told := self._reasoning.flush():
            self._out.append(ReasoningDelta(told))
        if told := self._refusal.flush():
            self._out.append(RefusalDelta(told))

    def _read(self, text: str, *, final: bool) -> None:
        self._held = ""
        rest: str | None = text
        while rest is not None and not self.done:
            if self._block is None:
                rest = self._pass(rest, final)
            else:
                rest = self._collect(self._block, rest, final)

    # --- outside of calls

    def _pass(self, text: str, final: bool) -> str | None:
        """What is left to read behind the next mark; None when all was read or is held."""
        if self._behind_call:
            text = self._skipped(text, final)
        mark = self._marks.find(text)
        if mark is None:
            if final:
                self._say(self._marks.unfinished(text))
            else:
                self._say_up_to(text, self._marks.begun(text))
            return None
        if mark.kind in ("think", "think_end"):
            step = 1 if mark.kind == "think" else -1
            self._thoughts = max(0, self._thoughts + step)
            self._say(text[: mark.end])
            return text[mark.end :]
        if mark.kind == "bare":
            return self._without(text, mark.start, mark.end)
        rest = self._marks.rest(text, mark.end, final=final)
        if rest is None:
            self._say_up_to(text, mark.start)
            return None
        if self._thoughts or mark.kind in ("call_end", "result_end"):
            return self._without(text, mark.start, end_of_stray(mark, rest))
        return self._begin(text, mark, rest)

    def _begin(self, text: str, mark: Mark, rest: tuple[int, int]) -> str | None:
        """A call or a result opens at `mark`."""
        self._say_before_call(text[: mark.start])
        if mark.kind == "result":
            self.done = True
            self.notes = (RESULT_INVENTED,)
            return None
        inside, end = rest
        self._block = _Block(text[mark.end : inside], mark.escaped)
        return text[end:]

    def _without(self, text: str, start: int, end: int) -> str:
        self._say(text[:start])
        self._outlet.seam()
        return text[end:]

    def _say_up_to(self, text: str, at: int) -> None:
        """Hold what may be a tag from `at` on, and what would go with it if it is."""
        at = _without_space(text, at)
        if "`" in text[max(0, at - _FENCE_WINDOW) : at]:
            fence = _FENCE_BEGUN.search(text, max(0, at - _FENCE_WINDOW), at)
            if fence is not None:
                at = _without_space(text, fence.start())
        self._say(text[:at])
        self._held = text[at:]

    def _say_before_call(self, text: str) -> None:
        at = _without_space(text, len(text))
        fence = _FENCE.search(text, max(0, at - _FENCE_WINDOW), at)
        opens = fence is not None and ((self._fences + _fences_in(text[: fence.start()])) % 2 == 0)
        if fence is not None and opens:
            at = _without_space(text, fence.start())
        self._say(text[:at])
        self._in_fence = self._in_fence or opens

    def _skipped(self, text: str, final: bool) -> str:
        """What follows a call, without white space and the end of the fence around it."""
        text = text.lstrip()
        if self._in_fence:
            rest = text.lstrip("`")
            # A text of ticks alone is held in any case: more may follow.
            if len(text) - len(rest) >= 3 and (rest or final):
                self._in_fence = False
                return rest.lstrip()
        return text

    def _say(self, text: str) -> None:
        if self._behind_call:
            text = text.lstrip()
            if text and self._spoke:
                text = f"\n\n{text}"
        if not text:
            return
        self._behind_call = self._in_fence = False
        self._spoke = True
        self._fences += _fences_in(text)
        self._out.append(TextDelta(self._outlet.let_out(text)))

    # --- inside of calls

    def _collect(self, block: _Block, text: str, final: bool) -> str | None:
        mark = self._marks.find(text, thinking=False)
        if mark is None:
            keep = self._marks.begun(text)
            if final:
                cut = "tool_" in text[keep:]
                block.pieces.append(text[:keep] if cut else text)
                self._complete(block)
            else:
                block.pieces.append(text[:keep])
                self._held = text[keep:]
            return None
        if mark.kind in ("bare", "result_end"):
            block.pieces.append(text[: mark.end])
            return text[mark.end :]
        end = mark.start
        if mark.kind == "call_end":
            rest = self._marks.rest(text, mark.end, final=final)
            if rest is None:
                block.pieces.append(text[: mark.start])
                self._held = text[mark.start :]
                return None
            end = end_of_stray(mark, rest)
        block.pieces.append(text[: mark.start])
        self._complete(block)
        return text[end:]

    def _complete(self, block: _Block) -> None:
        self._block = None
        inside, body = block.inside, "".join(block.pieces)
        if block.escaped:
            inside, body = html.unescape(inside), html.unescape(body)
        body = _CITATION.sub("", body)
        name = _NAME.search(inside)
        if name is None:
            calls = self._nameless(body)
        else:
            tool = self._tool(name[1])
            calls = [] if tool is None else [FoundCall(tool, self._cleaned(tool, body))]
        self._out.extend(calls)
        self._behind_call = True
        if not calls:  # of a tool that is not there: text
            self._say(body.rstrip())
            self._outlet.seam()
            self._behind_call = True

    def _tool(self, name: str) -> ToolSpec | None:
        return self._tools.get(name) or self._tools.get(name.removeprefix("functions."))

    def _cleaned(self, tool: ToolSpec, body: str) -> str:
        body = body.replace(self._marks.nonce, "_")
        return body.removeprefix("\n").removesuffix("\n") if tool.custom else body

    def _nameless(self, body: str) -> list[FoundCall]:
        """Some models put the name into the JSON instead of the tag."""
        try:
            value = json.loads(body) if len(body) <= _MOST_NAMELESS else None
        except (ValueError, RecursionError):
            return []
        found = []
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict) or not isinstance(one.get("name"), str):
                return []
            tool = self._tool(one["name"])
            key = next((key for key in _ARGUMENT_KEYS if key in one), None)
            if tool is None or tool.custom or key is None:
                return []
            told = json.dumps(one[key], ensure_ascii=False, separators=(",", ":"))
            found.append(FoundCall(tool, self._cleaned(tool, told)))
        return found


def without_marker(arguments: str, nonce: str) -> str:
    """A JSON text in which the marker does not stand, not even in the guise of an escape."""
    if "\\u" in arguments:
        decoded = json.dumps(json.loads(arguments), separators=(",", ":"))
        if nonce in decoded:
            arguments = decoded
    return arguments.replace(nonce, "_")


def _without_space(text: str, at: int) -> int:
    """Where the white space before `at` begins, as far as it counts."""
    space = text[max(0, at - _MOST_SPACE) : at]
    return at - len(space) + len(space.rstrip())


def _fences_in(text: str) -> int:
    return len(_TICKS.findall(text)) if "```" in text else 0
