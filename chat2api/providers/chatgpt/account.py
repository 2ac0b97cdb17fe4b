"""How an account is, as the upstream tells whoever asks (sheet 10.2, 10.3): plan, workspaces, what is left.

Three questions that cost the account nothing. Only the first has to be answered; every field may be missing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from chat2api.errors import Chat2ApiError, UpstreamAuthFailed, UpstreamRateLimited
from chat2api.pool.values import Quota, QuotaWindow
from chat2api.providers.chatgpt import resets
from chat2api.providers.chatgpt.session import Session
from chat2api.providers.protocol import AccountCheck

_LONGEST = 200
_MOST = 20
_UNTOLD_SECONDS = 3600.0
_DAY_SECONDS, _HOUR_SECONDS = 86_400, 3600


def ask_account(session: Session, workspace_id: str | None) -> AccountCheck:
    """Raises the refusal of the first question, and of the others where that is about the account."""
    offset = session.persona.timezone_offset_min
    path = f"{session.prefix}/accounts/check/v4-2023-04-27?timezone_offset_min={offset}"
    found = read_account(session.ask("GET", path), workspace_id, time.time())
    if found.closed:
        return found
    body = {
        "gizmo_id": None,
        "requested_default_model": None,
        "conversation_id": None,
        "timezone_offset_min": offset,
        "system_hints": None,
    }
    limits = _asked(session, "POST", f"{session.prefix}/conversation/init", body)
    usage = _asked(session, "GET", "/backend-api/wham/usage")
    return with_limits(found, limits, usage, time.time())


def _asked(session: Session, method: str, path: str, body: Any = None) -> Any:
    """None where this upstream, or a relay before it, does not know the route."""
    try:
        return session.ask(method, path, body)
    except (UpstreamAuthFailed, UpstreamRateLimited):
        raise
    except Chat2ApiError:
        session.io.call.check()
        return None


def read_account(document: Any, workspace_id: str | None, now: float) -> AccountCheck:
    """Of `accounts/check`. Without a workspace it is the one that stands first."""
    entries = _fields(_fields(document).get("accounts"))
    order = _fields(document).get("account_ordering")
    names = [*_texts(order), "default", *entries]
    wanted = [workspace_id] if workspace_id else names
    chosen: Any = next((entries[name] for name in wanted if name in entries), {})
    account = _fields(_fields(chosen).get("account"))
    entitlement = _fields(_fields(chosen).get("entitlement"))
    ends = entitlement.get("expires_at") if entitlement.get("has_active_subscription") else None
    named = [_named(name, _fields(entry)) for name, entry in entries.items() if name != "default"]
    return AccountCheck(
        plan=_text(account.get("plan_type")),
        quota=Quota(workspaces=tuple(named[:_MOST]), ends_at=resets.moment(ends, now)),
        closed=account.get("is_deactivated") is True,
    )


def _named(key: str, entry: Mapping[str, Any]) -> str:
    account = _fields(entry.get("account"))
    name = _text(account.get("name")) or _text(account.get("structure"))
    return f"{name} ({key[:8]})" if name else key[:_LONGEST]


def with_limits(found: AccountCheck, limits: Any, usage: Any, now: float) -> AccountCheck:
    """Together with what `conversation/init` and `wham/usage` said, if they did."""
    windows = [*_codex_windows(_fields(usage), now), *_features(_fields(limits), now)]
    return AccountCheck(
        email=_text(_fields(usage).get("email")),
        plan=found.plan or _text(_fields(usage).get("plan_type")),
        quota=Quota(tuple(windows[:_MOST]), found.quota.workspaces, found.quota.ends_at),
        limits=_models(_fields(limits).get("model_limits"), now),
    )


def _models(value: Any, now: float) -> dict[str, float] | None:
    if not isinstance(value, list):
        return None
    found: dict[str, float] = {}
    for entry in map(_fields, value):
        slug = _text(entry.get("model_slug"))
        until = resets.moment(entry.get("resets_after") or entry.get("reset_after"), now)
        if slug:
            found[slug] = now + _UNTOLD_SECONDS if until is None else until
    return {slug: until for slug, until in found.items() if until > now}


def _features(document: Mapping[str, Any], now: float) -> list[QuotaWindow]:
    """How many pictures, files and so on are left."""
    found: dict[str, QuotaWindow] = {}
    for entry in map(_fields, _listed(document.get("limits_progress"))):
        name, remaining = _text(entry.get("feature_name")), entry.get("remaining")
        if name and isinstance(remaining, int) and not isinstance(remaining, bool):
            ends = resets.moment(entry.get("reset_after"), now)
            found[name] = QuotaWindow(name, remaining=max(0, remaining), resets_at=ends)
    for entry in map(_fields, _listed(document.get("blocked_features"))):
        name = _text(entry.get("name"))
        if name:
            ends = resets.moment(entry.get("resets_after"), now)
            found[name] = QuotaWindow(name, remaining=0, resets_at=ends)
    return list(found.values())


def _codex_windows(document: Mapping[str, Any], now: float) -> list[QuotaWindow]:
    """The windows that are counted in parts of a whole, the shared ones first."""
    limits = [("", _fields(document.get("rate_limit")))]
    for entry in map(_fields, _listed(document.get("additional_rate_limits"))):
        limits.append((_text(entry.get("limit_name")), _fields(entry.get("rate_limit"))))
    found: list[QuotaWindow] = []
    for name, limit in limits:
        for key in ("primary_window", "secondary_window"):
            window = _fields(limit.get(key))
            used, seconds = _number(window.get("used_percent")), window.get("limit_window_seconds")
            if used is not None:
                words = [part for part in (name, _span(seconds)) if part]
                ends = resets.moment(window.get("reset_at"), now)
                found.append(
                    QuotaWindow(
                        " · ".join(words) or "-",
                        used_percent=min(max(used, 0.0), 100.0),
                        resets_at=ends,
                    )
                )
    return found


def _span(seconds: Any) -> str:
    number = _number(seconds)
    if number is None or number <= 0:
        return ""
    if number >= _DAY_SECONDS and number % _DAY_SECONDS == 0:
        return f"{number / _DAY_SECONDS:.0f} d"
    if number >= _HOUR_SECONDS:
        return f"{number / _HOUR_SECONDS:.3g} h"
    return f"{number / 60:.3g} min"


# --- whatever stands there


def _fields(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [one for one in _listed(value) if isinstance(one, str)]


def _text(value: Any) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None
