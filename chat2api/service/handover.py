"""Accounts that somebody hands in on a page: looked at first, then taken as they were shown.

Looking (`review`) sorts every account into one group and stores nothing; taking (`take`) adds those of the
groups that were chosen. Both count accounts and not lines, so their numbers are the same as long as nothing
changes in between.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from chat2api.errors import TooLarge
from chat2api.pool.claims import is_jwt, read_claims
from chat2api.pool.tokens import mask_token
from chat2api.pool.values import Added, AddVerdict, NewAccount
from chat2api.service.importing.content import TOO_MANY
from chat2api.service.importing.found import Found, FoundSeed, Skipped
from chat2api.service.importing.merging import merge
from chat2api.service.importing.recognise import read_content, recognise
from chat2api.service.importing.token_lines import read_token_lines
from chat2api.store.arrivals import ArrivalBook
from chat2api.store.intake import Intake

PASTED = "pasted text"
MOST_ACCOUNTS = 10_000
MOST_SHOWN = 200

# Files may name each account several times.
_MOST_MENTIONED = 5 * MOST_ACCOUNTS
_BRACKET = re.compile(rb"\s*[{\[]")

Group = Literal["new", "newer", "ended", "same"]
GROUPS: tuple[Group, ...] = ("new", "newer", "ended", "same")

_GROUP_OF: Mapping[AddVerdict, Group] = {
    "added": "new",
    "revived": "new",
    "updated": "newer",
    "unchanged": "same",
}
# The letters of a plan; "v" for a new one that was removed before. A capital: an account named already.
_LETTERS: Mapping[Group, str] = {"new": "n", "newer": "r", "ended": "e", "same": "s"}
_REVIVED = "v"
_BY_LETTER: Mapping[str, Group] = {
    **{letter: group for group, letter in _LETTERS.items()},
    _REVIVED: "new",
}
# What an account is, where several lines of it say different things: the first of these.
_RANK: tuple[Group, ...] = ("new", "newer", "same")


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or what was pasted (`PASTED`)."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReviewedAccount:
    """An account as it is shown before it is taken: read off its tokens, and nothing of it in clear.

    `expires_at` is its access token's end in epoch seconds. `revived`: it was removed before. `unclear`:
    its access token begins like a JWT and cannot be read as one; only the upstream can tell what it is.
    """

    group: Group
    where: str
    label: str
    masked_token: str
    is_codex: bool
    plan: str
    workspace_id: str
    expires_at: float | None
    renewable: bool
    revived: bool
    refused: bool
    unclear: bool = False


@dataclass(frozen=True, slots=True)
class Review:
    """`counts` and `unreadable` are of all there is; of each group, and of what was skipped, no more than
    `MOST_SHOWN` are told, each account once, in the order of the files.

    `seeds`, `conversations`: those that are new. `repeated`: mentions of accounts that were named before.
    `plan` is for `Handover.take`: a letter for each account
    as the files have them, with no secret in it.
    """

    counts: Mapping[Group, int]
    accounts: tuple[ReviewedAccount, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unreadable: int = 0
    seeds: int = 0
    conversations: int = 0
    plan: str = ""
    repeated: int = 0

    @property
    def extras(self) -> int:
        return self.seeds + self.conversations


@dataclass(frozen=True, slots=True)
class Taken:
    """`changed`: how many accounts of each group are new or newer now; `ids` are theirs, by verdict."""

    changed: Mapping[Group, int]
    ids: Mapping[AddVerdict, tuple[str, ...]]
    seeds: int = 0
    conversations: int = 0

    @property
    def total(self) -> int:
        return sum(self.changed.values())


class Handover:
    """All methods raise StorageUnavailable, and TooLarge for more accounts than at once."""

    def __init__(self, intake: Intake, book: ArrivalBook) -> None:
        self._intake = intake
        self._book = book

    def review(self, sources: Iterable[Source]) -> Review:
        """What taking all of it would do, without doing it."""
        found, mentioned = _brought_together(sources)
        news = [one.new for one in found.accounts]
        dead = [self._has_ended(new) for new in news]
        order = _living_first(dead)
        added = self._intake.preview([news[index] for index in order], "")
        outcome = dict(zip(order, added, strict=True))
        plan = _plan([outcome[index] for index in range(len(news))], _groups(outcome, dead))
        seeds = [self._seed(one) for one in found.seeds]
        facts = [one.conversation_id for one in found.conversations]
        return _review(
            found,
            plan,
            sum(self._book.preview_seeds(seeds)),
            len(self._book.preview_conversations(facts)),
            mentioned,
        )

    def take(
        self,
        sources: Iterable[Source],
        plan: str,
        wanted: Collection[Group],
        source: str,
        *,
        extras: bool = True,
    ) -> Taken:
        """Add the accounts of the groups that are wanted, and the seeds and conversations with `extras`.

        `plan` is of the review of the same sources; `source` is what the accounts say they came from.
        In small transactions: doing it again completes what an interruption left.
        """
        found = read_sources(sources)
        groups = [_BY_LETTER[letter] for letter in plan.lower()]
        dead = [self._has_ended(one.new) for one in found.accounts]
        order = [index for index in _living_first(dead) if groups[index] in wanted]
        added = self._intake.add([found.accounts[index].new for index in order], source)
        of_account: dict[str, tuple[Group, AddVerdict]] = {}
        for index, one in zip(order, added, strict=True):
            known = of_account.get(one.account_id, (groups[index], "unchanged"))
            of_account[one.account_id] = (known[0], _better(known[1], one.verdict))
        changed = Counter(group for group, verdict in of_account.values() if verdict != "unchanged")
        ids: dict[AddVerdict, list[str]] = {}
        for account_id, (_, verdict) in of_account.items():
            ids.setdefault(verdict, []).append(account_id)
        seeds, conversations = self._take_extras(found, source) if extras else (0, 0)
        return Taken(
            changed, {name: tuple(some) for name, some in ids.items()}, seeds, conversations
        )

    def _take_extras(self, found: Found, source: str) -> tuple[int, int]:
        seeds = sum(self._add_seed(one, source) for one in found.seeds)
        facts = {one.conversation_id: one.facts for one in found.conversations}
        return seeds, self._book.add_conversations(facts)

    def _add_seed(self, seed: FoundSeed, source: str) -> bool:
        account_id: str | None = None
        if seed.account is not None:
            account_id = self._intake.add([seed.account], source)[0].account_id
        return self._book.add_seed(
            seed.seed,
            seed.seed_hash_sha256,
            account_id,
            seed.user_id,
            seed.conversation_ids,
            source,
        )

    def _seed(self, seed: FoundSeed) -> tuple[str, Sequence[str]]:
        return self._book.seed_hash(seed.seed, seed.seed_hash_sha256), seed.conversation_ids

    def _has_ended(self, new: NewAccount) -> bool:
        """Whether nothing can be done with it as it is: refused before, or over and not renewable."""
        if new.refused:
            return True
        ends = read_claims(new.access_token).expires_at
        return new.refresh_token is None and ends is not None and ends <= self._book.now()


def _review(found: Found, plan: str, seeds: int, conversations: int, mentioned: int) -> Review:
    counts: dict[Group, int] = dict.fromkeys(GROUPS, 0)
    shown = []
    for one, letter in zip(found.accounts, plan, strict=True):
        if letter.islower():
            group = _BY_LETTER[letter]
            counts[group] += 1
            if counts[group] <= MOST_SHOWN:
                shown.append(_shown(one.new, one.where, letter))
    skipped = found.skipped
    return Review(
        counts,
        tuple(shown),
        skipped[:MOST_SHOWN],
        len(skipped),
        seeds,
        conversations,
        plan,
        max(0, mentioned - sum(counts.values())),
    )


# --- reading


def read_sources(sources: Iterable[Source]) -> Found:
    """Everything they hold, brought together. Raises TooLarge."""
    return _brought_together(sources)[0]


def _brought_together(sources: Iterable[Source]) -> tuple[Found, int]:
    """And how often an account is named; what files only hint at does not count beside its account."""
    founds = [_read(one) for one in sources]
    mentioned = sum(len(found.accounts) for found in founds)
    has_too_many = any(one.reason == TOO_MANY for found in founds for one in found.skipped)
    if mentioned > _MOST_MENTIONED or has_too_many:
        raise _too_many()
    found = merge(founds)
    if len(found.accounts) > MOST_ACCOUNTS:
        raise _too_many()
    named = sum(not one.hint for found in founds for one in found.accounts)
    return found, named + sum(one.hint for one in found.accounts)


def _too_many() -> TooLarge:
    return TooLarge(f"More than {MOST_ACCOUNTS} accounts at once: nothing was stored.")


def _read(source: Source) -> Found:
    is_bare = source.name == PASTED and not _BRACKET.match(source.content)
    if is_bare and recognise(PASTED, source.content) is None:
        return read_token_lines(source.content, PASTED)  # which tells of each line
    return read_content(source.name, source.content)


# --- resting between looking and taking


def packed(review: Review, sources: Iterable[Source]) -> str:
    """Both as one text, to be kept sealed; `unpacked` gives the same back."""
    pairs = [[one.name, one.content.decode("utf-8", "surrogateescape")] for one in sources]
    return json.dumps({"review": asdict(review), "sources": pairs}, ensure_ascii=False)


def unpacked(text: str) -> tuple[Review, list[Source]]:
    kept = json.loads(text)
    told = kept["review"]
    accounts = tuple(ReviewedAccount(**each) for each in told.pop("accounts"))
    skipped = tuple(Skipped(**each) for each in told.pop("skipped"))
    sources = [
        Source(name, content.encode("utf-8", "surrogateescape"))
        for name, content in kept["sources"]
    ]
    return Review(accounts=accounts, skipped=skipped, **told), sources


# --- groups


def _living_first(dead: Sequence[bool]) -> list[int]:
    """A dead token must not go before a good one of the same account."""
    return sorted(range(len(dead)), key=lambda index: dead[index])


def _groups(outcome: Mapping[int, Added], dead: Sequence[bool]) -> dict[str, Group]:
    """By account id."""
    groups: dict[str, Group] = {}
    living: set[str] = set()
    for index, one in outcome.items():
        group = _GROUP_OF[one.verdict]
        groups[one.account_id] = min(groups.get(one.account_id, group), group, key=_RANK.index)
        if not dead[index]:
            living.add(one.account_id)
    return {
        name: group if group == "same" or name in living else "ended"
        for name, group in groups.items()
    }


def _better(first: AddVerdict, second: AddVerdict) -> AddVerdict:
    return min(first, second, key=lambda verdict: _RANK.index(_GROUP_OF[verdict]))


def _plan(added: Sequence[Added], groups: Mapping[str, Group]) -> str:
    letters = []
    named: set[str] = set()
    for one in added:
        group = groups[one.account_id]
        revived = group == "new" and one.verdict == "revived"
        letter = _REVIVED if revived else _LETTERS[group]
        letters.append(letter.upper() if one.account_id in named else letter)
        named.add(one.account_id)
    return "".join(letters)


def _shown(new: NewAccount, where: str, letter: str) -> ReviewedAccount:
    claims = read_claims(new.access_token)
    token = new.refresh_token or new.access_token
    return ReviewedAccount(
        group=_BY_LETTER[letter],
        where=where,
        label=new.email or claims.email,
        masked_token="" if token is None else mask_token(token),
        is_codex=new.kind == "codex",
        plan=new.plan or claims.plan,
        workspace_id=new.workspace_id or claims.workspace_id,
        expires_at=claims.expires_at,
        renewable=new.refresh_token is not None and not new.refused,
        revived=letter == _REVIVED,
        refused=bool(new.refused),
        unclear=_is_unclear(new),
    )


def _is_unclear(new: NewAccount) -> bool:
    token = new.access_token
    return token is not None and token.reveal().startswith("eyJ") and not is_jwt(token)
