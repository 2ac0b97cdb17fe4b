"""Scripts in a user's message: `/sim agent`, then what to do in each step."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chat2api.simulator.behaviours import parse_directive
from chat2api.simulator.mind.situation import Act, Acts, Call, Say, Think, Value
from chat2api.simulator.params import BadParameter

SCENARIO = "agent"
_STYLES = """
broken escaped fence innerfence invalid invalid2 length prose refuse refuse2 result smart think twice
unclosed unknown
"""
STYLES = frozenset(_STYLES.split())
_ACT = re.compile(r"(think|say|call|json)(?:[ \t]+(.*))?\Z", re.DOTALL)
_BORDER = "---"


@dataclass(frozen=True, slots=True)
class Play:
    """What a message asks for: steps to be taken in turn, or, without any, a `text` to answer as a
    model would; both with `styles`."""

    steps: tuple[Acts, ...]
    styles: frozenset[str]
    text: str


def read(message: str) -> Play | None:
    """The play that a message begins; None when it begins none. Raises BadParameter."""
    directive, rest = parse_directive(message)
    if directive is None or directive.scenario != SCENARIO:
        return None
    # Without further lines the rest is the directive itself.
    rest = "" if rest == message else rest
    styles = frozenset(filter(None, str(directive.params.get("style", "")).split("+")))
    if unknown := sorted(styles - STYLES):
        raise BadParameter(f"there is no style `{unknown[0]}`; known: {', '.join(sorted(STYLES))}")
    steps = _steps(rest)
    return Play(steps, styles, "" if steps else rest.strip())


def _steps(text: str) -> tuple[Acts, ...]:
    """The steps; none when the first line is no act, and so the text is meant as it is."""
    lines = text.strip().splitlines()
    if not lines or not _ACT.match(lines[0]):
        return ()
    steps: list[list[str]] = [[]]
    for line in lines:
        if line.strip() == _BORDER:
            steps.append([])
        elif _ACT.match(line):
            steps[-1].append(line)
        elif steps[-1]:
            steps[-1][-1] += f"\n{line}"
        else:
            raise BadParameter(f"a step begins with think, say, call or json, not `{line}`")
    return tuple(tuple(_act(lines) for lines in step) for step in steps if step)


def _act(lines: str) -> Act:
    found = _ACT.match(lines)
    assert found is not None
    kind, text = found[1], (found[2] or "").rstrip()
    if kind == "call":
        name, _, arguments = re.sub(r"\s", "\0", text, count=1).partition("\0")
        if not name:
            raise BadParameter("`call` needs the name of a tool")
        return Call(name, arguments or "{}")
    if kind == "think":
        return Think(text)
    return Say(text) if kind == "say" else Value(text)
