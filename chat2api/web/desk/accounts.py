"""The list of accounts: who is how, found, sorted and chosen among thousands; and the page of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, request, url_for

from chat2api.errors import NotFound
from chat2api.pool.values import AccountRow
from chat2api.store.account_search import GLOBAL_PROXY, SORTS, STATES, Choice, Sort, State
from chat2api.web import charts
from chat2api.web.desk.account_one import show_one
from chat2api.web.desk.account_query import SIZES, Asked, asked_in
from chat2api.web.desk.account_rows import shown
from chat2api.web.desk.account_words import GLYPHS
from chat2api.web.desk.explained import thousands
from chat2api.web.desk.frame import desk_blueprint, render_desk
from chat2api.web.forms import read_admin_form
from chat2api.web.json import json_response
from chat2api.web.languages import gettext, ngettext, plural_forms
from chat2api.web.page_errors import wants_page
from chat2api.web.pages import own_path, remember, see_other
from chat2api.web.state import runtime

blueprint = desk_blueprint("accounts", __name__)


# --- the list


@blueprint.get("/admin/accounts")
def page() -> Response:
    """For scripts the same part of the list as JSON."""
    asked = asked_in(request.args.getlist)
    part = _part(asked)
    if not wants_page():
        return json_response(_document(asked, part))
    tallies, menus = runtime().desk.search.tallies(), _menus(asked)
    return render_desk(
        "desk/accounts.html",
        nav="accounts",
        asked=asked,
        rows=shown(part.rows),
        lead=_lead(tallies),
        bar=state_bar(asked, tallies),
        chips=_chips(asked, tallies),
        removable=_removable(asked, menus),
        menus=menus,
        sizes=[(str(size), str(size)) for size in SIZES],
        columns=_columns(asked),
        counted=_counted(part),
        first_url="" if part.is_first else asked.address(),
        previous_url=_previous(asked, part),
        next_url=asked.address(after=part.rows[-1].account_id) if part.has_more else "",
        cells_url=_cells_url(asked),
        total=part.total,
        none_at_all=not sum(tallies.values()),
        glyphs=GLYPHS,
        words=_words(),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A page of the list; `start` is how many stand before it."""

    rows: Sequence[AccountRow]
    start: int
    total: int
    has_more: bool
    is_first: bool


def _part(asked: Asked) -> _Part:
    """One row more than is shown tells whether others follow."""
    search = runtime().desk.search
    if asked.ids:
        rows = runtime().book.rows_of(asked.ids)
        return _Part(rows, 0, len(rows), False, True)
    found = search.page(
        asked.wanted, asked.order, after=asked.after, before=asked.before, most=asked.size + 1
    )
    backwards = bool(asked.before) and not asked.after
    has_more = len(found) > asked.size or (backwards and bool(found))
    rows = found[-asked.size :] if backwards else found[: asked.size]
    has_cursor = bool(asked.after or asked.before)
    start = (
        search.place(asked.wanted, asked.order, rows[0].account_id) if has_cursor and rows else 0
    )
    total = search.count(asked.wanted)
    has_more = has_more and start + len(rows) < total
    return _Part(rows, start, total, has_more, start == 0)


def _previous(asked: Asked, part: _Part) -> str:
    return "" if part.is_first or not part.rows else asked.address(before=part.rows[0].account_id)


def _counted(part: _Part) -> str:
    if not part.rows:
        return ""
    first, last = part.start + 1, part.start + len(part.rows)
    return gettext(
        "%(first)s–%(last)s of %(total)s",
        first=thousands(first),
        last=thousands(last),
        total=thousands(part.total),
    )


def _document(asked: Asked, part: _Part) -> dict[str, Any]:
    return {
        "accounts": [
            {**one.cells(), "name": one.name, "note": one.note, "proxy": one.proxy}
            for one in shown(part.rows)
        ],
        "total": part.total,
        "next": part.rows[-1].account_id if part.has_more else None,
    }


@blueprint.get("/admin/accounts/cells")
def cells() -> Response:
    """What of a part of the list changes by itself, in its order of now."""
    asked = asked_in(request.args.getlist)
    part = _part(asked)
    tallies = runtime().desk.search.tallies()
    return json_response(
        {
            "rows": [one.cells() for one in shown(part.rows)],
            "lead": _lead(tallies),
            "tallies": {state: f"{count:,}" for state, count in tallies.items()},
        }
    )


def _cells_url(asked: Asked) -> str:
    here = {"after": asked.after, "before": asked.before}
    if asked.ids:
        return url_for("accounts.cells", id=list(asked.ids))
    return asked.address("accounts.cells", **here)


@blueprint.post("/admin/accounts/rows")
def rows() -> Response:
    """Comfortable or compact rows, kept in a cookie; back to the list."""
    form = read_admin_form()
    remember({"rows": "compact" if form.first("rows") == "compact" else "comfortable"})
    return see_other(own_path(form.first("next")) or url_for("accounts.page"))


# --- above it


def _lead(tallies: dict[State, int]) -> str:
    total = sum(count for state, count in tallies.items() if state != "removed")
    usable = sum(tallies[state] for state in ("ready", "in_use", "limited"))
    if not total:
        return ""
    return ngettext(
        "%(usable)s of %(num)d account can be used now.",
        "%(usable)s of %(num)d accounts can be used now.",
        total,
        usable=thousands(usable),
    )


