"""Turns on the Codex backend: what it is asked, what its answers come to, and the laws of a stream."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chat2api.chat.conversation import (
    Builtin,
    Conversation,
    Message,
    Reasoning,
    ReplyTo,
    Text,
    ToolSpec,
)
from chat2api.chat.events import (
    Event,
    Finish,
    ReasoningDelta,
    TextDelta,
    Usage,
)
from chat2api.chat.fold import fold
from chat2api.errors import (
    Chat2ApiError,
    ClientGone,
    ProviderUnavailable,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamRateLimited,
    UpstreamTimeout,
)
from chat2api.pool.values import Credential, QuotaWindow, StoredCredential
from chat2api.providers.codex.provider import CodexOptions, CodexProvider
from chat2api.providers.oauth.endpoint import TokenEndpoint
from chat2api.providers.protocol import Io, Model, RefreshFailed
from chat2api.secret import Secret
from tests.providers.conftest import LOGIN, FakeTransport, Script

HELLO = Conversation("gpt-5.5", (Message("user", (Text("Hi"),)),))
TURN = "POST /backend-api/codex/responses"

CREATED = {"type": "response.created", "response": {"id": "r", "status": "in_progress"}}
DONE = {"type": "response.completed", "response": {"status": "completed", "output": []}}
SEALED = {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
LIMITS = {
    "x_codex_primary_used_percent": "12",
    "x_codex_primary_window_minutes": "300",
    "x_codex_plan_type": "plus",
}


def text(delta: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "output_index": 1, "delta": delta}


def item(index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": fields}


def failed(code: str, message: str = "Said so.") -> dict[str, Any]:
    error = {"code": code, "message": message}
    return {"type": "response.failed", "response": {"status": "failed", "error": error}}


def turn(desk: Any, account: Credential, **changes: Any) -> list[Event]:
    return list(desk.provider.stream(replace(HELLO, **changes), account, desk.io))


def refused(desk: Any, account: Credential, **changes: Any) -> Chat2ApiError:
    with pytest.raises(Chat2ApiError) as caught:
        turn(desk, account, **changes)
    return caught.value


def test_a_turn(desk: Any, account: Credential) -> None:
    desk.backend.plays(CREATED, text("Hel"), text("lo"), DONE)
    assert turn(desk, account) == [TextDelta("Hel"), TextDelta("lo"), Finish("stop")]
    (request,) = desk.transport.requests
    assert request.url == "https://upstream.test/backend-api/codex/responses"
    assert request.headers["ChatGPT-Account-ID"] == "workspace-a"
    assert request.headers["User-Agent"] == "chat2api/9.9"
    (body,) = desk.backend.bodies
    assert request.headers["session-id"] == body["prompt_cache_key"]
    assert not request.repeatable


def test_effort_and_model_by_name(desk: Any, account: Credential) -> None:
    desk.backend.plays(DONE)
    turn(desk, account, model="gpt-5-5-high")
    (body,) = desk.backend.bodies
    assert body["model"] == "gpt-5.5"
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}


def test_another_workspace(desk: Any, account: Credential) -> None:
    desk.backend.plays(DONE)
    turn(desk, account, workspace_id="workspace-b")
    assert desk.transport.requests[0].headers["ChatGPT-Account-ID"] == "workspace-b"


def test_tools_keep_the_callers_names(desk: Any, account: Credential) -> None:
    name = "mcp__" + "x" * 80
    call = {"type": "function_call", "call_id": "c", "arguments": "{}"}
    desk.backend.plays(DONE)
    tools = (ToolSpec(name, "", {}),)
    turn(desk, account, tools=tools)
    short = desk.backend.bodies[0]["tools"][0]["name"]
    desk.backend.answers.clear()
    desk.backend.plays(item(**call, name=short), DONE)
    (made,) = fold(turn(desk, account, tools=tools)).tool_calls
    assert made.name == name


# --- reasoning that only its account can read


def remembered(desk: Any, account: Credential) -> tuple[Message, ...]:
    """A conversation with reasoning that this account told."""
    desk.backend.plays(item(**SEALED), text("So."), DONE)
    told = [one for one in turn(desk, account) if isinstance(one, ReasoningDelta)]
    desk.backend.answers.clear()
    desk.backend.bodies.clear()
    (sealed,) = (one.encrypted for one in told if one.encrypted)
    return (
        *HELLO.messages,
        Message("assistant", (Reasoning("", sealed), Text("So."))),
        *HELLO.messages,
    )


def test_reasoning_comes_back_to_its_account_only(desk: Any, account: Credential) -> None:
    messages = remembered(desk, account)
    desk.backend.plays(DONE)
    turn(desk, account, messages=messages)
    turn(desk, replace(account, subject="subject-b"), messages=messages)
    turn(desk, account, messages=messages, workspace_id="workspace-b")
    own, others, elsewhere = desk.backend.bodies
    assert own["input"][1] == SEALED
    assert "reasoning" not in {one["type"] for one in others["input"] + elsewhere["input"]}


@pytest.mark.parametrize("within", [False, True])
def test_reasoning_that_is_refused_is_left_out(
    desk: Any, account: Credential, within: bool
) -> None:
    messages = remembered(desk, account)
    if within:
        desk.backend.plays(CREATED, failed("invalid_encrypted_content"))
    else:
        desk.backend.plays({"error": {"code": "invalid_encrypted_content"}}, status=400)
    desk.backend.plays(text("Hi"), DONE)
    assert turn(desk, account, messages=messages) == [TextDelta("Hi"), Finish("stop")]
    first, second = desk.backend.bodies
    assert len(second["input"]) == len(first["input"]) - 1
    assert second["prompt_cache_key"] == first["prompt_cache_key"]


def test_it_is_asked_once_more_and_not_for_ever(desk: Any, account: Credential) -> None:
    messages = remembered(desk, account)
    desk.backend.plays({"error": {"code": "invalid_encrypted_content"}}, status=400)
    assert refused(desk, account, messages=messages).code == "invalid_encrypted_content"
    assert len(desk.backend.bodies) == 2
    assert refused(desk, account).code == "invalid_encrypted_content"
    assert len(desk.backend.bodies) == 3


# --- what goes wrong


@pytest.mark.parametrize("opening", [[], [CREATED], [CREATED, item(**SEALED)]])
def test_an_overload_within_a_200_is_told_before_anything_else(
    desk: Any, account: Credential, opening: list[Any]
) -> None:
    desk.backend.plays(*opening, failed("server_is_overloaded"))
    error = refused(desk, account)
    assert isinstance(error, UpstreamBadResponse)
    assert (error.status, error.another_account_helps) == (503, True)
    assert not error.after_dispatch, "nothing is kept, so nothing can happen twice"


REACHED = {"type": "usage_limit_reached", "message": "x", "resets_in_seconds": 7200}


def test_a_limit(desk: Any, account: Credential) -> None:
    desk.backend.plays({"error": REACHED}, status=429, **LIMITS)
    error = refused(desk, account)
    assert isinstance(error, UpstreamRateLimited)
    assert (error.retry_after, error.per_model) == (7200, True)
    assert desk.learned, "headers of refusals are read, too"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Script.page("<html>Hello"), "upstream_bad_response"),
        (Script.page("<html>Just a moment..."), "upstream_challenge_required"),
        (Script.json([1]), "upstream_bad_response"),
        (Script.json({"detail": "x"}), "upstream_bad_response"),
        (Script.json({"error": {"code": "usage_limit_reached"}}), "rate_limit_exceeded"),
        (Script.json({"detail": "x"}, 401), "upstream_account_auth_failed"),
        (Script.stream(), "upstream_truncated"),
        (Script.stream(Script.events(CREATED, text("a"))), "upstream_truncated"),
        (Script.stream(b"data: " + b"x" * 2000), "upstream_bad_response"),
        (Script.stream(Script.events(CREATED), UpstreamTimeout("silent")), "upstream_timeout"),
        (
            Script.stream(Script.events(text("a")), UpstreamConnectionError("reset")),
            "upstream_connection_error",
        ),
        (UpstreamConnectionError("refused (stage: connect)"), "upstream_connection_error"),
    ],
)
def test_failures(desk: Any, account: Credential, reply: Any, code: str) -> None:
    desk.transport = FakeTransport()
    desk.transport.plays(TURN, reply)
    desk.provider = CodexProvider(
        CodexOptions("ua", "https://upstream.test/backend-api", event_limit_bytes=1024),
        TokenEndpoint(LOGIN, desk.clock),
    )
    assert refused(desk, account).code == code
    assert desk.transport.all_closed


def test_a_whole_answer_instead_of_a_stream(desk: Any, account: Credential) -> None:
    content = [{"type": "output_text", "text": "Hi"}]
    whole = {"object": "response", "output": [{"type": "message", "content": content}]}
    desk.transport = FakeTransport()
    desk.transport.plays(TURN, Script.json({**whole, "usage": {"input_tokens": 1}}))
    assert turn(desk, account) == [
        TextDelta("Hi"),
        Usage(1, 0, estimated=False),
        Finish("stop"),
    ]


def test_nobody_asks_without_an_account(desk: Any) -> None:
    nobody = Credential("anonymous", None)
    for ask in (
        lambda: turn(desk, nobody),
        lambda: desk.provider.models(nobody, desk.io),
        lambda: desk.provider.check(nobody, desk.io),
    ):
        with pytest.raises(ProviderUnavailable):
            ask()
    assert desk.transport.requests == []


def test_what_it_cannot_do_is_not_asked(desk: Any, account: Credential) -> None:
    assert refused(desk, account, reply_to=ReplyTo("c")).code == "unsupported_value"
    broken = (Message("user", (Text("\ud800"),)),)
    assert refused(desk, account, messages=broken).code == "invalid_value"
    assert desk.transport.requests == []


# --- callers that leave


def test_closing_the_turn_closes_the_upstream(desk: Any, account: Credential) -> None:
    desk.transport = FakeTransport()
    script = Script.stream(Script.events(text("a")), Script.events(text("b")), Script.events(DONE))
    desk.transport.plays(TURN, script)
    events = desk.provider.stream(HELLO, account, desk.io)
    assert next(events) == TextDelta("a")
    events.close()
    assert desk.transport.all_closed
    assert desk.transport.responses[0].taken == 1


def test_cancelling_ends_it_too(desk: Any, account: Credential) -> None:
    desk.backend.plays(text("a"), text("b"), DONE)
    events = desk.provider.stream(HELLO, account, desk.io)
    next(events)
    gone = ClientGone("Gone.")
    desk.call.cancel(gone)
    with pytest.raises(ClientGone):
        list(events)


def test_the_end_is_not_waited_for(desk: Any, account: Credential) -> None:
    desk.transport = FakeTransport()
    silence = UpstreamTimeout("silent")
    desk.transport.plays(TURN, Script.stream(Script.events(text("a"), DONE), silence))
    assert turn(desk, account)[-1] == Finish("stop")
    assert desk.transport.responses[0].hurried is not None


# --- limits, cookies, models, checks


def test_what_answers_tell_of_the_allowance_is_passed_on(desk: Any, account: Credential) -> None:
    event = {
        "type": "codex.rate_limits",
        "rate_limits": {"limit_reached": True, "primary": {"used_percent": 100, "reset_at": 2e9}},
    }
    desk.backend.plays(event, text("a"), DONE, **LIMITS)
    turn(desk, account)
    (subject, by_header), (_, by_event) = desk.learned
    assert subject == "subject-a"
    assert by_header.plan == "plus"
    assert by_header.quota.windows == (QuotaWindow("5 h", used_percent=12.0),)
    assert by_event.limits == {"codex": 2e9}


def test_cookies_come_back_on_the_same_way_out_only(desk: Any, account: Credential) -> None:
    desk.backend.plays(DONE, Set_Cookie="__cf_bm=1; Path=/")
    turn(desk, account)
    turn(desk, account)
    turn(desk, replace(account, subject="subject-b"))
    desk.proxy = Secret("http://proxy.test:1")
    turn(desk, account)
    sent = [request.headers.get("Cookie") for request in desk.transport.requests]
    assert sent == [None, "__cf_bm=1", None, None]


LEVELS = [{"effort": "low", "description": ""}, {"effort": "max", "description": ""}]


def test_the_live_list(desk: Any, account: Credential) -> None:
    entry = {"slug": "gpt-7", "supported_reasoning_levels": LEVELS}
    desk.backend.documents["/backend-api/codex/models"] = {"models": [entry]}
    assert desk.provider.models(account, desk.io) == [Model("gpt-7")]
    assert "client_version=" in desk.transport.requests[0].url
    desk.backend.plays(DONE)
    turn(desk, account, model="auto", reasoning_effort="xhigh")
    assert desk.backend.bodies[0]["model"] == "gpt-7"
    assert desk.backend.bodies[0]["reasoning"]["effort"] == "low"


def test_a_list_that_says_nothing_is_none(desk: Any, account: Credential) -> None:
    for document in ({"models": []}, [1], None):
        desk.backend.documents["/backend-api/codex/models"] = document
        with pytest.raises(UpstreamBadResponse):
            desk.provider.models(account, desk.io)
    desk.backend.documents.clear()
    with pytest.raises(UpstreamBadResponse):
        desk.provider.models(account, desk.io)
    assert desk.provider.catalog.default == "gpt-5.5"


def test_a_check(desk: Any, account: Credential) -> None:
    window = {"used_percent": 100, "limit_window_seconds": 18000, "reset_at": 2e9}
    desk.backend.documents["/backend-api/wham/usage"] = {
        "email": "a@example.com",
        "plan_type": "plus",
        "rate_limit": {"limit_reached": True, "primary_window": window},
    }
    found = desk.provider.check(account, desk.io)
    assert (found.email, found.plan, found.limits) == ("a@example.com", "plus", {"codex": 2e9})


def test_a_check_of_an_account_that_is_refused(desk: Any, account: Credential) -> None:
    desk.transport = FakeTransport()
    refusal = Script.json({"error": {"code": "token_expired", "message": "x"}}, 401)
    desk.transport.plays("GET /backend-api/wham/usage", refusal)
    with pytest.raises(UpstreamAuthFailed):
        desk.provider.check(account, desk.io)


@pytest.mark.parametrize(
    ("changes", "slow", "key"),
    [
        ({}, True, "codex"),
        ({"reasoning_effort": "low"}, False, "codex"),
        ({"model": "gpt-5.5-low"}, False, "codex"),
        (
            {"reasoning_effort": "low", "builtins": (Builtin("image_generation", {}),)},
            True,
            "codex",
        ),
        ({"model": "gpt-5.3-codex-spark-low"}, False, "gpt-5.3-codex-spark"),
    ],
)
def test_patience_and_limit_keys(desk: Any, changes: Any, slow: bool, key: str) -> None:
    asked = replace(HELLO, **changes)
    assert desk.provider.is_slow(asked) is slow
    assert desk.provider.limit_key(asked) == key


def test_slow_turns_are_given_more_time(desk: Any, account: Credential) -> None:
    desk.backend.plays(DONE)
    turn(desk, account, reasoning_effort="low")
    turn(desk, account, reasoning_effort="high")
    quick, slow = desk.transport.requests
    assert (quick.first_byte_seconds, quick.idle_seconds) == (60.0, 90.0)
    assert (slow.first_byte_seconds, slow.idle_seconds) == (300.0, 300.0)


def test_renewal_goes_to_the_login_server(desk: Any) -> None:
    transport = FakeTransport()
    transport.plays("POST /oauth/token", Script.json({"access_token": "eyJhbGci.e30.new"}))
    stored = StoredCredential("c", 1, None, Secret("rt_" + "a" * 40))
    grant = desk.provider.refresh(stored, Io(transport, desk.io.compute, desk.call))
    assert grant.access_token == Secret("eyJhbGci.e30.new")
    transport.plays("POST /oauth/token", Script.json({}, 503))
    with pytest.raises(RefreshFailed):
        desk.provider.refresh(stored, Io(transport, desk.io.compute, desk.call))
