"""Cookies of ours: read by the server alone, sent back to no other site, and encrypted where the page is."""

from __future__ import annotations

from flask import Response, after_this_request, request

from chat2api.secret import Secret
from chat2api.web.auth import is_https


def send_cookie(
    name: str,
    value: str | None,
    *,
    path: str = "/",
    seconds: float | None = None,
    lax: bool = False,
) -> None:
    """Send it along with this answer; None takes it back. Without `seconds` it ends with the browser.

    `lax`: also when somebody follows a link from another site.
    """
    secure = is_https()

    @after_this_request
    def send(response: Response) -> Response:
        response.set_cookie(
            name,
            value or "",
            max_age=0 if value is None else None if seconds is None else int(seconds),
            path=path,
            secure=secure,
            httponly=True,
            samesite="Lax" if lax else "Strict",
        )
        return response


def ticket_name(name: str) -> str:
    """The `__Host-` prefix has browsers refuse the cookie from anything but this very host, encrypted."""
    return f"__Host-{name}" if is_https() else name


def ticket_in(name: str) -> Secret | None:
    """The ticket of a session, under its full name."""
    text = request.cookies.get(ticket_name(name))
    return Secret(text) if text else None
