"""What models the names of other makers' models stand for. Pure.

Clients of the Messages API ask for Claude models, and for a small one in the background. Their names
change every few weeks, so a name counts by the family within it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

CLAUDE_FAMILIES = ("opus", "sonnet", "haiku")

CLAUDE_MODELS = {"opus": "gpt-5-5-thinking", "sonnet": "gpt-5-5", "haiku": "gpt-5-mini"}
"""What each family stands for unless CLAUDE_MODELS says otherwise."""

_OTHERS = "sonnet"
"""The family that Claude models of no family we know are taken for."""

_CLAUDE = re.compile(r"(?:anthropic[/.])?(?P<name>claude(?:[-_.@:].*)?|opus|sonnet|haiku)")
_CONTEXT = re.compile(r"\[[0-9a-z]{1,8}\]$")
"""A mark of the context's size, such as `[1m]`, that clients write after a Claude model's name."""


@dataclass(frozen=True, slots=True)
class ModelNames:
    """`claude` gives the model of each family. `settled` are names that have a meaning of their own.
    `chosen` are the families whose model the operator chose."""

    claude: Mapping[str, str] = field(default_factory=dict)
    settled: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()

    def meaning(self, name: str) -> str:
        """The model that is meant; the name itself where it stands for no other."""
        family = claude_family(name)
        if family is None or name in self.settled:
            return name
        plain = _CONTEXT.sub("", name)
        return plain if plain in self.settled else self.claude.get(family, name)

    def meaning_for(self, name: str, offered: Callable[[], Collection[str]]) -> str:
        """The same for a caller who may use what is `offered`: a model that we and not the operator chose
        for a family gives way to that of a smaller one, at last to `auto`."""
        meant = self.meaning(name)
        family = claude_family(name)
        if family is None or meant == name or family in self.chosen:
            return meant
        if meant != self.claude.get(family):
            return meant
        smaller = CLAUDE_FAMILIES[CLAUDE_FAMILIES.index(family) :]
        ours = [self.claude[one] for one in smaller if one in self.claude]
        models = offered()
        return next((model for model in ours if model in models), "auto")

    def listed(self) -> tuple[tuple[str, str], ...]:
        """The short names to show in lists of models, each with what it stands for."""
        return tuple(
            (f"claude-{family}", self.claude[family])
            for family in CLAUDE_FAMILIES
            if family in self.claude
        )


def claude_family(name: str) -> str | None:
    """`opus`, `sonnet` or `haiku` for a name of a Claude model, however new; None for other names."""
    found = _CLAUDE.fullmatch(_CONTEXT.sub("", name.lower()))
    if found is None:
        return None
    return next((family for family in CLAUDE_FAMILIES if family in found["name"]), _OTHERS)
