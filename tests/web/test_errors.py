"""Failures as HTTP answers: status, body, Retry-After, and what is never said."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import werkzeug.exceptions
from werkzeug.exceptions import HTTPException

from chat2api import errors
from chat2api.dialects.openai_chat import OpenAIChat
from chat2api.errors import Chat2ApiError, ErrorInfo
from chat2api.web.errors import error_response
from chat2api.web.state import RequestState, set_state, state

INVALID = "invalid_request_error"


@pytest.fixture
def failing(site: Any) -> Any:
    """failing(error): the answer of a view that raises it."""

    def ask(error: Exception) -> Any:
        def view() -> None:
            raise error

        site.own_app().add_url_rule("/v1/failing", "failing", view)
        return site.send("GET", "/v1/failing")

    return ask


@pytest.mark.parametrize(
    ("error", "status", "kind", "code", "param", "wait"),
    [
        (errors.RequestError("m"), 400, INVALID, "invalid_value", None, None),
        (errors.RequestError("m", param="n"), 400, INVALID, "invalid_value", "n", None),
        (errors.InvalidJson("m"), 400, INVALID, "invalid_json", None, None),
        (errors.JsonTooDeep("m"), 400, INVALID, "json_too_deep", None, None),
        (errors.ContextTooLong("m"), 400, INVALID, "context_length_exceeded", None, None),
        (errors.Unauthorized("m"), 401, INVALID, "invalid_api_key", None, None),
        (errors.Forbidden("m"), 403, "permission_error", "forbidden_path", None, None),
        (errors.UnknownModel("m"), 404, INVALID, "model_not_found", "model", None),
        (errors.RequestTimeout("m"), 408, INVALID, "request_timeout", None, None),
        (errors.TooLarge("m"), 413, INVALID, "request_too_large", None, None),
        (errors.UnsupportedMediaType("m"), 415, INVALID, "unsupported_media_type", None, None),
        (
            errors.PoolExhausted("m", retry_after=41.2),
            429,
            "rate_limit_error",
            "account_pool_exhausted",
            None,
            "42",
        ),
        (
            errors.UpstreamRateLimited("m"),
            429,
            "rate_limit_error",
            "rate_limit_exceeded",
            None,
            "30",
        ),
        (errors.InternalError("m"), 500, "server_error", "internal_error", None, None),
        (
            errors.UpstreamConnectionError("m"),
            502,
            "server_error",
            "upstream_connection_error",
            None,
            "2",
        ),
        (errors.ShuttingDown("m"), 503, "server_error", "server_shutting_down", None, "5"),
        (
            errors.Overloaded("m", retry_after=0.0),
            503,
            "server_error",
            "server_overloaded",
            None,
            "1",
        ),
        (errors.UpstreamTimeout("m"), 504, "server_error", "upstream_timeout", None, "2"),
    ],
)
def test_expected_failures(
    failing: Any,
    error: Chat2ApiError,
    status: int,
    kind: str,
    code: str,
    param: str | None,
    wait: str | None,
) -> None:
    response = failing(error)
    assert (response.status_code, response.content_type) == (status, "application/json")
    assert response.get_json() == {
        "error": {"message": "m", "type": kind, "param": param, "code": code}
    }
    assert response.headers.get("Retry-After") == wait


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (werkzeug.exceptions.BadRequest("secret"), 400, "invalid_value"),
        (werkzeug.exceptions.NotFound("secret"), 404, "not_found"),
        (werkzeug.exceptions.MethodNotAllowed(description="secret"), 405, "method_not_allowed"),
        (werkzeug.exceptions.RequestTimeout("secret"), 408, "request_timeout"),
        (werkzeug.exceptions.RequestEntityTooLarge("secret"), 413, "request_too_large"),
        (werkzeug.exceptions.RequestURITooLarge("secret"), 414, "uri_too_long"),
        (werkzeug.exceptions.ImATeapot("secret"), 418, "invalid_value"),
        (werkzeug.exceptions.InternalServerError("secret"), 500, "internal_error"),
        (werkzeug.exceptions.NotImplemented("secret"), 500, "internal_error"),
    ],
)
def test_failures_of_the_framework(
    failing: Any, error: HTTPException, status: int, code: str
) -> None:
    """In our shape and our words."""
    response = failing(error)
    told = response.get_json()["error"]
    assert (response.status_code, told["code"]) == (status, code)
    assert set(told) == {"message", "type", "param", "code"}
    assert "secret" not in response.get_data(as_text=True)


def test_a_bug_is_told_to_the_log_and_not_to_the_caller(
    failing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    response = failing(KeyError("/home/operator/secret"))
    assert response.status_code == 500
    assert response.get_json()["error"] == {
        "message": "Internal error; the log has it under this request id.",
        "type": "server_error",
        "param": None,
        "code": "internal_error",
    }
    (record,) = (one for one in caplog.records if one.levelno >= logging.ERROR)
    assert (record.name, record.exc_info is not None) == ("chat2api.web.errors", True)


def test_each_route_draws_errors_in_its_dialect(site: Any) -> None:
    class Telegraph(OpenAIChat):
        def render_error(self, info: ErrorInfo) -> dict[str, Any]:
            return {"stop": info.code}

    def view() -> None:
        state().dialect = Telegraph()
        raise errors.UpstreamTimeout("m")

    site.own_app().add_url_rule("/v1/telegraph", "telegraph", view)
    response = site.send("GET", "/v1/telegraph")
    assert (response.status_code, response.get_json()) == (504, {"stop": "upstream_timeout"})


@pytest.mark.parametrize(
    ("wait", "said"), [(0.2, "1"), (1.0, "1"), (1.01, "2"), (86_400.0, "86400"), (-3.0, "1")]
)
def test_the_wait_is_whole_seconds_and_never_too_short(site: Any, wait: float, said: str) -> None:
    with site.app.test_request_context():
        set_state(RequestState("req_1", OpenAIChat()))
        info = ErrorInfo(429, "rate_limit_error", "rate_limit_exceeded", "m", retry_after=wait)
        assert error_response(info).headers["Retry-After"] == said


# --- addresses and methods


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/chat/completions", "set the base URL to end in /v1"),
        ("/models", "set the base URL to end in /v1"),
        ("/v1//models", "double slash"),
        ("/v1/models//x", "double slash"),
        ("/v1/v1/models", "without /v1"),
        ("/v1/nothing", "Unknown path."),
        ("/v1", "Unknown path."),
    ],
)
def test_an_unknown_address_is_explained(site: Any, path: str, hint: str) -> None:
    response = site.send("GET", path, base_url="http://evil.test")
    error = response.get_json()["error"]
    assert (response.status_code, error["code"]) == (404, "not_found")
    assert hint in error["message"]
    assert "evil" not in f"{response.headers} {error}"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", "OPTIONS, POST"),
        ("DELETE", "/v1/chat/completions", "OPTIONS, POST"),
        ("POST", "/v1/models", "GET, HEAD, OPTIONS"),
        ("PATCH", "/v1/models/gpt-5-5", "GET, HEAD, OPTIONS"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("X" * 50, "/ping", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_method_that_an_address_does_not_know(
    site: Any, method: str, path: str, allowed: str
) -> None:
    response = site.send(method, path)
    error = response.get_json()["error"]
    assert (response.status_code, error["code"]) == (405, "method_not_allowed")
    assert response.headers["Allow"] == allowed
    assert len(error["message"]) < 60
