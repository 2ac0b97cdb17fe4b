"""Reads a conversation that is text alone, as a model does: what its instructions say of tools and of JSON.

Nothing is known beforehand but the look of such instructions: a sample line of a call, numbered tools, and
what their arguments are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chat2api.simulator.documents import Json
from chat2api.simulator.mind.situation import Line, Role, Situation, Tool

_SAMPLE = re.compile(r'<tool_call_([A-Za-z0-9]+) name="TOOL_NAME">')
_ANY_CALL = re.compile(r"<tool_call_([A-Za-z0-9]+) name=")
_TOOL = re.compile(r"(\d+)\. (\S+)\s*\Z")
_PARAMETERS = "Parameters (JSON Schema): "
_FREE_TEXT = "Input: free text"
_SCHEMA = re.compile(r"^JSON Schema: (?=\{)", re.MULTILINE)
_ONE_OBJECT = "one JSON object"
_MUST = "must call"
_NAMED = re.compile(r"must call the tool ([\w.-]*\w)")
_ONE_CALL = re.compile(r"\b(?:only|at most) one (?:tool )?call\b")
_RESULT = re.compile(r"<tool_result_(\w+)([^>]*)>\n?(.*?)\n?</tool_result_\1>", re.DOTALL)
_SPEAKER = re.compile(r"(?:\A|\n\n)(System|User|Assistant|Tool): ")
_SPEAKERS: dict[str, Role] = {
    "System": "system",
    "User": "user",
    "Assistant": "assistant",
    "Tool": "user",
}
_COMPLAINT = re.compile(r"previous answer (?:is not|has no)\b")


@dataclass(frozen=True, slots=True)
class Said:
    """A message as the wire has it: any role, text alone."""

    role: str
    text: str
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood. `nonce` is how calls are marked; None when nobody explained or used it."""

    situation: Situation
    nonce: str | None = None


def read(messages: Sequence[Said], earlier: Sequence[Said] = ()) -> Reading:
    """What a model makes of the messages. Instructions of `earlier` turns are over, but for an answer
    that it is told to write again."""
    said = unfolded(messages)
    everything = [*earlier, *said]
    if any(one.role == "user" and _COMPLAINT.search(one.text) for one in said):
        said = everything
    nonce = _last(_SAMPLE, said) or _last(_ANY_CALL, said)
    system = [one.text for one in said if one.role == "system"]
    # The latest instructions count.
    system.reverse()
    prompt = next((text for text in system if _SAMPLE.search(text)), "")
    tools = _tools(prompt)
    choice = next((line for line in prompt.splitlines() if _MUST in line), "")
    named = _NAMED.search(choice)
    schema = _schema(system)
    wants_json = schema is not None or any(
        _ONE_OBJECT in text for text in system if not _SAMPLE.search(text)
    )
    lines = tuple(_lines(everything))
    situation = Situation(
        lines,
        tools,
        must_call=bool(choice),
        named=named[1] if named else None,
        parallel=_ONE_CALL.search(prompt) is None,
        wants_json=wants_json,
        schema=schema,
    )
    return Reading(situation, nonce)


def is_instruction(text: str) -> bool:
    """Whether a system message explains tools or a form of answer, and is not the client's own."""
    return bool(_SAMPLE.search(text) or _SCHEMA.search(text) or _ONE_OBJECT in text)


def unfolded(messages: Sequence[Said]) -> list[Said]:
    """The messages that were told in a single one (`User: … Assistant: …`), or the same."""
    if len(messages) != 1 or not (found := list(_SPEAKER.finditer(messages[0].text))):
        return list(messages)
    text = messages[0].text
    if found[0].start() != 0 or len(found) < 2:
        return list(messages)
    ends = [one.start() for one in found[1:]] + [len(text)]
    return [
        Said(
            _SPEAKERS[one[1]],
            text[one.end() : end],
            messages[0].pictures if end == ends[-1] else (),
        )
        for one, end in zip(found, ends, strict=True)
    ]


def _last(pattern: re.Pattern[str], said: Sequence[Said]) -> str | None:
    found = (pattern.search(one.text) for one in reversed(said))
    return next((one[1] for one in found if one), None)


def _tools(prompt: str) -> tuple[Tool, ...]:
    """The numbered tools. Inside one only its last line counts, whatever its description looks like."""
    tools: list[Tool] = []
    name, about = "", list[str]()
    at = 0
    while at < len(prompt):
        end = prompt.find("\n", at)
        end = len(prompt) if end < 0 else end
        line = prompt[at:end]
        begins = at
        at = end + 1
        if not name:
            found = _TOOL.match(line)
            if found and int(found[1]) == len(tools) + 1:
                name, about = found[2].strip("`"), []
        elif line.startswith(_PARAMETERS):
            tools.append(
                Tool(name, _description(about), _object_at(prompt, begins + len(_PARAMETERS)))
            )
            name = ""
        elif line.startswith(_FREE_TEXT):
            tools.append(Tool(name, _description(about), None))
            name = ""
        else:
            about.append(line)
    return tuple(tools)


def _description(lines: list[str]) -> str:
    return "\n".join(line for line in lines if not line.startswith("```")).strip()


def _object_at(text: str, start: int) -> Json:
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _schema(system: list[str]) -> Json | None:
    for text in system:
        if found := _SCHEMA.search(text):
            return _object_at(text, found.end())
    return None


def _lines(said: Iterable[Said]) -> Iterable[Line]:
    before: Role = "system"
    for one in said:
        for line in _lines_of(one, before):
            before = line.role
            yield line


def _lines_of(one: Said, before: Role) -> Iterable[Line]:
    results = list(_results(one.text)) if one.role in ("user", "tool") else []
    if results:
        yield from results
    elif one.role == "assistant":
        yield Line("assistant", one.text)
    elif one.role == "tool":
        yield Line("result", one.text)
    elif before == "assistant" and one.role == "user" and _COMPLAINT.search(one.text):
        yield Line("told", one.text)
    else:
        yield Line("system" if one.role == "system" else "user", one.text, pictures=one.pictures)


def _results(text: str) -> Iterable[Line]:
    for found in _RESULT.finditer(text):
        name = re.search(r'name="?([^"\s>]+)', found[2])
        yield Line("result", found[3], name[1] if name else "")
