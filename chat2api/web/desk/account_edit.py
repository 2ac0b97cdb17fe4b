"""Name, note, proxy and number of turns of an account, changed in place."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from chat2api.errors import Conflict, NotFound, RequestError
from chat2api.secret import Secret
from chat2api.settings.mask import clip, mask_userinfo
from chat2api.store.account_edits import AccountFacts
from chat2api.web.admin_auth import admin_actor, note_change
from chat2api.web.desk.account_acts import keep_undo, typed_proxy
from chat2api.web.desk.account_one import Given, show_one
from chat2api.web.desk.account_words import is_of_a_file
from chat2api.web.desk.frame import desk_blueprint, said
from chat2api.web.forms import Form, read_admin_form
from chat2api.web.json import json_response
from chat2api.web.languages import gettext
from chat2api.web.page_errors import wants_page
from chat2api.web.pages import see_other
from chat2api.web.state import runtime

blueprint = desk_blueprint("account_edit", __name__)

LONGEST_LABEL = 200
LONGEST_NOTE = 2_000
MOST_TURNS = 1_000


@blueprint.post("/admin/accounts/<account_id>/edit")
def edit(account_id: str) -> Response:
    """Fields that are not sent stay; an empty proxy stays, too, unless `proxy_removed` is sent."""
    form = read_admin_form()
    desk = runtime().desk
    before, row = desk.edits.facts(account_id), runtime().book.find(account_id)
    if before is None or row is None:
        raise NotFound("There is no such account.")
    wanted, problems = _read(form, of_a_file=is_of_a_file(row))
    if problems:
        if not wants_page():
            name, problem = next(iter(problems.items()))
            raise RequestError(problem, param=name)
        return show_one(row, Given(_typed(form), problems), 400)
    changes = {name: value for name, value in wanted.items() if value != getattr(before, name)}
    revision = _revision(form)
    try:
        fresh = desk.edits.edit(account_id, changes, revision) if changes else before.revision
    except Conflict:
        if not wants_page():
            raise
        return show_one(row, Given(_typed(form), conflict=True), 409)
    if changes:
        _note(account_id, before, changes)
    if not wants_page():
        return json_response({"id": account_id, "revision": fresh, "changed": sorted(changes)})
    if changes:
        said(gettext("Saved."), _way_back(account_id, before, changes, fresh))
    else:
        said(gettext("Nothing was changed."))
    return see_other(url_for("accounts.one", account_id=account_id))


def _typed(form: Form) -> dict[str, str]:
    """To stand in the form again. A proxy may hold a password, and is typed anew."""
    names = ("label", "note", "concurrency")
    return {name: form.first(name) or "" for name in names if form.first(name) is not None}


def _revision(form: Form) -> int | None:
    text = form.first("revision") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _read(form: Form, *, of_a_file: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """The values that were sent, and what is wrong with which."""
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, most in (("label", LONGEST_LABEL), ("note", LONGEST_NOTE)):
        text = form.first(name)
        if text is not None:
            found[name] = text.replace("\r\n", "\n").strip()
            if len(found[name]) > most:
                problems[name] = gettext("At most %(most)s characters.", most=most)
    turns = form.first("concurrency")
    if turns is not None:
        found["concurrency"] = _turns(turns.strip())
        if found["concurrency"] == 0:
            problems["concurrency"] = gettext("A number from 1 to %(most)s.", most=MOST_TURNS)
    _read_proxy(form, found, problems, of_a_file=of_a_file)
    return found, problems


def _turns(text: str) -> int | None:
    """None for as the settings say, 0 for what is no such number."""
    if not text:
        return None
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    return number if number <= MOST_TURNS else 0


def _read_proxy(
    form: Form, found: dict[str, Any], problems: dict[str, str], *, of_a_file: bool
) -> None:
    if not (form.first("proxy") or "").strip() and not form.first("proxy_removed"):
        return
    if of_a_file:
        problems["proxy"] = gettext("Its file says it; change it in the settings.")
    else:
        try:
            found["proxy"] = typed_proxy(form, "proxy")
        except RequestError as error:
            problems["proxy"] = error.message


# --- what is told of it


def _shown(value: Any) -> object:
    """For the audit: secrets masked, texts short."""
    if isinstance(value, Secret):
        return mask_userinfo(value.reveal())
    return clip(value) if isinstance(value, str) else value


def _note(account_id: str, before: AccountFacts, changes: dict[str, Any]) -> None:
    detail: dict[str, object] = {
        name: {"before": _shown(getattr(before, name)), "after": _shown(value)}
        for name, value in changes.items()
    }
    note_change("change account", account_id, detail)
    fields = {"changed": ", ".join(sorted(changes))}
    runtime().desk.events.note([account_id], "described", admin_actor(), fields)


def _way_back(
    account_id: str, before: AccountFacts, changes: dict[str, Any], revision: int
) -> tuple[str, dict[str, str]]:
    values = {name: getattr(before, name) for name in changes}
    if isinstance(values.get("proxy"), Secret):
        values["proxy"] = values["proxy"].reveal()
    url, fields = keep_undo(
        {"action": "edit", "id": account_id, "values": values, "revision": revision}
    )
    return url, {**fields, "next": url_for("accounts.one", account_id=account_id)}
