"""Logging in with a browser whose last page cannot be ours: it is sent to the person's own machine, fails to
load there, and its address is pasted back (sheet 2.4). Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

from chat2api.providers.oauth.pkce import challenge_of
from chat2api.providers.oauth.signing_in import ORIGINATOR, SignInOptions, plain_text
from chat2api.secret import Secret

_LONGEST_PASTE = 16_384
_MOST_FIELDS = 50
_LONGEST_ERROR = 200
_PAIRS = re.compile(r"(?:^|[?#&])(?:code|error)=")
_BARE_CODE = re.compile(r"[A-Za-z0-9._~+/=-]{16,4096}")


class Unreadable(Exception):
    """What was pasted is neither the address of the last page nor a code."""


@dataclass(frozen=True, slots=True)
class Callback:
    """What the last page's address says: a code, or an error. `state` is None where a bare code was pasted."""

    code: Secret | None
    state: str | None = field(default=None, repr=False)
    error: str = ""


def authorize_url(
    options: SignInOptions, verifier: Secret, state: Secret, *, workspace_id: str | None = None
) -> str:
    """Where the person logs in. `prompt=login` lets them choose who, also when they are signed in there."""
    fields = {
        "response_type": "code",
        "client_id": options.client_id,
        "redirect_uri": options.redirect_uri,
        "scope": options.scope,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "state": state.reveal(),
        "originator": ORIGINATOR,
        "prompt": "login",
    }
    if workspace_id:
        fields["allowed_workspace_id"] = workspace_id
    return f"{options.authorize_address}?{urlencode(fields)}"


def read_callback(text: str) -> Callback:
    """The whole address, a part of it, or the code alone. Raises Unreadable."""
    if len(text) > _LONGEST_PASTE:
        raise Unreadable
    text = "".join(text.split())  # chat programs break long lines
    if _PAIRS.search(text):
        return _of_pairs(text)
    if not _BARE_CODE.fullmatch(text) or "://" in text:
        raise Unreadable
    return Callback(Secret(text))


def _of_pairs(text: str) -> Callback:
    fields = _fields(text)
    state = plain_text(fields.get("state", "")) or ""
    error = fields.get("error", "")
    if error:
        told = fields.get("error_description") or error
        return Callback(None, state, _printable(told)[:_LONGEST_ERROR])
    code = plain_text(fields.get("code", ""))
    if not code:
        raise Unreadable
    return Callback(Secret(code), state)


def _fields(text: str) -> dict[str, str]:
    try:
        parts = urlsplit(text)
        query = parts.query or parts.fragment or parts.path
        return dict(parse_qsl(query.lstrip("?#"), max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise Unreadable from None


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text))
