"""Reads the JSON that models write: strictly first, then as it may have been meant. Pure.

Repairing a text takes up to quadratic time (20 KB of hostile text: 20 s), so whoever calls with a long one
has to bound it. All results are plain values, so that another process can do the work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import json_repair

from chat2api.chat.json_schema import problems

MOST_CHARACTERS = 1_000_000
"""No value longer than this is read."""

_FENCE = "```"
_OPENED = re.compile(r"`{3,}[\w+-]*[ \t]*\n?")
_SURPLUS = " \t\r\n,;"

Reading = tuple[list[str], list[str]]
"""JSON texts, and what is wrong where there is none."""


def read_arguments(parameters: Any, name: str, body: str, repairing: bool = True) -> Reading:
    """The arguments of the calls of one tool that stand in `body`, one text a call: more than one where
    objects follow one another.

    A text that is JSON is passed on as it was written, a repaired one in compact form.
    """
    if len(body) > MOST_CHARACTERS:
        return [], [f"The arguments are longer than {MOST_CHARACTERS} characters."]
    text = _unfenced(body)
    found = _objects(text) if text else [("{}", {})]
    if not found and repairing:
        value = _repaired(text)
        found = [(_compact(value), value)] if isinstance(value, dict) else []
    if not found:
        return [], ["The arguments are not one JSON object."]
    found = [_unwrapped(name, parameters, *one) for one in found]
    wrong = [problem for _, value in found for problem in problems(parameters, value)]
    return ([], wrong) if wrong else ([told for told, _ in found], [])


def read_output(schema: Any, text: str, repairing: bool = True) -> Reading:
    """The one JSON value that an answer holds: any object where `schema` is None.

    Prose or a fence around it is left out.
    """
    if len(text) > MOST_CHARACTERS:
        return [], [f"The answer is longer than {MOST_CHARACTERS} characters."]
    wrong: list[str] = []
    rest = list(candidates(text))
    for candidate in rest:
        try:
            value = _strict(candidate)
        except ValueError:
            continue
        found = _output_problems(schema, value)
        if not found:
            return [candidate], []
        wrong = wrong or found
    if repairing and not wrong and rest:
        value = _repaired(rest[-1])
        if isinstance(value, dict | list):
            wrong = _output_problems(schema, value)
            if not wrong:
                return [_compact(value)], []
    return [], wrong or ["The answer is not JSON."]


def candidates(text: str) -> Iterator[str]:
    """Parts of an answer that may be the JSON asked for, the likeliest first."""
    whole = text.strip()
    if not whole:
        return
    yield whole
    yield from filter(None, _fenced(whole))
    opened = min((at for at in (whole.find("{"), whole.find("[")) if at >= 0), default=-1)
    closed = max(whole.rfind("}"), whole.rfind("]"))
    if opened >= 0:
        yield whole[opened : closed + 1] if closed > opened else whole[opened:]


def _output_problems(schema: Any, value: Any) -> list[str]:
    if schema is None:
        return [] if isinstance(value, dict) else ["The answer is not one JSON object."]
    return problems(schema, value)


def _objects(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The objects that `text` consists of; none if anything else stands there."""
    found: list[tuple[str, dict[str, Any]]] = []
    at = 0
    while at < len(text):
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict):
            return []
        found.append((text[at:end], value))
        at = end
        while at < len(text) and text[at] in _SURPLUS:
            at += 1
    return found


def _unwrapped(
    name: str, parameters: Any, text: str, value: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Some models repeat the name inside and put the arguments beside it."""
    inner = value.get("arguments")
    declared = parameters.get("properties") if isinstance(parameters, dict) else None
    is_wrapped = set(value) == {"name", "arguments"} and value["name"] == name
    if is_wrapped and isinstance(inner, dict) and "arguments" not in (declared or ()):
        return _compact(inner), inner
    return text, value


def _fenced(text: str) -> Iterator[str]:
    """What stands inside of code fences that open at the end of a line."""
    at = 0
    while (opened := _OPENED.search(text, at)) is not None:
        at = opened.end()
        if not opened[0].endswith("\n"):
            continue
        closed = text.find(_FENCE, at)
        if closed < 0:
            return
        yield text[at:closed].strip()
        at = closed + len(_FENCE)


def _unfenced(text: str) -> str:
    """`text` without the fence around it, and without white space there."""
    text = text.strip()
    opened = _OPENED.match(text)
    return text if opened is None else text[opened.end() :].rstrip("`").strip()


def _strict(text: str) -> Any:
    """Raises ValueError, also for what the standard library alone takes for JSON."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _repaired(text: str) -> Any:
    try:
        return json_repair.loads(text, skip_json_loads=True)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
