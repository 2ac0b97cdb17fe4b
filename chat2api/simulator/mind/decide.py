"""What the mind does next: the step of a script that is due, or what a willing model would do by itself."""

from __future__ import annotations

import json
import re

from chat2api.simulator.mind.choosing import calls_for
from chat2api.simulator.mind.imagine import as_json, imagine
from chat2api.simulator.mind.manners import misbehave
from chat2api.simulator.mind.script import Play, read
from chat2api.simulator.mind.situation import (
    Act,
    Acts,
    Call,
    Decision,
    Line,
    Say,
    Situation,
    Value,
)

_PLACE_OF_RESULT = re.compile(r"\{result(?::(\d+))?\}")
_CLOSING = "That was all."


def decide(situation: Situation) -> Decision | None:
    """The next acts; None when nothing of this concerns the mind and any answer will do.

    Raises BadParameter for a script that cannot be read.
    """
    begins, play = _play(situation.lines)
    speaks = situation.last_user
    if play is None or _is_over(situation, begins, play, speaks):
        user = situation.lines[speaks] if speaks >= 0 else Line("user", "")
        acts = _by_itself(situation, user.text, speaks)
        return None if acts is None else Decision(acts)
    if play.steps:
        due = _due(situation, begins, play)
        acts = _filled(due, situation, begins) if due else _closing(situation, begins)
    else:
        acts = _by_itself(situation, play.text, begins) or (Say(play.text or "Hello."),)
    return Decision(misbehave(acts, play.styles, situation), play.styles)


def _play(lines: tuple[Line, ...]) -> tuple[int, Play | None]:
    """The last script with steps, or one without that is what the user said last; and where it is."""
    is_last = True
    for at in range(len(lines) - 1, -1, -1):
        if lines[at].role != "user":
            continue
        play = read(lines[at].text)
        if play is not None and (play.steps or is_last):
            return at, play
        is_last = False
    return -1, None


def _is_over(situation: Situation, begins: int, play: Play, speaks: int) -> bool:
    """Whether the user has spoken after the last step."""
    done = _answers(situation.lines[begins + 1 : speaks])
    return speaks > begins and bool(play.steps) and done >= len(play.steps)


def _due(situation: Situation, begins: int, play: Play) -> Acts:
    """The step whose turn it is; empty after the last."""
    done = _answers(situation.lines[begins + 1 :])
    return play.steps[done] if 0 <= done < len(play.steps) else ()


def _answers(lines: tuple[Line, ...]) -> int:
    """How many answers there are. Parts of one count once, and one that would not do does not count."""
    done, role = 0, ""
    for line in lines:
        done += line.role == "assistant" and role != "assistant"
        done -= line.role == "told"
        role = line.role
    return done


def _results(situation: Situation, since: int) -> list[str]:
    return [line.text for line in situation.lines[since + 1 :] if line.role == "result"]


def _filled(acts: Acts, situation: Situation, begins: int) -> Acts:
    results = _results(situation, begins)
    return tuple(_with_results(act, results) for act in acts)


def _with_results(act: Act, results: list[str]) -> Act:
    if isinstance(act, Call):
        is_json = act.arguments.lstrip().startswith("{")
        return Call(act.name, _put_in(act.arguments, results, is_json=is_json))
    if isinstance(act, Value):
        return Value(_put_in(act.text, results, is_json=True))
    return type(act)(_put_in(act.text, results, is_json=False))


def _put_in(text: str, results: list[str], *, is_json: bool) -> str:
    def result(found: re.Match[str]) -> str:
        number = int(found[1]) if found[1] else len(results)
        told = results[number - 1] if 0 < number <= len(results) else "(no result)"
        return json.dumps(told, ensure_ascii=False)[1:-1] if is_json else told

    return _PLACE_OF_RESULT.sub(result, text)


def _closing(situation: Situation, begins: int) -> Acts:
    results = _results(situation, begins)
    if situation.wants_json:
        return (_value(situation, " ".join(results) or _CLOSING),)
    return (Say(_report(results) if results else _CLOSING),)


def _report(results: list[str]) -> str:
    return "Here is what I found: " + "\n".join(one.strip() for one in results)


def _value(situation: Situation, text: str) -> Value:
    return Value(as_json(imagine(situation.schema or {"type": "object"}, text)))


def _by_itself(situation: Situation, text: str, since: int) -> Acts | None:
    results = _results(situation, since)
    if situation.tools and (not results or situation.must_call):
        calls = calls_for(situation, text)
        if calls:
            return calls
    if situation.wants_json:
        # What the tools gave comes first: its numbers and places matter more than the question's.
        return (_value(situation, " ".join([*results, text])),)
    return (Say(_report(results)),) if results else None
