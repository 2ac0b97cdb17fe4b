"""What the files of other programs hold, as values. Nothing here shows a token.

`where` is a file's name with a line or entry number, never a piece of its content.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

from chat2api.lifetime.breath import BREATH_SECONDS
from chat2api.pool.values import Look, NewAccount
from chat2api.secret import Secret

T = TypeVar("T")

_BREATH = 50


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account, and where it was found first.

    `hint`: the file only tells something about a token (that it failed, what it was renewed to), and
    makes an account of it only if nothing else does.
    """

    new: NewAccount
    where: str
    hint: bool = False


@dataclass(frozen=True, slots=True)
class FoundSeed:
    """A user of the mirror. Either `seed` or `seed_hash_sha256` (lower-case hex) is known.

    `account` is None where the user was bound to none; it need not be among the accounts of the pool.
    `conversation_ids`: newest first. `managed`: the program that wrote it made the seed itself.
    `email` names the account where the source has no token of it.
    """

    seed: Secret | None
    seed_hash_sha256: str | None
    account: NewAccount | None
    user_id: str
    conversation_ids: tuple[str, ...]
    managed: bool
    where: str
    email: str = ""


@dataclass(frozen=True, slots=True)
class FoundConversation:
    """What was noted about a conversation: flat JSON values under the names of the source."""

    conversation_id: str
    facts: Mapping[str, Any] = field(repr=False)
    where: str


@dataclass(frozen=True, slots=True)
class TokenTrait:
    """How the owner of a token appears upstream. Makes no account; `merge` gives it to the one there is."""

    token: Secret
    workspace_id: str | None
    look: Look
    proxy: Secret | None
    where: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was not taken, and why, in plain words without any content."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """Everything of one or several files, each part in the order of the source."""

    accounts: tuple[FoundAccount, ...] = ()
    seeds: tuple[FoundSeed, ...] = ()
    conversations: tuple[FoundConversation, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    traits: tuple[TokenTrait, ...] = ()


def nothing(where: str, reason: str) -> Found:
    """A place from which nothing was taken."""
    return Found(skipped=(Skipped(where, reason),))


def joined(founds: Iterable[Found]) -> Found:
    """All of them one behind the other; what belongs together is not yet brought together."""
    parts = tuple(gently(founds))
    return Found(
        accounts=tuple(chain.from_iterable(part.accounts for part in parts)),
        seeds=tuple(chain.from_iterable(part.seeds for part in parts)),
        conversations=tuple(chain.from_iterable(part.conversations for part in parts)),
        skipped=tuple(chain.from_iterable(part.skipped for part in parts)),
        traits=tuple(chain.from_iterable(part.traits for part in parts)),
    )


def gently(things: Iterable[T]) -> Iterator[T]:
    """A large file is seconds of work: the other requests of this process go on meanwhile."""
    for index, thing in enumerate(things, 1):
        yield thing
        if index % _BREATH == 0:
            time.sleep(BREATH_SECONDS)
