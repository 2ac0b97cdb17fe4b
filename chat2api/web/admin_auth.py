"""Who may administer: a bearer for scripts, a session for browsers, and that a page of ours asked.

`require_admin` at the beginning of every view of administration; `sign_in` and `sign_out` for the form.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import g, request

from chat2api.errors import CsrfFailed, Unauthorized
from chat2api.secret import Secret
from chat2api.service.access import bearer_of
from chat2api.service.admin_access import Administration
from chat2api.store.sessions import Session
from chat2api.web.auth import as_text, caller_address, caller_origin
from chat2api.web.cookies import send_cookie, ticket_in, ticket_name
from chat2api.web.state import runtime, state

CSRF_FIELD = "csrf"
_COOKIE = "admin"
CSRF_HEADER = "X-CSRF-Token"

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_FORM_BYTES = 1024 * 1024
_WRONG = (
    "Wrong, or missing: send the admin password as `Authorization: Bearer PASSWORD`, or sign in."
)
_NOT_OURS = "This change was not asked for by a page of this server. Reload the page and try again."


@dataclass(frozen=True, slots=True)
class Admin:
    """Who administers; `session` is None for a bearer."""

    actor: str
    session: Session | None = None


def require_admin(csrf: str | None = None) -> Admin:
    """`csrf` is the token out of a form that was read already; else it is looked for.

    Raises Unauthorized, AdminClosed, CsrfFailed, TooManyLoginAttempts, StorageUnavailable.
    """
    # Other schemes are not ours: a proxy before us may ask for a password of its own.
    bearer = bearer_of(as_text(request.headers.get("Authorization")))
    admin = _by_bearer(Secret(bearer)) if bearer else _by_session(csrf)
    g.chat2api_admin = admin
    return admin


def admin_actor() -> str:
    """For the audit: "bearer" or "session ID", once `require_admin` or `sign_in` has let somebody in."""
    admin: Admin = g.chat2api_admin
    return admin.actor


def note_change(action: str, target: str = "", detail: dict[str, object] | None = None) -> None:
    """An audit entry in the name of whoever administers. Give masked details only."""
    _administration().audit.note(admin_actor(), caller_address(), action, target, detail)
    runtime().desk.summary.forget()


def current_session() -> Session | None:
    """Who is signed in with a cookie, for pages that differ; nothing is required."""
    ticket = _ticket()
    if ticket is None:
        return None
    held = _administration()
    session = held.sessions.find(ticket)
    if session is None or not held.access.still_opens(session.secret_hash):
        return None
    return session


def standing_admission() -> Callable[[], bool]:
    """Whether whoever asks now may still look: for a stream that goes on long after its request.

    To be called behind `require_admin`. What it gives raises StorageUnavailable.
    """
    held, ticket = _administration(), _ticket()
    bearer = Secret(bearer_of(as_text(request.headers.get("Authorization"))) or "")
    if bearer:
        return lambda: held.access.hash_of(bearer) is not None

    def lasts() -> bool:
        session = None if ticket is None else held.sessions.find(ticket, stay_awake=False)
        return session is not None and held.access.still_opens(session.secret_hash)

    return lasts


def sign_in(secret: Secret) -> Session:
    """Begin a session and send its cookie along. A ticket of before ends.

    Raises Unauthorized, AdminClosed, CsrfFailed, TooManyLoginAttempts, StorageUnavailable.
    """
    check_origin()
    held, address = _administration(), caller_address()
    digest = _judged(secret)
    held.attempts.succeeded(address)
    session, ticket = held.sessions.begin(digest, address, replacing=_ticket())
    _send_cookie(ticket.reveal())
    g.chat2api_admin = Admin(f"session {session.session_id}", session)
    held.audit.note(admin_actor(), address, "sign in")
    return session


def confirm(secret: Secret) -> None:
    """Ask a person who is signed in for the secret again, before something grave.

    Raises Unauthorized, AdminClosed, TooManyLoginAttempts, StorageUnavailable.
    """
    _judged(secret, "password refused", admin_actor())


def sign_out() -> None:
    """End the session and take the cookie back. To be called behind `require_admin`."""
    ticket = _ticket()
    if ticket is not None:
        _administration().sessions.end(ticket)
        note_change("sign out")
    _send_cookie(None)


def sign_out_others() -> int:
    """End every session but this one; all of them for a bearer. How many ended."""
    ticket, held = _ticket(), _administration()
    ended = held.sessions.end_all() if ticket is None else held.sessions.end_others(ticket)
    note_change("sign out others", detail={"ended": ended})
    return ended


def check_origin() -> None:
    """Refuse what a browser says comes from elsewhere. Raises CsrfFailed.

    Scripts send neither header; browsers send one of them with every change.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise CsrfFailed(_NOT_OURS)
        return
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() not in _own_origins():
        raise CsrfFailed(_NOT_OURS)


# --- the two ways in


def _by_bearer(secret: Secret) -> Admin:
    """Browsers never send this by themselves, so there is nothing to forge."""
    _judged(secret)
    return Admin("bearer")


def _by_session(csrf: str | None) -> Admin:
    session = current_session()
    if session is None:
        _administration().access.refuse_if_closed()
        raise Unauthorized(_WRONG)
    if request.method not in _SAFE_METHODS:
        check_origin()
        _check_token(session, csrf)
    return Admin(f"session {session.session_id}", session)


def _judged(secret: Secret, wrong: str = "sign in failed", actor: str = "stranger") -> str:
    """The hash of a right secret; a wrong one is counted. Also a right one has to wait its turn.

    What is counted is noted too, as the action `wrong`: who has to wait for a while adds nothing, so
    guessing cannot flood the audit log.
    """
    held, address = _administration(), caller_address()
    digest = held.access.hash_of(secret)
    if digest is None:
        if secret:
            tries = held.attempts.failed(address)
            held.audit.note(actor, address, wrong, detail={"tries": tries})
        raise Unauthorized(_WRONG)
    held.attempts.check(address)
    return digest


# --- forms


def _check_token(session: Session, csrf: str | None) -> None:
    sent = request.headers.get(CSRF_HEADER) or (_form_token() if csrf is None else csrf)
    if not hmac.compare_digest(sent.encode("utf-8", "replace"), session.csrf.encode()):
        raise CsrfFailed(_NOT_OURS)


def _form_token() -> str:
    """Of forms that say how long they are and are not long; others send the header."""
    is_form = request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data")
    length = request.content_length
    if not is_form or length is None or length > _MOST_FORM_BYTES:
        return ""
    token = request.form.get(CSRF_FIELD, "")
    state().body_read = True
    return token


def _own_origins() -> set[str]:
    """How browsers name this server: by the host they asked, or by PUBLIC_BASE_URL."""
    origins = {caller_origin()}
    public = runtime().settings.public_base_url
    if public is not None:
        parts = urlsplit(public)
        origins.add(f"{parts.scheme}://{parts.netloc}".lower())
    return origins


# --- cookies


def cookie_name() -> str:
    return ticket_name(_COOKIE)


def _ticket() -> Secret | None:
    return ticket_in(_COOKIE)


def _send_cookie(ticket: str | None) -> None:
    """It ends with the browser, or on the server; None takes it back."""
    send_cookie(cookie_name(), ticket)


def _administration() -> Administration:
    return runtime().administration
