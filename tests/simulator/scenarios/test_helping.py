"""The help page."""

from __future__ import annotations

from chat2api.simulator.scenarios.helping import help_page
from chat2api.simulator.turn import Turn

ROWS = [("one", "n=1|2", "first"), ("two", "", "second")]


def test_a_problem_stands_on_top() -> None:
    text = help_page(Turn("", "auto"), ROWS, [], "there is no `x`").expected.text
    assert text.startswith("Sorry, I could not do that: there is no `x`.")


def test_rows_become_a_table_whose_bars_do_not_break_it() -> None:
    text = help_page(Turn("", "auto"), ROWS, []).expected.text
    assert "| name | parameters | what happens |\n|---|---|---|\n" in text
    assert "| `one` | `n=1\\|2` | first |\n| `two` |  | second |" in text
