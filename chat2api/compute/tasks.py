"""The tasks a compute child knows, by name. Arguments and results are plain values."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from chat2api.compute import pow


def search_proof(
    variant: pow.Variant,
    seed: str,
    difficulty: str,
    parts: tuple[bytes, bytes, bytes],
    index9: int,
    max_tries: int,
    max_seconds: float,
) -> tuple[int, str] | None:
    """Search for a proof of work: (nonce, base64 of the array), or None if none was found in time.

    The web client stops at a nonce of `max_tries`. Item 9 (the milliseconds the search took) is ours to
    choose, so the search starts over with the next millisecond: another message, fresh chances.
    """
    head, middle, tail = parts
    give_up = time.monotonic() + max_seconds
    while (left := give_up - time.monotonic()) > 0:
        found = pow.search(
            variant,
            seed,
            difficulty,
            head,
            middle,
            tail,
            index9=index9,
            max_tries=max_tries,
            max_seconds=left,
        )
        if found is not None:
            return found.nonce, found.text
        index9 += 1
    return None


def count_tokens(texts: list[str]) -> tuple[list[int], bool]:
    """How many tokens each text has, and whether that is only an estimate."""
    # Imported here: the vocabulary takes tens of megabytes, which a child that never counts is spared.
    from chat2api.chat.tokens import load_counter

    counter = load_counter()
    return [counter.count(text) for text in texts], counter.estimated


def check_arguments(parameters: Any, name: str, body: str) -> tuple[list[str], list[str]]:
    """See `chat.json_reading.read_arguments`."""
    from chat2api.chat.json_reading import read_arguments  # spared those that never check

    return read_arguments(parameters, name, body)


def check_output(schema: Any, text: str) -> tuple[list[str], list[str]]:
    """See `chat.json_reading.read_output`."""
    from chat2api.chat.json_reading import read_output

    return read_output(schema, text)


TASKS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "search_proof": search_proof,
        "count_tokens": count_tokens,
        "check_arguments": check_arguments,
        "check_output": check_output,
    }
)
