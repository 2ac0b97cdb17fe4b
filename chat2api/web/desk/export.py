"""Accounts going out: a plain list at once; with tokens only behind the password, once, and for a minute."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from flask import Response, g, request, url_for

from chat2api.errors import Conflict, Forbidden, RequestError, Unauthorized
from chat2api.pool.values import AccountRow
from chat2api.secret import Secret
from chat2api.service.exporting import COLUMNS, FORMS, Form, as_list, facts_of, rendered
from chat2api.store.account_book import ExportedAccount
from chat2api.store.account_search import AccountFilter
from chat2api.web.admin_auth import Admin, admin_actor, confirm, note_change
from chat2api.web.cookies import send_cookie
from chat2api.web.csv import csv_response
from chat2api.web.desk.account_query import Asked, asked_in
from chat2api.web.desk.frame import desk_blueprint, render_desk, said
from chat2api.web.forms import Form as SentForm
from chat2api.web.forms import read_admin_form
from chat2api.web.languages import gettext
from chat2api.web.page_errors import wants_page
from chat2api.web.pages import see_other
from chat2api.web.state import runtime

blueprint = desk_blueprint("export", __name__)

_KIND = "export"
_COOKIE = "export"
_LINK_SECONDS = 60.0
_MOST_IDS = 10_000
_AT_ONCE = 500
_FILES: Mapping[Form, tuple[str, str]] = {
    "json": ("accounts.json", "application/json"),
    "auth.json": ("auth.json", "application/json"),
    "tokens": ("tokens.txt", "text/plain"),
}

Scope = Literal["all", "matching", "selected"]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Which accounts: those of `ids`, those that match, or all of them."""

    scope: Scope
    ids: tuple[str, ...]
    asked: Asked

    @property
    def wanted(self) -> AccountFilter:
        return self.asked.wanted

    def all_ids(self) -> list[str] | None:
        """None for all there are."""
        match self.scope:
            case "all":
                return None
            case "matching":
                return runtime().desk.search.ids(self.wanted, _MOST_IDS)
            case "selected":
                return list(self.ids)


# --- choosing


@blueprint.get("/admin/export")
def page() -> Response:
    """`?id=…` for some, the fields of a filter for those that match."""
    asked = asked_in(request.args.getlist)
    return _page(_Chosen(_best_scope(asked.ids, asked.wanted), asked.ids, asked))


@blueprint.post("/admin/export/select")
def select() -> Response:
    """The same page for a selection that is too long for an address. Changes nothing."""
    form = read_admin_form()
    return _page(_chosen(form))


def _page(chosen: _Chosen, problem: str = "", status: int = 200) -> Response:
    search = runtime().desk.search
    return render_desk(
        "desk/export.html",
        nav="accounts",
        status=status,
        chosen=chosen,
        filter_fields=chosen.asked.filter_fields(),
        total=search.count(AccountFilter()),
        matching=0 if chosen.wanted.is_empty else search.count(chosen.wanted),
        problem=problem,
    )


def _chosen(form: SentForm) -> _Chosen:
    asked = asked_in(form.all)
    wanted, ids = asked.wanted, tuple(dict.fromkeys(form.all("id")))
    scope = form.first("scope")
    if form.first("all") == "1":
        scope = "matching" if not wanted.is_empty else "all"
    if scope not in ("all", "matching", "selected"):
        scope = _best_scope(ids, wanted)
    return _Chosen(cast(Scope, scope), ids, asked)


def _best_scope(ids: Sequence[str], wanted: AccountFilter) -> Scope:
    if ids:
        return "selected"
    return "all" if wanted.is_empty else "matching"


# --- without tokens


@blueprint.post("/admin/export/list")
def plain() -> Response:
    """CSV, or JSON: what the page of accounts shows, and nothing secret."""
    form = read_admin_form()
    rows = _rows(_chosen(form))
    kind = form.first("list") or "csv"
    if kind not in ("csv", "json"):
        raise RequestError("The field 'list' must be csv or json.", param="list")
    note_change("export list", detail={"accounts": len(rows), "format": kind})
    if kind == "csv":
        return csv_response("accounts", COLUMNS, [facts_of(row) for row in rows])
    return _attached(as_list(rows), "accounts.json", "application/json")


