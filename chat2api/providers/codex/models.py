"""The models of the Codex backend: its list, the names that lead to them, how hard they may think. Pure.

The list moves monthly and differs by plan: the live one wins, and a name that nobody knows passes through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chat2api.providers.protocol import Model

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
"""From the least to the most."""

_SENT_AS = {"ultra": "max"}  # a mode of the official client, which sends the hardest that there is
_QUICK = frozenset({"none", "minimal", "low"})

_EFFORT = "|".join(sorted(EFFORTS, key=len, reverse=True))
_ENDING = re.compile(
    rf"(?P<base>.+?)(?:-(?P<dash>{_EFFORT})|[_:](?P<mark>{_EFFORT})|\((?P<round>{_EFFORT})\))"
)
# Slugs have ended in these words.
_NEEDS_A_KNOWN_BASE = frozenset({"max", "ultra"})
_DASHED = re.compile(r"(gpt-\d+)-(\d+)(?=-|\Z)")

_MOST = 200
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class CodexModel:
    """An entry of the list. `efforts` is empty and the flags are None where it does not tell.

    `listed`: for people to choose; others can be asked for by name.
    """

    slug: str
    efforts: tuple[str, ...] = ()
    default_effort: str | None = None
    listed: bool = True
    verbosity: bool | None = None
    summaries: bool | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """What is known of models. `default` is what "auto" means."""

    models: tuple[CodexModel, ...]
    default: str
    _by_slug: Mapping[str, CodexModel] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_slug", {model.slug: model for model in self.models})

    def get(self, slug: str) -> CodexModel | None:
        return self._by_slug.get(slug)

    def with_newer(self, models: Iterable[CodexModel]) -> Catalog:
        """With a list that was just read. What only stood on earlier lists stays known: they differ by plan."""
        newer = tuple(models)
        named = {model.slug for model in newer}
        older = (replace(one, listed=False) for one in self.models if one.slug not in named)
        default = next((model.slug for model in newer if model.listed), self.default)
        return Catalog((*newer, *older)[:_MOST], default)

    def offered(self, *, with_efforts: bool = False) -> list[Model]:
        """The names for people to choose from; with one more for every effort of each."""
        names: list[str] = []
        for model in self.models:
            if model.listed:
                names.append(model.slug)
                if with_efforts:
                    names += [f"{model.slug}-{effort}" for effort in model.efforts]
        return [Model(name) for name in names]


@dataclass(frozen=True, slots=True)
class Target:
    """What to ask for. `effort` None leaves it to the model; `model` is what is known of it."""

    slug: str
    effort: str | None = None
    model: CodexModel | None = None

    @property
    def is_slow(self) -> bool:
        """Whether long silences are normal: these models think, unless told to be quick."""
        effort = self.effort or (self.model.default_effort if self.model else None)
        return effort not in _QUICK

    @property
    def family(self) -> str:
        """What the backend counts a turn under: one allowance for nearly all models."""
        return self.slug[:_LONGEST] if "spark" in self.slug else FAMILY


FAMILY = "codex"


def resolve(
    name: str, effort: str | None, catalog: Catalog, aliases: Mapping[str, str] | None = None
) -> Target:
    """The model for a name; `effort` is OpenAI's reasoning_effort.

    The name itself comes first, then the name without an effort at its end (`-high`, `_high`, `:high`,
    `(high)`). Such an ending wins over `effort`: clients send that one without being asked.
    """
    name = (aliases or {}).get(name, name)
    slug, ending = _split(name, catalog)
    model = catalog.get(slug)
    return Target(slug, clamp(ending or effort, model), model)


def _split(name: str, catalog: Catalog) -> tuple[str, str | None]:
    known = _known(name, catalog)
    found = None if known else _ENDING.fullmatch(name.lower())
    if found is None:
        return known or name, None
    ending = found["dash"] or found["mark"] or found["round"]
    base = _known(found["base"], catalog)
    if base is None and found["dash"] in _NEEDS_A_KNOWN_BASE:
        return name, None
    return base or name[: found.end("base")], ending


def _known(name: str, catalog: Catalog) -> str | None:
    """The slug that a name spells, if it is on the list: the web upstream writes `gpt-5-5`."""
    lower = name.lower()
    if lower == "auto":
        return catalog.default
    spellings = (name, lower, _DASHED.sub(r"\1.\2", lower))
    return next((one for one in spellings if catalog.get(one) is not None), None)


def clamp(effort: str | None, model: CodexModel | None) -> str | None:
    """The effort as the model takes it: the hardest of its own that is not harder, else its easiest."""
    if effort is None:
        return None
    if model is None or not model.efforts or effort not in EFFORTS:
        return _SENT_AS.get(effort, effort)
    own = sorted({_SENT_AS.get(one, one) for one in model.efforts}, key=EFFORTS.index)
    wanted = EFFORTS.index(_SENT_AS.get(effort, effort))
    return next((one for one in reversed(own) if EFFORTS.index(one) <= wanted), own[0])


# --- the list


def parse_models(document: Any) -> list[CodexModel]:
    """Of `GET /models`, by priority; entries that make no sense are left out."""
    entries = document.get("models") if isinstance(document, dict) else document
    if not isinstance(entries, list):
        return []
    found: dict[str, tuple[float, CodexModel]] = {}
    for entry in entries[:_MOST]:
        model = _entry(entry)
        if model is not None:
            found.setdefault(model.slug, (_priority(entry), model))
    return [model for _, model in sorted(found.values(), key=lambda one: one[0])]


def _entry(entry: Any) -> CodexModel | None:
    slug = entry.get("slug") if isinstance(entry, dict) else None
    if not isinstance(slug, str) or not slug or not slug.isprintable() or len(slug) > _LONGEST:
        return None
    levels = entry.get("supported_reasoning_levels")
    efforts = [_level(one) for one in levels] if isinstance(levels, list) else []
    default = entry.get("default_reasoning_level")
    summaries = entry.get("supports_reasoning_summary_parameter")
    if not isinstance(summaries, bool):
        summaries = entry.get("supports_reasoning_summaries")
    return CodexModel(
        slug,
        tuple(dict.fromkeys(one for one in efforts if one in EFFORTS)),
        default if isinstance(default, str) else None,
        entry.get("visibility", "list") == "list",
        _flag(entry.get("support_verbosity")),
        _flag(summaries),
    )


def _level(level: Any) -> str:
    effort = level.get("effort") if isinstance(level, dict) else level
    return effort if isinstance(effort, str) else ""


def _priority(entry: Mapping[str, Any]) -> float:
    value = entry.get("priority")
    return float(value) if isinstance(value, int | float) and value == value else float("inf")


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


_LOW_TO_XHIGH = ("low", "medium", "high", "xhigh")

FALLBACK = Catalog(
    (
        CodexModel("gpt-5.6-sol", (*_LOW_TO_XHIGH, "max", "ultra"), "low"),
        CodexModel("gpt-5.6-terra", (*_LOW_TO_XHIGH, "max", "ultra"), "medium"),
        CodexModel("gpt-5.6-luna", (*_LOW_TO_XHIGH, "max"), "medium"),
        CodexModel("gpt-5.5", _LOW_TO_XHIGH, "medium"),
        CodexModel("gpt-5.4", _LOW_TO_XHIGH, "medium"),
        CodexModel("gpt-5.4-mini", _LOW_TO_XHIGH, "medium"),
        CodexModel("gpt-5.3-codex-spark", _LOW_TO_XHIGH, "high"),
    ),
    default="gpt-5.5",
)
"""Used until the backend's own list was read; its default is one that every plan has."""
