"""The exchange of a refresh token at the login server of OpenAI accounts.

Two kinds of refresh token are about, each with a client id, an address and a spelling of its own; a token
works only with the client it was issued to. Settings override each of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

import orjson

from chat2api.errors import Chat2ApiError, ClientGone, UpstreamError
from chat2api.pool.tokens import is_legacy_refresh_token
from chat2api.pool.values import Grant, StoredCredential
from chat2api.providers.oauth.answers import LIMIT_BYTES, read_answer
from chat2api.providers.protocol import Io, RefreshFailed, RefreshRefused
from chat2api.transport.protocol import Outgoing

_FIRST_BYTE_SECONDS = 20.0
_SCOPE = "openid profile email offline_access"


@dataclass(frozen=True, slots=True)
class _Login:
    """The public constants of one kind of login (sheet 2.1, 2.2)."""

    url: str
    client_id: str
    redirect_uri: str
    encoding: Literal["json", "form"]


_MOBILE = _Login(
    "https://auth0.openai.com/oauth/token",
    "pdlLIX2Y72MIl2rhLhTE9VV9bN905kBh",
    "com.openai.chat://auth0.openai.com/ios/com.openai.chat/callback",
    "json",
)
CODEX_CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
_CODEX = _Login("https://auth.openai.com/oauth/token", CODEX_CLIENT_ID, "", "form")


@dataclass(frozen=True, slots=True)
class OAuthOptions:
    """Empty fields: as the kind of token says."""

    token_url: str = ""
    client_id: str = ""
    redirect_uri: str = ""
    scope: str = _SCOPE
    encoding: Literal["auto", "json", "form"] = "auto"
    user_agent: str = "chat2api"


def token_urls(options: OAuthOptions) -> tuple[str, ...]:
    """Where exchanges go: the address of the settings, or that of each kind of token."""
    return (options.token_url,) if options.token_url else (_CODEX.url, _MOBILE.url)


class TokenEndpoint:
    """`refresh` makes one exchange, and is for one caller at a time per token: they are single-use."""

    def __init__(self, options: OAuthOptions, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._clock = clock

    def refresh(self, stored: StoredCredential, io: Io) -> Grant:
        """Raises RefreshRefused, RefreshFailed."""
        if stored.refresh_token is None:
            raise RefreshRefused("there is no refresh token")
        request = self._request(stored, io)
        try:
            response = io.transport.open(request, io.call)
        except Chat2ApiError as error:
            raise RefreshFailed(_story(error), after_dispatch=_may_have_arrived(error)) from None
        try:
            body = response.read(LIMIT_BYTES)
        except Chat2ApiError as error:
            raise RefreshFailed(_story(error), after_dispatch=response.status == 200) from None
        return read_answer(response.status, body, self._clock())

    def _request(self, stored: StoredCredential, io: Io) -> Outgoing:
        assert stored.refresh_token is not None
        options = self._options
        login = _MOBILE if is_legacy_refresh_token(stored.refresh_token) else _CODEX
        fields = {
            "grant_type": "refresh_token",
            "client_id": options.client_id or stored.client_id or login.client_id,
            "refresh_token": stored.refresh_token.reveal(),
        }
        redirect = options.redirect_uri or login.redirect_uri
        if redirect:
            fields["redirect_uri"] = redirect
        if login is _CODEX and options.scope:
            fields["scope"] = options.scope
        as_form = (login.encoding if options.encoding == "auto" else options.encoding) == "form"
        return Outgoing(
            "POST",
            options.token_url or login.url,
            _headers(options.user_agent, as_form=as_form),
            urlencode(fields).encode() if as_form else orjson.dumps(fields),
            proxy=io.proxy,
            first_byte_seconds=_FIRST_BYTE_SECONDS,
            idle_seconds=_FIRST_BYTE_SECONDS,
        )


def _headers(user_agent: str, *, as_form: bool) -> Mapping[str, str]:
    kind = "application/x-www-form-urlencoded" if as_form else "application/json"
    return {"Content-Type": kind, "Accept": "application/json", "User-Agent": user_agent}


def _story(error: Chat2ApiError) -> str:
    return f"no answer from the token endpoint: {error.message}"


def _may_have_arrived(error: Chat2ApiError) -> bool:
    """Whether the exchange may have been carried out: only a failure to connect says that it was not, or one
    of our own before it."""
    return isinstance(error, UpstreamError | ClientGone) and not any(
        f"stage: {stage}" in error.message for stage in ("dns", "connect", "tls", "proxy")
    )
