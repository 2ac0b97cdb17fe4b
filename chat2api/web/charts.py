"""Charts as values: where each bar stands. Pure; `templates/desk/charts.html` draws them.

A chart is SVG that stretches to the width of its place, with all its words beside it in HTML, so that text
keeps its size on a phone. Colours are classes, geometry is attributes. For other pages:

    spark(values) -> Spark                         {{ charts.spark(chart, label) }}
    state_bar(parts) -> StateBar                   {{ charts.state_bar(chart, label) }}
    heat_strip(slots, last_slot) -> HeatStrip      {{ charts.heat_strip(chart, label, hours) }}
    stacked(stacks, series) -> StackedBars         {{ charts.stacked(chart, name, title, about) }}
    bars(items) -> tuple[Bar, ...]                 {{ charts.bars(chart, label) }}
    waterfall(lanes, seconds) -> tuple[Lane, ...]  {{ charts.waterfall(chart, label) }}

with `{% import "desk/charts.html" as charts with context %}`. Labels are texts of the reader's language.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

LINE = 1000.0
"""How long the scale of a bar is, in units of its SVG."""

MOST_SERIES = 6
OTHERS = MOST_SERIES + 1
"""The series in which stands what is not among the six: drawn in grey."""

BAD = 0
"""The series of what failed."""

_LEAST_BOX = 6.0  # of LINE: what is there is seen
_GAP = 3.0
_STEPS = (1, 2, 3, 5, 10)


# --- sparkline: a few small bars in a row

SPARK_WIDTH, SPARK_HEIGHT = 96.0, 24.0


@dataclass(frozen=True, slots=True)
class Spark:
    """`path` draws all bars. `peak` is the largest value."""

    path: str
    peak: float
    width: float = SPARK_WIDTH
    height: float = SPARK_HEIGHT


def spark(values: Sequence[float]) -> Spark:
    """One bar a value, in order; 0 is a line on the ground."""
    peak = max((value for value in values if value > 0), default=0)
    step = SPARK_WIDTH / max(1, len(values))
    path = ""
    for index, value in enumerate(values):
        height = 1.0 if value <= 0 else max(2.0, SPARK_HEIGHT * value / peak)
        path += _box_path(index * step, SPARK_HEIGHT - height, step * 0.75, height)
    return Spark(path, peak)


# --- a bar that is the whole of something


@dataclass(frozen=True, slots=True)
class Part:
    """A share of the whole. `role` is a colour role: ok, busy, wait, bad, off or note. `label` says what it
    is, without the number; `href` is where its rows are listed. `hatched` for states that end by themselves."""

    count: int
    role: str
    label: str
    href: str = ""
    hatched: bool = False


@dataclass(frozen=True, slots=True)
class PartBox:
    part: Part
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class StateBar:
    """Only parts of more than 0 have a box; `parts` are all, for the numbers below."""

    boxes: tuple[PartBox, ...]
    parts: tuple[Part, ...]
    total: int


def state_bar(parts: Sequence[Part]) -> StateBar:
    """All parts together are 100 %; small ones are still seen, at the cost of the large ones."""
    total = sum(part.count for part in parts)
    shown = [part for part in parts if part.count > 0]
    room = LINE - _GAP * max(0, len(shown) - 1)
    widths = _shares([part.count for part in shown], room)
    boxes: list[PartBox] = []
    x = 0.0
    for part, width in zip(shown, widths, strict=True):
        boxes.append(PartBox(part, _short(x), _short(width)))
        x += width + _GAP
    return StateBar(tuple(boxes), tuple(parts), total)


def _shares(counts: Sequence[int], room: float) -> list[float]:
    """`room` divided by the counts, with a least width each."""
    if not counts:
        return []
    least = min(_LEAST_BOX, room / len(counts))
    spare = room - least * len(counts)
    return [least + spare * count / sum(counts) for count in counts]


# --- a day in 288 squares

HEAT_SLOTS = 288
HEAT_SLOT_SECONDS = 300
_HEAT_ROWS = 12  # of five minutes: a column is an hour
_CELL = 12.0


@dataclass(frozen=True, slots=True)
class HeatHour:
    """`begins_at` in epoch seconds. What happened within that hour, for the table."""

    begins_at: int
    good: int
    bad: int


@dataclass(frozen=True, slots=True)
class HeatStrip:
    """`quiet`, `good`, `mixed` and `bad` are paths of squares, each of a shape of its own."""

    quiet: str
    good: str
    mixed: str
    bad: str
    hours: tuple[HeatHour, ...]
    width: float = _CELL * HEAT_SLOTS / _HEAT_ROWS
    height: float = _CELL * _HEAT_ROWS


def heat_strip(slots: Mapping[int, tuple[int, int]], last_slot: int) -> HeatStrip:
    """The 288 slots of five minutes that end with `last_slot`; `slots` gives (good, bad) attempts of some.

    A column is an hour, its first five minutes at the top; the newest column is at the right.
    """
    first = last_slot - HEAT_SLOTS + 1
    paths = {"quiet": "", "good": "", "mixed": "", "bad": ""}
    sums = [[0, 0] for _ in range(HEAT_SLOTS // _HEAT_ROWS)]
    for index in range(HEAT_SLOTS):
        column, row = divmod(index, _HEAT_ROWS)
        good, bad = slots.get(first + index, (0, 0))
        sums[column][0] += good
        sums[column][1] += bad
        level = _heat_level(good, bad)
        paths[level] += _heat_path(level, column * _CELL, row * _CELL)
    hours = tuple(
        HeatHour((first + column * _HEAT_ROWS) * HEAT_SLOT_SECONDS, good, bad)
        for column, (good, bad) in enumerate(sums)
    )
    return HeatStrip(paths["quiet"], paths["good"], paths["mixed"], paths["bad"], hours)


def _heat_level(good: int, bad: int) -> str:
    if good + bad == 0:
        return "quiet"
    if bad == 0:
        return "good"
    return "bad" if bad >= good else "mixed"


def _heat_path(level: str, x: float, y: float) -> str:
    """Shapes differ too, since colours may not be told apart: dot, square, triangle, diamond."""
    match level:
        case "quiet":
            return _box_path(x + 5, y + 5, 2, 2)
        case "good":
            return _box_path(x + 1, y + 1, 10, 10)
        case "mixed":
            return f"M{x + 1:g} {y + 11:g}v-10l10 10z"
        case _:
            return f"M{x + 6:g} {y + 0.5:g}l5.5 5.5-5.5 5.5-5.5-5.5z"


# --- bars that stand, made of series

STACK_WIDTH, STACK_HEIGHT = 600.0, 180.0
_MOST_LABELS = 6


@dataclass(frozen=True, slots=True)
class Series:
    """A colour and what it stands for. `number` is 1 to 6, `OTHERS` or `BAD`."""

    number: int
    label: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Stack:
    """One column: a value for each series. `label` stands below, `text` is all of it in words.

    `running`: the time it stands for is not over. `hrefs`: where the rows behind each value are; "" is none.
    """

    label: str
    values: tuple[int, ...]
    text: str
    href: str = ""
    running: bool = False
    hrefs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StackBox:
    series: Series
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class StackColumn:
    """`shown_label` is empty where labels would run into each other."""

    stack: Stack
    x: float
    width: float
    boxes: tuple[StackBox, ...]
    top: float
    shown_label: str


@dataclass(frozen=True, slots=True)
class StackedBars:
    """`ticks` are the values of the three grid lines and 0, from above."""

    columns: tuple[StackColumn, ...]
    series: tuple[Series, ...]
    ticks: tuple[int, int, int, int]
    width: float = STACK_WIDTH
    height: float = STACK_HEIGHT

    @property
    def lines(self) -> tuple[float, float, float]:
        """Where the grid lines are."""
        return (0.0, _short(self.height / 3), _short(self.height * 2 / 3))


def stacked(stacks: Sequence[Stack], series: Sequence[Series]) -> StackedBars:
    """The y axis begins at 0 and ends at a round number; the first series stands at the bottom."""
    step = _round_step(max((sum(stack.values) for stack in stacks), default=0))
    room = STACK_WIDTH / max(1, len(stacks))
    every = math.ceil(len(stacks) / _MOST_LABELS)
    columns: list[StackColumn] = []
    for index, stack in enumerate(stacks):
        boxes = _stack_boxes(stack.values, series, STACK_HEIGHT / (3 * step))
        is_labelled = index % every == 0 and len(stacks) - index >= every
        columns.append(
            StackColumn(
                stack,
                _short(index * room + room * 0.1),
                _short(room * 0.8),
                boxes,
                boxes[-1].y if boxes else STACK_HEIGHT,
                stack.label if is_labelled else "",
            )
        )
    return StackedBars(tuple(columns), tuple(series), (3 * step, 2 * step, step, 0))


def _stack_boxes(
    values: Sequence[int], series: Sequence[Series], scale: float
) -> tuple[StackBox, ...]:
    boxes: list[StackBox] = []
    y = STACK_HEIGHT
    for value, one in zip(values, series, strict=True):
        if value > 0:
            height = value * scale
            y -= height
            boxes.append(StackBox(one, _short(y), _short(max(1.0, height))))
    return tuple(boxes)


def _round_step(peak: int) -> int:
    """A round number that fits into `peak` three times, or a little more."""
    wanted = max(1, math.ceil(peak / 3))
    size: int = 10 ** (len(str(wanted)) - 1)
    return next(step * size for step in _STEPS if step * size >= wanted)


# --- bars that lie, one below the other


@dataclass(frozen=True, slots=True)
class Bar:
    """`text` is the value in words; `series` the colour, as in a chart beside it. `width` is set by `bars`."""

    label: str
    value: float
    text: str
    href: str = ""
    series: int = 1
    width: float = 0.0


def bars(items: Sequence[Bar]) -> tuple[Bar, ...]:
    """The largest takes all the room."""
    peak = max((item.value for item in items), default=0)
    if peak <= 0:
        return tuple(items)
    return tuple(
        replace(item, width=_short(max(_LEAST_BOX, LINE * item.value / peak)))
        if item.value > 0
        else item
        for item in items
    )


# --- what happened one after the other


@dataclass(frozen=True, slots=True)
class Span:
    """`kind` is the colour: wait, proof, before (the first byte), good, bad. Seconds since the beginning.

    `x` and `width` are set by `waterfall`."""

    kind: str
    begins: float
    seconds: float
    x: float = 0.0
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of a waterfall; `text` says its times in words."""

    label: str
    text: str
    spans: tuple[Span, ...]
    href: str = ""


def waterfall(lanes: Sequence[Lane], seconds: float) -> tuple[Lane, ...]:
    """On a scale of `seconds`, or longer where a span ends later."""
    ends = [span.begins + span.seconds for lane in lanes for span in lane.spans]
    scale = LINE / max(seconds, *ends, 0.001)

    def placed(span: Span) -> Span:
        width = min(LINE, max(_LEAST_BOX, span.seconds * scale))
        x = max(0.0, min(span.begins * scale, LINE - width))
        return replace(span, x=_short(x), width=_short(width))

    return tuple(replace(lane, spans=tuple(placed(span) for span in lane.spans)) for lane in lanes)


# --- numbers


def _box_path(x: float, y: float, width: float, height: float) -> str:
    x, y, width, height = _short(x), _short(y), _short(width), _short(height)
    return f"M{x:g} {y:g}h{width:g}v{height:g}h-{width:g}z"


def _short(value: float) -> float:
    return round(value, 2)
