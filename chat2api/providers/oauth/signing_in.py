"""What both ways of logging in at the login server share: its addresses, one request, the last exchange."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from chat2api.errors import Chat2ApiError
from chat2api.pool.values import Grant
from chat2api.providers.oauth.answers import LIMIT_BYTES, code_of, read_answer
from chat2api.providers.oauth.endpoint import CODEX_CLIENT_ID
from chat2api.providers.protocol import Io, RefreshFailed, RefreshRefused
from chat2api.secret import Secret
from chat2api.transport.protocol import Outgoing

ISSUER = "https://auth.openai.com"
# Registered with the client: no other host or port works (sheet 2.4).
BROWSER_REDIRECT = "http://localhost:1455/auth/callback"
ORIGINATOR = "chat2api"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
_SILENCE_SECONDS = 15.0
_LONGEST_CODE = 4_096
# Of a 4xx these say "later", and nothing of the login.
_LATER = frozenset({408, 425, 429})


class SignInRefused(Exception):
    """The login server says no, for good: this login is over. `reason` names its code, and no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SignInFailed(Exception):
    """It went wrong for now, through no fault of the login: the same step may be tried again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotOffered(Exception):
    """The login server does not offer this way of logging in (404)."""


@dataclass(frozen=True, slots=True)
class SignInOptions:
    """Empty fields follow from the issuer, or are those of the public client."""

    issuer: str = ISSUER
    token_url: str = ""
    authorize_url: str = ""
    client_id: str = CODEX_CLIENT_ID
    redirect_uri: str = BROWSER_REDIRECT
    scope: str = "openid profile email offline_access"
    user_agent: str = "chat2api"

    @property
    def token_address(self) -> str:
        return self.token_url or self.issuer + TOKEN_PATH

    @property
    def authorize_address(self) -> str:
        return self.authorize_url or self.issuer + "/oauth/authorize"


def issuer_of(token_url: str) -> str:
    """The login server that a token address belongs to; "" when the address does not tell."""
    return token_url.removesuffix(TOKEN_PATH) if token_url.endswith(TOKEN_PATH) else ""


@dataclass(frozen=True, slots=True)
class CodeInHand:
    """An authorization code, and what it is to be exchanged with."""

    code: Secret
    verifier: Secret
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`document` is None where the body is no JSON object."""

    status: int
    document: Mapping[str, Any] | None = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def code(self) -> str:
        return code_of(dict(self.document) if self.document is not None else None)

    @property
    def story(self) -> str:
        return f"the login server answered {self.status}" + (f" ({self.code})" if self.code else "")

    @property
    def is_for_now(self) -> bool:
        return self.status >= 500 or self.status in _LATER


def exchange(
    options: SignInOptions, held: CodeInHand, io: Io, clock: Callable[[], float] = time.time
) -> Grant:
    """Trade the code for tokens. Raises SignInRefused, SignInFailed."""
    fields = {
        "grant_type": "authorization_code",
        "code": held.code.reveal(),
        "redirect_uri": held.redirect_uri,
        "client_id": options.client_id,
        "code_verifier": held.verifier.reveal(),
    }
    body = urlencode(fields).encode("ascii")
    answer = ask(options, options.token_address, body, "application/x-www-form-urlencoded", io)
    try:
        grant = read_answer(answer.status, answer.body, clock())
    except RefreshRefused as refusal:
        raise SignInRefused(refusal.reason) from None
    except RefreshFailed as failure:
        if answer.is_for_now:
            raise SignInFailed(failure.reason) from None
        raise SignInRefused(answer.code or failure.reason) from None
    if grant.access_token is None:
        raise SignInRefused("the login server gave no access token")
    return grant


def ask_json(options: SignInOptions, path: str, fields: Mapping[str, str], io: Io) -> Answer:
    """POST `fields` as JSON to a path of the issuer. Raises SignInFailed when no answer comes."""
    return ask(options, options.issuer + path, orjson.dumps(dict(fields)), "application/json", io)


def ask(options: SignInOptions, url: str, body: bytes, kind: str, io: Io) -> Answer:
    request = Outgoing(
        "POST",
        url,
        {"Content-Type": kind, "Accept": "application/json", "User-Agent": options.user_agent},
        body,
        proxy=io.proxy,
        first_byte_seconds=_SILENCE_SECONDS,
        idle_seconds=_SILENCE_SECONDS,
    )
    try:
        response = io.transport.open(request, io.call)
        content = response.read(LIMIT_BYTES)
    except Chat2ApiError as error:
        raise SignInFailed(error.message) from None
    return Answer(response.status, _object(content), content)


def plain_text(value: Any, longest: int = _LONGEST_CODE) -> str:
    """A text that may be sent and shown: printable ASCII without blanks; "" for anything else."""
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        return ""
    return value if value.isascii() and value.isprintable() and " " not in value else ""


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None
