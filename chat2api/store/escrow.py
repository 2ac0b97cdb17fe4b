"""New tokens that the database could not take: sealed files that survive the process, until it can.

A refresh token is single-use, so a rotated one must be on a disk before anything else happens
(fault matrix C05).
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from chat2api.pool.values import Grant, RenewalClaim, StoredCredential
from chat2api.secret import Secret
from chat2api.store.once import replace_file
from chat2api.store.opening import ESCROW_FOLDER, Store
from chat2api.store.vault import Vault, WrongKey

log = logging.getLogger(__name__)

_NAME = re.compile(r"((?:cred|bearer)_[0-9a-f]{1,64})\.sealed")
_TOKENS = ("access_token", "refresh_token", "id_token")


class Escrow:
    """One file a credential, in DATA_DIR."""

    def __init__(self, store: Store) -> None:
        self._vault: Vault = store.vault
        self._folder: Path = store.data_dir / ESCROW_FOLDER

    def keep(self, claim: RenewalClaim, grant: Grant) -> None:
        """On the disk when this returns. Raises OSError."""
        document: dict[str, Any] = {
            "version": claim.stored.version,
            "fence": claim.fence,
            "expires_at": grant.expires_at,
        }
        for name in _TOKENS:
            token: Secret | None = getattr(grant, name)
            document[name] = None if token is None else token.reveal()
        sealed = self._vault.seal_bytes(json.dumps(document).encode())
        replace_file(self._path(claim.stored.credential_id), sealed.encode("ascii"))
        log.warning(
            "the database took no new tokens; they are kept in a sealed file",
            extra={"credential": claim.stored.credential_id},
        )

    def waiting(self) -> list[str]:
        """The credentials for which something is kept."""
        try:
            names = sorted(os.listdir(self._folder))
        except OSError:
            return []
        return [found[1] for name in names if (found := _NAME.fullmatch(name))]

    def find(self, stored: StoredCredential) -> tuple[RenewalClaim, Grant] | None:
        """What is kept for a credential, as if its exchange had just ended."""
        try:
            sealed = self._path(stored.credential_id).read_text("ascii")
            document = json.loads(self._vault.open_bytes(sealed))
            grant = Grant(expires_at=document["expires_at"], **dict(_tokens(document)))
            version, fence = int(document["version"]), int(document["fence"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError, WrongKey) as error:
            log.error("a sealed file cannot be read", extra={"reason": type(error).__name__})
            return None
        return RenewalClaim(replace(stored, version=version), fence, until=0.0), grant

    def drop(self, credential_id: str) -> None:
        self._path(credential_id).unlink(missing_ok=True)

    def _path(self, credential_id: str) -> Path:
        return self._folder / f"{credential_id}.sealed"


def _tokens(document: dict[str, Any]) -> Iterator[tuple[str, Secret | None]]:
    for name in _TOKENS:
        text = document.get(name)
        yield name, Secret(text) if isinstance(text, str) else None
