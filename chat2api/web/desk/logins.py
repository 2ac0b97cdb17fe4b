"""Log in with ChatGPT: begin, wait, paste back, cancel; and the accounts that want a login, one after another."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from chat2api.errors import RequestError, UpstreamBadResponse
from chat2api.pool.values import AccountRow
from chat2api.secret import Secret
from chat2api.service.logins import Logins
from chat2api.settings.checks import is_proxy
from chat2api.settings.mask import is_masked, mask_userinfo
from chat2api.store.logins import Login
from chat2api.web.admin_auth import admin_actor, note_change
from chat2api.web.desk.frame import desk_blueprint, render_desk, said
from chat2api.web.desk.login_words import (
    done_text,
    ended_text,
    ends_text,
    name_of,
    plain,
    title_of,
    trouble_text,
    wants_text,
)
from chat2api.web.forms import Form, read_admin_form
from chat2api.web.json import json_response
from chat2api.web.languages import gettext
from chat2api.web.page_errors import wants_page
from chat2api.web.pages import see_other
from chat2api.web.qr import qr_drawing
from chat2api.web.state import runtime

blueprint = desk_blueprint("logins", __name__)

_ROWS = 50
_CALLBACK_PROBLEMS = ("login_link_unreadable", "login_link_foreign")
_LONGEST_PROXY = 500
_LONGEST_TEXT = 2_000


# --- beginning


@blueprint.post("/admin/logins")
def start() -> Response:
    """`kind`: device (else a browser's link), `account_id`: whose it has to be, `proxy`: the way out."""
    form = read_admin_form()
    kind = "browser" if form.first("kind") == "browser" else "device"
    account_id = (form.first("account_id") or "")[:80]
    proxy = _proxy(form)
    logins = _logins()
    begin = logins.start_browser if kind == "browser" else logins.start_device
    try:
        login = begin(admin_actor(), account_id, proxy)
    except UpstreamBadResponse as error:
        if not wants_page():
            raise
        return _not_begun(error, account_id, is_again=_is_again(form))
    detail: dict[str, object] = {"kind": login.kind, "account": account_id}
    if proxy is not None:
        detail["proxy"] = mask_userinfo(proxy.reveal())
    note_change("begin login", login.login_id, detail)
    if not wants_page():
        return json_response(_document(login), 201)
    return see_other(_url(login, is_again=_is_again(form)))


def _proxy(form: Form) -> Secret | None:
    text = (form.first("proxy") or "").strip()
    if not text:
        return None
    try:
        if is_masked(text):
            raise ValueError("this one is masked; type it whole")
        return is_proxy(Secret(text[:_LONGEST_PROXY]))
    except ValueError as problem:
        raise RequestError(f"proxy: {problem}", param="proxy") from None


def _not_begun(error: UpstreamBadResponse, account_id: str, *, is_again: bool) -> Response:
    return render_desk(
        "desk/login_failed.html",
        nav="add",
        status=error.status,
        detail=plain(error.message.partition(": ")[2] or error.message, 300),
        account_id=account_id,
        again=is_again,
    )


# --- waiting


@blueprint.get("/admin/logins/<login_id>")
def one(login_id: str) -> Response:
    login = _logins().look(login_id)
    return _page(login) if wants_page() else json_response(_document(login))


@blueprint.get("/admin/logins/<login_id>/state")
def state(login_id: str) -> Response:
    """For the page's script."""
    return json_response(_document(_logins().look(login_id)))


@blueprint.post("/admin/logins/<login_id>/callback")
def callback(login_id: str) -> Response:
    """`callback`: the address of the last page, or the code out of it."""
    form = read_admin_form()
    try:
        login = _logins().submit_callback(login_id, form.first("callback") or "")
    except RequestError as error:
        if not wants_page() or error.code not in _CALLBACK_PROBLEMS:
            raise
        return _page(_logins().look(login_id), _callback_problem(error.code), 400)
    note_change("finish login", login_id, {"state": login.state})
    if not wants_page():
        return json_response(_document(login))
    return see_other(_url(login, is_again=_is_again(form)))


@blueprint.post("/admin/logins/<login_id>/cancel")
def cancel(login_id: str) -> Response:
    form = read_admin_form()
    login = _logins().get(login_id)
    cancelled = _logins().cancel(login_id)
    if cancelled:
        note_change("cancel login", login_id, {"account": login.account_id})
    if not wants_page():
        return json_response({"cancelled": cancelled})
    if not cancelled:
        return see_other(_url(login, is_again=_is_again(form)))
    said(gettext("The login was cancelled. Nothing was changed."))
    return see_other(url_for("logins.again") if _is_again(form) else _add_url())


def _callback_problem(code: str | None) -> str:
    if code == "login_link_foreign":
        return gettext("That address belongs to another login. Begin at the link above.")
    return gettext(
        "That is not it. Copy the whole address of the page that did not load; it has “code=” in it."
    )


def _page(login: Login, problem: str = "", status: int = 200) -> Response:
    is_again = request.args.get("again") == "1"
    return render_desk(
        "desk/login.html",
        nav="add",
        status=status,
        login=login,
        title=title_of(login),
        account=_account_name(login.account_id),
        seconds_left=_seconds_left(login, _logins().now()),
        spelled=_spelled(login.user_code),
        qr=qr_drawing(login.address) if login.kind == "device" and login.is_open else None,
        problem=problem,
        trouble=trouble_text(login),
        detail=plain(login.trouble or login.result.detail, 300),
        done=done_text(login.result) if login.state == "done" else "",
        ended=ended_text(login),
        account_url=_account_url(login.result.account_id or login.account_id),
        again=is_again,
        following=_following(login) if is_again else None,
        add_url=_add_url(),
    )


def _spelled(code: str) -> str:
    """For ears: letter by letter."""
    return ", ".join(gettext("dash") if one == "-" else one for one in code)


def _seconds_left(login: Login, now: float) -> int:
    return max(0, round(login.expires_at - now))


# --- the accounts that want a login


@blueprint.get("/admin/logins/again")
def again() -> Response:
    """Exactly those whose login is over, or whose renewal is broken, the most urgent first."""
    wanted = _logins().wanted
    after = _after()
    found = wanted.page(after=after, most=_ROWS + 1)
    shown = found[:_ROWS]
    if not wants_page():
        ids = [each.account.account_id for each in shown]
        return json_response({"accounts": ids, "count": wanted.count()})
    next_url = ""
    if len(found) > _ROWS:
        ends, account_id = shown[-1].key
        next_url = url_for("logins.again", ends=repr(ends), after=account_id)
    return render_desk(
        "desk/logins_again.html",
        nav="accounts",
        rows=[_row(each.account) for each in shown],
        count=wanted.count(),
        first_url=url_for("logins.again") if after is not None else "",
        next_url=next_url,
    )


@blueprint.get("/admin/logins")
def index() -> Response:
    return see_other(url_for("logins.again"))


def _row(account: AccountRow) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "name": name_of(account),
        "needs": account.state == "needs_login",
        "ends": ends_text(account, _logins().now()),
        "why": wants_text(account),
        "url": _account_url(account.account_id),
    }


