"""Plain HTTP manners: probes, unknown addresses and methods, odd request lines (F15, F16, F19)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

KEY = "sk-test-key-of-the-suite"


def send(dial: Any, server: Any, head: str, body: bytes = b"") -> tuple[int, Any, bytes]:
    """Status, headers and body of the answer to a request written by hand."""
    wire = dial(server)
    wire.send(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
    status = wire.head()
    return status, wire.headers, wire.body()


def error_of(body: bytes) -> Any:
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/healthz", {"status": "ok"}),
        ("/readyz", {"status": "ready"}),
        ("/ping", {"message": "pong"}),
    ],
)
def test_probes(server: Any, path: str, document: dict[str, str]) -> None:
    answer = requests.get(server.url + path, timeout=5)
    assert (answer.status_code, answer.json()) == (200, document)
    assert answer.headers["x-request-id"].startswith("req_")
    assert requests.head(server.url + path, timeout=5).status_code == 200
    assert requests.post(server.url + path, timeout=5).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/chat",
        "/v1//chat/completions",
        "/..",
    ],
)
def test_unknown_addresses(server: Any, dial: Any, path: str) -> None:
    status, headers, body = send(dial, server, f"GET {path} HTTP/1.1\nHost: x")
    assert (status, error_of(body)["code"]) == (404, "not_found")
    assert headers["x-request-id"].startswith("req_")


def test_a_nul_in_an_address(server: Any, dial: Any) -> None:
    """No name of anything holds one, and a database may choke on it."""
    status, _, body = send(dial, server, "GET /%00 HTTP/1.1\nHost: x")
    assert (status, error_of(body)["code"]) == (400, "invalid_value")


@pytest.mark.parametrize("path", ["/v1//chat/completions", "//v1//chat//completions"])
def test_a_double_slash_is_not_mended_by_a_redirect(server: Any, dial: Any, path: str) -> None:
    """It would name the host that the caller named (F16)."""
    head = f"POST {path} HTTP/1.1\nHost: evil.example\nContent-Length: 0"
    status, headers, body = send(dial, server, head)
    assert (status, error_of(body)["code"]) == (404, "not_found")
    assert "location" not in headers
    assert b"evil" not in body


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_methods_that_an_address_does_not_know(server: Any, dial: Any, method: str) -> None:
    head = f"{method} /v1/chat/completions HTTP/1.1\nHost: x\nContent-Length: 0"
    status, headers, body = send(dial, server, head)
    assert (status, error_of(body)["code"]) == (405, "method_not_allowed")
    assert headers["allow"] == "OPTIONS, POST"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("TRACE", "/v1/models"),
        ("CONNECT", "/v1/models"),
        ("CONNECT", "example.org:443"),
        ("CONNECT", "*"),
    ],
)
def test_methods_that_no_address_knows(server: Any, dial: Any, method: str, target: str) -> None:
    head = f"{method} {target} HTTP/1.1\nHost: x\nAuthorization: Bearer {KEY}"
    status, headers, body = send(dial, server, head)
    assert (status, error_of(body)["code"]) == (405, "method_not_allowed")
    assert "POST" in headers["allow"]
    assert KEY.encode() not in body  # TRACE would give it back


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (f"GET /v1/models?{'a' * 20_000} HTTP/1.1\nHost: x", 414, "uri_too_long"),
        (f"GET /{'a' * 20_000} HTTP/1.1\nHost: x", 414, "uri_too_long"),
        (f"GET /ping?{'&'.join(f'a{n}=b' for n in range(500))} HTTP/1.1", 400, "invalid_value"),
        (f"GET /ping HTTP/1.1\nX-Long: {'a' * 20_000}", 431, "headers_too_large"),
        ("GET /ping HTTP/1.1" + "\nX-Many: a" * 200, 431, "headers_too_large"),
        ("get /ping HTTP/1.1\nHost: x", 400, "invalid_value"),
        ("GET /ping HTTP/9.9\nHost: x", 400, "invalid_value"),
        ("GET /ping\nHost: x", 400, "invalid_value"),
        ("\x16\x03\x01\x02\x00\x01", 400, "invalid_value"),
        ("GET /ping HTTP/1.1\nX: a\0b", 400, "invalid_value"),
        ("GET /ping HTTP/1.1\nX: a\n folded", 400, "invalid_value"),
        ("GET /ping HTTP/1.1\nX : a", 400, "invalid_value"),
        ("POST /v1/chat/completions HTTP/1.1\nContent-Length: -1", 400, "invalid_value"),
        ("POST /v1/chat/completions HTTP/1.1\nContent-Length: 5, 6", 400, "invalid_value"),
        (
            "POST /v1/chat/completions HTTP/1.1\nContent-Length: 5\nContent-Length: 6",
            400,
            "invalid_value",
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\nContent-Length: 5\nTransfer-Encoding: chunked",
            400,
            "invalid_value",
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\nTransfer-Encoding: chunked, identity",
            400,
            "invalid_value",
        ),
    ],
)
def test_requests_beyond_the_rules_of_http(
    server: Any, dial: Any, upstream: Any, head: str, status: int, code: str
) -> None:
    got, headers, body = send(dial, server, head)
    assert (got, error_of(body)["code"]) == (status, code)
    assert headers["x-request-id"].startswith("req_")
    assert "server" not in headers
    assert upstream.control("requests")["requests"] == []


def test_broken_chunks(server: Any, dial: Any, upstream: Any) -> None:
    head = f"POST /v1/chat/completions HTTP/1.1\nAuthorization: {KEY}\nTransfer-Encoding: chunked"
    for body in (
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"2\r\nhello\r\n0\r\n\r\n",
    ):
        status, _, told = send(dial, server, head, body)
        assert (status, error_of(told)["type"]) == (400, "invalid_request_error")
    assert upstream.control("requests")["requests"] == []


@pytest.mark.parametrize(
    "header",
    [
        "Host: evil.example",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Prefix: /evil",
        "Forwarded: host=evil.example;proto=https",
        "X-HTTP-Method-Override: DELETE",
        "X-Original-URL: /evil",
        "X-Rewrite-URL: /evil",
        "SCRIPT_NAME: /evil",
        "X-Script-Name: /evil",
        "PATH_INFO: /evil",
    ],
)
def test_headers_that_would_move_a_request(
    server: Any, dial: Any, upstream: Any, header: str
) -> None:
    """An untrusted caller's word about hosts, paths and methods is not taken, nor repeated."""
    plain = send(dial, server, "GET /v1/nothing HTTP/1.1\nHost: x\nConnection: close")
    odd = send(dial, server, f"GET /v1/nothing HTTP/1.1\n{header}\nConnection: close")
    assert (odd[0], odd[2]) == (plain[0], plain[2])
    assert set(odd[1]) == set(plain[1])
    assert "evil" not in str(odd[1])


