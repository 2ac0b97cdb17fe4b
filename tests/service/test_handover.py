"""Handing accounts in on a page: what is shown is what is taken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from chat2api.errors import TooLarge
from chat2api.service.handover import (
    GROUPS,
    MOST_SHOWN,
    PASTED,
    Group,
    Handover,
    Review,
    Source,
    Taken,
    packed,
    read_sources,
    unpacked,
)
from chat2api.store.account_book import AccountBook
from chat2api.store.arrivals import ArrivalBook
from chat2api.store.intake import Intake
from chat2api.store.opening import Store
from chat2api.store.tables import metadata
from tests.store.handed import NOW, access, refresh

DAY = 86_400.0
SEED = "a-seed-of-a-friend"


@pytest.fixture
def desk(key_store: Store) -> Handover:
    key_store.clock.at = NOW  # type: ignore[attr-defined]
    return Handover(Intake(key_store), ArrivalBook(key_store))


def lines(*tokens: Any, name: str = "token.txt") -> Source:
    texts = [token if isinstance(token, str) else token.reveal() for token in tokens]
    return Source(name, "\n".join(texts).encode())


def take(
    desk: Handover, sources: Sequence[Source], *groups: Group, extras: bool = True
) -> tuple[Review, Taken]:
    review = desk.review(sources)
    wanted = groups or ("new", "newer")
    return review, desk.take(sources, review.plan, wanted, "import-1", extras=extras)


def held(store: Store) -> int:
    return len(AccountBook(store).everything())


def test_every_account_falls_into_one_group(desk: Handover, key_store: Store) -> None:
    there, old = access("there"), access("renewed", ends=NOW + DAY)
    take(desk, [lines(there, old)])
    over = access("over", ends=NOW - 1)
    fresh = access("renewed", ends=NOW + 9 * DAY)
    sources = [lines("# mine", access("new"), refresh(), there, fresh, over, "junk")]
    review = desk.review(sources)
    assert review.counts == {"new": 2, "newer": 1, "ended": 1, "same": 1}
    assert [(one.where, one.reason) for one in review.skipped] == [
        ("token.txt line 7", "not a token")
    ]
    assert held(key_store) == 2
    assert unpacked(packed(review, sources)) == (review, sources)
    taken = desk.take(sources, review.plan, ("new", "newer"), "import-1")
    assert (dict(taken.changed), held(key_store)) == ({"new": 2, "newer": 1}, 4)


def test_twice_there_is_nothing_to_do(desk: Handover) -> None:
    sources = [lines(access("a"), access("b"), refresh())]
    review, taken = take(desk, sources)
    assert review.counts["new"] == taken.changed["new"] == 3
    again, nothing = take(desk, sources)
    assert again.counts == {"new": 0, "newer": 0, "ended": 0, "same": 3}
    assert nothing.total == 0


def test_lines_of_one_account_count_once(desk: Handover) -> None:
    """The first word is that it is new, whatever comes after; the last token stays."""
    sources = [lines(access("a", ends=NOW + DAY), access("a", ends=NOW + 2 * DAY), access("a"))]
    review, taken = take(desk, sources)
    assert (review.counts["new"], len(review.accounts), dict(taken.changed)) == (1, 1, {"new": 1})


def test_what_has_ended_comes_only_when_it_is_wanted(desk: Handover, key_store: Store) -> None:
    failed = Source("error_token.txt", refresh().reveal().encode())
    sources = [failed, lines(access("over", ends=NOW - 1))]
    review, taken = take(desk, sources)
    assert (review.counts["ended"], taken.total, held(key_store)) == (2, 0, 0)
    assert [one.refused for one in review.accounts] == [True, False]
    review, taken = take(desk, sources, "ended")
    assert (dict(taken.changed), held(key_store)) == ({"ended": 2}, 2)


def test_an_ended_token_beside_a_good_one_of_the_same_account(desk: Handover) -> None:
    """Whichever stands first."""
    over, good = access("a", ends=NOW - 1), access("a")
    review, taken = take(desk, [lines(over, good)])
    assert (review.counts["new"], review.counts["ended"]) == (1, 0)
    assert dict(taken.changed) == {"new": 1}
    assert desk.review([lines(good)]).counts["same"] == 1


def test_one_that_was_removed_comes_back(desk: Handover, key_store: Store) -> None:
    sources = [lines(access("a"))]
    _, taken = take(desk, sources)
    book = AccountBook(key_store)
    assert book.remove(taken.ids["added"]) == 1
    review, again = take(desk, sources)
    assert (review.counts["new"], review.accounts[0].revived) == (1, True)
    assert (again.ids, held(key_store)) == ({"revived": taken.ids["added"]}, 1)


def test_one_that_comes_back_tells_from_where(desk: Handover, key_store: Store) -> None:
    sources = [lines(access("a"))]
    review, taken = take(desk, sources)
    book = AccountBook(key_store)
    book.remove(taken.ids["added"])
    desk.take(sources, review.plan, ("new",), "import-2")
    assert [row.source for row in book.everything()] == ["import-2"]


def test_groups_that_are_not_wanted_stay_out(desk: Handover, key_store: Store) -> None:
    take(desk, [lines(access("a", ends=NOW + DAY))])
    sources = [lines(access("a"), access("b"))]
    _, taken = take(desk, sources, "newer")
    assert (dict(taken.changed), held(key_store)) == ({"newer": 1}, 1)
    _, taken = take(desk, sources, "new")
    assert (dict(taken.changed), held(key_store)) == ({"new": 1}, 2)


def test_what_is_shown_is_masked(desk: Handover) -> None:
    token, renewal = access("ann"), refresh()
    login = {"tokens": {"access_token": token.reveal(), "refresh_token": renewal.reveal()}}
    review = desk.review([Source("auth.json", json.dumps(login).encode())])
    (one,) = review.accounts
    assert (one.label, one.plan, one.workspace_id) == ("ann@example.com", "plus", "ws-ann")
    assert (one.expires_at, one.renewable, one.is_codex) == (NOW + 10 * DAY, True, True)
    assert one.masked_token == f"{renewal.reveal()[:6]}...{renewal.reveal()[-4:]}"
    assert token.reveal() not in repr(review)
    assert renewal.reveal() not in repr(review)


def test_seats_and_conversations_come_along_or_stay(desk: Handover, key_store: Store) -> None:
    token, talk = access("ann"), "11111111-1111-4111-8111-111111111111"
    seeds = {SEED: {"token": token.reveal(), "conversations": [talk]}}
    talks = {talk: {"id": talk, "title": "Trip", "create_time": "2025-01-01T00:00:00.000000Z"}}
    sources = [
        Source("seed_map.json", json.dumps(seeds).encode()),
        Source("conversation_map.json", json.dumps(talks).encode()),
    ]
    review, taken = take(desk, sources, extras=False)
    assert (review.seeds, review.conversations, review.extras) == (1, 1, 2)
    assert (taken.seeds, taken.conversations, held(key_store)) == (0, 0, 0)
    review, taken = take(desk, sources)
    assert (taken.seeds, taken.conversations) == (1, 1)
    assert take(desk, sources)[0].extras == 0


def test_a_paste_of_nothing_known_tells_its_lines(desk: Handover) -> None:
    review = desk.review([Source(PASTED, b"hello\n\n# no\n<img src=x>")])
    assert [one.where for one in review.skipped] == [f"{PASTED} line 1", f"{PASTED} line 4"]
    (broken,) = desk.review([Source(PASTED, b'{"tokens": ')]).skipped
    assert broken.reason == "is damaged (line 1)"


def test_too_many(desk: Handover) -> None:
    sources = [lines(*(f"rt_{number:020}" for number in range(10_001)))]
    with pytest.raises(TooLarge):
        desk.review(sources)
    with pytest.raises(TooLarge):
        desk.review([Source(PASTED, b"x\n" * 300_000)])


@given(
    some.lists(
        some.tuples(
            some.sampled_from(["token.txt", "a.json", PASTED]),
            some.binary(max_size=40),
        ).map(lambda pair: Source(*pair)),
        max_size=4,
    )
)
def test_packed_and_unpacked(sources: list[Source]) -> None:
    review = Review({"new": 1, "newer": 0, "ended": 0, "same": 0}, plan="n")
    text = packed(review, sources).encode("utf-8", "surrogatepass")
    assert unpacked(text.decode("utf-8", "surrogatepass")) == (review, sources)


def test_of_many_the_first_are_shown(desk: Handover) -> None:
    junk = "junk\n" * (MOST_SHOWN + 5)
    tokens = [refresh() for _ in range(MOST_SHOWN + 3)]
    review = desk.review([lines(*tokens), Source(PASTED, junk.encode())])
    assert (review.counts["new"], len(review.accounts)) == (MOST_SHOWN + 3, MOST_SHOWN)
    assert (review.unreadable, len(review.skipped)) == (MOST_SHOWN + 5, MOST_SHOWN)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=some.data())
def test_any_mixture_is_taken_as_it_was_shown(desk: Handover, key_store: Store, data: Any) -> None:
    """With a pool that holds some already; every choice of groups gives the numbers of the review."""
    for table in reversed(metadata.sorted_tables):
        key_store.database.write(lambda connection, table=table: connection.execute(table.delete()))
    tokens = [
        access(f"user-{number % 3}", ends=NOW + end)
        for number, end in enumerate(
            data.draw(some.lists(some.sampled_from([-1, 5, 90]), max_size=8))
        )
    ]
    before = data.draw(some.integers(0, len(tokens)))
    if before:
        take(desk, [lines(*tokens[:before])], *GROUPS)
    sources = [lines(*data.draw(some.permutations(tokens)))] if tokens else []
    wanted = data.draw(some.sets(some.sampled_from(GROUPS), min_size=1))
    review, taken = take(desk, sources, *wanted)
    for group in GROUPS:
        expected = review.counts[group] if group in wanted and group != "same" else 0
        assert taken.changed.get(group, 0) == expected


def test_reading_nothing() -> None:
    assert read_sources([]).accounts == ()


def test_a_line_that_is_there_twice_is_counted(desk: Handover) -> None:
    one, other = access("one"), access("other")
    assert desk.review([lines(one, other)]).repeated == 0
    assert desk.review([lines(one, other, one)]).repeated == 1
    files = [lines(one), Source("error_token.txt", one.reveal().encode())]
    assert desk.review(files).repeated == 0
    sources = [lines(one, one, one)]
    review = desk.review(sources)
    assert (review.repeated, unpacked(packed(review, sources))[0]) == (2, review)
