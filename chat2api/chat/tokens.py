"""Counting tokens as o200k_base does, without a network. Pure; the vocabulary is loaded on first use.

`load_counter()` gives the one counter of this process: the real vocabulary, or an estimate that says so
where the extension module cannot be loaded. Loading takes some 50 ms and 65 MB, and counting holds the
interpreter (1 MB of text: 10 ms as a rule, 0.8 s at worst), so long texts belong in a compute process
(task "count_tokens").
"""

from __future__ import annotations

import bisect
import functools
import json
import re
from collections.abc import Iterator
from typing import Any, Protocol, assert_never

from chat2api.chat.conversation import (
    Conversation,
    File,
    Image,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)

MESSAGE_TOKENS = 3
"""What opens and closes each message."""
REPLY_TOKENS = 3
"""What primes the reply."""
IMAGE_TOKENS = 85
"""A picture at low detail; its size is not known here."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_ASCII_PER_TOKEN = 4
_LONGEST_TOKEN = 128  # characters, in o200k_base: a run of spaces


class Counter(Protocol):
    """Counts the tokens of texts. Any text will do, also lone surrogates and control characters."""

    @property
    def estimated(self) -> bool:
        """Whether the counts are guesses."""

    def count(self, text: str) -> int: ...

    def prefix_within(self, text: str, limit: int) -> str:
        """The beginning of `text` that counts at most `limit`, and one more character would not.

        Where the vocabulary is known, this is what the first `limit` tokens spell, to whole characters.
        """


@functools.cache
def load_counter() -> Counter:
    """The counter of this process."""
    try:
        from rs_bpe.bpe import openai
    except ImportError:
        return EstimatingCounter()
    return VocabularyCounter(openai.o200k_base())


def count(text: str) -> int:
    """Tokens in `text`."""
    return load_counter().count(text)


def prefix_within(text: str, limit: int) -> str:
    """The beginning of `text` that counts at most `limit`."""
    return load_counter().prefix_within(text, limit)


def prompt_tokens(conversation: Conversation) -> int:
    """Tokens of everything that is asked, as the public API would bill it (within a few)."""
    counter = load_counter()
    return prompt_overhead(conversation) + sum(map(counter.count, prompt_texts(conversation)))


def prompt_overhead(conversation: Conversation) -> int:
    """The part of `prompt_tokens` that needs no vocabulary: framing and pictures."""
    names = sum(message.name is not None for message in conversation.messages)
    images = sum(_pictures(part) for message in conversation.messages for part in message.parts)
    framing = MESSAGE_TOKENS * len(conversation.messages) + REPLY_TOKENS
    return framing + names + IMAGE_TOKENS * images


def _pictures(part: Part) -> int:
    return len(part.images) if isinstance(part, ToolResult) else isinstance(part, Image)


def prompt_texts(conversation: Conversation) -> Iterator[str]:
    """The texts whose tokens `prompt_tokens` adds to the overhead; a role is one of them."""
    for message in conversation.messages:
        yield message.role
        if message.name is not None:
            yield message.name
        for part in message.parts:
            match part:
                case Text(text) | Reasoning(text):
                    yield text
                case ToolCall(_, name, arguments):
                    yield name
                    yield arguments
                case ToolResult(_, text):
                    yield text
                case Image() | File():
                    pass
                case _:
                    assert_never(part)
    for tool in conversation.tools:
        yield tool.name
        yield tool.description
        yield _compact(tool.parameters if tool.format is None else tool.format)
    if conversation.output is not None:
        yield conversation.output.description
        yield _compact(conversation.output.schema)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class VocabularyCounter:
    """Counts with a real vocabulary (an rs-bpe tokenizer), in time linear in the text."""

    estimated = False

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def count(self, text: str) -> int:
        return int(self._tokenizer.count(_encodable(text)))

    def prefix_within(self, text: str, limit: int) -> str:
        if limit <= 0:
            return ""
        # No more than this can fit, so a huge text costs no more than its limit asks for.
        able = _encodable(text[: limit * _LONGEST_TOKEN])
        end = self._token_boundary(able, limit)
        # Counted on its own a cut text can split otherwise than within the whole: correct by ear.
        while self.count(able[:end]) > limit:
            end -= 1
        while end < len(able) and self.count(able[: end + 1]) <= limit:
            end += 1
        return text[:end]

    def _token_boundary(self, text: str, limit: int) -> int:
        """Characters in the first `limit` tokens; fewer where those end inside a character."""
        tokens = self._tokenizer.encode(text)[:limit]
        while (prefix := self._tokenizer.decode(tokens)) is None:
            tokens.pop()
        return len(prefix)


class EstimatingCounter:
    """Guesses: four ASCII characters to a token, any other character a token of its own."""

    estimated = True

    def count(self, text: str) -> int:
        plain = len(text.encode("ascii", "ignore"))
        return len(text) - plain + -(-plain // _ASCII_PER_TOKEN)

    def prefix_within(self, text: str, limit: int) -> str:
        if limit <= 0:
            return ""
        lengths = range(len(text) + 1)
        too_long = bisect.bisect_right(lengths, limit, key=lambda end: self.count(text[:end]))
        return text[: too_long - 1]


def _encodable(text: str) -> str:
    """`text` with lone surrogates, which have no UTF-8 form, each replaced by one other character."""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
