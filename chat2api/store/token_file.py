"""Accounts from `DATA_DIR/token.txt`: one access token a line, `token,account_id` for a workspace, `#` comments."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path

from chat2api.pool.values import Account, Credential
from chat2api.secret import Secret

log = logging.getLogger(__name__)

_ACCESS_TOKEN = re.compile(r"(?:eyJhbGciOi|fk-)[!-~]+")
_WORKSPACE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def looks_like_access_token(text: str) -> bool:
    """A JWT (sheet 1.3), or the `fk-` form some relays use; visible ASCII without blanks."""
    return _ACCESS_TOKEN.fullmatch(text) is not None


def read_accounts(path: Path, provider: str) -> list[Account]:
    """The accounts in the file, in order, each once. A missing file is an empty pool."""
    try:
        text = path.read_text("utf-8-sig", "replace")
    except FileNotFoundError:
        return []
    accounts: dict[str, Account] = {}
    skipped = 0
    for line in text.splitlines():
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        account = _account(entry, provider)
        if account is None:
            skipped += 1
        else:
            accounts.setdefault(account.account_id, account)
    if skipped:
        log.warning("token.txt: %d line(s) are not access tokens and were left out", skipped)
    return list(accounts.values())


def credential_of(token: str, workspace_id: str | None) -> Credential:
    """A credential whose subject is a hash: stable while the token lives, and not secret."""
    digest = hashlib.sha256(f"{token}\0{workspace_id or ''}".encode()).hexdigest()
    return Credential(digest[:20], Secret(token), workspace_id)


def _account(entry: str, provider: str) -> Account | None:
    token, _, workspace = entry.partition(",")
    token, workspace = token.strip(), workspace.strip()
    if not looks_like_access_token(token):
        return None
    if workspace and not _WORKSPACE.fullmatch(workspace):
        return None
    credential = credential_of(token, workspace or None)
    return Account(f"acc_{credential.subject[:12]}", provider, credential)
