"""The list of scenarios: one line each, with what a user reads about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chat2api.simulator import models
from chat2api.simulator.faults.registry import FAULTS
from chat2api.simulator.params import BadParameter
from chat2api.simulator.scenarios import agent, helping, plain, searching, talk, thinking, working
from chat2api.simulator.script import Script
from chat2api.simulator.turn import Turn

Play = Callable[[Turn], Script]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named way to answer. Those without a play send prepared bytes (`canned`)."""

    name: str
    play: Play | None
    about: str
    parameters: str = ""


def help_page(turn: Turn, problem: str | None = None) -> Script:
    """The catalogue as an answer, with what went wrong on top."""
    scenarios = [(one.name, one.parameters, one.about) for one in SCENARIOS.values()]
    faults = [(one.name, one.parameters, one.about) for one in FAULTS.values()]
    return helping.help_page(turn, scenarios, faults, problem)


def _echo(turn: Turn) -> Script:
    """What the instructions ask for; without any, the echo."""
    if (told := agent.unasked(turn)) is not None:
        return told
    return thinking.thoughtful_echo(turn) if models.thinks(turn.model) else talk.echo(turn)


_ALL = (
    Scenario("echo", _echo, "friendly echo in your language (the default)"),
    Scenario("text", plain.text, "a short answer, or N numbered words", "words=N"),
    Scenario("long", plain.long, "a very long answer", "kb=100"),
    Scenario("unicode", plain.unicode, "Chinese, joined emoji, control characters"),
    Scenario("reasoning", thinking.reasoning, "thinks first", "commentary=1 think=0.4"),
    Scenario("o1", thinking.o1, "thinks first, as in 2024"),
    Scenario("search", searching.search, "web search with citations", "late=0"),
    Scenario("search2024", searching.search2024, "web search with citations, as in 2024"),
    Scenario("code", working.code, "runs Python", "fail=0"),
    Scenario("tools", working.tools, "text, tool, text, tool, text"),
    Scenario(
        "agent",
        agent.agent,
        "follows instructions about tools and JSON; a script may follow",
        "style=fence+prose+…",
    ),
    Scenario("picture", working.picture, "draws: preview, then the picture", "n=1 later=0"),
    Scenario("refusal", plain.refusal, "blocked by moderation after two words"),
    Scenario("length", plain.length, "stops because it is too long"),
    Scenario("continue", plain.continued, "the rest of a cut answer"),
    Scenario("handoff", plain.handoff, "hands the stream over to resume", "done=1 takes=0"),
    Scenario("flood", plain.flood, "tiny events without a pause", "deltas=10000"),
    Scenario("blob", plain.blob, "one enormous event of text", "mib=1"),
    Scenario("baked", None, "prepared bytes for benchmarks", "deltas=200 gap=0.02 chars=5 batch=1"),
    Scenario("replay", None, "an uploaded recording", "name=default cut=0 gap=0"),
    Scenario("help", help_page, "this page"),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}


def find(name: str) -> Scenario:
    """Raises BadParameter for a name that is not in the list."""
    scenario = SCENARIOS.get(name)
    if scenario is None:
        raise BadParameter(f"there is no scenario `{name}`")
    return scenario
