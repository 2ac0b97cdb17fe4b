"""The list of models, and one of them."""

from __future__ import annotations

from typing import Any

import openai
import pytest
import requests

AUTHORIZATION = {"Authorization": "Bearer sk-test-key-of-the-suite"}


def names(server: Any, **headers: str) -> list[str]:
    answer = requests.get(f"{server.base_url}/models", headers=headers, timeout=5)
    assert answer.status_code == 200
    return [one["id"] for one in answer.json()["data"]]


def test_the_upstreams_list(brief_server: Any, sdk: Any, upstream: Any, demo_tokens: Any) -> None:
    server = brief_server(tokens=demo_tokens[:1], MODEL_ALIASES='{"house-model": "gpt-5-5"}')
    client = sdk(server)
    for _ in range(3):
        listed = [model.id for model in client.models.list()]
        assert {"auto", "gpt-5-5", "gpt-5-5-thinking", "house-model"} <= set(listed)
        assert listed == sorted(set(listed))
    assert len(upstream.control("requests?endpoint=models")["requests"]) == 1  # kept a while

    model = client.models.retrieve("gpt-5-5")
    assert (model.id, model.object) == ("gpt-5-5", "model")
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("no/such model")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")

    answer = client.chat.completions.create(
        model="house-model", messages=[{"role": "user", "content": "/sim text"}]
    )
    (turn,) = upstream.control("requests?endpoint=conversation")["requests"]
    assert (answer.model, turn["body"]["model"]) == ("house-model", "gpt-5-5")


def test_each_caller_sees_what_is_open_to_them(
    brief_server: Any, upstream: Any, demo_tokens: Any
) -> None:
    server = brief_server(tokens=demo_tokens[:1], ALLOW_ANONYMOUS="true")
    free = {"Authorization": f"Bearer {demo_tokens[1]}"}
    assert "gpt-5-5-pro" in names(server, **AUTHORIZATION)
    assert "gpt-5-5-pro" not in names(server, **free)
    assert "gpt-5-5" in names(server, **free)
    assert "gpt-5-5" not in names(server)
    assert "auto" in names(server)


@pytest.fixture(scope="module")
def impatient(start_server: Any, demo_tokens: Any) -> Any:
    return start_server(tokens=demo_tokens[:1], FIRST_BYTE_SECONDS="0.3")


@pytest.mark.parametrize("fault", ["status", "page", "expired", "rate", "hang", "not_http"])
def test_a_list_is_never_empty_when_the_upstream_fails(
    impatient: Any, upstream: Any, new_tokens: Any, fault: str
) -> None:
    upstream.control("default", {"endpoint": "models", "fault": fault, "times": "always"})
    caller = {"Authorization": new_tokens(1)[0]}  # with a list of their own
    first = names(impatient, **caller)
    assert {"auto", "gpt-5-5"} <= set(first)
    assert names(impatient, **caller) == first
    assert len(upstream.control("requests?endpoint=models")["requests"]) == 1


def test_a_failed_list_takes_no_account_away(impatient: Any, upstream: Any, ask: Any) -> None:
    upstream.control("next", {"endpoint": "models", "fault": "unusual"})
    assert "auto" in names(impatient, **AUTHORIZATION)
    assert ask(impatient).status == 200


def test_no_account_is_no_reason_for_no_list(brief_server: Any, upstream: Any) -> None:
    assert "auto" in names(brief_server(tokens=[]), **AUTHORIZATION)
