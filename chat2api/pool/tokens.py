"""What a pasted token is: access or refresh token, and for which workspace. Pure.

A line may be `token` or `token,account_id`; it is split before anything is classified, since a refresh
token of 45 characters with a workspace behind it is longer than that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from chat2api.secret import Secret

TokenKind = Literal["access", "refresh"]

LEGACY_REFRESH_LENGTH = 45
LONGEST_TOKEN = 16_384

_ACCESS = re.compile(r"(?:eyJhbGciOi|fk-)[!-~]+")
_REFRESH = re.compile(r"rt[_.][A-Za-z0-9_.~+/=-]{16,}")
_LEGACY_REFRESH = re.compile(rf"(?!sk-)[A-Za-z0-9_.~+/=-]{{{LEGACY_REFRESH_LENGTH}}}")
_LINE = re.compile(r"[A-Za-z0-9_.,|:+/=~-]+")
_WORKSPACE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COMMENT = re.compile(r"\s+#.*\Z", re.DOTALL)
_RULE = re.compile(r"[-=_*~#.]+")


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token as somebody wrote it, split and classified."""

    kind: TokenKind
    token: Secret
    workspace_id: str | None = None


def token_kind(text: str) -> TokenKind | None:
    """What a bare token is (no workspace behind it); None for what is neither."""
    if not 8 <= len(text) <= LONGEST_TOKEN:
        return None
    if _ACCESS.fullmatch(text):
        return "access"
    if _REFRESH.fullmatch(text) or _LEGACY_REFRESH.fullmatch(text):
        return "refresh"
    return None


def looks_like_access_token(text: str) -> bool:
    """A JWT, or the `fk-` form that some relays use."""
    return token_kind(text) == "access"


def is_legacy_refresh_token(token: Secret) -> bool:
    """The 45-character kind of the mobile app's login; the others begin with `rt`."""
    text = token.reveal()
    return len(text) == LEGACY_REFRESH_LENGTH and not _REFRESH.fullmatch(text)


def is_workspace_id(text: str) -> bool:
    """Whether it may travel as `ChatGPT-Account-ID`: UUIDs and the like, nothing that breaks a header."""
    return _WORKSPACE.fullmatch(text) is not None


def parse_token(text: str) -> TokenText | None:
    """`token` or `token,account_id`; None for what cannot be one."""
    token, _, workspace = text.strip().partition(",")
    token, workspace = token.strip(), workspace.strip()
    kind = token_kind(token)
    if kind is None:
        return None
    # A second token is no workspace: those are shown in clear.
    if workspace and not (is_workspace_id(workspace) and token_kind(workspace) is None):
        return None
    return TokenText(kind, Secret(token), workspace or None)


def parse_line(line: str) -> TokenText | None:
    """A line of a token file or a text area, without its trailing comment. None: no token on it.

    Lines with characters no token has are refused as a whole: they may be markup.
    """
    entry = line.strip()
    if "#" in entry:
        entry = _COMMENT.sub("", entry)
    if not _LINE.fullmatch(entry.replace(" ", "")):
        return None
    return parse_token(entry)


def is_filler(line: str) -> bool:
    """Blank lines, comments and rules of dashes: nothing to report about them."""
    entry = line.strip()
    return not entry or entry.startswith("#") or _RULE.fullmatch(entry) is not None


def mask_token(token: Secret) -> str:
    """First six and last four characters, for people to recognise it by; short ones not at all."""
    text = token.reveal()
    return f"{text[:6]}...{text[-4:]}" if len(text) > 20 else "***"
