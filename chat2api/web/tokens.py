"""The token page and its routes: count, add, preview, failed ones, clear (fault matrix G11).

Browsers get pages, scripts the JSON that they know from other servers. Tokens go in and stay in: answers
hold masked ones, but for the export that asks for the password again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, g, request, url_for

from chat2api.errors import (
    Forbidden,
    MethodNotAllowed,
    MissingParameter,
    RequestError,
    Unauthorized,
)
from chat2api.pool.values import Added, NewAccount
from chat2api.secret import Secret
from chat2api.store.account_book import ExportedAccount
from chat2api.web.admin_auth import Admin, confirm, note_change, require_admin
from chat2api.web.cookies import send_cookie
from chat2api.web.desk.settings_words import trouble_words
from chat2api.web.errors import error_response
from chat2api.web.forms import Form, read_admin_form
from chat2api.web.json import json_response
from chat2api.web.languages import gettext, plural_forms
from chat2api.web.page_errors import show_failures_as_pages, wants_page
from chat2api.web.pages import render_page, see_other
from chat2api.web.pasted import Pasted, decoded_file, read_pasted
from chat2api.web.state import runtime, state
from chat2api.web.token_results import (
    Result,
    from_cookie,
    result_of,
    sentence,
    to_cookie,
    unreadable_part,
)

blueprint = Blueprint("tokens", __name__)
show_failures_as_pages(blueprint)

UPLOAD_BYTES = 8 * 1024 * 1024
MOST_FAILED_SHOWN = 200
_AT_ONCE = 500
_COOKIE = "token-result"
_COOKIE_SECONDS = 60
_SOURCE = "tokens page"


# --- looking


@blueprint.get("/tokens")
def page() -> Response:
    require_admin()
    result = from_cookie(request.cookies.get(_COOKIE, ""))
    if result is not None:
        _send_result(None)
    return _page(result=result)


@blueprint.get("/tokens/clear")
def ask_to_clear() -> Response:
    """What the dialog asks, for browsers without script."""
    require_admin()
    return render_page("clear.html", total=runtime().book.counts().total, problem="")


@blueprint.post("/tokens/error")
def failed() -> Response:
    """The failed tokens, masked; whole ones with `?full=1` and the password sent anew."""
    form = read_admin_form()
    if request.args.get("full") == "1":
        return _exported(form)
    if wants_page():
        return see_other(url_for("tokens.page") + "#failed")
    rows = runtime().book.everything("failed")
    return json_response({"status": "success", "error_tokens": [row.masked_token for row in rows]})


# --- adding


@blueprint.post("/tokens/upload")
def upload() -> Response:
    return _taken(read_admin_form(UPLOAD_BYTES), "text")


@blueprint.post("/tokens/add")
def add() -> Response:
    return _taken(read_admin_form(plain_field="token"), "token")


@blueprint.route(
    "/tokens/add/<path:token>", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
)
def never_in_an_address(token: str) -> Response:
    """Addresses end in logs and histories, and an image tag can call them up. No page: it would say where
    it stands."""
    refusal = MethodNotAllowed("Never put a token into an address: send it to POST /tokens/add.")
    response = error_response(refusal.info)
    response.headers["Allow"] = ""
    return response


@blueprint.post("/tokens/preview")
def preview() -> Response:
    """What adding would do, without doing it."""
    form = read_admin_form(UPLOAD_BYTES)
    if not _holds(form, "text"):
        return _missing("text")
    pasted = read_pasted(_sources(form, "text"))
    added = runtime().intake.preview(pasted.accounts, _SOURCE)
    result = result_of(added, 0, pasted.unreadable)
    said = (
        sentence(result) if pasted.accounts or pasted.unreadable else gettext("Nothing was pasted.")
    )
    if wants_page():
        return render_page("preview.html", said=said)
    return json_response(
        {
            "status": "success",
            "tokens_count": runtime().book.counts().usable,
            "access_tokens": pasted.access_tokens,
            "refresh_tokens": pasted.refresh_tokens,
            "added": result.added,
            "updated": result.renewed,
            "unchanged": result.known,
            "unreadable_lines": _lines(result),
            "said": said,
        }
    )


def _taken(form: Form, field: str) -> Response:
    if not _holds(form, field):
        return _missing(field)
    pasted = read_pasted(_sources(form, field))
    if not pasted.accounts and (pasted.unreadable or wants_page()):
        return _refused(pasted)
    added: list[Added] = []
    retried = 0
    for some in _pieces(pasted.accounts):
        done = runtime().intake.add(some, _SOURCE)
        same = [one.account_id for one in done if one.verdict == "unchanged"]
        retried += runtime().book.try_again(same)
        added += done
    result = result_of(added, retried, pasted.unreadable)
    note_change("add tokens", detail=result.numbers)
    return _done(result)


def _refused(pasted: Pasted) -> Response:
    """Nothing at all could be read. The text is not shown again: it may hold half a token."""
    places = [str(place) for place in pasted.unreadable[:20]]
    if wants_page():
        problem = gettext("Nothing was pasted.")
        if places:
            part = unreadable_part(len(pasted.unreadable), places)
            problem = gettext("Nothing was stored: %(part)s.", part=part)
        return _page(problem=problem, status=400)
    raise RequestError(
        f"No token was found, nothing was stored. Unreadable lines: {', '.join(places)}.",
        param="text",
    )


def _holds(form: Form, field: str) -> bool:
    return form.first(field) is not None or bool(form.files)


def _sources(form: Form, field: str) -> list[tuple[str, str]]:
    texts = [("", text) for text in form.all(field)]
    files = [one for one in form.files if one.name or one.content]
    return texts + [(file.name, decoded_file(file.content)) for file in files]


def _pieces(accounts: Sequence[NewAccount]) -> list[Sequence[NewAccount]]:
    return [accounts[start : start + _AT_ONCE] for start in range(0, len(accounts), _AT_ONCE)]


def _missing(field: str) -> Response:
    """422 as clients of FastAPI servers know it, beside our own error."""
    info = MissingParameter(f"The field {field!r} is missing.", param=field, status=422).info
    if wants_page():
        return _page(problem=gettext("Nothing was pasted."), status=422)
    known = {"type": "missing", "loc": ["body", field], "msg": "Field required", "input": None}
    return json_response({**state().dialect.render_error(info), "detail": [known]}, 422)


# --- taking away


@blueprint.post("/tokens/clear")
def clear() -> Response:
    """People type the count, since this cannot be undone here; a bearer may leave it out."""
    form = read_admin_form()
    total = runtime().book.counts().total
    typed = form.first("count")
    if typed is None and _by_bearer():
        typed = str(total)
    if (typed or "").strip().replace(",", "") != str(total):
        return _not_cleared(total)
    count = runtime().book.remove_all()
    note_change("clear tokens", detail={"count": count})
    return _done(Result("cleared", count=count))


def _not_cleared(total: int) -> Response:
    if wants_page():
        problem = gettext("That is not the count. Nothing was cleared.")
        return render_page("clear.html", 400, total=total, problem=problem)
    raise RequestError("The field 'count' must be the number of tokens there are.", param="count")


@blueprint.post("/tokens/remove")
def remove() -> Response:
    ids = _ids(read_admin_form())
    count = runtime().book.remove(ids)
    note_change("remove tokens", ids[0], {"count": count})
    return _done(Result("removed", count=count, account_id=ids[0] if len(ids) == 1 else ""))


@blueprint.post("/tokens/restore")
def restore() -> Response:
    ids = _ids(read_admin_form())
    count = runtime().book.restore(ids)
    note_change("restore tokens", ids[0], {"count": count})
    return _done(Result("restored", count=count))


def _ids(form: Form) -> tuple[str, ...]:
    ids = form.all("account_id")
    if not ids:
        raise MissingParameter("The field 'account_id' is missing.", param="account_id")
    return ids


# --- the export


def _exported(form: Form) -> Response:
    if not _by_bearer():  # a bearer was just sent anew
        try:
            confirm(Secret(form.first("password") or ""))
        except Unauthorized:
            return _not_exported()
    book = runtime().book
    ids = [row.account_id for row in book.everything("failed")]
    tokens: list[str] = []
    for start in range(0, len(ids), _AT_ONCE):
        tokens += [_line(one) for one in book.export(ids[start : start + _AT_ONCE])]
    note_change("export failed tokens", detail={"count": len(tokens)})
    if not wants_page():
        return json_response({"status": "success", "error_tokens": tokens})
    response = Response("".join(f"{line}\n" for line in tokens), content_type="text/plain")
    response.headers["Content-Disposition"] = 'attachment; filename="failed-tokens.txt"'
    return response


def _not_exported() -> Response:
    """Not 401: who asks is signed in, and the page has to stay."""
    if wants_page():
        problem = gettext("That password is wrong. Nothing was exported.")
        return _page(problem=problem, status=403)
    raise Forbidden(
        "Send the admin password again, as the field 'password'.", code="password_required"
    )


def _line(one: ExportedAccount) -> str:
    token = one.refresh_token or one.access_token or Secret("")
    return f"{token.reveal()},{one.workspace_id}" if one.workspace_id else token.reveal()


# --- answers


def _by_bearer() -> bool:
    admin: Admin = g.chat2api_admin
    return admin.session is None


def _done(result: Result) -> Response:
    if wants_page():
        _send_result(result)
        return see_other(url_for("tokens.page"))
    answer: dict[str, Any] = {
        "status": "success",
        "tokens_count": runtime().book.counts().usable,
    }
    if result.unreadable:
        answer["unreadable_lines"] = _lines(result)
    return json_response(answer)


def _lines(result: Result) -> list[int | str]:
    """Numbers; behind the name of a file where they are of one."""
    return [int(place) if place.isdigit() else place for place in result.places]


def _page(*, result: Result | None = None, problem: str = "", status: int = 200) -> Response:
    held = runtime()
    trouble = held.config.trouble
    rows = held.book.page(which="failed", most=MOST_FAILED_SHOWN)
    return render_page(
        "tokens.html",
        status,
        counts=held.book.counts(),
        failed=rows,
        said="" if result is None else sentence(result),
        undo="" if result is None or result.kind != "removed" else result.account_id,
        problem=problem,
        degraded=held.degraded(),
        weak=held.administration.access.weak,
        config_problem="" if trouble is None else trouble_words(trouble.message),
        words=typing_words(),
        most_bytes=UPLOAD_BYTES,
    )


def typing_words() -> dict[str, Any]:
    """What the script says while somebody types."""
    return {
        "lines": plural_forms("%(num)d line", "%(num)d lines"),
        "access": plural_forms("%(num)d access token", "%(num)d access tokens"),
        "refresh": plural_forms("%(num)d refresh token", "%(num)d refresh tokens"),
        "unreadable": plural_forms("%(num)d unreadable", "%(num)d unreadable"),
        "add": plural_forms("Add %(num)d", "Add %(num)d"),
        "whole": gettext("%(lines)s: %(parts)s"),
        "comma": gettext(", "),
        "not_text": gettext("That file is no plain text."),
        "too_large": gettext("That file is too large."),
        "failed": gettext("No answer. Try again."),
    }


def _send_result(result: Result | None) -> None:
    """What the next page says: numbers only. None takes it back."""
    value = None if result is None else to_cookie(result)
    send_cookie(_COOKIE, value, path=url_for("tokens.page"), seconds=_COOKIE_SECONDS)
