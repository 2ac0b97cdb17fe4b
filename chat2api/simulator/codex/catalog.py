"""The models of the Codex backend: their efforts, their plans, and from which client version on they are told."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from chat2api.simulator.documents import Json

_FREE = ("free", "go", "plus", "pro", "prolite", "team", "business", "edu", "enterprise")
_PAID = _FREE[1:]
_FOUR = ("low", "medium", "high", "xhigh")
_ABOUT = {
    "low": "Fast answers with little thought",
    "medium": "A balance of speed and depth",
    "high": "More thought for hard tasks",
    "xhigh": "Much thought for the hardest tasks",
    "max": "As much thought as there is",
    "ultra": "The same, with helpers of the client's own",
}
_WINDOW = 272_000
_PRIORITY: Json = {"id": "priority", "name": "Fast", "description": "Answers sooner, counts more"}


@dataclass(frozen=True, slots=True)
class Model:
    """One slug. `since` is the least client version that is told of it; `efforts` are as listed."""

    slug: str
    title: str
    since: str = "0.100.0"
    efforts: tuple[str, ...] = _FOUR
    default: str = "medium"
    plans: tuple[str, ...] = _FREE
    window: int = _WINDOW
    max_window: int = _WINDOW
    successor: str | None = None
    sees: bool = True
    fast: bool = True
    hidden: bool = False

    @property
    def on_the_wire(self) -> tuple[str, ...]:
        """The efforts a request may name: `ultra` is a mode of the client, and goes out as `max`."""
        return tuple(effort for effort in self.efforts if effort != "ultra")

    @property
    def has_phases(self) -> bool:
        """Whether its messages say if they are a comment or the answer."""
        return self.slug.startswith("gpt-5.6")


_SIX = (*_FOUR, "max", "ultra")
MODELS = (
    Model(
        *("gpt-5.6-sol", "GPT-5.6 Sol", "0.144.0", _SIX, "low", _PAID),
        max_window=900_000,
    ),
    Model("gpt-5.6-terra", "GPT-5.6 Terra", "0.144.0", _SIX),
    Model("gpt-5.6-luna", "GPT-5.6 Luna", "0.144.0", _SIX[:-1]),
    Model("gpt-5.5", "GPT-5.5"),
    Model(
        *("gpt-5.4", "GPT-5.4"),
        plans=_PAID,
        max_window=1_000_000,
        successor="gpt-5.6-terra",
    ),
    Model("gpt-5.4-mini", "GPT-5.4 mini", successor="gpt-5.6-luna", fast=False),
    Model(
        *("gpt-5.3-codex-spark", "GPT-5.3 Codex Spark"),
        default="high",
        plans=("plus", "pro"),
        window=128_000,
        max_window=128_000,
        sees=False,
        fast=False,
    ),
    Model("codex-auto-review", "Codex Auto Review", efforts=(), hidden=True, fast=False),
)
_BY_SLUG = {model.slug: model for model in MODELS}


def find(slug: str, plan: str) -> Model | None:
    """The model, if the plan has it. Plans nobody knows have what a paid one has."""
    model = _BY_SLUG.get(slug)
    known = plan if plan in _FREE else "plus"
    return model if model is not None and known in model.plans else None


def version(text: str) -> tuple[int, ...] | None:
    """`0.142.5` as numbers, without what may follow a `-`; None when it is no version."""
    parts = text.partition("-")[0].split(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        return None
    return tuple(int(part) for part in parts) if len(parts) == 3 else None


def listing(plan: str, client: tuple[int, ...]) -> Json:
    """The body of GET models for a client version."""
    offered = [
        one for one in MODELS if find(one.slug, plan) and client >= (version(one.since) or ())
    ]
    return {"models": [_entry(model, at) for at, model in enumerate(offered)]}


def etag() -> str:
    """What changes when the list does."""
    slugs = json.dumps([model.slug for model in MODELS])
    return f'W/"{hashlib.sha256(slugs.encode()).hexdigest()[:16]}"'


def _entry(model: Model, priority: int) -> Json:
    upgrade = {"model": model.successor, "migration_markdown": None} if model.successor else None
    return {
        "slug": model.slug,
        "display_name": model.title,
        "description": "Served by the simulator",
        "default_reasoning_level": model.default if model.efforts else None,
        "supported_reasoning_levels": [
            {"effort": effort, "description": _ABOUT[effort]} for effort in model.efforts
        ],
        "shell_type": "shell_command",
        "visibility": "hide" if model.hidden else "list",
        "minimal_client_version": model.since,
        "supported_in_api": not model.hidden,
        "priority": priority,
        "upgrade": upgrade,
        "availability_nux": None,
        "base_instructions": "You are a coding agent in a simulation.",
        "model_messages": None,
        "supports_reasoning_summaries": True,
        "supports_reasoning_summary_parameter": True,
        "default_reasoning_summary": "auto",
        "support_verbosity": True,
        "default_verbosity": "low",
        "apply_patch_tool_type": "freeform",
        "web_search_tool_type": "text_and_image" if model.sees else "text",
        "input_modalities": ["text", "image"] if model.sees else ["text"],
        "truncation_policy": {"mode": "tokens", "limit": 10_000},
        "supports_parallel_tool_calls": True,
        "supports_image_detail_original": model.sees,
        "context_window": model.window,
        "max_context_window": model.max_window,
        "auto_compact_token_limit": None,
        "effective_context_window_percent": 95,
        "available_in_plans": list(model.plans),
        "service_tiers": [_PRIORITY] if model.fast else [],
        "additional_speed_tiers": ["fast"] if model.fast else [],
        "prefer_websockets": False,
        "use_responses_lite": model.has_phases,
        "tool_mode": None,
        "multi_agent_version": None,
        "experimental_supported_tools": [],
    }
