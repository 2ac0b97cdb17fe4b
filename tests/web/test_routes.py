"""Which addresses there are, what every answer carries, and the line that each request leaves in the log."""

from __future__ import annotations

import errno
import json
import logging
import re
from typing import Any

import pytest

from chat2api.chat.events import TextDelta
from chat2api.errors import UpstreamTruncated

COMPLETIONS = "/v1/chat/completions"
REQUEST_ID = re.compile(r"req_[0-9a-f]{32}")
BODY = {"messages": [{"role": "user", "content": "a very private prompt"}]}


# --- the list


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/healthz", {"status": "ok"}),
        ("/readyz", {"status": "ready"}),
        ("/ping", {"message": "pong"}),
    ],
)
def test_probes_need_no_key(site: Any, path: str, document: Any) -> None:
    site.given["api_prefix"] = "hidden"
    response = site.send("GET", path, key=None)
    assert (response.status_code, response.get_json()) == (200, document)
    assert site.send("HEAD", path, key=None).get_data() == b""


def test_models(site: Any) -> None:
    response = site.send("GET", "/v1/models")
    assert response.get_json() == {
        "object": "list",
        "data": [
            {"id": "auto", "object": "model", "created": 0, "owned_by": "openai"},
            {"id": "gpt-5-5", "object": "model", "created": 7, "owned_by": "openai"},
        ],
    }
    one = site.send("GET", "/v1/models/gpt-5-5")
    assert one.get_json() == response.get_json()["data"][1]
    missing = site.send("GET", "/v1/models/no/such")
    assert (missing.status_code, missing.get_json()["error"]["code"]) == (404, "model_not_found")
    assert site.send("GET", "/v1/models", key=None).status_code == 401


def test_draining(site: Any) -> None:
    site.lifecycle.begin_drain()
    assert site.send("GET", "/healthz").status_code == 200
    unready = site.send("GET", "/readyz")
    assert (unready.status_code, unready.get_json()) == (503, {"status": "shutting_down"})
    for refused in (unready, site.ask(), site.ask(stream=True), site.send("GET", "/v1/models")):
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.get_json()["error"]["code"] == "server_shutting_down"
    assert site.provider.turns == []


def test_a_key_may_stand_in_another_header_but_not_in_the_address(site: Any) -> None:
    key = "sk-key-of-the-suite"
    assert site.send("GET", "/v1/models", key=None, headers={"X-Api-Key": key}).status_code == 200
    bare = site.send("GET", "/v1/models", key=None, headers={"Authorization": key})
    assert bare.status_code == 200
    for name in ("key", "api_key", "api-key", "authorization"):
        assert site.send("GET", f"/v1/models?{name}={key}", key=None).status_code == 401


def test_a_workspace_may_be_named(site: Any) -> None:
    site.send("POST", COMPLETIONS, json=BODY, headers={"ChatGPT-Account-ID": "team-1"})
    ((conversation, _, _),) = site.provider.turns
    assert conversation.workspace_id == "team-1"


def test_without_a_key_where_that_is_allowed(site: Any) -> None:
    site.given["allow_anonymous"] = True
    assert site.ask(key=None).status_code == 200
    ((_, credential, _),) = site.provider.turns
    assert credential.is_anonymous


# --- API_PREFIX


@pytest.fixture
def hidden(site: Any) -> Any:
    site.given["api_prefix"] = "/hidden/deep/"
    return site


def test_with_a_prefix_the_api_is_there_only(hidden: Any) -> None:
    assert hidden.send("GET", "/hidden/deep/v1/models").status_code == 200
    assert hidden.ask(path=f"/hidden/deep{COMPLETIONS}").status_code == 200
    for path in ("/v1/models", "/hidden/v1/models", "/deep/v1/models", "/hidden/deep/healthz"):
        response = hidden.send("GET", path)
        assert (response.status_code, "hidden" in response.get_data(as_text=True)) == (404, False)
    assert hidden.ask().status_code == 404


def test_the_prefix_stays_out_of_the_log(hidden: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hidden.send("GET", "/hidden/deep/v1/models").close()
    (record,) = lines(caplog)
    assert record.path == "/v1/models"
    assert "hidden" not in caplog.text


def test_browsers_may_call_below_the_prefix(hidden: Any) -> None:
    origin = {"Origin": "https://chat.test"}
    below = hidden.send("GET", "/hidden/deep/v1/models", headers=origin)
    assert below.headers["Access-Control-Allow-Origin"] == "*"
    other = hidden.send("GET", "/v1/models", headers=origin)
    assert "Access-Control-Allow-Origin" not in other.headers


# --- on every answer


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/ping", 200),
        ("GET", "/v1/models", 200),
        ("OPTIONS", COMPLETIONS, 200),
        ("GET", "/nowhere", 404),
        ("PUT", COMPLETIONS, 405),
        ("POST", COMPLETIONS, 400),
    ],
)
def test_every_answer_has_an_id_of_ours(site: Any, method: str, path: str, status: int) -> None:
    theirs = {"x-request-id": "req_of-the-caller"}
    first, second = (site.send(method, path, headers=theirs) for _ in range(2))
    ids = [response.headers["x-request-id"] for response in (first, second)]
    assert first.status_code == status
    assert all(REQUEST_ID.fullmatch(one) for one in ids)
    assert len(set(ids)) == 2


