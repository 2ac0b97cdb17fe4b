"""Checks what models write against the schemas of callers, where it holds nobody up.

What is surely quick is done here. Everything else is done by a compute process within a time limit: schemas
with keywords that can take for ever (regular expressions, references, what alternatives left unevaluated),
long texts, and repairs of texts beyond a few hundred characters.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from chat2api.chat.conversation import JsonOutput, ToolSpec
from chat2api.chat.json_reading import Reading, candidates, read_arguments, read_output
from chat2api.compute.protocol import Compute, ComputeFailed
from chat2api.lifetime.call import Call

log = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
_REPAIRED_HERE = 500
_READ_HERE = 20_000
_PRODUCT_HERE = 500_000
"""Characters of schema times characters of value: what an array of objects can cost at worst."""
_SLOW_KEYWORDS = (
    '"pattern',
    '"$ref',
    '"$dynamicRef',
    '"$recursiveRef',
    '"uniqueItems',
    '"unevaluated',
)


@dataclass(frozen=True, slots=True)
class Checked:
    """`texts` are good; where there is none, `problems` say why."""

    texts: tuple[str, ...]
    problems: tuple[str, ...] = ()


class JsonChecks:
    """Made once per worker."""

    def __init__(self, compute: Compute, seconds: float = CHECK_SECONDS) -> None:
        """A check elsewhere may take so many seconds."""
        self._compute = compute
        self._seconds = seconds

    def arguments(self, tool: ToolSpec, body: str, call: Call) -> Checked:
        """The arguments of each call that `body` makes; a custom tool takes any."""
        if tool.custom:
            return Checked((body,))
        if _is_quick(tool.parameters, body):
            found = read_arguments(tool.parameters, tool.name, body, len(body) <= _REPAIRED_HERE)
            if found[0] or len(body) <= _REPAIRED_HERE:
                return _checked(found)
        far = self._far("check_arguments", tool.parameters, tool.name, body, call=call)
        if far is not None:
            return _checked(far)
        # The caller's own schema is at fault, or nobody is free: what is JSON for sure is good enough.
        return _checked(read_arguments({}, tool.name, body, repairing=False))

    def output(self, output: JsonOutput, text: str, call: Call) -> Checked:
        """The JSON that an answer holds."""
        if _is_quick(output.schema or {}, text):
            found = read_output(output.schema, text, len(text) <= _REPAIRED_HERE)
            if found[0] or len(text) <= _REPAIRED_HERE or not any(map(_is_open, candidates(text))):
                return _checked(found)
        far = self._far("check_output", output.schema, text, call=call)
        return Checked((), ("It could not be checked in time.",)) if far is None else _checked(far)

    def _far(self, task: str, *args: Any, call: Call) -> Reading | None:
        try:
            texts, problems = self._compute.run(
                task, *args, call=call, timeout_seconds=self._seconds
            )
        except ComputeFailed as error:
            log.warning("checking JSON failed: %s", error)
            return None
        return texts, problems


def _is_quick(schema: dict[str, Any], text: str) -> bool:
    if len(text) > _READ_HERE:
        return False
    written = json.dumps(schema)
    if len(written) * len(text) > _PRODUCT_HERE:
        return False
    return not any(keyword in written for keyword in _SLOW_KEYWORDS)


def _is_open(text: str) -> bool:
    """Whether it looks like JSON that a repair may help."""
    return text[0] in "{["


def _checked(found: Reading) -> Checked:
    texts, problems = found
    return Checked(tuple(texts), tuple(problems))
