"""The sequence of a turn, told by what the upstream was asked and in which order."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from chat2api.chat.conversation import Conversation, Image, Message, ReplyTo, Text
from chat2api.chat.events import Finish, TextDelta, Thread
from chat2api.errors import (
    Blame,
    ClientGone,
    ConversationNotFound,
    RequestError,
    UnknownModel,
    Unsupported,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamTimeout,
)
from chat2api.pool.values import Credential
from chat2api.providers.protocol import Capabilities, Model
from chat2api.secret import Secret

API, ANON = "POST /backend-api", "POST /backend-anon"
HOME = "GET /"
ASKED, CLEARED = (
    f"{API}/sentinel/chat-requirements/prepare",
    f"{API}/sentinel/chat-requirements/finalize",
)
SINGLE = f"{API}/sentinel/chat-requirements"
CONDUIT, NEWER, CLASSIC = (
    f"{API}/f/conversation/prepare",
    f"{API}/f/conversation",
    f"{API}/conversation",
)
STOP = f"{API}/stop_conversation"
WHOLE_TURN = [HOME, ASKED, CLEARED, CONDUIT, NEWER]
HELLO = [TextDelta("Hel"), TextDelta("lo!"), Finish("stop")]
MISSING = {"detail": "Not Found"}
UNUSUAL = {"detail": "Unusual activity has been detected from your device. Try again later."}


# --- the order of calls


def test_a_turn_of_an_account(stage: Any) -> None:
    assert stage.turn() == HELLO
    assert stage.upstream.calls == WHOLE_TURN
    assert stage.upstream.all_closed


def test_a_turn_without_an_account(stage: Any) -> None:
    stage.leave_account()
    assert stage.turn(keep_history=True) == HELLO
    assert stage.upstream.calls == [
        HOME,
        f"{ANON}/sentinel/chat-requirements/prepare",
        f"{ANON}/sentinel/chat-requirements/finalize",
        f"{ANON}/conversation",
    ]
    assert not any("Authorization" in request.headers for request in stage.upstream.requests)


def test_a_turn_of_the_first_generation(stage: Any) -> None:
    stage.options = {"sentinel_flow": "single", "conversation_endpoint": "classic"}
    assert stage.turn() == HELLO
    assert stage.upstream.calls == [HOME, SINGLE, CLASSIC]


def test_the_home_page_is_kept_and_the_requirements_are_not(stage: Any) -> None:
    stage.turn()
    assert stage.turn() == HELLO
    assert stage.upstream.calls == [*WHOLE_TURN, *WHOLE_TURN[1:]]


def test_a_relay_that_clears_turns_itself(stage: Any) -> None:
    stage.options = {"conversation_only": True}
    assert stage.turn() == HELLO
    assert stage.upstream.calls == [HOME, CONDUIT, NEWER]
    for request in stage.upstream.requests:
        assert not any("sentinel" in name.lower() for name in request.headers)


def test_a_home_page_that_cannot_be_had_is_done_without(stage: Any) -> None:
    stage.upstream.plays(HOME, UpstreamConnectionError("No name (stage: dns)."))
    assert stage.turn() == HELLO


# --- what is sent


def test_what_the_turn_itself_carries(stage: Any, script: Any) -> None:
    stage.turn("Say hi", model="gpt-5-5-thinking", reasoning_effort="high")
    conduit, turn = (stage.upstream.sent(route)[0] for route in (CONDUIT, NEWER))
    trace = turn.headers["x-oai-turn-trace-id"]
    assert uuid.UUID(trace)
    shown = {
        "openai-sentinel-chat-requirements-token": "final-token",
        "openai-sentinel-chat-requirements-prepare-token": "prepared",
        "x-oai-turn-trace-id": trace,
    }
    assert shown.items() <= conduit.headers.items()
    assert (conduit.headers["Accept"], "x-conduit-token" in conduit.headers) == ("*/*", False)
    wanted = {
        **shown,
        "x-conduit-token": "conduit-1",
        "x-openai-target-path": "/backend-api/f/conversation",
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",
        "Authorization": "Bearer eyJhbGci.token-of-a",
        "Content-Type": "application/json",
        "Referer": "https://upstream.test/",
    }
    assert wanted.items() <= turn.headers.items()
    sent, announced = script.body(turn), script.body(conduit)
    assert [one["content"]["parts"] for one in sent["messages"]] == [["Say hi"]]
    assert announced["partial_query"]["id"] == sent["messages"][0]["id"]
    assert (sent["model"], sent["thinking_effort"]) == ("gpt-5-5-thinking", "extended")
    assert (sent["client_prepare_state"], sent["parent_message_id"]) == (
        "success",
        "client-created-root",
    )
    assert "conversation_id" not in sent


@pytest.mark.parametrize(
    ("keep", "told"),
    [(True, [Thread("c", "a")]), (False, []), (None, [])],
)
def test_only_a_kept_turn_tells_where_it_is(
    stage: Any, script: Any, keep: bool | None, told: list[Thread]
) -> None:
    assert [event for event in stage.turn(keep_history=keep) if isinstance(event, Thread)] == told
    for route in (CONDUIT, NEWER):
        (request,) = stage.upstream.sent(route)
        assert script.body(request)["history_and_training_disabled"] is (keep is not True)


def test_a_turn_that_continues(stage: Any, script: Any) -> None:
    """Only what is new is sent, under the last answer; the page that it comes from is named."""
    old = (Message("user", (Text("One"),)), Message("assistant", (Text("Two"),)))
    stage.turn(
        messages=(*old, Message("user", (Text("Three"),))),
        reply_to=ReplyTo("conv-1", "message-2"),
        keep_history=True,
    )
    (turn,) = stage.upstream.sent(NEWER)
    body = script.body(turn)
    assert [one["content"]["parts"] for one in body["messages"]] == [["Three"]]
    assert (body["conversation_id"], body["parent_message_id"]) == ("conv-1", "message-2")
    assert turn.headers["Referer"] == "https://upstream.test/c/conv-1"


@pytest.mark.parametrize(
    ("model", "keep", "first_byte", "idle"),
    [
        ("gpt-5-5", False, 1.0, 3.0),
        ("gpt-5-5", True, 1.0, 2.5),
        ("gpt-5-5-thinking", False, 2.0, 4.0),
        ("gpt-5-5-thinking", True, 2.0, 2.5),
    ],
)
@pytest.mark.parametrize("endpoint", ["f", "classic"])
def test_how_long_a_turn_may_be_silent(
    stage: Any, endpoint: str, model: str, keep: bool, first_byte: float, idle: float
) -> None:
    stage.options = {
        "conversation_endpoint": endpoint,
        "first_byte_seconds": 1.0,
        "slow_first_byte_seconds": 2.0,
        "idle_seconds": 3.0,
        "slow_idle_seconds": 4.0,
        "resume_after_seconds": 2.5,
    }
    stage.turn(model=model, keep_history=keep)
    turn = stage.upstream.requests[-1]
    assert (turn.first_byte_seconds, turn.idle_seconds) == (first_byte, idle)
    assert not turn.repeatable  # a write: it must not reach the upstream twice


def test_workspace_proxy_and_the_operators_headers_are_everywhere(stage: Any) -> None:
    stage.credential = Credential("subject-a", Secret("eyJhbGci.t"), "team-1")
    stage.proxy = Secret("http://proxy.test:1")
    stage.options = {"auth_key": Secret("relay"), "extra_headers": {"X-Extra": "1"}}
    stage.turn(workspace_id="team-2")
    assert {request.proxy for request in stage.upstream.requests} == {stage.proxy}
    for request in stage.upstream.requests:
        assert (request.headers["authkey"], request.headers["X-Extra"]) == ("relay", "1")
    for request in stage.upstream.requests[1:]:
        assert request.headers["Chatgpt-Account-Id"] == "team-2"


def test_an_account_is_one_browser(stage: Any) -> None:
    """Its device stays the same over turns, and what the upstream sets is brought back."""
    stage.turn()
    stage.turn()
    devices = {one.headers.get("Oai-Device-Id") for one in stage.upstream.requests} - {None}
    sessions = {one.headers.get("oai-session-id") for one in stage.upstream.requests} - {None}
    assert (len(devices), len(sessions)) == (1, 1)
    cookies = {one.headers["Cookie"] for one in stage.upstream.requests[1:]}
    assert cookies == {f"oai-did={devices.pop()}; __cf_bm=cookie-1"}
    stage.credential = Credential("subject-b", Secret("eyJhbGci.b"))
    stage.turn()
    other = stage.upstream.requests[-1].headers
    assert "cookie-1" not in other["Cookie"]
    assert other["oai-session-id"] not in sessions


def test_a_turn_keeps_to_one_of_the_addresses(stage: Any) -> None:
    stage.options = {"bases": ("https://one.test", "https://two.test/relay")}
    for _ in range(20):
        stage.upstream.requests.clear()
        stage.played()
        prefixes = {request.url.partition("/backend")[0] for request in stage.upstream.requests}
        assert len({prefix.rstrip("/") for prefix in prefixes}) == 1


def test_a_message_that_cannot_be_sent_reaches_nobody(stage: Any) -> None:
    with pytest.raises(Unsupported):
        stage.turn(messages=(Message("user", (Image("https://x.test/a.png"),)),))
    with pytest.raises(RequestError):
        stage.turn(messages=(Message("assistant", (Text("Hi"),)),), reply_to=ReplyTo("c"))
    assert stage.upstream.requests == []


def test_a_history_that_is_folded(stage: Any, script: Any) -> None:
    stage.options = {"history_form": "folded"}
    stage.turn(messages=(Message("system", (Text("Rhyme."),)), Message("user", (Text("Hi"),))))
    (turn,) = stage.upstream.sent(NEWER)
    told = [(one["author"], one["content"]["parts"]) for one in script.body(turn)["messages"]]
    assert told == [({"role": "user"}, ["System: Rhyme.\n\nUser: Hi"])]


# --- which generation


@pytest.mark.parametrize("status", [404, 405])
def test_an_upstream_without_the_newer_route(stage: Any, script: Any, status: int) -> None:
    """The older one is asked with a clearance of its own, and first from then on."""
    stage.upstream.plays(CONDUIT, script.json(MISSING, 404))
    stage.upstream.plays(NEWER, script.json(MISSING, status))
    assert stage.turn() == HELLO
    assert stage.upstream.calls == [*WHOLE_TURN, ASKED, CLEARED, CLASSIC]
    assert stage.turn() == HELLO
    assert stage.upstream.calls[8:] == [ASKED, CLEARED, CLASSIC]


def test_an_upstream_without_the_older_route(stage: Any, script: Any) -> None:
    stage.leave_account()
    stage.upstream.plays(f"{ANON}/conversation", script.json(MISSING, 404))
    assert stage.turn() == HELLO
    assert stage.upstream.calls[-2:] == [
        f"{ANON}/f/conversation/prepare",
        f"{ANON}/f/conversation",
    ]
    prepare, turn = stage.upstream.requests[-2:]
    assert prepare.headers["x-conduit-token"] == "no-token"
    assert turn.headers["x-conduit-token"] == "conduit-1"
    stage.turn()
    assert len(stage.upstream.sent(f"{ANON}/conversation")) == 1


def test_an_upstream_without_any_route(stage: Any, script: Any) -> None:
    for route in (NEWER, CLASSIC):
        stage.upstream.plays(route, script.json(MISSING, 404))
    assert isinstance(stage.fails(), UpstreamBadResponse)
    assert stage.upstream.calls[-1] == CLASSIC


@pytest.mark.parametrize(("endpoint", "route"), [("f", NEWER), ("classic", CLASSIC)])
def test_an_endpoint_that_was_set_is_not_left(
    stage: Any, script: Any, endpoint: str, route: str
) -> None:
    stage.options = {"conversation_endpoint": endpoint}
    stage.upstream.plays(route, script.json(MISSING, 404))
    assert isinstance(stage.fails(), UpstreamBadResponse)
    assert [call for call in stage.upstream.calls if call in (NEWER, CLASSIC)] == [route]


@pytest.mark.parametrize(
    ("code", "kind"),
    [("model_not_found", UnknownModel), ("conversation_not_found", ConversationNotFound)],
)
def test_a_404_that_speaks_of_something_else(
    stage: Any, script: Any, code: str, kind: type[Exception]
) -> None:
    missing = script.json({"detail": {"code": code, "message": "No such thing."}}, 404)
    stage.upstream.plays(NEWER, missing)
    assert type(stage.fails()) is kind
    assert stage.upstream.calls == WHOLE_TURN


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "Gizmo not found"),
        (403, "You do not have access to this GPT."),
        (401, "Must be logged in to use this GPT"),
    ],
)
def test_a_gpt_that_is_refused_is_the_callers_matter(
    stage: Any, script: Any, status: int, words: str
) -> None:
    """No other route, no fresh page, no other account; and the next turn goes where it did."""
    stage.upstream.plays(NEWER, script.json({"detail": words}, status))
    error = stage.fails(model="gpt-4-gizmo-g-abc")
    assert (type(error), error.message, error.blame) == (UnknownModel, words, Blame.NONE)
    assert stage.upstream.calls == WHOLE_TURN
    stage.fails()
    assert stage.upstream.calls == [*WHOLE_TURN, *WHOLE_TURN[1:]]


# --- preparation


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"detail": "Oops"}),
        (404, MISSING),
        (403, UNUSUAL),
        (422, {"detail": "No."}),
        (400, {"detail": "Unsupported parameter"}),
        (200, {"status": "ok"}),
        (200, {"conduit_token": ["no"]}),
        (200, {"conduit_token": "line\nbreak"}),
        (200, ["conduit"]),
        UpstreamTimeout("Silent."),
    ],
)
def test_a_turn_does_without_preparation(stage: Any, script: Any, answer: Any) -> None:
    reply = answer if isinstance(answer, Exception) else script.json(answer[1], answer[0])
    stage.upstream.plays(CONDUIT, reply)
    assert stage.turn() == HELLO
    assert stage.upstream.calls == WHOLE_TURN
    (turn,) = stage.upstream.sent(NEWER)
    assert "x-conduit-token" not in turn.headers
    assert script.body(turn)["client_prepare_state"] == "none"


def test_an_older_name_of_the_token(stage: Any, script: Any) -> None:
    stage.upstream.plays(CONDUIT, script.json({"token": "conduit-2"}))
    stage.turn()
    assert stage.upstream.sent(NEWER)[0].headers["x-conduit-token"] == "conduit-2"


def test_a_call_that_ends_during_preparation(stage: Any, script: Any) -> None:
    reply = script.json({})
    reply.pieces = (lambda: stage.call.cancel(ClientGone("Gone.")),)
    stage.upstream.plays(CONDUIT, reply)
    assert isinstance(stage.fails(), ClientGone)
    assert stage.upstream.calls == WHOLE_TURN[:-1]


# --- going on elsewhere


@pytest.mark.parametrize(
    ("in_header", "in_stream", "shown"),
    [("of-header", None, "of-header"), ("of-header", "of-stream", "of-stream"), ("ü", None, None)],
)
def test_the_header_may_bring_what_a_resume_needs(
    stage: Any, script: Any, in_header: str, in_stream: str | None, shown: str | None
) -> None:
    """The stream's own word weighs more (sheet 4.3); without any the stored conversation is read."""
    resume, stored = f"{NEWER}/resume", "GET /backend-api/conversation/c"
    told = {"type": "resume_conversation_token", "token": in_stream, "conversation_id": "c"}
    cut = script.stream(script.events(*[told] * bool(in_stream), script.said("Hel")))
    cut.headers = {**cut.headers, "X-Conduit-Token": in_header}
    stage.upstream.plays(NEWER, cut)
    rest = script.events(script.said("Hello!", done=True), "[DONE]")
    stage.upstream.plays(resume, script.stream(rest))
    message = script.said("Hello!", done=True)["message"]
    mapping = {"a": {"id": "a", "message": message, "parent": None}}
    stage.upstream.plays(stored, script.json({"mapping": mapping, "current_node": "a"}))
    events = stage.turn(keep_history=True)
    assert [event for event in events if not isinstance(event, Thread)] == HELLO
    tokens = [request.headers["x-conduit-token"] for request in stage.upstream.sent(resume)]
    assert tokens == [shown] * (shown is not None)