def _rows(chosen: _Chosen) -> list[AccountRow]:
    ids = chosen.all_ids()
    book = runtime().book
    return book.everything() if ids is None else book.rows_of(ids)


# --- with tokens


@blueprint.post("/admin/export/prepare")
def prepare() -> Response:
    """Makes the file and keeps it sealed for a minute; a bearer, just sent anew, gets it at once."""
    form = read_admin_form()
    chosen = _chosen(form)
    kind = cast(Form, form.first("format") or "json")
    if kind not in FORMS:
        raise RequestError(f"The field 'format' must be one of {', '.join(FORMS)}.", param="format")
    if not _by_bearer():
        try:
            confirm(Secret(form.first("password") or ""))
        except Unauthorized:
            return _refused(chosen)
    accounts = _accounts(chosen)
    if not accounts:
        return _nothing(chosen)
    # Noted before it is done: nothing leaves without a trace.
    detail: dict[str, object] = {"accounts": len(accounts), "format": kind, "scope": chosen.scope}
    note_change("export accounts", detail=detail)
    text = rendered(accounts, kind)
    if not wants_page():
        return _attached(text, *_FILES[kind])
    facts = {"kind": kind, "accounts": len(accounts), "until": time.time() + _LINK_SECONDS}
    ticket = runtime().desk.parcels.keep(
        _KIND, text, owner=admin_actor(), facts=facts, seconds=_LINK_SECONDS
    )
    _send(ticket)
    return see_other(url_for("export.ready"))


@blueprint.get("/admin/export/ready")
def ready() -> Response:
    ticket = Secret(request.cookies.get(_COOKIE, ""))
    found = runtime().desk.parcels.look(ticket, _KIND, admin_actor())
    if found is None:
        return see_other(url_for("export.page"))
    facts = found[0]
    return render_desk(
        "desk/export_ready.html",
        nav="accounts",
        accounts=facts["accounts"],
        name=_FILES[facts["kind"]][0],
        left=max(1, int(facts["until"] - time.time())),
        left_text=gettext("It can be fetched once, within {left}."),
        ticket=ticket.reveal(),
    )


@blueprint.post("/admin/export/fetch")
def fetch() -> Response:
    """Once."""
    form = read_admin_form()
    ticket = Secret(form.first("ticket") or "")
    found = runtime().desk.parcels.take(ticket, _KIND, admin_actor())
    if found is None:
        if not wants_page():
            raise Conflict("It was fetched, or its time is over.", code="export_gone")
        said(gettext("It was fetched already, or its minute is over. Make it anew."), role="bad")
        return see_other(url_for("export.page"))
    facts, text = found
    note_change("fetch export", detail={"accounts": facts["accounts"], "format": facts["kind"]})
    return _attached(text, *_FILES[cast(Form, facts["kind"])])


def _accounts(chosen: _Chosen) -> list[ExportedAccount]:
    book, ids = runtime().book, chosen.all_ids()
    if ids is None:
        return book.export()
    accounts: list[ExportedAccount] = []
    for start in range(0, len(ids), _AT_ONCE):
        accounts += book.export(ids[start : start + _AT_ONCE])
    return accounts


def _refused(chosen: _Chosen) -> Response:
    """Not 401: who asks is signed in, and the page has to stay."""
    if wants_page():
        return _page(chosen, gettext("That password is wrong. Nothing was exported."), 403)
    raise Forbidden(
        "Send the admin password again, as the field 'password'.", code="password_required"
    )


def _nothing(chosen: _Chosen) -> Response:
    if wants_page():
        return _page(chosen, gettext("No account is chosen. Nothing was exported."), 400)
    raise RequestError("No account is chosen.", param="id")


def _by_bearer() -> bool:
    admin: Admin = g.chat2api_admin
    return admin.session is None


def _attached(text: str, name: str, mimetype: str) -> Response:
    response = Response(text, content_type=f"{mimetype}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _send(ticket: Secret) -> None:
    """Which file the next page is about."""
    send_cookie(_COOKIE, ticket.reveal(), path=url_for("export.page"), seconds=_LINK_SECONDS)
