"""What is checked here and what by another process, and what becomes of checks that never end."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from chat2api.chat.conversation import JsonOutput, ToolSpec
from chat2api.compute.pool import ComputePool
from chat2api.compute.protocol import ComputeFailed, ComputeTimeout
from chat2api.compute.tasks import TASKS
from chat2api.lifetime.call import Call
from chat2api.service.json_checks import Checked, JsonChecks

CALL = Call(math.inf)
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PATTERN = {"type": "object", "properties": {"city": {"type": "string", "pattern": "^[A-Z]"}}}


class Elsewhere:
    """Does the work at once, or fails with `error`; notes what it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.ran: list[str] = []

    def run(self, task: str, *args: Any, call: Call, timeout_seconds: float) -> Any:
        self.ran.append(task)
        assert 0 < timeout_seconds <= 10
        if self.error is not None:
            raise self.error
        return TASKS[task](*args)


def tool(parameters: dict[str, Any] = CITY, **more: Any) -> ToolSpec:
    return ToolSpec("get_weather", "", parameters, **more)


@pytest.mark.parametrize(
    ("parameters", "body", "told", "ran"),
    [
        (CITY, '{"city": "Oslo"}', '{"city": "Oslo"}', []),
        (CITY, "{'city': 'Oslo'}", '{"city":"Oslo"}', []),
        (CITY, '{"city": "%s"}' % ("x" * 600), '{"city": "%s"}' % ("x" * 600), []),
        (CITY, "{'city': '%s'}" % ("x" * 600), '{"city":"%s"}' % ("x" * 600), ["check_arguments"]),
        (PATTERN, '{"city": "Oslo"}', '{"city": "Oslo"}', ["check_arguments"]),
        (
            {"$defs": {"c": CITY}, "$ref": "#/$defs/c"},
            '{"city": ""}',
            '{"city": ""}',
            ["check_arguments"],
        ),
        (
            {**CITY, "anyOf": [{}], "unevaluatedProperties": True},
            '{"city": ""}',
            '{"city": ""}',
            ["check_arguments"],
        ),
        (
            {**CITY, "description": "x" * 60_000},
            '{"city": ""}',
            '{"city": ""}',
            ["check_arguments"],
        ),
    ],
)
def test_what_may_take_long_is_done_elsewhere(
    parameters: dict[str, Any], body: str, told: str, ran: list[str]
) -> None:
    elsewhere = Elsewhere()

    assert JsonChecks(elsewhere).arguments(tool(parameters), body, CALL) == Checked((told,))
    assert elsewhere.ran == ran


def test_problems_are_told() -> None:
    for parameters in (CITY, {**CITY, "patternProperties": {}}):
        found = JsonChecks(Elsewhere()).arguments(tool(parameters), "{}", CALL)
        assert found == Checked((), ("'city' is a required property",))


def test_a_custom_tool_takes_any_text() -> None:
    assert JsonChecks(Elsewhere()).arguments(tool(custom=True), "{", CALL) == Checked(("{",))


@pytest.mark.parametrize("error", [ComputeFailed("died"), ComputeTimeout("too long")])
def test_where_no_check_ends_arguments_must_be_json(error: Exception) -> None:
    checks = JsonChecks(Elsewhere(error))

    good = checks.arguments(tool(PATTERN), '{"city": "oslo"}', CALL)
    assert good == Checked(('{"city": "oslo"}',))
    assert checks.arguments(tool(PATTERN), "{'city': 1}", CALL).texts == ()


@pytest.mark.parametrize(
    ("schema", "text", "told", "ran"),
    [
        (None, '{"a": 1}', '{"a": 1}', []),
        (CITY, 'So: {"city": "Oslo"}', '{"city": "Oslo"}', []),
        (CITY, "{'city': '%s'}" % ("x" * 600), '{"city":"%s"}' % ("x" * 600), ["check_output"]),
        (PATTERN, '{"city": "Oslo"}', '{"city": "Oslo"}', ["check_output"]),
    ],
)
def test_outputs_are_checked_alike(
    schema: dict[str, Any] | None, text: str, told: str, ran: list[str]
) -> None:
    elsewhere = Elsewhere()

    assert JsonChecks(elsewhere).output(JsonOutput(schema), text, CALL) == Checked((told,))
    assert elsewhere.ran == ran


def test_a_long_text_without_json_is_not_repaired() -> None:
    elsewhere = Elsewhere()

    found = JsonChecks(elsewhere).output(JsonOutput(CITY), "word " * 500, CALL)

    assert found == Checked((), ("The answer is not JSON.",))
    assert elsewhere.ran == []


def test_an_output_that_cannot_be_checked_is_refused() -> None:
    checks = JsonChecks(Elsewhere(ComputeTimeout("too long")))

    found = checks.output(JsonOutput(PATTERN), json.dumps({"city": "Oslo"}), CALL)

    assert found == Checked((), ("It could not be checked in time.",))


def test_a_regular_expression_that_never_ends_is_ended() -> None:
    endless = {"properties": {"a": {"pattern": "^(x+x+)+y$"}}}
    body = json.dumps({"a": "x" * 60})
    pool = ComputePool(1)
    try:
        pool.warm()
        checks = JsonChecks(pool, seconds=0.5)

        assert checks.arguments(tool(endless), body, CALL) == Checked((body,))
        assert checks.output(JsonOutput(endless), body, CALL).texts == ()
        assert JsonChecks(pool, 10).arguments(tool(PATTERN), '{"city": "o"}', CALL) == Checked(
            (), ("city: 'o' does not match '^[A-Z]'",)
        )
    finally:
        pool.close()
