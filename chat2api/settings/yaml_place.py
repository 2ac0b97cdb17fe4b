"""A spot in a YAML file: what it is called in problems, and its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chat2api.settings.problems import Problem

Key = str | int
Lines = Mapping[tuple[Key, ...], int]


@dataclass(frozen=True, slots=True)
class Place:
    """`label` is the file's name, `lines` the lines of all its keys, `path` leads to this one."""

    label: str
    lines: Lines
    path: tuple[Key, ...] = ()

    def at(self, key: object) -> Place:
        """The place of a key or item below this one."""
        step = key if isinstance(key, int) and not isinstance(key, bool) else str(key)
        return Place(self.label, self.lines, (*self.path, step))

    @property
    def name(self) -> str:
        """As people write it: auth.access_tokens, chatgpts[2].email."""
        name = ""
        for step in self.path:
            name += f"[{step}]" if isinstance(step, int) else f".{step}"
        return name.removeprefix(".")

    @property
    def line(self) -> int | None:
        return self.lines.get(self.path)

    @property
    def source(self) -> str:
        return f"{self.label} {self.name}"

    @property
    def written_as(self) -> str:
        line = "" if self.line is None else f" line {self.line}"
        return f"{self.name} ({self.label}{line})"

    def problem(self, message: str) -> Problem:
        """A mistake at this place; its value is not shown."""
        return Problem(self.written_as, message, line=self.line)
