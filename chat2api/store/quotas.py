"""What the upstream said is left of an account's quotas, as JSON in its row."""

from __future__ import annotations

import json
import math
from typing import Any

from chat2api.pool.values import Quota, QuotaWindow

_MOST_WINDOWS = 20
_MOST_WORKSPACES = 20
_LONGEST_NAME = 80


def quota_text(quota: Quota) -> str:
    """For the column; names are cut, and no more is kept than a page can show."""
    windows = [
        {
            "name": window.name[:_LONGEST_NAME],
            "used_percent": window.used_percent,
            "remaining": window.remaining,
            "resets_at": window.resets_at,
        }
        for window in quota.windows[:_MOST_WINDOWS]
    ]
    workspaces = [name[:_LONGEST_NAME] for name in quota.workspaces[:_MOST_WORKSPACES]]
    return json.dumps({"windows": windows, "workspaces": workspaces, "ends_at": quota.ends_at})


def quota_of(text: str) -> Quota:
    """Of the column; what is damaged counts as not known (fault matrix E14)."""
    try:
        found = json.loads(text or "{}")
    except (TypeError, ValueError):
        return Quota()
    if not isinstance(found, dict):
        return Quota()
    windows, workspaces = found.get("windows"), found.get("workspaces")
    return Quota(
        tuple(_window(one) for one in _listed(windows) if isinstance(one, dict)),
        tuple(one for one in _listed(workspaces) if isinstance(one, str)),
        _number(found.get("ends_at")),
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _window(found: dict[str, Any]) -> QuotaWindow:
    remaining = _number(found.get("remaining"))
    return QuotaWindow(
        str(found.get("name") or "")[:_LONGEST_NAME],
        _number(found.get("used_percent")),
        None if remaining is None else int(remaining),
        _number(found.get("resets_at")),
    )


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
