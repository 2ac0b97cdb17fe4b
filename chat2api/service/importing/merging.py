"""Brings together what several files say about the same account. Pure.

Tokens that one entry names together belong to one login, and so does everything said about any of them. A
login is one account for each workspace that it is used with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from chat2api.pool.claims import read_claims
from chat2api.pool.values import Look, NewAccount
from chat2api.secret import Secret
from chat2api.service.importing.found import (
    Found,
    FoundAccount,
    FoundConversation,
    FoundSeed,
    TokenTrait,
    gently,
    joined,
)


@dataclass(frozen=True, slots=True)
class _Mention:
    """One place that names an account. `listed`: as an account, and not as what a seed is bound to."""

    account: NewAccount
    where: str
    listed: bool
    hint: bool = False


@dataclass(slots=True)
class _Merged:
    """An account as it comes out, where it is named first, and whether any file lists it."""

    new: NewAccount
    where: str = ""
    listed: bool = False
    hint: bool = True

    def named_by(self, mention: _Mention) -> None:
        self.hint = self.hint and mention.hint
        self.where = self.where or mention.where
        self.listed = self.listed or mention.listed


def merge(founds: Iterable[Found]) -> Found:
    """The same things, each once, with everything that is known about it. Order of first mention."""
    everything = joined(founds)
    bound = [seed for seed in everything.seeds if seed.account is not None]
    mentions = [
        _Mention(each.new, each.where, listed=True, hint=each.hint) for each in everything.accounts
    ]
    mentions += [_Mention(seed.account, seed.where, listed=False) for seed in bound if seed.account]
    merged = _merged(mentions, everything.traits)
    accounts = _distinct(merged[: len(everything.accounts)])
    bindings = [each.new for each in merged[len(everything.accounts) :]]
    seeds = _bound(everything.seeds, bindings, accounts)
    return Found(
        accounts=accounts,
        seeds=_one_each(seeds),
        conversations=_conversations(everything.conversations),
        skipped=everything.skipped,
        traits=tuple(dict.fromkeys(everything.traits)),
    )


# --- logins: what shares a token


def _merged(mentions: Sequence[_Mention], traits: Sequence[TokenTrait]) -> list[_Merged]:
    """What became of each mention."""
    by_token: dict[Secret, list[tuple[int, TokenTrait]]] = {}
    for order, trait in enumerate(traits):
        by_token.setdefault(trait.token, []).append((order, trait))
    outcome: dict[int, _Merged] = {}
    for login in gently(_logins(mentions)):
        tokens = dict.fromkeys(token for index in login for token in _tokens(mentions[index]))
        about = sorted((each for token in tokens for each in by_token.get(token, ())), key=_order)
        members = [mentions[index] for index in login]
        accounts = _accounts(members, [trait for _, trait in about])
        outcome.update(zip(login, accounts, strict=True))
    return [outcome[index] for index in range(len(mentions))]


def _order(numbered: tuple[int, TokenTrait]) -> int:
    return numbered[0]


def _tokens(mention: _Mention) -> Iterator[Secret]:
    account = mention.account
    return (token for token in (account.access_token, account.refresh_token) if token is not None)


def _logins(mentions: Sequence[_Mention]) -> list[list[int]]:
    """Indices of mentions that hang together by their tokens, in order."""
    parents = list(range(len(mentions)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    owners: dict[Secret, int] = {}
    for index, mention in enumerate(mentions):
        for token in _tokens(mention):
            first, second = sorted((root(owners.setdefault(token, index)), root(index)))
            parents[second] = first
    logins: dict[int, list[int]] = {}
    for index in range(len(mentions)):
        logins.setdefault(root(index), []).append(index)
    return list(logins.values())


# --- accounts: a login, for each workspace


def _accounts(members: Sequence[_Mention], traits: Sequence[TokenTrait]) -> list[_Merged]:
    """What becomes of each mention of one login."""
    if len(members) == 1 and not traits:
        only = members[0]
        return [_Merged(only.account, only.where, only.listed, only.hint)]
    login = _login(members)
    home = read_claims(login.access_token).workspace_id
    keys = [each.account.workspace_id or home for each in members]
    groups: dict[str, list[_Mention]] = {}
    for key, member, stands in zip(keys, members, _standing(members), strict=True):
        if stands:
            groups.setdefault(key, []).append(member)
    merged = {key: _Merged(_account(login, group, traits)) for key, group in groups.items()}
    first = next(iter(merged.values()))
    outcome = [merged.get(key, first) for key in keys]
    for member, account in zip(members, outcome, strict=True):
        account.named_by(member)
    return outcome


def _standing(members: Sequence[_Mention]) -> list[bool]:
    """Which make accounts; hints do so only if there is nothing else, first those of living tokens."""
    stands = [not each.hint for each in members]
    alive = [not each.account.refused for each in members]
    everyone = [True for _ in members]
    return next(flags for flags in (stands, alive, everyone) if any(flags))


def _account(
    login: NewAccount, group: Sequence[_Mention], traits: Sequence[TokenTrait]
) -> NewAccount:
    """`login` as one workspace uses it. Its own words about itself go before those of other files."""
    news = [each.account for each in group]
    workspace_id = next((new.workspace_id for new in news if new.workspace_id), None)
    about = [each for each in traits if each.workspace_id in {None, workspace_id}]
    looks = [*(new.look for new in news), *(trait.look for trait in about)]
    proxies = [*(new.proxy for new in news), *(trait.proxy for trait in about)]
    return replace(
        login,
        workspace_id=workspace_id,
        proxy=next((proxy for proxy in proxies if proxy), None),
        look=Look(
            user_agent=_first(look.user_agent for look in looks),
            device_id=_first(look.device_id for look in looks),
        ),
        note=_first(new.note for new in news),
        pooled=any(new.pooled for new in news),
    )


def _login(members: Sequence[_Mention]) -> NewAccount:
    """The best tokens of a login and what is known of it. A token that was refused is the last resort."""
    news = [each.account for each in members]
    refused = {
        token: each.account.refused
        for each in members
        for token in _tokens(each)
        if each.account.refused
    }
    access = _best([(new.access_token, new.refreshed_at) for new in news], refused)
    refresh = _best([(new.refresh_token, new.refreshed_at) for new in news], refused)
    # What came with the better token is the fresher word.
    fresh = sorted(news, key=lambda new: new.access_token != access)
    holders = [new for new in news if new.access_token == access]
    is_codex = any(new.kind == "codex" for new in news)
    return NewAccount(
        access_token=access,
        refresh_token=refresh,
        id_token=next((new.id_token for new in fresh if new.id_token), None),
        email=_first(new.email for new in fresh),
        plan=_first(new.plan for new in fresh),
        kind="codex" if is_codex else "web",
        client_id=_first(new.client_id for new in news),
        refused=_first(refused.get(token, "") for token in (refresh, access) if token is not None),
        refreshed_at=max((new.refreshed_at for new in holders if new.refreshed_at), default=None),
    )


def _best(
    candidates: Iterable[tuple[Secret | None, float | None]], refused: dict[Secret, str]
) -> Secret | None:
    """Not refused, of the latest end, renewed last, named first."""
    moments: dict[Secret, float] = {}
    for token, moment in candidates:
        if token is not None:
            moments[token] = max(moments.get(token, 0.0), moment or 0.0)
    if len(moments) < 2:
        return next(iter(moments), None)
    ends = {token: read_claims(token).expires_at or 0.0 for token in moments}
    return max(moments, key=lambda token: (token not in refused, ends[token], moments[token]))


def _distinct(merged: Iterable[_Merged]) -> tuple[FoundAccount, ...]:
    distinct = {id(each): each for each in merged}.values()
    return tuple(FoundAccount(each.new, each.where, each.hint) for each in distinct)


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")


# --- seeds and conversations


def _bound(
    seeds: Iterable[FoundSeed], bindings: Sequence[NewAccount], accounts: Sequence[FoundAccount]
) -> Iterator[FoundSeed]:
    """Seeds with their accounts as merged; one without a token finds its account by the address."""
    by_email: dict[str, list[NewAccount]] = {}
    for each in accounts:
        if each.new.email:
            by_email.setdefault(each.new.email.lower(), []).append(each.new)
    rest = iter(bindings)
    for seed in seeds:
        if seed.account is not None:
            yield replace(seed, account=next(rest))
        elif len(known := by_email.get(seed.email.lower(), [])) == 1:
            yield replace(seed, account=known[0])
        else:
            yield seed


def _one_each(seeds: Iterable[FoundSeed]) -> tuple[FoundSeed, ...]:
    merged: dict[object, FoundSeed] = {}
    for seed in seeds:
        key = seed.seed or seed.seed_hash_sha256
        known = merged.get(key)
        merged[key] = _both(known, seed) if known else seed
    return tuple(merged.values())


def _both(first: FoundSeed, second: FoundSeed) -> FoundSeed:
    ids = dict.fromkeys((*first.conversation_ids, *second.conversation_ids))
    return replace(
        first,
        account=first.account or second.account,
        user_id=first.user_id or second.user_id,
        conversation_ids=tuple(ids),
        managed=first.managed or second.managed,
        email=first.email or second.email,
    )


def _conversations(found: Iterable[FoundConversation]) -> tuple[FoundConversation, ...]:
    first: dict[str, FoundConversation] = {}
    for each in found:
        first.setdefault(each.conversation_id, each)
    return tuple(first.values())
