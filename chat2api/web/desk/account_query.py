"""Which accounts a page of the list shows, as its address says it; whatever cannot be meant counts as empty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast, get_args

from flask import url_for

from chat2api.store.account_search import IN_ORDER, SORTS, STATES, AccountFilter, Order, Sort

SIZES = (50, 200)
ENDINGS = ("soon", "expired", "never")
_LONGEST = 200
_MOST_IDS = 100
_FALLING: frozenset[Sort] = frozenset({"used"})  # what begins with the greatest

Values = Callable[[str], Sequence[str]]
"""All values of a field: of a query (`request.args.getlist`) or of a form (`Form.all`)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`ids` stand for themselves: a few accounts that something happened to."""

    wanted: AccountFilter = field(default_factory=AccountFilter)
    order: Order = IN_ORDER
    size: int = SIZES[0]
    after: str = ""
    before: str = ""
    ids: tuple[str, ...] = ()

    def filter_fields(self) -> dict[str, str]:
        """Of the filter alone, as forms and other pages take it."""
        wanted = self.wanted
        fields = {
            "state": wanted.state,
            "plan": wanted.plan,
            "expires": wanted.expires,
            "proxy": wanted.proxy,
            "source": wanted.source,
            "q": wanted.search,
        }
        return {name: value for name, value in fields.items() if value}

    def fields(self) -> dict[str, str]:
        """Filter, order and size: what a link to another part of the list keeps."""
        found = self.filter_fields()
        if self.order != IN_ORDER:
            found["sort"] = self.order.sort
            if self.order.down is not (self.order.sort in _FALLING):
                found["turned"] = "1"
        if self.size != SIZES[0]:
            found["size"] = str(self.size)
        return found

    def address(self, endpoint: str = "accounts.page", **more: str) -> str:
        given: dict[str, Any] = {**self.fields(), **more}
        return url_for(endpoint, **{name: value for name, value in given.items() if value})

    def with_filter(self, **changes: Any) -> Asked:
        """From the beginning, with another filter."""
        return Asked(replace(self.wanted, **changes), self.order, self.size)

    def sorted_by(self, sort: Sort) -> Asked:
        """By this; the other way round when it is so already."""
        down = not self.order.down if self.order.sort == sort else sort in _FALLING
        return Asked(self.wanted, Order(sort, down), self.size)


def asked_in(values: Values) -> Asked:
    def first(name: str) -> str:
        return next(iter(values(name)), "")[:_LONGEST]

    def one_of(name: str, known: Sequence[str]) -> str:
        return first(name) if first(name) in known else ""

    wanted = AccountFilter(
        state=cast(Any, one_of("state", (*STATES, "removed"))),
        plan=first("plan"),
        expires=cast(Any, one_of("expires", ENDINGS)),
        proxy=first("proxy"),
        search=first("q"),
        source=first("source"),
    )
    sort = cast(Sort, one_of("sort", SORTS) or get_args(Sort)[0])
    down = (sort in _FALLING) is not bool(first("turned"))
    size = int(one_of("size", [str(one) for one in SIZES]) or SIZES[0])
    ids = tuple(one[:_LONGEST] for one in values("id"))[:_MOST_IDS]
    return Asked(wanted, Order(sort, down), size, first("after"), first("before"), ids)
