"""Who is let in, as whom, and by which key (decisions 2 to 4)."""

from __future__ import annotations

import base64
import json
import re
import stat
from collections.abc import Iterator
from typing import Any

import pytest
import requests

KEY = "sk-test-key-of-the-suite"
SECOND_KEY = "no-particular-form-of-key"
PREFIX = "private-prefix-"


@pytest.fixture(scope="module")
def strict(
    start_server: Any, new_tokens: Any, demo_tokens: list[str], keeps_secrets: Any
) -> Iterator[Any]:
    """No anonymous callers; two keys; the pool holds one account with a second workspace."""
    server = start_server(
        tokens=demo_tokens[:1], AUTHORIZATION=f"{KEY},{SECOND_KEY}", LOG_LEVEL="debug"
    )
    yield server
    keeps_secrets(server)


@pytest.fixture(scope="module")
def workspace(simulator: Any) -> str:
    """The second workspace of the account `demo-plus`."""
    accounts = simulator.control("accounts")["accounts"]
    plus = next(account for account in accounts if account["name"] == "demo-plus")
    return str(plus["workspaces"][1])


def knock(server: Any, authorization: str | None, path: str = "", **headers: str) -> Any:
    """POST a chat request with this very Authorization header."""
    if authorization is not None:
        headers["Authorization"] = authorization
    body = {"model": "gpt-5-5", "messages": [{"role": "user", "content": "/sim text"}]}
    url = f"{server.base_url}/chat/completions{path}"
    return requests.post(url, json=body, headers=headers, timeout=10)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


# --- keys


def test_every_refusal_of_a_key_looks_the_same(strict: Any, upstream: Any, turns: Any) -> None:
    query = f"?key={KEY}&api_key={KEY}&access_token={KEY}"
    answers = [
        knock(strict, None),
        knock(strict, ""),
        knock(strict, "Bearer"),
        knock(strict, "Bearer sk-wrong"),
        knock(strict, f"Bearer {KEY[:-1]}"),
        knock(strict, f"Bearer {KEY} x"),
        knock(strict, None, query),
        knock(strict, basic(f"user:{KEY}")),
        knock(strict, basic(KEY)),
        knock(strict, f"Digest {KEY}"),
        knock(strict, "Bearer \xff\xfe"),
        knock(strict, "Bearer " + "a" * 8000),
        knock(strict, "Bearer eyJnot-a-token"),
    ]
    assert {answer.status_code for answer in answers} == {401}
    (body,) = {answer.text for answer in answers}
    error = json.loads(body)["error"]
    assert (error["code"], error["type"]) == ("invalid_api_key", "invalid_request_error")
    assert KEY not in body
    assert turns() == []


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {KEY}", f"bearer   {KEY} ", KEY, SECOND_KEY, f"Bearer {SECOND_KEY}", f"{KEY},"],
)
def test_ways_to_write_a_key(strict: Any, upstream: Any, authorization: str) -> None:
    assert knock(strict, authorization).status_code == 200


def test_models_need_a_key_too(strict: Any, upstream: Any) -> None:
    for path in ("models", "models/auto"):
        assert requests.get(f"{strict.base_url}/{path}", timeout=5).status_code == 401


# --- workspaces


def test_the_personal_workspace_is_the_upstreams_own_choice(
    strict: Any, upstream: Any, turns: Any
) -> None:
    assert knock(strict, KEY).status_code == 200
    assert "chatgpt-account-id" not in turns()[0]["headers"]


def test_ways_to_name_a_workspace(
    strict: Any, upstream: Any, turns: Any, workspace: str, demo_tokens: list[str]
) -> None:
    token = demo_tokens[0]
    answers = [
        knock(strict, f"Bearer {KEY},{workspace}"),
        knock(strict, KEY, **{"ChatGPT-Account-ID": workspace}),
        knock(strict, f"Bearer {token},{workspace}"),
        knock(strict, token, **{"ChatGPT-Account-ID": workspace}),
        knock(strict, f"{KEY},not-this-one", **{"ChatGPT-Account-ID": workspace}),
    ]
    assert [answer.status_code for answer in answers] == [200] * 5
    seen = [(turn["account"], turn["headers"]["chatgpt-account-id"]) for turn in turns()]
    assert seen == [("demo-plus", workspace)] * 5


def test_a_workspace_in_the_token_file(
    brief_server: Any, upstream: Any, turns: Any, workspace: str, demo_tokens: list[str]
) -> None:
    server = brief_server(tokens=[f"{demo_tokens[0]},{workspace}"])
    assert knock(server, KEY).status_code == 200
    assert turns()[0]["headers"]["chatgpt-account-id"] == workspace


