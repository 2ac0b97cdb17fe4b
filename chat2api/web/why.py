"""Why a request of one's own went as it did: for whoever holds the key that sent it, and the operator.

Strangers get the sign-in form whatever the id, since ids may be made up; and of somebody else's request
nobody learns more than of one that never was.
"""

from __future__ import annotations

import hmac
import math
import time
from dataclasses import dataclass

from flask import Blueprint, Response, request, url_for

from chat2api.errors import CsrfFailed, NotFound, TooManyLoginAttempts, Unauthorized
from chat2api.secret import Secret
from chat2api.service.access import PoolKey, bearer_of
from chat2api.service.explaining import Verdict, explain
from chat2api.store.request_records import RequestFilter, RequestRecord
from chat2api.store.sessions import Session
from chat2api.web.admin_auth import CSRF_FIELD, check_origin, current_session
from chat2api.web.auth import as_text, caller_address, principal
from chat2api.web.cookies import send_cookie, ticket_in, ticket_name
from chat2api.web.forms import read_form
from chat2api.web.json import json_response
from chat2api.web.languages import gettext
from chat2api.web.page_errors import show_failures_as_pages, wants_page
from chat2api.web.pages import render_page, see_other
from chat2api.web.state import runtime
from chat2api.web.times import iso
from chat2api.web.verdicts import owner_sentence, owner_side_text, owner_step_text, pill_of

blueprint = Blueprint("why", __name__)
show_failures_as_pages(blueprint)

_UNKNOWN = "There is no such request of this key, or it is too long ago."
_WRONG = "Wrong, or missing: send a key of this server as `Authorization: Bearer KEY`."
_LONGEST_KEY = 4096
_COOKIE = "why"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whoever holds a key; `session` is None for a script that sends it along."""

    key_id: str
    session: Session | None = None


@blueprint.get("/why/<request_id>")
def page(request_id: str) -> Response:
    if bearer_of(as_text(request.headers.get("Authorization"))):
        return _as_json(request_id, _by_bearer())
    if current_session() is not None:
        return see_other(url_for("requests.one", request_id=request_id))
    owner = _by_session()
    if owner is None:
        if not wants_page():
            raise Unauthorized(_WRONG)
        return _form(request_id, 401)
    record = _find(request_id, owner)
    if not wants_page():
        return _as_json(request_id, owner)
    return _shown(request_id, record, owner)


@blueprint.post("/why/<request_id>")
def submit(request_id: str) -> Response:
    """Sign in with a key, then back to the same question."""
    form = read_form()
    try:
        _sign_in(Secret(form.first("key") or ""))
    except Unauthorized as error:
        if not wants_page():
            raise
        problem = gettext("That key is not known here. Ask the person who gave it to you.")
        return _form(request_id, error.status, problem)
    except TooManyLoginAttempts as error:
        if not wants_page():
            raise
        wait = max(1, math.ceil(error.retry_after or 0))
        response = _form(request_id, error.status, wait_seconds=wait)
        response.headers["Retry-After"] = str(wait)
        return response
    return see_other(url_for("why.page", request_id=request_id))


@blueprint.post("/why/<request_id>/sign-out")
def leave(request_id: str) -> Response:
    form = read_form()
    check_origin()
    owner, ticket = _by_session(), ticket_in(_COOKIE)
    if owner is not None and owner.session is not None and ticket is not None:
        sent = (form.first(CSRF_FIELD) or "").encode("utf-8", "replace")
        if not hmac.compare_digest(sent, owner.session.csrf.encode()):
            raise CsrfFailed("This was not asked for by a page of this server.")
        runtime().desk.owners.sessions.end(ticket)
    send_cookie(ticket_name(_COOKIE), None)
    return see_other(url_for("why.page", request_id=request_id))


# --- what is told


def _find(request_id: str, owner: Owner) -> RequestRecord | None:
    """Only among the owner's: ids may be used twice, and the newest may be somebody else's."""
    filter = RequestFilter(request_id=request_id, key_id=owner.key_id)
    return next(iter(runtime().desk.records.page(filter, most=1)), None)


def _shown(request_id: str, record: RequestRecord | None, owner: Owner) -> Response:
    assert owner.session is not None
    verdict = None if record is None else explain(record)
    return render_page(
        "why.html",
        404 if record is None else 200,
        request_id=request_id[:80],
        record=record,
        verdict=None if verdict is None else _told(verdict),
        now=time.time(),
        key_csrf=owner.session.csrf,
        leave_url=url_for("why.leave", request_id=request_id),
        kept_days=runtime().settings.requests_kept_days,
    )


@dataclass(frozen=True, slots=True)
class _Told:
    sentence: str
    side: str
    step: str
    retry_at: float | None
    glyph: str
    role: str


def _told(verdict: Verdict) -> _Told:
    role, glyph = pill_of(verdict)
    return _Told(
        owner_sentence(verdict),
        owner_side_text(verdict),
        owner_step_text(verdict),
        verdict.retry_at,
        glyph,
        role,
    )


def _as_json(request_id: str, owner: Owner) -> Response:
    record = _find(request_id, owner)
    if record is None:
        raise NotFound(_UNKNOWN)
    verdict = explain(record)
    told = _told(verdict)
    return json_response(
        {
            "request_id": record.request_id,
            "at": iso(record.at),
            "model": record.model,
            "status": record.status,
            "code": record.code or None,
            "verdict": told.sentence,
            # An account is not the caller's business; that it was not the caller's doing is.
            "side": "server" if verdict.side == "account" else verdict.side,
            "next": told.step,
            "retry_at": None if told.retry_at is None else iso(told.retry_at),
        }
    )


def _form(request_id: str, status: int, problem: str = "", wait_seconds: int = 0) -> Response:
    return render_page(
        "why_sign_in.html",
        status,
        problem=problem,
        wait_seconds=wait_seconds,
        action=url_for("why.submit", request_id=request_id),
        operator_url=url_for("sign_in.form", next=url_for("requests.one", request_id=request_id)),
    )


# --- who asks


def _by_bearer() -> Owner:
    """Wrong keys are counted as everywhere in the API. Raises Unauthorized."""
    caller = principal()
    if not isinstance(caller, PoolKey):
        raise Unauthorized(_WRONG)
    return Owner(caller.key_id)


def _by_session() -> Owner | None:
    ticket = ticket_in(_COOKIE)
    if ticket is None:
        return None
    session = runtime().desk.owners.sessions.find(ticket)
    if session is None:
        return None
    key = runtime().access.by_digest(session.secret_hash)
    if key is None or key.key_id != session.subject:
        return None
    return Owner(key.key_id, session)


def _sign_in(key: Secret) -> None:
    """Raises Unauthorized, CsrfFailed, TooManyLoginAttempts, StorageUnavailable."""
    check_origin()
    owners, address = runtime().desk.owners, caller_address()
    text = key.reveal()
    digest = runtime().access.digest_of(key) if text and len(text) <= _LONGEST_KEY else None
    found = None if digest is None else runtime().access.by_digest(digest)
    if digest is None or found is None:
        if text:
            owners.attempts.failed(address)
        raise Unauthorized(_WRONG)
    owners.attempts.check(address)
    owners.attempts.succeeded(address, forgiving=False)
    _, ticket = owners.sessions.begin(
        digest, address, subject=found.key_id, replacing=ticket_in(_COOKIE)
    )
    send_cookie(ticket_name(_COOKIE), ticket.reveal())
