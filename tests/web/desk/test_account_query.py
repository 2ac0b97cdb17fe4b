"""A part of the list as an address, and back."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.store.account_search import SORTS, STATES, AccountFilter, Order
from chat2api.web.desk.account_query import ENDINGS, SIZES, Asked, asked_in

words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20
)
filters = st.builds(
    AccountFilter,
    state=st.sampled_from(["", *STATES, "removed"]),
    plan=st.just("") | words,
    expires=st.sampled_from(["", *ENDINGS]),
    proxy=st.just("") | words,
    search=st.just("") | words,
    source=st.just("") | words,
)
orders = st.builds(Order, st.sampled_from(SORTS), st.booleans())
asked = st.builds(Asked, filters, orders, st.sampled_from(SIZES))


def read(fields: dict[str, str]) -> Asked:
    return asked_in(lambda name: [fields[name]] if name in fields else [])


@given(asked)
def test_there_and_back(wish: Asked) -> None:
    assert read(wish.fields()) == wish


@given(st.dictionaries(st.sampled_from(["state", "sort", "size", "expires", "id", "q"]), st.text()))
def test_whatever_stands_there_is_a_part_of_the_list(fields: dict[str, str]) -> None:
    found = read(fields)
    assert found.size in SIZES
    assert found.order.sort in SORTS
    assert found.wanted.state in ("", *STATES, "removed")
    assert len(found.wanted.search) <= 200


def test_the_plain_list_has_a_plain_address(site: Any) -> None:
    with site.app.test_request_context("/"):
        assert Asked().address() == "/admin/accounts"
        wish = Asked(AccountFilter(search="a&b 中"), Order("used", True))
        query = parse_qs(urlsplit(wish.address(after="acc_1")).query)
        assert query == {"q": ["a&b 中"], "sort": ["used"], "after": ["acc_1"]}


@pytest.mark.parametrize(
    ("before", "sort", "after"),
    [
        (Order(), "name", Order("name")),
        (Order("name"), "name", Order("name", True)),
        (Order("name", True), "name", Order("name")),
        (Order("name"), "used", Order("used", True)),
        (Order("used", True), "used", Order("used")),
    ],
)
def test_sorting_again_turns_it(before: Order, sort: Any, after: Order) -> None:
    found = Asked(order=before, after="x").sorted_by(sort)
    assert (found.order, found.after) == (after, "")


def test_another_filter_begins_anew() -> None:
    found = Asked(AccountFilter(plan="pro"), size=200, after="x").with_filter(state="paused")
    assert found == Asked(AccountFilter(state="paused", plan="pro"), size=200)