def test_a_stream_has_one_too(site: Any) -> None:
    response = site.ask(stream=True)
    assert REQUEST_ID.fullmatch(response.headers["x-request-id"])
    ((_, _, call),) = site.provider.turns
    assert call.request_id == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "is_api"),
    [("/v1/models", True), ("/v1/nothing", True), ("/ping", False), ("/nowhere", False)],
)
def test_the_api_says_how_long_it_took(site: Any, path: str, is_api: bool) -> None:
    headers = site.send("GET", path).headers
    assert ("openai-processing-ms" in headers, "openai-version" in headers) == (is_api, is_api)
    if is_api:
        assert 1 <= int(headers["openai-processing-ms"]) < 10_000
        assert headers["openai-version"] == "2020-10-01"


def test_too_many_query_parameters(site: Any) -> None:
    def asked(count: int) -> int:
        query = "&".join(f"a{n}=b" for n in range(count))
        return int(site.send("GET", f"/v1/models?{query}").status_code)

    assert [asked(1), asked(100), asked(101), asked(500)] == [200, 200, 400, 400]


# --- browsers


def cors_of(response: Any) -> dict[str, str]:
    return {
        name.removeprefix("Access-Control-"): value
        for name, value in response.headers
        if name.startswith("Access-Control-")
    }


def test_a_browser_asks_first(site: Any) -> None:
    asks = {
        "Origin": "https://chat.test",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, x-stainless-lang",
    }
    response = site.send("OPTIONS", COMPLETIONS, key=None, headers=asks)
    cors = cors_of(response)
    assert (response.status_code, cors["Allow-Origin"], cors["Max-Age"]) == (200, "*", "600")
    assert "POST" in cors["Allow-Methods"]
    allowed = {name.strip().lower() for name in cors["Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "x-stainless-lang"} <= allowed
    assert "Allow-Credentials" not in cors


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [("POST", COMPLETIONS, "sk-wrong"), ("GET", "/v1/nothing", None), ("PUT", COMPLETIONS, None)],
)
def test_a_browser_may_read_refusals_too(
    site: Any, method: str, path: str, key: str | None
) -> None:
    response = site.send(method, path, key=key, headers={"Origin": "https://chat.test"})
    assert (response.status_code >= 400, cors_of(response)["Allow-Origin"]) == (True, "*")


def test_a_browser_may_read_streams_and_our_headers(site: Any) -> None:
    origin = {"Origin": "https://chat.test"}
    response = site.send("POST", COMPLETIONS, json={**BODY, "stream": True}, headers=origin)
    cors = cors_of(response)
    exposed = {name.strip() for name in cors["Expose-Headers"].split(",")}
    assert cors["Allow-Origin"] == "*"
    limits = {
        f"x-ratelimit-{what}-{of}"
        for what in ("limit", "remaining", "reset")
        for of in ("requests", "tokens")
    }
    ours = {"x-request-id", "request-id", "openai-processing-ms", "openai-version", "retry-after"}
    assert exposed == ours | limits


def test_probes_are_no_business_of_other_sites(site: Any) -> None:
    origin = {"Origin": "https://chat.test"}
    for path in ("/ping", "/healthz", "/readyz", "/nowhere"):
        assert cors_of(site.send("GET", path, headers=origin)) == {}


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://chat.test", True), ("https://evil.test", False), ("https://chat.test.evil", False)],
)
def test_only_the_named_origins_may_call(site: Any, origin: str, allowed: bool) -> None:
    site.given["cors_origins"] = ("https://chat.test",)
    cors = cors_of(site.send("GET", "/v1/models", headers={"Origin": origin}))
    assert cors.get("Allow-Origin") == (origin if allowed else None)
    assert "Allow-Credentials" not in cors


# --- the request line


def lines(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record for record in caplog.records if record.name == "chat2api.request"]