def state_names() -> dict[State, str]:
    return {
        "ready": gettext("Ready"),
        "in_use": gettext("In use"),
        "limited": gettext("Limited for a model"),
        "resting": gettext("Resting"),
        "login": gettext("Log in again"),
        "paused": gettext("Paused"),
        "removed": gettext("Recently removed"),
    }


_ROLES = {"ready": "ok", "in_use": "busy", "limited": "wait", "resting": "wait", "login": "bad"}
_HATCHED = ("limited", "resting")


def state_bar(asked: Asked, tallies: dict[State, int]) -> charts.StateBar | None:
    """All accounts by state, each part leading to its rows; None for an empty pool."""
    names = state_names()
    parts = [
        charts.Part(
            tallies[state],
            _ROLES.get(state, "off"),
            names[state],
            asked.with_filter(state=state).address(),
            hatched=state in _HATCHED,
        )
        for state in names
        if state != "removed" and tallies[state]
    ]
    return charts.state_bar(parts) if parts else None


def _chips(asked: Asked, tallies: dict[State, int]) -> list[tuple[str, str, bool, int | None]]:
    """Label, address, whether it is chosen, how many."""
    total = sum(count for state, count in tallies.items() if state != "removed")
    found = [(gettext("All"), asked.with_filter(state="").address(), not asked.wanted.state, total)]
    names = state_names()
    for state in (*STATES, "removed"):
        chosen = asked.wanted.state == state
        # The numbers below the bar lead to the others.
        if chosen or (state == "removed" and tallies[state]):
            address = asked.with_filter(state=state).address()
            found.append((names[state], address, chosen, tallies[state]))
    return [(label, href, active, count) for label, href, active, count in found]


def _endings() -> list[tuple[str, str]]:
    return [
        ("soon", gettext("within 2 days, not renewable")),
        ("expired", gettext("ended")),
        ("never", gettext("no end known")),
    ]


_Menu = tuple[str, str, list[tuple[str, str]], str]
"""Name, label, options, and the one that is chosen."""


def _menus(asked: Asked) -> list[_Menu]:
    search, wanted = runtime().desk.search, asked.wanted
    any_one = [("", gettext("any"))]
    proxies = [*any_one, (GLOBAL_PROXY, gettext("the global one")), *_options(search.proxies())]
    menus = [
        ("plan", gettext("Plan"), [*any_one, *_options(search.plans())], wanted.plan),
        ("expires", gettext("Ends"), [*any_one, *_endings()], wanted.expires),
        ("proxy", gettext("Proxy"), proxies, wanted.proxy),
        ("source", gettext("Source"), [*any_one, *_options(search.sources())], wanted.source),
    ]
    return [menu for menu in menus if len(menu[2]) > 2 or menu[3]]


def _options(choices: Sequence[Choice]) -> list[tuple[str, str]]:
    return [(one.key, f"{one.text} ({one.accounts:,})") for one in choices]


def _removable(asked: Asked, menus: Sequence[_Menu]) -> list[tuple[str, str]]:
    """What the list is narrowed to beside its state, and the address without that."""
    wanted, found = asked.wanted, []
    if asked.ids:
        text = ngettext("%(num)d account", "%(num)d accounts", len(asked.ids))
        found.append((text, asked.address()))
    if wanted.search:
        found.append((f"“{wanted.search}”", asked.with_filter(search="").address()))
    for name, label, options, chosen in menus:
        if chosen:
            text = dict(options).get(chosen, chosen).partition(" (")[0]
            found.append((f"{label}: {text}", asked.with_filter(**{name: ""}).address()))
    return found


@dataclass(frozen=True, slots=True)
class _Column:
    """`sorted`: ascending, descending, or none; no address for a column without an order."""

    label: str
    href: str = ""
    sorted: str = "none"


def _columns(asked: Asked) -> list[_Column]:
    names: dict[Sort, str] = {
        "name": gettext("Account"),
        "state": gettext("State"),
        "expiry": gettext("Credential"),
        "used": gettext("Last used"),
    }

    def column(sort: Sort) -> _Column:
        now = asked.order.sort == sort
        direction = ("descending" if asked.order.down else "ascending") if now else "none"
        return _Column(names[sort], asked.sorted_by(sort).address(), direction)

    assert set(names) < set(SORTS)
    return [
        column("name"),
        column("state"),
        _Column(gettext("Plan")),
        _Column(gettext("Quota")),
        column("expiry"),
        _Column(gettext("Proxy")),
        column("used"),
    ]


def _words() -> dict[str, Any]:
    """What the list's script says."""
    return {
        "selected": plural_forms("%(num)d selected", "%(num)d selected"),
        "changes": plural_forms("%(num)d change, show", "%(num)d changes, show"),
    }


# --- one


@blueprint.get("/admin/accounts/<account_id>")
def one(account_id: str) -> Response:
    row = runtime().book.find(account_id)
    if row is None:
        raise NotFound("There is no such account; it may have been removed for good.")
    if not wants_page():
        (cells,) = shown([row])
        return json_response({**cells.cells(), "name": cells.name, "note": cells.note})
    return show_one(row)
