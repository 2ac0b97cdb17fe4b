"""What is done to accounts from the pages: to one, to those that are ticked, or to all that match.

A browser is sent back and told there; a script gets how many, which failed, and the job if it became one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, url_for

from chat2api.errors import MissingParameter, NotFound, RequestError
from chat2api.secret import Secret
from chat2api.service.account_actions import CHANGES, Change, Done
from chat2api.settings.checks import is_proxy
from chat2api.settings.mask import is_masked, mask_userinfo
from chat2api.web.admin_auth import admin_actor, note_change
from chat2api.web.desk.account_query import Asked, asked_in
from chat2api.web.desk.account_words import name_of
from chat2api.web.desk.frame import desk_blueprint, render_desk, said
from chat2api.web.forms import Form, read_admin_form
from chat2api.web.json import json_response
from chat2api.web.languages import gettext, ngettext
from chat2api.web.page_errors import wants_page
from chat2api.web.pages import own_path, see_other
from chat2api.web.state import runtime

blueprint = desk_blueprint("account_acts", __name__)

MOST_AT_ONCE = 10_000
MOST_WITHOUT_COUNTING = 10
UNDO_SECONDS = 600.0
UNDO = "account undo"
_FORM_BYTES = 1024 * 1024
_GRAVE = ("lift", "remove", "forget")
_MOST_NAMED = 12
_MOST_NOTED = 50
_BACK: dict[str, Change] = {"pause": "resume", "resume": "pause", "remove": "restore"}
ACTIONS = ("check", "renew", *CHANGES)


@dataclass(frozen=True, slots=True)
class _Wish:
    """`sure`: the question was answered."""

    action: str
    ids: Sequence[str]
    asked: Asked
    whole: bool
    sure: bool
    back: str


@blueprint.post("/admin/accounts/act")
def act() -> Response:
    form = read_admin_form(_FORM_BYTES)
    wish = _wish(form)
    if not wish.ids:
        return _nobody(wish)
    if wish.action in _GRAVE and wants_page() and not wish.sure:
        return _question(wish)
    if wish.action == "remove" and form.first("for_good"):
        wish = _Wish("forget", wish.ids, wish.asked, wish.whole, wish.sure, wish.back)
    problem = _miscounted(form, wish)
    if problem:
        return _question(wish, problem)
    done = _done(wish)
    _note(wish, done)
    return _answer(wish, done)


@blueprint.post("/admin/accounts/proxy")
def proxies() -> Response:
    """The same proxy for all of them, once it was typed in as `new_proxy`; `proxy_removed` for the global one.

    `proxy` is what the list was filtered by.
    """
    form = read_admin_form(_FORM_BYTES)
    wish = _chosen(form, "proxy")
    if not wish.ids:
        return _nobody(wish)
    if wants_page() and not wish.sure:
        return _question(wish)
    try:
        proxy = typed_proxy(form, "new_proxy")
    except RequestError as error:
        if not wants_page():
            raise
        return _question(wish, error.message)
    changed = runtime().desk.edits.set_proxy(wish.ids, proxy)
    count = len(changed)
    shown = None if proxy is None else mask_userinfo(proxy.reveal())
    detail: dict[str, object] = {"accounts": count, "proxy": shown, "ids": changed[:_MOST_NOTED]}
    note_change("change proxies", "", detail)
    fields = {"changed": "proxy"}
    runtime().desk.events.note(changed, "described", admin_actor(), fields)
    if not wants_page():
        return json_response({"done": count})
    said(
        ngettext(
            "Changed the proxy of %(num)d account.",
            "Changed the proxies of %(num)d accounts.",
            count,
        )
    )
    return see_other(wish.back)


def typed_proxy(form: Form, field: str) -> Secret | None:
    """None for the global one. Raises RequestError, in the words of a page, for what is no proxy."""
    text = (form.first(field) or "").strip()
    if form.first("proxy_removed"):
        return None
    if is_masked(text):
        problem = gettext("This is a masked proxy. Type it whole, or leave it empty.")
        raise RequestError(problem, param=field)
    try:
        return is_proxy(Secret(text))
    except ValueError:
        problem = gettext("An address such as socks5://user:password@host:1080.")
        raise RequestError(problem, param=field) from None


def _wish(form: Form) -> _Wish:
    """Raises RequestError for what nobody can mean."""
    action = form.first("action") or ""
    if action not in ACTIONS:
        raise RequestError("There is no such action.", param="action")
    return _chosen(form, action)


def _chosen(form: Form, action: str) -> _Wish:
    asked = asked_in(lambda name: () if name == "id" else form.all(name))
    whole = bool(form.first("all"))
    ids = form.all("id")
    if whole:
        ids = tuple(runtime().desk.search.ids(asked.wanted, MOST_AT_ONCE))
    elif not ids and not wants_page():
        raise MissingParameter("Name accounts as `id`, or send all=1.", param="id")
    unique = tuple(dict.fromkeys(ids))[:MOST_AT_ONCE]
    return _Wish(action, unique, asked, whole, bool(form.first("sure")), _back(form, asked))


def _back(form: Form, asked: Asked) -> str:
    return own_path(form.first("next")) or asked.address()


def _nobody(wish: _Wish) -> Response:
    if not wants_page():
        return json_response({"done": 0, "failed": [], "job": None})
    said(gettext("No account was selected."), role="bad")
    return see_other(wish.back)


# --- asking before


def _question(wish: _Wish, problem: str = "") -> Response:
    ids = runtime().desk.edits.which(wish.ids, "any")
    rows = runtime().book.rows_of(ids[:_MOST_NAMED])
    return render_desk(
        "desk/account_sure.html",
        nav="accounts",
        status=400 if problem else 200,
        action="remove" if wish.action == "forget" else wish.action,
        for_good=wish.action == "forget",
        ids=[] if wish.whole else ids,
        fields=wish.asked.filter_fields() if wish.whole else {},
        whole=wish.whole,
        number=len(ids),
        names=[name_of(row) for row in rows],
        more=max(0, len(ids) - _MOST_NAMED),
        counts=_must_count(wish, len(ids)),
        problem=problem,
        back=wish.back,
    )


def _must_count(wish: _Wish, number: int) -> bool:
    return wish.action in ("remove", "forget") and number > MOST_WITHOUT_COUNTING


def _miscounted(form: Form, wish: _Wish) -> str:
    """Removing many asks for their number, also of scripts; also where that changed meanwhile."""
    number = len(runtime().desk.edits.which(wish.ids, "any")) if wish.action in _GRAVE else 0
    if not _must_count(wish, number) or (form.first("count") or "").strip() == str(number):
        return ""
    if not wants_page():
        raise RequestError(f"Send count={number} to remove that many.", param="count")
    return gettext("That is not the number. Nothing was removed.")


# --- doing


def _done(wish: _Wish) -> Done:
    actions, actor = runtime().desk.actions, admin_actor()
    match wish.action:
        case "check":
            return actions.check(wish.ids, actor)
        case "renew":
            return actions.renew(wish.ids, actor)
        case _:
            (change,) = [one for one in CHANGES if one == wish.action]
            return actions.change(change, wish.ids, actor)


def _note(wish: _Wish, done: Done) -> None:
    noted = wish.ids if done.job_id else (*done.done, *(one.account_id for one in done.failed))
    target = noted[0] if len(noted) == 1 else ""
    detail: dict[str, object] = {"accounts": len(noted)}
    if done.failed:
        detail["failed"] = len(done.failed)
    if done.job_id:
        detail["job"] = done.job_id
    if len(noted) > 1:
        detail["ids"] = list(noted[:_MOST_NOTED])
    note_change(f"{wish.action} accounts", target, detail)


def _answer(wish: _Wish, done: Done) -> Response:
    if not wants_page():
        return json_response(
            {
                "done": len(done.done),
                "failed": [{"id": one.account_id, "reason": one.reason} for one in done.failed],
                "job": done.job_id or None,
            }
        )
    if done.job_id:
        return see_other(url_for("jobs.one", job_id=done.job_id))
    _say(wish, done)
    return see_other(wish.back)


def _say(wish: _Wish, done: Done) -> None:
    text = sentence(wish.action, len(done.done))
    if not done.failed:
        said(text, _way_back(wish, done))
        return
    bad = ngettext("%(num)d failed", "%(num)d failed", len(done.failed))
    one = len(wish.ids) == 1
    if done.done:
        text = gettext("%(done)s %(failed)s.", done=text, failed=bad)
    else:
        text = gettext("%(failed)s: %(why)s", failed=bad, why=done.failed[0].reason)
    href = "" if one else url_for("accounts.page", id=[each.account_id for each in done.failed])
    link = ngettext("show it", "show the %(num)d", len(done.failed))
    said(text, role="bad", href=href, link=link if href else "")


def sentence(action: str, number: int) -> str:
    words: dict[str, Callable[[], str]] = {
        "check": lambda: ngettext("Checked %(num)d account.", "Checked %(num)d accounts.", number),
        "renew": lambda: ngettext("Renewed %(num)d account.", "Renewed %(num)d accounts.", number),
        "pause": lambda: ngettext("Paused %(num)d account.", "Paused %(num)d accounts.", number),
        "resume": lambda: ngettext("Resumed %(num)d account.", "Resumed %(num)d accounts.", number),
        "lift": lambda: ngettext(
            "Lifted what kept %(num)d account.", "Lifted what kept %(num)d accounts.", number
        ),
        "remove": lambda: ngettext("Removed %(num)d account.", "Removed %(num)d accounts.", number),
        "restore": lambda: ngettext(
            "Restored %(num)d account.", "Restored %(num)d accounts.", number
        ),
        "forget": lambda: ngettext(
            "Removed %(num)d account for good.", "Removed %(num)d accounts for good.", number
        ),
    }
    return words[action]()


# --- back again


def _way_back(wish: _Wish, done: Done) -> tuple[str, dict[str, str]] | None:
    back = _BACK.get(wish.action)
    if back is None or not done.done:
        return None
    url, fields = keep_undo({"action": back, "ids": list(done.done)})
    return url, {**fields, "next": wish.back}


def keep_undo(content: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Where Undo leads to. What is to come back rests sealed: it may be long, or a proxy's password."""
    ticket = runtime().desk.parcels.keep(
        UNDO, json.dumps(content), owner=admin_actor(), seconds=UNDO_SECONDS
    )
    return url_for("account_acts.undo"), {"ticket": ticket.reveal()}


@blueprint.post("/admin/accounts/undo")
def undo() -> Response:
    form = read_admin_form()
    ticket = Secret(form.first("ticket") or "")
    found = runtime().desk.parcels.take(ticket, UNDO, admin_actor())
    if found is None:
        raise NotFound("It is too late to undo this, or it was undone already.")
    content = json.loads(found[1])
    if content["action"] == "edit":
        count = _edit_back(content)
    else:
        wish = _Wish(content["action"], content["ids"], Asked(), False, True, "")
        done = _done(wish)
        _note(wish, done)
        count = len(done.done)
    if not wants_page():
        return json_response({"undone": count})
    said(gettext("Undone."))
    return see_other(own_path(form.first("next")) or url_for("accounts.page"))


def _edit_back(content: dict[str, Any]) -> int:
    """Raises Conflict where somebody changed it since."""
    values, account_id = dict(content["values"]), str(content["id"])
    if "proxy" in values:
        values["proxy"] = None if values["proxy"] is None else Secret(values["proxy"])
    runtime().desk.edits.edit(account_id, values, content["revision"])
    runtime().desk.events.note([account_id], "described", admin_actor(), {"undone": True})
    note_change("undo change of account", account_id, {"fields": sorted(values)})
    return 1
