"""From the request's headers to who is calling, and from where."""

from __future__ import annotations

from flask import request

from chat2api.errors import Unauthorized
from chat2api.service.access import Principal, check_scope
from chat2api.store.api_keys import Scope
from chat2api.store.attempts import network_of
from chat2api.web.client_address import client_address, networks, told_by_proxy
from chat2api.web.state import runtime


def principal(scope: Scope | None = None) -> Principal:
    """Raises Unauthorized, TooManyLoginAttempts, KeyScope, StorageUnavailable.

    A key in the query string is never looked at: it would end in logs.
    """
    sent = request.headers.get("Authorization") or request.headers.get("X-Api-Key")
    workspace = request.headers.get("ChatGPT-Account-ID")
    try:
        caller = runtime().access.identify(as_text(sent), workspace)
    except Unauthorized:
        if sent:
            runtime().guesses.failed(network_of(caller_address()))
        raise
    if scope is not None:
        check_scope(caller, scope)
    return caller


def as_text(header: str | None) -> str | None:
    """A header that was sent as UTF-8, which WSGI hands over as Latin-1; others as they are."""
    if header is None or header.isascii():
        return header
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def caller_address() -> str:
    """Where the request came from, as far as trusted proxies tell."""
    trusted = networks(runtime().settings.trusted_proxies)
    forwarded = request.headers.get("X-Forwarded-For", "")
    return client_address(request.remote_addr or "", forwarded, trusted)


def caller_origin() -> str:
    """`https://host[:port]` as the caller named this server, as far as trusted proxies tell."""
    scheme = _told("X-Forwarded-Proto", request.scheme)
    return f"{scheme}://{_told('X-Forwarded-Host', request.host.lower())}"


def is_https() -> bool:
    """Whether the caller's own connection is encrypted, as far as trusted proxies tell."""
    return _told("X-Forwarded-Proto", request.scheme) == "https"


def _told(header: str, own: str) -> str:
    trusted = networks(runtime().settings.trusted_proxies)
    return told_by_proxy(own, request.remote_addr or "", request.headers.get(header, ""), trusted)
