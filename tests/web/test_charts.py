"""Charts: everything stands within its frame, nothing that is there vanishes, scales begin at 0; as drawn
they are well formed, and say in words what they show."""

from __future__ import annotations

import itertools
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from flask import render_template_string
from hypothesis import given
from hypothesis import strategies as st

from chat2api.web.charts import (
    HEAT_SLOTS,
    LINE,
    OTHERS,
    SPARK_HEIGHT,
    SPARK_WIDTH,
    STACK_HEIGHT,
    STACK_WIDTH,
    Bar,
    Lane,
    Part,
    Series,
    Span,
    Stack,
    bars,
    heat_strip,
    spark,
    stacked,
    state_bar,
    waterfall,
)

counts = st.integers(min_value=0, max_value=10**9)
SERIES = [Series(1, "gpt-5"), Series(2, "o3"), Series(OTHERS, "others")]


def rectangles(path: str) -> list[list[float]]:
    """x, y, width, height of every box in a path."""
    found = re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-([\d.]+)z", path)
    return [[float(number) for number in box[:4]] for box in found]


@given(st.lists(counts, max_size=60))
def test_a_spark_has_one_bar_a_value_within_its_frame(values: list[int]) -> None:
    made = spark(values)
    boxes = rectangles(made.path)
    assert len(boxes) == len(values)
    for x, y, width, height in boxes:
        assert x + width <= SPARK_WIDTH + 0.1
        assert y + height <= SPARK_HEIGHT + 0.1
        assert height > 0


def test_the_largest_value_of_a_spark_takes_all_its_height() -> None:
    made = spark([0, 5, 10])
    assert made.peak == 10
    assert [height for *_, height in rectangles(made.path)] == [1.0, 12.0, 24.0]


@given(st.lists(counts, max_size=8))
def test_the_parts_of_a_state_bar_fill_it_and_none_vanishes(numbers: list[int]) -> None:
    made = state_bar([Part(number, "ok", "x") for number in numbers])
    assert made.total == sum(numbers)
    assert len(made.parts) == len(numbers)
    assert len(made.boxes) == sum(number > 0 for number in numbers)
    assert all(box.width >= 5.9 for box in made.boxes)
    if made.boxes:
        assert made.boxes[-1].x + made.boxes[-1].width == pytest.approx(LINE, abs=0.1)
    for left, right in zip(made.boxes, made.boxes[1:], strict=False):
        assert right.x > left.x + left.width


def test_the_heat_of_a_day() -> None:
    last = 5_900_000
    made = heat_strip({last: (0, 1), last - 1: (3, 1), last - 2: (9, 0), last - 400: (5, 5)}, last)
    drawn = {name: getattr(made, name).count("M") for name in ("quiet", "good", "mixed", "bad")}
    assert drawn == {"quiet": HEAT_SLOTS - 3, "good": 1, "mixed": 1, "bad": 1}
    assert len(made.hours) == 24
    assert (made.hours[-1].good, made.hours[-1].bad) == (12, 2)
    assert made.hours[-1].begins_at == (last - 11) * 300
    assert made.hours[0].begins_at == (last - HEAT_SLOTS + 1) * 300
    assert sum(hour.good + hour.bad for hour in made.hours) == 14


@given(st.lists(st.tuples(counts, counts, counts), min_size=1, max_size=40))
def test_stacks_stand_on_the_ground_and_below_the_highest_line(
    columns: list[tuple[int, int, int]],
) -> None:
    made = stacked([Stack("x", values, "") for values in columns], SERIES)
    peak = max(map(sum, columns))
    highest, second, first, ground = made.ticks
    assert ground == 0
    assert (second, highest) == (2 * first, 3 * first)
    assert peak <= highest
    assert highest <= max(3, 4 * peak)
    for column, values in zip(made.columns, columns, strict=True):
        assert [box.series.number for box in column.boxes] == [
            one.number for one, value in zip(SERIES, values, strict=True) if value
        ]
        assert 0 <= column.x <= column.x + column.width <= STACK_WIDTH + 0.1
        assert all(box.y >= -0.1 for box in column.boxes)
        if column.boxes:
            assert column.boxes[0].y + column.boxes[0].height >= STACK_HEIGHT - 0.1
            assert column.top == column.boxes[-1].y


@pytest.mark.parametrize(("peak", "ticks"), [(0, 3), (1, 3), (4, 6), (29, 30), (301, 600)])
def test_ticks_are_round(peak: int, ticks: int) -> None:
    assert stacked([Stack("x", (peak,), "")], SERIES[:1]).ticks[0] == ticks


@pytest.mark.parametrize("number", [1, 6, 7, 24, 30, 31, 90])
def test_labels_do_not_run_into_each_other(number: int) -> None:
    made = stacked([Stack(str(index), (1,), "") for index in range(number)], SERIES[:1])
    shown = [index for index, column in enumerate(made.columns) if column.shown_label]
    assert shown[0] == 0
    assert len(shown) <= 6
    gaps = {b - a for a, b in itertools.pairwise(shown)}
    assert len(gaps) <= 1
    assert made.lines == (0.0, 60.0, 120.0)