# --- models


@pytest.mark.parametrize(
    ("anonymous", "address"),
    [
        (False, "/backend-api/models?history_and_training_disabled=false"),
        (True, "/backend-anon/models?iim=false&is_gizmo=false"),
    ],
)
def test_models(stage: Any, script: Any, anonymous: bool, address: str) -> None:
    if anonymous:
        stage.leave_account()
    listed = script.json({"models": [{"slug": "gpt-5-5"}, {"slug": "o3"}]})
    stage.upstream.plays(f"GET {address.partition('?')[0]}", listed)
    models = stage.provider.models(stage.credential, stage.io)
    assert models == [Model("gpt-5-5"), Model("o3")]
    assert stage.upstream.requests[-1].url == f"https://upstream.test{address}"
    assert [request.method for request in stage.upstream.requests] == ["GET", "GET"]


def test_a_refused_list_of_models(stage: Any, script: Any) -> None:
    stage.upstream.plays("GET /backend-api/models", script.json({"detail": "Oops"}, 500))
    with pytest.raises(UpstreamBadResponse):
        stage.provider.models(stage.credential, stage.io)


@pytest.mark.parametrize(
    ("model", "effort", "slow"),
    [
        ("gpt-5-5", None, False),
        ("gpt-5-5", "high", True),
        ("gpt-5-5-thinking", None, True),
        ("o3", None, True),
        ("mine", None, True),
    ],
)
def test_which_turns_may_be_slow(stage: Any, model: str, effort: str | None, slow: bool) -> None:
    stage.options = {"aliases": {"mine": "gpt-6-pro"}}
    assert stage.provider.is_slow(Conversation(model, (), reasoning_effort=effort)) is slow


def test_what_it_can_do(stage: Any) -> None:
    assert (stage.provider.name, stage.provider.capabilities) == (
        "chatgpt",
        Capabilities(
            native_tools=False,
            native_limits=False,
            anonymous=True,
            builtins=frozenset({"web_search", "image_generation"}),
        ),
    )
