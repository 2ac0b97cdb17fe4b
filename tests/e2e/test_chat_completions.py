"""The product's main job, end to end, judged by the official SDK."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

KEY = "sk-test-key-of-the-suite"
HELLO: list[Any] = [{"role": "user", "content": "/sim text"}]


def expected(upstream: Any, scenario: str) -> Any:
    return upstream.control(f"expected?scenario={scenario}")


@pytest.fixture(params=["2024", "2026"])
def generation(request: pytest.FixtureRequest, upstream: Any) -> str:
    upstream.control("config", {"generation": request.param})
    return str(request.param)


def test_create(server: Any, upstream: Any) -> None:
    answer = server.client().chat.completions.create(model="gpt-5-5", messages=HELLO)
    assert answer.choices[0].message.content == expected(upstream, "text")["text"]
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "gpt-5-5"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens > 5
