"""What is wrong with a configuration, told all at once to the person who has to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `where` is the name as the operator wrote it; `value` is None when it must not show.

    `line` is that of the YAML file, from 1; None elsewhere.
    """

    where: str
    message: str
    value: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        value = "" if self.value is None else f"={self.value}"
        return f"{self.where}{value}: {self.message}"


class SettingsError(Exception):
    """The configuration cannot be used. The text lists every problem, secrets masked."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "The configuration has a mistake" + ("" if count == 1 else f" in {count} places")
        super().__init__("\n".join([f"{head}:", *(f"  {problem}" for problem in self.problems)]))
