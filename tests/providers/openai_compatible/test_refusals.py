"""What the refusals of servers mean, for the caller and for the operator."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.errors import (
    Chat2ApiError,
    ContentPolicyViolation,
    ContextTooLong,
    RequestError,
    TooLarge,
    UnknownModel,
    UpstreamAccessDenied,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamChallenge,
    UpstreamRateLimited,
    UpstreamTimeout,
)
from chat2api.providers.openai_compatible.refusals import Upstream, classify

NOW = 1_780_000_000.0
KEY = "planted-key-77"
HOST = "models.internal"
LOCAL = Upstream("local", (KEY, HOST))


def read(status: int, body: Any, **headers: str) -> Chat2ApiError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(LOCAL, status, named, raw, NOW)


def error(message: str = "", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, error("It is not there.", code="DeploymentNotFound"), UnknownModel),
        (400, error("Invalid temperature"), RequestError),
        (400, error("x", code="context_length_exceeded"), ContextTooLong),
        (400, error("This model's maximum context length is 8192 tokens."), ContextTooLong),
        (400, error("the request exceeds the available context size"), ContextTooLong),
        (400, error("x", code="content_filter"), ContentPolicyViolation),
        (400, error("x", code="content_policy_violation"), ContentPolicyViolation),
        (400, error("x", type="moderation_blocked"), ContentPolicyViolation),
        (400, error("API key not valid. Please pass a valid API key."), UpstreamAuthFailed),
        (400, error("The model `gpt-9` does not exist"), UnknownModel),
        (401, error("Incorrect API key provided"), UpstreamAuthFailed),
        (401, b"", UpstreamAuthFailed),
        (402, error("Insufficient Balance"), UpstreamRateLimited),
        (403, error("no"), UpstreamAccessDenied),
        (403, b"<html>Just a moment...</html>", UpstreamChallenge),
        (404, error("The model 'x' was not found", code="model_not_found"), UnknownModel),
        (404, error('model "x" not found, try pulling it first'), UnknownModel),
        (404, {"detail": "Not Found"}, UpstreamBadResponse),
        (404, b"404 page not found", UpstreamBadResponse),
        (405, b"", UpstreamBadResponse),
        (408, b"", UpstreamTimeout),
        (409, b"", UpstreamRateLimited),
        (413, error("Too large"), TooLarge),
        (415, error("x"), RequestError),
        (422, {"detail": [{"loc": ["body", "stop"], "msg": "too many"}]}, RequestError),
        (429, error("slow down"), UpstreamRateLimited),
        (429, error("x", code="insufficient_quota"), UpstreamRateLimited),
        (301, b"", UpstreamBadResponse),
        (500, error("The model crashed: context length"), UpstreamBadResponse),
        (503, b"<html>busy</html>", UpstreamBadResponse),
        (504, b"", UpstreamTimeout),
        (529, error("overloaded"), UpstreamBadResponse),
        (200, error("x", code=404), UpstreamBadResponse),
        (200, error("x", code="429"), UpstreamRateLimited),
        (200, [error("bad value", code=400, status="INVALID_ARGUMENT")], RequestError),
    ],
)
def test_kinds(status: int, body: Any, kind: type[Chat2ApiError]) -> None:
    found = read(status, body)
    assert type(found) is kind
    assert found.upstream_status == status
    assert found.message


def test_the_callers_mistake_is_told_as_it_was() -> None:
    found = read(400, error("Invalid 'stop': too many.", param="stop", code="array_above_max"))
    assert (found.status, found.message) == (400, "Invalid 'stop': too many.")
    assert (found.param, found.code) == ("stop", "array_above_max")


def test_a_validation_names_its_field() -> None:
    found = read(422, {"detail": [{"loc": ["body", "tools", 0, "name"], "msg": "Field required"}]})
    assert (found.status, found.message, found.param) == (400, "Field required", "tools.0.name")


@pytest.mark.parametrize("code", ["Bad Code", "", 3, None, "x" * 80])
def test_a_code_that_is_none(code: Any) -> None:
    assert read(400, error("x", code=code)).code == "invalid_value"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 200])
def test_nothing_hidden_is_told(status: int) -> None:
    told = f"Key {KEY} of http://{HOST}:8000/v1/x at {HOST} sk-abcdefgh1234 \n\x00 refused"
    message = read(status, error(told, code="y")).message
    for hidden in (KEY, HOST, "sk-abc", "http://", "\n", "\0"):
        assert hidden not in message


def test_a_parameter_hides_as_much() -> None:
    assert read(400, error("x", param=f"{KEY} at {HOST}")).param == "*** at ***"


@pytest.mark.parametrize("status", [400, 404, 500, 502])
def test_no_page_and_no_novel_is_told(status: int) -> None:
    assert "<" not in read(status, b"<html><b>nginx</b>").message
    assert len(read(status, error("long " * 1000)).message) < 600


@pytest.mark.parametrize(
    ("headers", "message", "wait"),
    [
        ({"retry_after": "120"}, "", 120.0),
        ({"Retry_After": "0.2"}, "", 1.0),
        ({"retry_after": "-5"}, "", 1.0),
        ({"retry_after": "315360000"}, "", 86_400.0),
        ({"retry_after": "inf"}, "", 86_400.0),
        ({"retry_after": "nan"}, "", None),
        ({"retry_after": "soon"}, "", None),
        ({"retry_after": "Thu, 28 May 2026 20:27:00 GMT"}, "", 20.0),
        ({"retry_after_ms": "2500", "retry_after": "9"}, "", 2.5),
        ({}, "Please try again in 6.5s.", 6.5),
        ({}, "Please try again in 900ms.", 1.0),
        ({}, "", None),
    ],
)
def test_when_to_try_again(headers: dict[str, str], message: str, wait: float | None) -> None:
    assert read(429, error(message), **headers).retry_after == wait


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "detail", "type", "param", "loc", "msg"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(st.integers(200, 599), st.binary(max_size=60) | JSON)
def test_whatever_a_server_answers_there_is_an_error_for_it(status: int, body: Any) -> None:
    found = read(status, body)
    assert found.message
    assert found.message.isprintable()
    assert 400 <= found.status < 600
