"""Bodies of requests: the gate, and what the mind is told."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.codex.asking import Sender, parse
from chat2api.simulator.mind.situation import Line

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FUNCTION = {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}
FORM = {"type": "json_schema", "name": "x", "schema": SCHEMA}
SEALED = "reasoning.encrypted_content"


def test_the_least(asked: Any) -> None:
    it = asked()
    assert it.situation.lines == (Line("system", "Be kind."), Line("user", "Hello"))
    assert (it.model.slug, it.effort, it.summary) == ("gpt-5.5", "medium", None)
    assert (it.wants_sealed, it.cache_key, it.prompt.text) == (False, None, "Hello")


def test_everything(asked: Any) -> None:
    it = asked(
        "Hi",
        tools=[FUNCTION],
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=False,
        reasoning={"effort": "high", "summary": "auto"},
        include=[SEALED],
        service_tier="priority",
        prompt_cache_key="k",
        text={"verbosity": "low", "format": FORM},
        client_metadata={"a": "b"},
    )
    situation = it.situation
    assert (situation.named, situation.must_call, situation.parallel) == ("f", True, False)
    assert (situation.wants_json, situation.schema) == (True, SCHEMA)
    assert (it.effort, it.summary, it.wants_sealed, it.cache_key) == ("high", "auto", True, "k")


def test_no_choice_but_none(asked: Any) -> None:
    assert asked(tools=[FUNCTION], tool_choice="none").situation.tools == ()


@pytest.mark.parametrize(
    "name",
    """max_output_tokens temperature top_p n stop seed user metadata truncation background prompt
    previous_response_id stream_options max_tool_calls logprobs""".split(),  # noqa: SIM905
)
def test_parameters_that_are_not_supported(name: str, asked: Any, refusal: Any) -> None:
    expected = (400, {"detail": f"Unsupported parameter: {name}"})
    assert refusal(lambda: asked(**{name: 1})) == expected


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"store": None}, "Store must be set to false"),
        ({"store": True}, "Store must be set to false"),
        ({"stream": None}, "Stream must be set to true"),
        ({"stream": False}, "Stream must be set to true"),
        ({"instructions": None}, "Instructions are required"),
        ({"instructions": ""}, "Instructions are required"),
        ({"instructions": ["x"]}, "Instructions are not valid"),
        (
            {"model": "gpt-4o"},
            "The 'gpt-4o' model is not supported when using Codex with a ChatGPT account.",
        ),
        ({"service_tier": "flex"}, "Unsupported service_tier: flex"),
        (
            {"service_tier": "priority", "model": "gpt-5.4-mini"},
            "Unsupported service_tier: priority",
        ),
    ],
)
def test_the_gate(fields: Any, text: str, asked: Any, refusal: Any) -> None:
    assert refusal(lambda: asked(**fields)) == (400, {"detail": text})


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"reasoning": {"effort": "minimal"}}, "reasoning.effort", "unsupported_value"),
        ({"reasoning": {"effort": "max"}}, "reasoning.effort", "unsupported_value"),
        (
            {"reasoning": {"effort": "ultra"}, "model": "gpt-5.6-sol"},
            "reasoning.effort",
            "unsupported_value",
        ),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary", "invalid_value"),
        ({"reasoning": "high"}, "reasoning", "invalid_type"),
        ({"include": ["message.output_text.logprobs"]}, "include[0]", "invalid_value"),
        ({"include": "all"}, "include", "invalid_type"),
        ({"prompt_cache_key": "x" * 65}, "prompt_cache_key", "string_above_max_length"),
        ({"prompt_cache_key": 7}, "prompt_cache_key", "invalid_type"),
        ({"client_metadata": {"a": 1}}, "client_metadata", "invalid_type"),
        ({"text": "low"}, "text", "invalid_type"),
        ({"text": {"verbosity": "loud"}}, "text.verbosity", "invalid_value"),
        ({"text": {"format": {"type": "poem"}}}, "text.format", "invalid_value"),
        ({"text": {"format": {"type": "json_object"}}}, "input", None),
        (
            {"text": {"format": {"type": "json_schema", "schema": {}}}},
            "text.format.name",
            "missing_required_parameter",
        ),
        (
            {"text": {"format": {**FORM, "strict": True}}},
            "text.format.schema",
            "invalid_json_schema",
        ),
        ({"tools": {"a": 1}}, "tools", "invalid_type"),
    ],
)
def test_what_is_wrong_is_named(
    fields: Any, param: str, code: str | None, asked: Any, refusal: Any
) -> None:
    status, body = refusal(lambda: asked(**fields))
    assert (status, body["error"]["param"], body["error"]["code"]) == (400, param, code)


def test_json_must_be_spoken_of(asked: Any) -> None:
    it = asked("Answer in JSON", text={"format": {"type": "json_object"}})
    assert it.situation.wants_json


def test_not_every_model_sees(asked: Any, refusal: Any) -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,QUJD"}
    said = {"role": "user", "content": [picture]}
    assert asked(said).prompt.pictures
    large = {**picture, "image_url": f"data:image/png;base64,{'QUJD' * 1000}"}
    # A picture is no thousand words.
    assert len(asked({"role": "user", "content": [large]}).parts[-1]) < 200
    _, body = refusal(lambda: asked(said, model="gpt-5.3-codex-spark"))
    assert body["error"]["code"] == "invalid_image"


def test_plans_and_instructions_of_the_sender(body: Any, refusal: Any) -> None:
    free = Sender("x", "free", paid=False, needs_instructions=False)
    assert parse(body(instructions=None), free).situation.lines == (Line("user", "Hello"),)
    assert refusal(lambda: parse(body(model="gpt-5.4"), free))[0] == 400
