"""What the mind is shown and what it does: values without behaviour of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from chat2api.simulator.documents import Json

Role = Literal["system", "user", "assistant", "result", "told"]
"""`result` is what a tool gave; `told` says that the answer before it would not do."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was said. `name` is the tool of a result; `pictures` are short descriptions."""

    role: Role
    text: str
    name: str = ""
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that may be called. `schema` describes its arguments; None: it takes any text."""

    name: str
    description: str = ""
    schema: Json | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the mind knows when it is its turn. `named` is the one tool that must be called."""

    lines: tuple[Line, ...]
    tools: tuple[Tool, ...] = ()
    must_call: bool = False
    named: str | None = None
    parallel: bool = True
    wants_json: bool = False
    schema: Json | None = None

    @property
    def last_user(self) -> int:
        """Where the user spoke last; -1 when nobody did."""
        return next((at for at in _backwards(self.lines) if self.lines[at].role == "user"), -1)

    @property
    def told(self) -> int:
        """How often in a row the mind has been told that its answer would not do."""
        count = 0
        for line in reversed(self.lines):
            if line.role == "told":
                count += 1
            elif line.role != "assistant":
                break
        return count

    def tool(self, name: str) -> Tool | None:
        return next((tool for tool in self.tools if tool.name == name), None)


def _backwards(lines: tuple[Line, ...]) -> Iterator[int]:
    return iter(range(len(lines) - 1, -1, -1))


@dataclass(frozen=True, slots=True)
class Say:
    text: str


@dataclass(frozen=True, slots=True)
class Think:
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool; `arguments` as written, which need not be JSON."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Value:
    """An answer that is a JSON text."""

    text: str


Act = Say | Think | Call | Value
Acts = tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the mind does now. `styles` are the bad manners it has while doing it."""

    acts: Acts
    styles: frozenset[str] = frozenset()
