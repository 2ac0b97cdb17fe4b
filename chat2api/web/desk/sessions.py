"""Who is signed in to administration, and how a session ends that is not one's own."""

from __future__ import annotations

from flask import Response, url_for

from chat2api.errors import NotFound
from chat2api.store.sessions import Session
from chat2api.web.admin_auth import current_session, note_change, sign_out_others
from chat2api.web.desk.frame import desk_blueprint, render_desk, said
from chat2api.web.forms import read_admin_form
from chat2api.web.json import json_response
from chat2api.web.languages import gettext, ngettext
from chat2api.web.page_errors import wants_page
from chat2api.web.pages import see_other
from chat2api.web.state import runtime

blueprint = desk_blueprint("sessions", __name__)

_MOST = 200


@blueprint.get("/admin/sessions")
def page() -> Response:
    sessions = _lasting()
    mine = current_session()
    if not wants_page():
        return json_response({"sessions": [_as_json(session) for session in sessions]})
    return render_desk(
        "desk/sessions.html",
        nav="sessions",
        sessions=sessions[:_MOST],
        count=len(sessions),
        mine="" if mine is None else mine.session_id,
    )


@blueprint.post("/admin/sessions/<session_id>/end")
def end(session_id: str) -> Response:
    read_admin_form()
    found = next((one for one in _lasting() if one.session_id == session_id), None)
    if found is None or not runtime().administration.sessions.end_one(session_id):
        if not wants_page():
            raise NotFound("There is no such session.")
        said(gettext("That session had ended already."))
        return see_other(url_for(".page"))
    note_change("end session", session_id, {"address": found.address})
    if not wants_page():
        return json_response({"ended": 1})
    said(gettext("The session is ended."))
    return see_other(url_for(".page"))


@blueprint.post("/admin/sessions/end-others")
def end_others() -> Response:
    read_admin_form()
    ended = sign_out_others()
    if not wants_page():
        return json_response({"ended": ended})
    said(
        ngettext("One other session is ended.", "%(num)d other sessions are ended.", ended)
        if ended
        else gettext("There was no other session.")
    )
    return see_other(url_for(".page"))


def _lasting() -> list[Session]:
    """Those that still open something: a changed password has ended the others."""
    held = runtime().administration
    sessions = held.sessions.list()
    opens = {
        digest: held.access.still_opens(digest) for digest in {s.secret_hash for s in sessions}
    }
    return [session for session in sessions if opens[session.secret_hash]]


def _as_json(session: Session) -> dict[str, object]:
    return {
        "id": session.session_id,
        "address": session.address,
        "created_at": session.created_at,
        "seen_at": session.seen_at,
        "expires_at": session.expires_at,
    }