def test_a_wrong_workspace_takes_no_account_from_others(
    strict: Any, upstream: Any, turns: Any
) -> None:
    wrong = knock(strict, KEY, **{"ChatGPT-Account-ID": "0f0f0f0f-0000-4000-8000-000000000001"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (502, "upstream_access_denied")
    assert knock(strict, KEY).status_code == 200


@pytest.mark.parametrize("workspace_id", ["a b", "a" * 65, "ü", "../x", "a;b", "a\tb", "a,b"])
def test_a_workspace_id_is_checked_before_anything_is_sent(
    strict: Any, upstream: Any, workspace_id: str
) -> None:
    answer = knock(strict, KEY, **{"ChatGPT-Account-ID": workspace_id.encode().decode("latin-1")})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value")
    answer = knock(strict, f"Bearer {KEY},{workspace_id}".encode().decode("latin-1"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value")
    assert upstream.control("requests")["requests"] == []


# --- access tokens as the key


def test_an_access_token_serves_its_own_request(
    strict: Any, upstream: Any, turns: Any, demo_tokens: list[str]
) -> None:
    free = demo_tokens[1]  # not in this server's pool
    assert knock(strict, f"Bearer {free}").status_code == 200
    assert knock(strict, free).status_code == 200
    assert knock(strict, KEY).status_code == 200
    assert [turn["account"] for turn in turns()] == ["demo-free", "demo-free", "demo-plus"]


def test_an_access_token_that_the_upstream_refuses(strict: Any, upstream: Any) -> None:
    forged = knock(strict, "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl")
    assert (forged.status_code, forged.json()["error"]["code"]) == (401, "invalid_api_key")
    assert len(upstream.control("requests?endpoint=prepare")["requests"]) == 1  # no second try


@pytest.mark.parametrize(
    ("fault", "status", "code", "tries"),
    [
        ("expired", 401, "invalid_api_key", 1),
        ("rate", 429, "rate_limit_exceeded", 1),
        ("status", 502, "upstream_bad_response", 1),
        ("reset at=headers", 502, "upstream_connection_error", 2),
    ],
)
def test_an_access_token_is_tried_again_for_network_errors_only(
    strict: Any,
    ask: Any,
    turns: Any,
    demo_tokens: list[str],
    fault: str,
    status: int,
    code: str,
    tries: int,
) -> None:
    answer = ask(strict, f"/sim text fault={fault}", key=demo_tokens[1])
    assert (answer.status, answer.code, len(turns())) == (status, code, tries)


def test_direct_tokens_off(brief_server: Any, upstream: Any, demo_tokens: list[str]) -> None:
    server = brief_server(tokens=demo_tokens[:1], DIRECT_TOKENS="off")
    refused = knock(server, f"Bearer {demo_tokens[1]}")
    assert refused.json() == knock(server, None).json()
    assert refused.status_code == 401
    assert knock(server, KEY).status_code == 200
    (turn,) = upstream.control("requests?endpoint=conversation")["requests"]
    assert turn["account"] == "demo-plus"


@pytest.mark.parametrize("mode", ["auto", "prefix"])
def test_direct_tokens_behind_a_prefix(
    brief_server: Any, upstream: Any, turns: Any, demo_tokens: list[str], mode: str
) -> None:
    server = brief_server(
        tokens=demo_tokens[:1],
        DIRECT_TOKENS=mode,
        CHAT2API_ACCESS_TOKEN_PREFIX=PREFIX,
        LOG_LEVEL="debug",
    )
    token = demo_tokens[1]
    assert knock(server, f"Bearer {token}").status_code == 401
    assert knock(server, f"Bearer {PREFIX}").status_code == 401
    assert knock(server, f"Bearer {PREFIX}{KEY}").status_code == 401
    assert knock(server, f"Bearer {PREFIX}{token}").status_code == 200
    assert knock(server, f"Bearer {KEY}").status_code == 200
    assert [turn["account"] for turn in turns()] == ["demo-free", "demo-plus"]
    assert token[-24:] not in server.log
    assert PREFIX not in server.log


# --- callers without a key


def test_anonymous_callers_when_they_are_allowed(
    server: Any, upstream: Any, ask: Any, turns: Any
) -> None:
    answer = ask(server, "/sim text", key=None, model="auto", history_disabled=False)
    assert (answer.status, answer.conversation_id) == (200, None)
    assert turns()[0]["path"] == "/backend-anon/conversation"
    assert turns()[0]["account"] is None
    assert ask(server, key="sk-wrong").status == 401  # a wrong key is not no key


def test_a_login_that_the_upstream_forces(server: Any, upstream: Any, ask: Any) -> None:
    upstream.control("config", {"force_login": True})
    answer = ask(server, key=None, model="auto")
    assert (answer.status, answer.code) == (401, "login_required")
    assert "PROXY_URL" in answer.error["message"]


def test_an_empty_pool(brief_server: Any, upstream: Any, ask: Any, turns: Any) -> None:
    server = brief_server(tokens=[])
    answer = ask(server)
    assert (answer.status, answer.code) == (503, "no_account_available")
    assert int(answer.headers["Retry-After"]) >= 1
    assert ask(server, key=None).status == 401
    assert turns() == []


def test_an_empty_pool_with_anonymous_use_allowed(
    brief_server: Any, upstream: Any, ask: Any, turns: Any
) -> None:
    server = brief_server(tokens=[], ALLOW_ANONYMOUS="true", RETRY_TIMES="1")
    assert ask(server, model="auto").status == 200
    assert turns()[0]["path"] == "/backend-anon/conversation"
    upstream.control("config", {"force_login": True})
    answer = ask(server, model="auto")
    assert (answer.status, answer.code) == (502, "login_required")
    assert "PROXY_URL" in answer.error["message"]


# --- the first key


def test_the_first_key(brief_server: Any, upstream: Any, ask: Any) -> None:
    """Exactly one, however many workers start; shown once, kept as a hash."""
    server = brief_server("--workers", "2", AUTHORIZATION="", LOG_LEVEL="debug")
    (key,) = re.findall(r"sk-[\w-]{20,}", server.log)
    assert ask(server, key=key).status == 200
    assert ask(server, key=None).status == 401
    assert ask(server, key=KEY).status == 401
    kept = [path for path in server.data_dir.iterdir() if path.name != "token.txt"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept)
    assert all(key.encode() not in path.read_bytes() for path in kept)

    assert server.stop() == 0
    server.start()
    assert len(re.findall(r"sk-[\w-]{20,}", server.log)) == 1
    assert ask(server, key=key).status == 200


# --- the prefix of the routes


@pytest.fixture(scope="module")
def hidden(start_server: Any, demo_tokens: list[str]) -> Any:
    """Behind a path prefix, for two browser origins."""
    origins = "https://app.example,http://localhost:3000"
    return start_server(tokens=demo_tokens[:1], API_PREFIX="/a-secret/path/", CORS_ORIGINS=origins)


def test_routes_behind_a_prefix(hidden: Any, upstream: Any) -> None:
    headers = {"Authorization": KEY}
    prefix = "/a-secret/path"
    url = f"{hidden.url}{prefix}/v1"
    body = {"messages": [{"role": "user", "content": "/sim text"}]}
    assert requests.post(f"{url}/chat/completions", json=body, headers=headers).status_code == 200
    assert requests.get(f"{url}/models", headers=headers).status_code == 200
    for path in ("/v1/models", "/v1/chat/completions", "/a-wrong/path/v1/models"):
        for with_key in (headers, {}):
            answer = requests.get(f"{hidden.url}{path}", headers=with_key)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
            assert prefix not in answer.text
    for path in ("/healthz", "/readyz", "/ping"):
        assert requests.get(f"{hidden.url}{path}").status_code == 200
        assert requests.get(f"{hidden.url}{prefix}{path}").status_code == 404
    assert "path=/v1/chat/completions status=200" in hidden.log
    assert "path=/a-secret/path/" not in hidden.log


# --- browsers (H07, as far as /v1 goes)


def preflight(url: str, origin: str) -> Any:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
    }
    return requests.options(url, headers=headers, timeout=5)


def cors(answer: Any) -> dict[str, str]:
    return {k: v for k, v in answer.headers.items() if k.lower().startswith("access-control")}


def test_any_browser_may_call_but_never_with_credentials(strict: Any, upstream: Any) -> None:
    for origin in ("https://app.example", "null"):
        answer = preflight(f"{strict.base_url}/chat/completions", origin)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        allowed = answer.headers["Access-Control-Allow-Headers"].lower()
        assert {"authorization", "x-stainless-lang"} <= {one.strip() for one in allowed.split(",")}
        assert "Access-Control-Allow-Credentials" not in answer.headers
    for authorization in (KEY, "wrong"):  # refusals can be read by scripts too
        answer = knock(strict, authorization, Origin="https://app.example")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "x-request-id" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_chosen_origins_only(hidden: Any, upstream: Any) -> None:
    url = f"{hidden.url}/a-secret/path/v1/chat/completions"
    for origin in ("https://app.example", "http://localhost:3000"):
        answer = preflight(url, origin)
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Access-Control-Allow-Credentials" not in answer.headers
    for origin in (
        "https://evil.example",
        "https://app.example.evil.example",
        "https://xapp.example",
        "https://appxexample",
        "http://app.example",
        "https://app.example:8443",
        "null",
    ):
        assert "Access-Control-Allow-Origin" not in preflight(url, origin).headers


@pytest.mark.parametrize("path", ["/healthz", "/ping", "/", "/nothing", "/v2/models", "/x/v1/y"])
def test_other_paths_say_nothing_to_browsers(strict: Any, path: str) -> None:
    for answer in (
        preflight(strict.url + path, "https://app.example"),
        requests.get(strict.url + path, headers={"Origin": "https://app.example"}, timeout=5),
    ):
        assert cors(answer) == {}
