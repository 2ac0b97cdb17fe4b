"""What the upstream does wrong before an answer begins: status, code, tries, and who pays (A05 to A25)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

TRIES = 2


@pytest.fixture(scope="module")
def crowd(start_server: Any, new_tokens: Any, keeps_secrets: Any) -> Iterator[Any]:
    """So many accounts that those which a test spoils are not missed; two tries a request."""
    server = start_server(
        tokens=new_tokens(300),
        RETRY_TIMES=str(TRIES - 1),
        FIRST_BYTE_SECONDS="5",
        LOG_LEVEL="debug",
    )
    yield server
    assert "Traceback" not in server.log
    assert "<html" not in server.log.lower()
    keeps_secrets(server)


def tried(turns: Any) -> list[int]:
    """How often each account was tried, in order; nobody comes back."""
    accounts = [turn["account"] for turn in turns()]
    assert accounts == sorted(accounts, key=accounts.index)
    return [accounts.count(account) for account in dict.fromkeys(accounts)]


ONCE, EACH, EACH_TWICE = [1], [1] * TRIES, [2] * TRIES


FAULTS = [
    ("unusual", 502, "upstream_access_denied", EACH_TWICE),
    ("forbidden", 502, "upstream_access_denied", EACH_TWICE),
    ("country", 502, "upstream_access_denied", ONCE),
    ("status status=403", 502, "upstream_access_denied", ONCE),
    ("status status=403 code=usage_not_included form=coded", 502, "upstream_access_denied", EACH),
    ("status status=403 text='No access to this GPT.'", 404, "model_not_found", ONCE),
    ("challenge", 502, "upstream_challenge_required", EACH),
    ("model", 404, "model_not_found", ONCE),
    ("gone", 404, "conversation_not_found", ONCE),
    ("unsupported", 400, "invalid_value", ONCE),
    ("too_long", 400, "context_length_exceeded", ONCE),
    ("too_long code=conversation_too_large", 400, "context_length_exceeded", ONCE),
    ("policy", 400, "content_policy_violation", ONCE),
    ("policy status=403", 400, "content_policy_violation", ONCE),
    ("schema", 502, "upstream_bad_response", ONCE),
    ("rate", 429, "rate_limit_exceeded", EACH),
    ("busy", 429, "rate_limit_exceeded", EACH),
    ("busy status=423", 429, "rate_limit_exceeded", EACH),
    ("expired", 503, "no_account_available", EACH),
    ("status status=401", 503, "no_account_available", EACH),
    ("payment", 503, "no_account_available", EACH),
    ("status", 502, "upstream_bad_response", EACH),
    ("status status=503 form=html", 502, "upstream_bad_response", EACH),
    ("status status=520 form=empty", 502, "upstream_bad_response", EACH),
    ("status status=526 form=broken", 502, "upstream_bad_response", EACH),
    ("status status=404 text='Not Found'", 502, "upstream_bad", EACH_TWICE),  # by both routes
    ("redirect", 502, "upstream_bad_response", EACH),
    ("page", 502, "upstream_bad_response", EACH),
    ("json_error code=something", 502, "upstream_bad_response", EACH),
    ("json_error", 429, "rate_limit_exceeded", EACH),
    ("wss", 502, "upstream_bad_response", EACH),
    ("reset at=headers", 502, "upstream_connection_error", EACH),
    ("cut at=headers", 502, "upstream_connection_error", EACH),
    ("reset at=start", 502, "upstream_connection_error", EACH),
    ("cut at=start", 502, "upstream_truncated", EACH),
    ("close at=start", 502, "upstream_truncated", EACH),
    ("empty", 502, "upstream_truncated", EACH),
    ("not_http", 502, "upstream_bad_response", EACH),
    ("inband", 502, "upstream_bad_response", EACH),
    ("inband form=v1", 502, "upstream_bad_response", EACH),
    ("inband form=system_error", 502, "upstream_bad_response", EACH),
    ("inband form=code code=rate_limit_exceeded", 429, "rate_limit_exceeded", EACH),
    ("inband form=detail code=token_expired", 503, "no_account_available", EACH),
    ("inband form=object code=content_policy_violation", 400, "content_policy", ONCE),
    ("inband form=detail code=input_too_large", 400, "context_length_exceeded", ONCE),
    ("double_gzip", 502, "upstream_bad_response", EACH),
    ("stacked", 502, "upstream_bad_response", EACH),
    ("odd_encoding name=br", 502, "upstream_bad_response", EACH),
    ("giant_header", 502, "upstream_bad_response", EACH),
    ("many_headers", 502, "upstream_bad_response", EACH),
]
AS_STREAM = {
    "unusual",
    "model",
    "rate",
    "expired",
    "status",
    "reset at=start",
    "empty",
    "inband",
    "page",
}


@pytest.mark.parametrize(
    ("fault", "status", "code", "tries", "stream"),
    [(*row, False) for row in FAULTS] + [(*row, True) for row in FAULTS if row[0] in AS_STREAM],
)
def test_fault(
    crowd: Any,
    ask: Any,
    turns: Any,
    fault: str,
    status: int,
    code: str,
    tries: list[int],
    stream: bool,
) -> None:
    answer = ask(crowd, f"/sim text fault={fault}", stream=stream)
    assert answer.status == status
    assert answer.code.startswith(code)
    assert tried(turns) == tries
    assert "<" not in answer.error["message"]
    assert ("Retry-After" in answer.headers) is (status in (429, 502, 503, 504))


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        ("unusual", [2]),
        ("status", [1, 1]),
        ("challenge", [1, 1]),
        ("expired", [1, 1]),
        ("rate", [1, 1]),
        ("reset at=headers", [1, 1]),
        ("empty", [1, 1]),
        ("page", [1, 1]),
        ("inband", [1, 1]),
        ("double_gzip", [1, 1]),
    ],
)
def test_a_fault_that_does_not_come_back(
    crowd: Any, ask: Any, turns: Any, fault: str, tries: list[int]
) -> None:
    answer = ask(crowd, f"/sim text fault={fault} times=1", stream=True)
    assert (answer.status, answer.finish_reason, answer.done) == (200, "stop", True)
    assert answer.text == turns()[-1]["expected"]["text"]
    assert tried(turns) == tries


def test_a_second_chance_comes_with_fresh_requirements(crowd: Any, ask: Any, turns: Any) -> None:
    """Stale page data may be why the upstream finds something unusual."""
    ask(crowd, "/sim text fault=unusual times=1")
    first, second = turns()
    token = "openai-sentinel-chat-requirements-token"
    assert first["account"] == second["account"]
    assert first["headers"][token] != second["headers"][token]


def test_attempts_are_counted_exactly(
    brief_server: Any, new_tokens: Any, ask: Any, turns: Any
) -> None:
    """A14: the first and RETRY_TIMES more, each on another account."""
    server = brief_server(tokens=new_tokens(6), RETRY_TIMES="3")
    answer = ask(server, "/sim text fault=status")
    assert (answer.status, answer.code) == (502, "upstream_bad_response")
    assert tried(turns) == [1] * 4


def test_upstream_sentences_reach_the_caller_without_secrets(
    crowd: Any, upstream: Any, ask: Any
) -> None:
    text = "No: Bearer eyJhbGciOiJSUzI1NiJ9.e30.abcdefgh at <b>10.0.0.1</b>\u202e\n\0 line"
    refusal = {"status": 400, "form": "message", "text": text}
    upstream.control("next", {"fault": "status", "params": refusal})
    answer = ask(crowd)
    assert answer.status == 400
    assert "eyJhbGci" not in answer.error["message"]
    assert answer.error["message"].isprintable()


# --- kept conversations: nothing may be sent twice that may have been written (decision 17)


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        ("reset at=headers", ONCE),
        ("empty", ONCE),
        ("status", ONCE),
        ("page", ONCE),
        ("inband", ONCE),
        ("rate", EACH),
        ("expired", EACH),
        ("challenge", EACH),
    ],
)
def test_a_kept_turn_is_repeated_after_definite_refusals_only(
    crowd: Any, ask: Any, turns: Any, fault: str, tries: list[int]
) -> None:
    answer = ask(crowd, f"/sim text fault={fault}", history_disabled=False)
    assert answer.status >= 400
    assert tried(turns) == tries


def test_before_dispatch_a_kept_turn_may_be_repeated(
    crowd: Any, upstream: Any, ask: Any, turns: Any
) -> None:
    upstream.control("next", {"endpoint": "prepare", "fault": "reset", "params": {"at": "headers"}})
    upstream.control("next", {"endpoint": "finalize", "fault": "status"})
    assert ask(crowd, history_disabled=False).status == 200
    assert tried(turns) == ONCE


# --- requirements


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("arkose", "upstream_challenge_required"),
        ("force_login", "login_required"),
        ("difficulty", "proof_of_work_too_hard"),
        ("unusual", "upstream_access_denied"),
        ("challenge", "upstream_challenge_required"),
        ("page", "upstream_bad_response"),
        ("redirect", "upstream_bad_response"),
        ("not_http", "upstream_bad_response"),
        ("bomb", "upstream_bad_response"),
    ],
)
def test_requirements_that_cannot_be_met(
    crowd: Any, upstream: Any, ask: Any, turns: Any, fault: str, code: str
) -> None:
    wish = {"endpoint": "prepare", "fault": fault, "params": {"mib": 64}, "times": "always"}
    upstream.control("default", wish)
    answer = ask(crowd)
    assert (answer.status, answer.code) == (502, code)
    assert turns() == []
    asked = upstream.control("requests?endpoint=prepare")["requests"]
    # A refusal may come from stale page data; what is demanded does not.
    assert len(asked) in (TRIES, 2 * TRIES)


def test_a_challenge_that_is_only_announced(crowd: Any, upstream: Any, ask: Any) -> None:
    upstream.control("config", {"turnstile": True})
    assert ask(crowd).status == 200


def test_a_challenge_that_is_enforced(crowd: Any, upstream: Any, ask: Any, turns: Any) -> None:
    upstream.control("config", {"turnstile": True, "turnstile_enforced": True})
    answer = ask(crowd)
    assert (answer.status, answer.code) == (502, "upstream_challenge_required")
    assert tried(turns) == EACH_TWICE


def test_a_challenge_reported_at_once_by_setting(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any, turns: Any
) -> None:
    server = brief_server(tokens=new_tokens(1), TURNSTILE="fail", RETRY_TIMES="0")
    upstream.control("config", {"turnstile": True})
    answer = ask(server)
    assert (answer.status, answer.code) == (502, "upstream_challenge_required")
    assert turns() == []


# --- A20: the account's token goes to its upstream and nowhere else


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("endpoint", ["conversation", "prepare", "home"])
def test_redirects_are_not_followed(
    crowd: Any, upstream: Any, ask: Any, endpoint: str, status: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0)
        target = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        params = {"to": target, "status": status}
        wish = {"endpoint": endpoint, "fault": "redirect", "params": params, "times": "always"}
        upstream.control("default", wish)
        answer = ask(crowd)
        assert (answer.code, answer.status) in (("upstream_bad_response", 502), (None, 200))
        assert (answer.status == 200) is (endpoint == "home")
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


# --- A21: sizes


@pytest.mark.parametrize(
    "fault", ["bomb mib=1024", "giant_header bytes=8000000", "big mib=64 after=0"]
)
def test_an_enormous_answer_costs_little_memory(
    crowd: Any, ask: Any, turns: Any, fault: str
) -> None:
    worker = psutil.Process(crowd.process.child.pid).children()[0]
    before = worker.memory_info().rss
    peak = [before]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            peak.append(worker.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        answer = ask(crowd, f"/sim text fault={fault}", key=crowd.tokens[0])
    finally:
        over.set()
        watcher.join()
    assert (answer.status, answer.code) == (502, "upstream_bad_response")
    assert tried(turns) == ONCE
    assert max(peak) - before < 64 * 1024 * 1024


# --- A24


def test_moderation_is_an_answer(crowd: Any, ask: Any, turns: Any) -> None:
    for stream in (False, True):
        answer = ask(crowd, "/sim refusal", stream=stream)
        assert (answer.status, answer.finish_reason, answer.done) == (200, "content_filter", True)
    assert tried(turns) == [1, 1]
