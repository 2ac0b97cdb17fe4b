"""What an account has left, as the Codex backend tells it: headers, an event, and the 429 of its end."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from chat2api.simulator.accounts import Account
from chat2api.simulator.documents import Json
from chat2api.simulator.quotas import ALL_MODELS, Quota, Quotas, Window
from chat2api.simulator.refusals import Reply, json_reply

UNLIMITED = Quota(1_000_000_000)
_WEEK_SECONDS = 7 * 86_400.0
_REACHED = "The usage limit has been reached"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """The windows of one account. `models` are those that are counted apart."""

    plan: str
    primary: Window
    secondary: Window | None
    models: tuple[tuple[str, Window], ...]
    now: float

    @property
    def is_full(self) -> bool:
        """Whether all models together have come to an end."""
        return self.primary.is_full or (self.secondary is not None and self.secondary.is_full)


def week_of(turns: int) -> Quota | None:
    """The second window, of seven days; None when there is none."""
    return Quota(turns, _WEEK_SECONDS) if turns else None


def standing(quotas: Quotas, account: Account, week_turns: int, now: float) -> Standing:
    """How the account stands; nothing is counted."""
    windows = quotas.windows(account.name, account.quota or UNLIMITED)
    primary = windows.pop(ALL_MODELS, None) or Window(UNLIMITED)
    week = week_of(week_turns)
    secondary = None
    if week is not None:
        secondary = quotas.windows(_week_name(account), week)[ALL_MODELS]
    return Standing(account.plan, primary, secondary, tuple(windows.items()), now)


def take(quotas: Quotas, account: Account, week_turns: int, model: str) -> Window | None:
    """Counts a turn in every window that it belongs to; gives the window that is full instead."""
    week = week_of(week_turns)
    if week is not None and (full := quotas.take(_week_name(account), week, model)) is not None:
        return full
    return quotas.take(account.name, account.quota, model) if account.quota else None


def _week_name(account: Account) -> str:
    return f"{account.name}/week"


def family(model: str) -> str:
    """The limit family of a model that is counted apart, as headers spell it."""
    return "codex-" + re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")


def headers(stands: Standing, model: str) -> Headers:
    """The `x-codex-…` headers of an answer."""
    told = {
        "x-codex-plan-type": stands.plan,
        "x-codex-active-limit": "codex",
        "x-codex-credits-has-credits": "false",
        "x-codex-credits-unlimited": "false",
        "x-codex-credits-balance": "0",
        **_window("x-codex-primary", stands.primary, stands.now),
    }
    if stands.secondary is not None:
        told |= _window("x-codex-secondary", stands.secondary, stands.now)
    for name, window in stands.models:
        limit = family(name)
        told |= _window(f"x-{limit}-primary", window, stands.now)
        told[f"x-{limit}-limit-name"] = name
        if name == model:
            told["x-codex-active-limit"] = limit.replace("-", "_")
    if any(window.is_full for window in _counting(stands, model)):
        told["x-codex-rate-limit-reached-type"] = "rate_limit_reached"
    return tuple(told.items())


def _counting(stands: Standing, model: str) -> list[Window]:
    own = [window for name, window in stands.models if name == model]
    return [stands.primary, *([stands.secondary] if stands.secondary else []), *own]


def _window(name: str, window: Window, now: float) -> dict[str, str]:
    at = _resets_at(window, now)
    return {
        f"{name}-used-percent": str(window.used_percent),
        f"{name}-window-minutes": str(minutes(window)),
        f"{name}-reset-at": str(at),
        f"{name}-reset-after-seconds": str(max(math.ceil(at - now), 0)),
    }


def minutes(window: Window) -> int:
    return max(round(window.quota.seconds / 60), 1)


def _resets_at(window: Window, now: float) -> int:
    # Rounded up: who comes back then is let in.
    return math.ceil(window.resets_at or now + window.quota.seconds)


def event(stands: Standing, model: str) -> Json:
    """The `codex.rate_limits` event."""
    windows = _counting(stands, model)
    is_full = any(window.is_full for window in windows)
    return {
        "type": "codex.rate_limits",
        "plan_type": stands.plan,
        "rate_limits": {
            "allowed": not is_full,
            "limit_reached": is_full,
            "primary": _brief(stands.primary, stands.now),
            "secondary": _brief(stands.secondary, stands.now) if stands.secondary else None,
        },
        "credits": {"has_credits": False, "unlimited": False, "balance": None},
        "metered_limit_name": "codex",
    }


def _brief(window: Window, now: float) -> Json:
    return {
        "used_percent": window.used_percent,
        "window_minutes": minutes(window),
        "reset_at": _resets_at(window, now),
    }


def reached(full: Window, plan: str, now: float) -> Reply:
    """429 for a window that is full; without the headers."""
    at = _resets_at(full, now)
    return json_reply(
        {
            "error": {
                "type": "usage_limit_reached",
                "message": _REACHED,
                "plan_type": plan,
                "resets_at": at,
                "resets_in_seconds": max(math.ceil(at - now), 0),
                "eligible_promo": None,
            }
        },
        429,
    )
