"""The model list by generation and plan (sheet 10.1), and which slug really serves a request."""

from __future__ import annotations

from dataclasses import dataclass

from chat2api.simulator.config import Era
from chat2api.simulator.documents import Json


@dataclass(frozen=True, slots=True)
class Model:
    """One slug. `anonymous` ones serve callers without a login, `paid` ones paying accounts only."""

    slug: str
    title: str
    era: Era
    paid: bool = False
    anonymous: bool = False
    reasoning: bool = False
    max_tokens: int = 128_000


_MODELS = (
    Model("gpt-4o", "GPT-4o", "2024", paid=True, max_tokens=32_768),
    Model("gpt-4o-mini", "GPT-4o mini", "2024", max_tokens=8_191),
    Model("gpt-4", "GPT-4", "2024", paid=True, max_tokens=32_768),
    Model("o1-preview", "o1-preview", "2024", paid=True, reasoning=True),
    Model("o1-mini", "o1-mini", "2024", paid=True, reasoning=True),
    Model("text-davinci-002-render-sha", "GPT-3.5", "2024", anonymous=True, max_tokens=8_191),
    Model("gpt-5-5", "GPT-5.5 Instant", "2026"),
    Model("gpt-5-5-thinking", "GPT-5.5 Thinking", "2026", paid=True, reasoning=True),
    Model("gpt-5-5-pro", "GPT-5.5 Pro", "2026", paid=True, reasoning=True),
    Model("gpt-5-mini", "GPT-5 mini", "2026", anonymous=True),
    Model("o3", "o3", "2026", paid=True, reasoning=True),
    Model("auto", "Auto", "2026", anonymous=True),
)
_BY_SLUG = {model.slug: model for model in _MODELS}
_REASONING_WORDS = ("thinking", "o1", "o3", "o4", "-pro")


def visible(generation: str, *, paid: bool, anonymous: bool) -> tuple[Model, ...]:
    """The models a caller is offered."""
    return tuple(
        model
        for model in _MODELS
        if generation in ("both", model.era)
        and (paid or not model.paid)
        and (model.anonymous or not anonymous)
    )


def is_offered(slug: str, *, paid: bool, anonymous: bool, accept_unknown: bool) -> bool:
    """Whether a request for `slug` is served at all."""
    if slug == "auto":
        return True
    model = _BY_SLUG.get(slug)
    if model is None:
        return accept_unknown
    return (paid or not model.paid) and (model.anonymous or not anonymous)


def served_as(slug: str, era: Era, *, paid: bool, anonymous: bool) -> str:
    """The slug that answers: `auto` becomes the plan's default."""
    if slug != "auto":
        return slug
    if era == "2024":
        if anonymous:
            return "text-davinci-002-render-sha"
        return "gpt-4o" if paid else "gpt-4o-mini"
    return "gpt-5-mini" if anonymous or not paid else "gpt-5-5"


def thinks(slug: str) -> bool:
    """Whether a slug belongs to a model that reasons before it answers."""
    model = _BY_SLUG.get(slug)
    return model.reasoning if model else any(word in slug for word in _REASONING_WORDS)


def listing(models: tuple[Model, ...], era: Era) -> Json:
    """The body of GET models."""
    default = "gpt-4o-mini" if era == "2024" else "gpt-5-5"
    slugs = [model.slug for model in models]
    return {
        "models": [_entry(model) for model in models],
        "categories": [
            {
                "category": "gpt_4" if era == "2024" else "gpt_5",
                "human_category_name": "GPT-4o" if era == "2024" else "GPT-5.5",
                "default_model": default,
            }
        ],
        "default_model_slug": default if default in slugs else "auto",
    }


def _entry(model: Model) -> Json:
    entry: Json = {
        "slug": model.slug,
        "max_tokens": model.max_tokens,
        "title": model.title,
        "description": "Served by the simulator",
        "tags": ["gpt4"] if model.era == "2024" else ["gpt5"],
        "capabilities": {},
        "product_features": {},
    }
    if not model.anonymous:
        entry["product_features"] = {
            "attachments": {
                "type": "retrieval",
                "accepted_mime_types": ["application/pdf", "text/plain"],
                "image_mime_types": ["image/png", "image/jpeg"],
                "can_accept_all_mime_types": True,
            }
        }
    if model.reasoning and model.era == "2026":
        entry["reasoning_type"] = "reasoning"
        entry["thinking_efforts"] = [{"thinking_effort": e} for e in ("standard", "extended")]
    return entry
