"""Made-up tokens and what is written about them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

FOLDERS = Path(__file__).resolve().parents[2] / "recordings" / "folders"
CODEX = "app_EMoamEEZ73f0CkXaXp7hrann"
AUTH = "https://api.openai.com/auth"
TEAM = "0aaaaaaa-1111-4222-8333-444444444444"


def jwt(**claims: Any) -> str:
    """An access token as they look; its signature signs nothing."""
    return ".".join(_part(part) for part in ({"alg": "RS256", "typ": "JWT"}, claims)) + ".c2lnbmVk"


def _part(value: dict[str, Any]) -> str:
    raw = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def access(name: str, **more: Any) -> str:
    """The access token of a person, opaque but for its end unless `more` tells."""
    return jwt(**{"jti": name, "exp": 1_900_000_000, **more})


def refresh(name: str) -> str:
    return f"rt_made_up_{name}_refresh_token"


def legacy(name: str) -> str:
    """The 45-character kind."""
    return f"{name}-legacy-made-up-".ljust(45, "x")


def written(value: Any) -> bytes:
    return json.dumps(value, indent=4).encode()
