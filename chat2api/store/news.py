"""What is new about an account that is handed in again: newer tokens, missing facts, or that it is dead."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from chat2api.pool.claims import Claims
from chat2api.pool.identity import identity_by_claims, is_provisional
from chat2api.pool.refreshing import is_usable, next_refresh
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store.account_rows import look_text, open_or_log
from chat2api.store.vault import Vault


def _is_given(label: str) -> bool:
    """Whether the upstream's name for it may take its place: a name that a person chose stays."""
    return not label or "@" in label


@dataclass(slots=True)
class Batch:
    """What one transaction knows and will write. Rows are dicts of column values."""

    now: float
    dry: bool = False
    by_identity: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_token: dict[str, str] = field(default_factory=dict)  # hash -> credential id
    by_credential: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    position: int = 0
    turn: int = 0
    # To be inserted at the end, by id.
    new_credentials: dict[str, dict[str, Any]] = field(default_factory=dict)
    new_accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    new_tokens: list[dict[str, Any]] = field(default_factory=list)

    def remember(self, row: dict[str, Any]) -> None:
        if row["identity"] in self.by_identity:
            return  # found by both of its names
        self.by_identity[row["identity"]] = row
        self.by_credential.setdefault(row["credential_id"], []).append(row)


class News:
    """Compares; `Batch` holds what is known. Rows are those of an account and its credential, joined."""

    def __init__(self, vault: Vault, window_seconds: float) -> None:
        self._vault = vault
        self._window = window_seconds

    def changes(
        self, batch: Batch, row: dict[str, Any], new: NewAccount, claims: Claims
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What of it is news: for the account, and for its credential."""
        on_credential = self.tokens(batch, row, new, claims)
        on_account: dict[str, Any] = {}
        if on_credential and row["needs_login"]:
            on_account |= {"needs_login": False, "reason": "", "reason_at": None}
            on_account |= {} if row["limited"] else {"cooling_until": 0.0}
        named = identity_by_claims(claims, new.workspace_id, self._vault.hash)
        if named is not None and is_provisional(row["identity"]) and named not in batch.by_identity:
            on_account["identity"] = named
            batch.by_identity[named] = row
        if row["removed_at"] is not None:
            on_account["removed_at"] = None
        if new.pooled and not row["pooled"]:
            on_account["pooled"] = True
        facts = {
            "label": (new.email or claims.email) if _is_given(row["label"]) else "",
            "plan": new.plan or (claims.plan if on_credential else ""),
            "note": new.note if not row["note"] else "",
            "user_id": claims.user_id,
            "look": "" if new.look.is_plain else look_text(new.look),
        }
        on_account |= {name: fact for name, fact in facts.items() if fact and fact != row[name]}
        if new.proxy is not None and not self._same(row["proxy"], new.proxy):
            on_account["proxy"] = self._vault.seal(new.proxy)
            on_account["proxy_hash"] = self._vault.hash_or_none(new.proxy)
        if new.refused:
            dead_account, dead_credential = self._told_dead(batch, row, new)
            return on_account | dead_account, dead_credential
        return on_account, on_credential

    def tokens(
        self, batch: Batch, row: dict[str, Any], new: NewAccount, claims: Claims
    ) -> dict[str, Any]:
        vault = self._vault
        changes: dict[str, Any] = {}
        if new.refused:  # a dead token is no news, and must not displace a good one
            return changes
        if new.access_token is not None and self._is_newer(batch, row, new, claims):
            changes |= {
                "access_token": vault.seal(new.access_token),
                "expires_at": claims.expires_at,
            }
        if new.refresh_token is not None:
            token_hash = vault.hash(new.refresh_token.reveal())
            if token_hash not in batch.by_token:
                changes |= {
                    "refresh_token": vault.seal(new.refresh_token),
                    "refresh_hash": token_hash,
                    "previous_refresh_token": row["refresh_token"],
                    "client_id": new.client_id or row["client_id"],
                    "dead_hash": None,
                    "failures": 0,
                    "refresh_error": "",
                    "sent_at": None,
                }
                self.note_token(batch, new.refresh_token, str(row["credential_id"]))
        if not changes:
            return {}
        if new.id_token is not None:
            changes["id_token"] = vault.seal(new.id_token)
        changes["version"] = row["version"] + 1
        dead = changes.get("dead_hash", row["dead_hash"])
        token_hash = changes.get("refresh_hash", row["refresh_hash"])
        if token_hash is not None and token_hash != dead:
            has_token = "access_token" in changes or row["access_token"] is not None
            changes["next_refresh_at"] = next_refresh(
                has_access_token=has_token,
                expires_at=changes.get("expires_at", row["expires_at"]),
                refreshed_at=batch.now,
                window=self._window,
                jitter=random.random(),
            )
        return changes

    def _is_newer(self, batch: Batch, row: dict[str, Any], new: NewAccount, claims: Claims) -> bool:
        """Whether an access token is better than the stored one: it ends later, or works where that does
        not."""
        if row["access_token"] is None:
            return True
        assert new.access_token is not None
        if self._same(row["access_token"], new.access_token):
            return False
        mine, stored = claims.expires_at, row["expires_at"]
        if mine is not None and stored is not None:
            return bool(mine > stored)
        return is_usable(mine, batch.now) and (
            bool(row["needs_login"]) or not is_usable(stored, batch.now)
        )

    def _told_dead(
        self, batch: Batch, row: dict[str, Any], new: NewAccount
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """An earlier program found it dead: news only for what the account lives on now."""
        needed = {"needs_login": True, "reason": new.refused, "reason_at": batch.now}
        its_access = new.access_token is not None and self._same(
            row["access_token"], new.access_token
        )
        if new.refresh_token is None:
            renewable = row["refresh_hash"] not in (None, row["dead_hash"])
            return (needed if its_access and not renewable and not row["needs_login"] else {}), {}
        token_hash = self._vault.hash(new.refresh_token.reveal())
        if token_hash != row["refresh_hash"] or token_hash == row["dead_hash"]:
            return {}, {}
        dead = {"dead_hash": token_hash, "refresh_error": new.refused, "next_refresh_at": None}
        usable = row["access_token"] is not None and is_usable(row["expires_at"], batch.now)
        return ({} if usable and not its_access else needed), dead

    def _same(self, sealed: str | None, secret: Secret) -> bool:
        return open_or_log(sealed, self._vault) == secret

    def note_token(self, batch: Batch, token: Secret | None, credential_id: str) -> None:
        if token is None:
            return
        token_hash = self._vault.hash(token.reveal())
        if token_hash in batch.by_token:
            return
        batch.by_token[token_hash] = credential_id
        batch.new_tokens.append(
            {"token_hash": token_hash, "credential_id": credential_id, "seen_at": batch.now}
        )
