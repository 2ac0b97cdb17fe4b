"""Measured figures and how they are shown: medians with their spread, ratios, and whether a goal is met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row. `floor` and `ours` hold one value per round; `unit` belongs to both.

    The goal is a highest value of `ours`, or of the ratio to the floor.
    """

    name: str
    unit: str
    ours: Sequence[float]
    floor: Sequence[float] = ()
    highest: float | None = None
    highest_ratio: float | None = None

    @property
    def ratio(self) -> float | None:
        if not self.floor:
            return None
        return statistics.median(self.ours) / statistics.median(self.floor)

    @property
    def goal(self) -> str:
        if self.highest is not None:
            return f"<= {self.highest:g}"
        return "" if self.highest_ratio is None else f"<= {self.highest_ratio:g}x"

    @property
    def met(self) -> bool | None:
        if self.highest is not None:
            return statistics.median(self.ours) <= self.highest
        if self.highest_ratio is not None and self.ratio is not None:
            return self.ratio <= self.highest_ratio
        return None


def table(figures: Sequence[Figure]) -> str:
    """All figures as text, one a line."""
    head = ("figure", "unit", "floor", "chat2api", "ratio", "goal", "")
    rows = [head] + [
        (
            figure.name,
            figure.unit,
            _spread(figure.floor),
            _spread(figure.ours),
            "" if figure.ratio is None else f"{figure.ratio:.2f}x",
            figure.goal,
            {None: "", True: "pass", False: "MISS"}[figure.met],
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Numbers to the right, words to the left."""
    return [
        text.rjust(width) if 2 <= column <= 5 else text.ljust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    middle = _short(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({_short(min(values))}-{_short(max(values))})"


def _short(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