def test_bars_are_as_long_as_their_values() -> None:
    made = bars([Bar("a", 10, "10"), Bar("b", 5, "5"), Bar("c", 0, "0"), Bar("d", 0.001, "…")])
    assert [bar.width for bar in made] == [1000.0, 500.0, 0.0, 6.0]
    assert [bar.width for bar in bars([Bar("a", 0, "0")])] == [0.0]
    assert bars([]) == ()


times = st.floats(min_value=0, max_value=10_000)


@given(st.lists(st.tuples(times, times), max_size=6), times)
def test_a_waterfall_stays_within_its_scale(spans: list[Any], seconds: float) -> None:
    lane = Lane("a", "", tuple(Span("good", begins, lasts) for begins, lasts in spans))
    (made,) = waterfall([lane], seconds)
    for span in made.spans:
        assert span.x >= 0
        assert span.width >= 6
        assert span.x + span.width <= LINE + 0.02


def test_a_waterfall_is_to_scale() -> None:
    lane = Lane("a", "", (Span("wait", 0, 1), Span("good", 1, 3)))
    (made,) = waterfall([lane], 4.0)
    assert [(span.x, span.width) for span in made.spans] == [(0, 250), (250, 750)]
    assert waterfall([], 1.0) == ()


# --- as drawn


def drawn(site: Any, text: str, **values: Any) -> ElementTree.Element:
    """What a macro of charts.html makes of a chart, as a tree: so it is well formed."""
    source = '{% import "desk/charts.html" as charts with context %}<div>' + text + "</div>"
    with site.app.test_request_context("/"):
        return ElementTree.fromstring(render_template_string(source, **values))


def test_sparks_and_states_are_drawn_with_their_words(site: Any) -> None:
    parts = [
        Part(3, "ok", "ready", "/admin/accounts?a=1&b=2"),
        Part(1, "wait", "resting", hatched=True),
    ]
    tree = drawn(
        site,
        "{{ charts.spark(spark, label) }}{{ charts.state_bar(bar, label) }}",
        spark=spark([1, 2]),
        bar=state_bar([*parts, Part(0, "off", "paused")]),
        label="Accounts <now>",
    )
    assert [svg.get("aria-label") for svg in tree.iter("svg")][:2] == ["Accounts <now>"] * 2
    said = ["".join(line.itertext()).split() for line in tree.iter("li")]
    assert said == [["ready", "3"], ["resting", "1"], ["paused", "0"]]
    assert [link.get("href") for link in tree.iter("a")] == ["/admin/accounts?a=1&b=2"]
    assert sum(rect.get("fill") == "url(#hatch-states)" for rect in tree.iter("rect")) == 1


def test_a_heat_strip_has_its_table(site: Any) -> None:
    chart = heat_strip({1000: (3, 1)}, 1000)
    tree = drawn(
        site,
        "{{ charts.heat_strip(chart, 'A day', hours) }}",
        chart=chart,
        hours=[f"{hour}:00" for hour in range(24)],
    )
    (row,) = tree.findall(".//tbody/tr")
    assert ["".join(cell.itertext()) for cell in row] == ["23:00", "3", "1"]


def test_stacks_have_links_words_and_a_table(site: Any) -> None:
    stacks = [
        Stack("Nov 27", (1200, 0, 3), "Nov 27: many", "/r?day=1", hrefs=("/r?m=1", "", "")),
        Stack("Nov 28", (5, 6, 7), "Nov 28: 18 so far", "/r?day=2", running=True),
    ]
    tree = drawn(
        site,
        "{{ charts.stacked(chart, 'usage', 'Requests', 'by day', 'Day') }}",
        chart=stacked(stacks, SERIES),
    )
    links = [link.get("href") for link in tree.findall(".//svg/a")]
    assert links == ["/r?day=1", "/r?day=2"]
    assert [link.get("data-text") for link in tree.findall(".//svg/a")] == [s.text for s in stacks]
    rows = [
        ["".join(cell.itertext()).strip() for cell in row] for row in tree.findall(".//tbody/tr")
    ]
    assert rows == [["Nov 27", "1200", "0", "3", "1203"], ["Nov 28 so far", "5", "6", "7", "18"]]
    assert [tick.text for tick in tree.findall(".//ol[@class='ticks']/li")] == [
        "1.5k",
        "1k",
        "500",
        "0",
    ]
    assert tree.find(".//tbody//a[@href='/r?m=1']") is not None
    told = tree.find(".//p[@data-told]")
    assert told is not None
    assert told.text == "Nov 28: 18 so far"


def test_lying_bars_and_waterfalls_are_lists(site: Any) -> None:
    tree = drawn(
        site,
        "{{ charts.bars(bars, 'Models') }}{{ charts.waterfall(lanes, 'Times') }}",
        bars=bars([Bar("<b>gpt</b>", 4, "4", "/m")]),
        lanes=waterfall([Lane("alice", "8.1 s", (Span("good", 0, 8),), "/a")], 8),
    )
    assert ["".join(line.itertext()).split() for line in tree.iter("li")] == [
        ["<b>gpt</b>", "4"], ["alice", "8.1", "s"],
    ]  # fmt: skip
    assert not any(element.get("style") for element in tree.iter())