def test_a_request_leaves_one_line(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    site.send("POST", f"{COMPLETIONS}?key=sk-in-the-address", json=BODY).close()
    (record,) = lines(caplog)
    assert (record.levelname, record.message) == ("INFO", "request")
    assert (record.method, record.path, record.status, record.client) == (
        "POST",
        COMPLETIONS,
        200,
        "127.0.0.1",
    )
    assert 0 <= record.seconds < 10


def test_probes_are_logged_for_the_patient(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for path in ("/healthz", "/readyz", "/ping"):
        site.send("GET", path).close()
    assert [record.levelname for record in lines(caplog)] == ["DEBUG"] * 3


def test_what_an_open_page_asks_again_and_again_is_logged_for_the_patient(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for accept in ("application/json", "text/html"):
        site.send("GET", "/admin/pulse", headers={"Accept": accept}).close()
    assert [record.levelname for record in lines(caplog)] == ["DEBUG", "INFO"]


def test_a_stream_is_logged_when_its_last_byte_is_out(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    response = site.ask(stream=True)
    assert lines(caplog) == []
    response.get_data()
    response.close()
    assert [record.status for record in lines(caplog)] == [200]


def test_secrets_and_prompts_stay_out_of_the_log(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = {"Cookie": "session=a-cookie", "X-Api-Key": "sk-another"}
    site.send("POST", f"{COMPLETIONS}?key=sk-query", json=BODY, headers=secret).close()
    site.send("POST", COMPLETIONS, key="sk-wrong", json=BODY).close()
    site.plays([TextDelta("a very private answer"), UpstreamTruncated("Cut.")])
    site.ask(**BODY).close()
    said = caplog.text + json.dumps([str(vars(record)) for record in caplog.records])
    for word in ("sk-", "fk-", "a-cookie", "private"):
        assert word not in said
    assert len(lines(caplog)) == 3


@pytest.mark.parametrize(
    ("trusted", "client"), [((), "127.0.0.1"), (("127.0.0.0/8",), "203.0.113.9")]
)
def test_only_trusted_proxies_say_who_called(
    site: Any, caplog: pytest.LogCaptureFixture, trusted: tuple[str, ...], client: str
) -> None:
    caplog.set_level(logging.INFO)
    site.given["trusted_proxies"] = trusted
    forwarded = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
    site.send("GET", "/v1/models", headers=forwarded).close()
    assert [record.client for record in lines(caplog)] == [client]


# --- bodies that nobody read


class Line:
    """The server's socket of a request; not one that anybody is watched through."""

    family = None

    def __init__(self) -> None:
        self.shut: list[int] = []

    def shutdown(self, how: int) -> None:
        self.shut.append(how)

    def settimeout(self, seconds: float) -> None:
        pass

    def recv(self, size: int) -> bytes:
        return b""


def left_unread(site: Any, method: str, path: str, **request: Any) -> tuple[Any, Line]:
    line = Line()
    environ = {"gunicorn.socket": line, **request.pop("environ", {})}
    return site.send(method, path, environ_overrides=environ, **request), line


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}


@pytest.mark.parametrize(
    ("method", "path", "request_", "status"),
    [
        ("POST", "/nowhere", {"data": b"x" * 65_537}, 404),
        ("POST", COMPLETIONS, {"data": b"x" * 65_537, "key": "sk-wrong"}, 401),
        ("POST", COMPLETIONS, {"data": b"x", "environ": CHUNKED, "key": None}, 401),
        ("GET", "/ping", {"data": b"x" * 65_537}, 200),
    ],
)
def test_after_a_body_that_nobody_read_the_connection_ends(
    site: Any,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    request_: dict[str, Any],
    status: int,
) -> None:
    """The answer goes out first, and the log and the budget hear of the request all the same."""
    caplog.set_level(logging.DEBUG)
    response, line = left_unread(site, method, path, **request_)
    assert (response.status_code, response.headers["Connection"]) == (status, "close")
    assert line.shut == []
    with pytest.raises(OSError, match="early answer") as raised:
        response.close()
    site.responses.remove(response)
    assert (raised.value.errno, len(line.shut)) == (errno.EPIPE, 1)
    assert [record.status for record in lines(caplog)] == [status]


@pytest.mark.parametrize(
    ("method", "path", "request_"),
    [
        ("POST", "/nowhere", {"data": b"x" * 65_536}),
        ("POST", COMPLETIONS, {"json": {**BODY, "padding": "x" * 100_000}}),
        ("POST", COMPLETIONS, {"data": json.dumps(BODY), "environ": CHUNKED}),
        ("GET", "/v1/models", {}),
    ],
)
def test_otherwise_it_may_be_used_again(
    site: Any, method: str, path: str, request_: dict[str, Any]
) -> None:
    response, line = left_unread(site, method, path, **request_)
    assert "Connection" not in response.headers
    response.close()
    assert line.shut == []


@pytest.mark.parametrize(
    "path", ["/why/req%00_1", "/v1/models?x=%00", "/admin/accounts?q=a%00b", "/%00"]
)
def test_no_address_holds_a_nul(site: Any, path: str) -> None:
    """PostgreSQL cannot compare with one."""
    assert site.send("GET", path).status_code == 400