def _after() -> tuple[float, str] | None:
    account_id, ends = request.args.get("after", ""), request.args.get("ends", "")
    if not account_id:
        return None
    try:
        return float(ends), account_id[:80]
    except ValueError:
        raise RequestError("That is no place in the list.", param="ends") from None


def _following(login: Login) -> dict[str, Any] | None:
    """Whose turn it is after one that is done, and how many are left."""
    if login.state != "done":
        return None
    wanted = _logins().wanted
    found = wanted.page(most=1)
    if not found:
        return None
    account = found[0].account
    return {
        "account_id": account.account_id,
        "name": name_of(account),
        "left": wanted.count(),
    }


# --- shared


def _logins() -> Logins:
    return runtime().desk.logins


def _is_again(form: Form) -> bool:
    return form.first("again") == "1"


def _url(login: Login, *, is_again: bool) -> str:
    return url_for("logins.one", login_id=login.login_id, again="1" if is_again else None)


def _add_url() -> str:
    return url_for("add.page")


def _account_name(account_id: str) -> str:
    if not account_id:
        return ""
    row = runtime().book.find(account_id)
    return account_id if row is None else name_of(row)


def _account_url(account_id: str) -> str:
    return url_for("accounts.one", account_id=account_id) if account_id else ""


def _document(login: Login) -> dict[str, Any]:
    """As scripts get it. The code is for whoever asked for it, and worth nothing without them."""
    now = _logins().now()
    result = login.result
    return {
        "id": login.login_id,
        "kind": login.kind,
        "state": login.state,
        "account_id": login.account_id or None,
        "user_code": login.user_code or None,
        "address": login.address[:_LONGEST_TEXT] if login.is_open else None,
        "seconds_left": _seconds_left(login, now) if login.is_open else 0,
        "interval": login.interval_seconds,
        "rests": login.rests(now),
        "trouble": bool(login.trouble),
        "result": {
            "verdict": result.verdict or None,
            "account_id": result.account_id or None,
            "label": result.label or None,
            "why": result.why or None,
            "detail": result.detail or None,
        },
    }
