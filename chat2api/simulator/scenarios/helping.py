"""The page that `/sim help` answers with: what can be played, in the user's language."""

from __future__ import annotations

from collections.abc import Iterable

from chat2api.simulator.script import Expected, Script
from chat2api.simulator.turn import Scribe, Turn, script_of

Row = tuple[str, str, str]  # name, parameters, about


def help_page(
    turn: Turn, scenarios: Iterable[Row], faults: Iterable[Row], problem: str | None = None
) -> Script:
    """Two tables and some examples; begins with the problem when there is one."""
    parts = []
    if problem is not None:
        parts.append(f"Sorry, I could not do that: {problem}. Here is what I know.")
    parts += [
        "Write `/sim NAME key=value …` as the first line of a message to choose how I answer.",
        "### Scenarios",
        _table(scenarios),
        "### Faults",
        "Add `fault=NAME` to any scenario, several joined by `+`; `times=N` plays a fault only for "
        "the first N tries of the same message.",
        _table(faults),
        "### Examples",
        "- `/sim reasoning`\n- `/sim long kb=20 tps=200`\n- `/sim text fault=reset after=5`\n"
        "- `/sim text fault=rate seconds=30`\n- `/sim unicode fault=bytes+crlf tps=0`",
    ]
    text = "\n\n".join(parts)
    scribe = Scribe(turn)
    scribe.answer(text)
    # Thousands of words: nobody wants to watch them come one by one.
    return script_of(scribe, expected=Expected(text), unpaced=True)


def _table(rows: Iterable[Row]) -> str:
    lines = ["| name | parameters | what happens |", "|---|---|---|"]
    for name, parameters, about in rows:
        # A bar would end the cell, also inside a code span.
        shown = f"`{parameters}`".replace("|", "\\|") if parameters else ""
        lines.append(f"| `{name}` | {shown} | {about} |")
    return "\n".join(lines)
