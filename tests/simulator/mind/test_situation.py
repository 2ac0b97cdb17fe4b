"""What the mind is shown."""

from __future__ import annotations

from chat2api.simulator.mind.situation import Line, Situation, Tool


def lines(*roles: str) -> tuple[Line, ...]:
    return tuple(Line(role, str(at)) for at, role in enumerate(roles))  # type: ignore[arg-type]


def test_where_the_user_spoke_last() -> None:
    assert Situation(lines("system", "user", "assistant", "user", "result")).last_user == 3
    assert Situation(lines("system")).last_user == -1


def test_how_often_it_was_told_in_a_row() -> None:
    assert Situation(lines("user", "assistant", "told")).told == 1
    assert Situation(lines("user", "assistant", "told", "assistant", "told")).told == 2
    assert Situation(lines("user", "assistant", "told", "assistant", "user")).told == 0


def test_tools_by_name() -> None:
    situation = Situation((), (Tool("a"), Tool("b", schema=None)))
    assert situation.tool("b") == Tool("b", "", None)
    assert situation.tool("c") is None