def test_an_absolute_request_target_is_ours_all_the_same(server: Any, dial: Any) -> None:
    status, headers, body = send(dial, server, "GET http://evil.example/ping HTTP/1.1\nHost: x")
    assert (status, json.loads(body)) == (200, {"message": "pong"})
    assert "evil" not in str(headers)


def test_content_types_do_not_matter(server: Any, upstream: Any) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "/sim text"}]})
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded", ""):
        answer = requests.post(
            f"{server.base_url}/chat/completions",
            data=body,
            headers={"Authorization": KEY, "Content-Type": kind},
            timeout=10,
        )
        assert answer.status_code == 200


def test_a_body_in_chunks(server: Any, upstream: Any) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "/sim text"}]}).encode()
    pieces = (body[index : index + 7] for index in range(0, len(body), 7))
    answer = requests.post(
        f"{server.base_url}/chat/completions",
        data=pieces,
        headers={"Authorization": KEY},
        timeout=10,
    )
    assert answer.status_code == 200


def test_expect_continue(server: Any, dial: Any, upstream: Any) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "/sim text"}]}).encode()
    wire = dial(server)
    wire.send(wire.post_head(len(body), "Expect: 100-continue\r\n"))
    assert wire.head() == 100
    wire.send(body)
    assert wire.head() == 200
    assert b"Hello there!" in wire.body()
