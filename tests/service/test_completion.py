"""A turn: which account, how often, and what the caller is told."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from chat2api.chat.conversation import Conversation, Limits, ReplyTo
from chat2api.chat.events import (
    Event,
    Failure,
    Finish,
    ReasoningDelta,
    TextDelta,
    Thread,
)
from chat2api.errors import (
    Blame,
    Chat2ApiError,
    ClientGone,
    ContextTooLong,
    ConversationNotFound,
    ErrorInfo,
    NoAccountAvailable,
    PoolExhausted,
    UnknownModel,
    UpstreamAccessDenied,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamLoginRequired,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamTruncated,
)
from chat2api.pool.values import Credential, Need, Outcome
from chat2api.secret import Secret
from chat2api.service.access import Anonymous, Direct, PoolKey

Stage = Any

HELLO: list[Event] = [TextDelta("Hel"), TextDelta("lo"), Finish("stop")]
OWN = Direct(Credential("own", Secret("fk-own")))
REFUSED = UpstreamConnectionError("No connection (stage: connect).")
KEPT = ReplyTo("conv-1", "msg-1")


def dispatched(error: UpstreamError) -> UpstreamError:
    error.after_dispatch = True
    return error


def accounts(stage: Stage) -> list[str]:
    """Who took the turn, in order."""
    assert stage.pool.held == stage.provider.open == 0
    leased = [name for what, name in stage.pool.books if what == "lease"]
    assert sorted(leased) == sorted(name for what, name in stage.pool.books if what == "release")
    return leased


def failure(events: list[Event]) -> ErrorInfo:
    assert isinstance(events[-1], Failure)
    return events[-1].error


# --- the plain case


def test_events_come_through_and_the_lease_is_settled(stage: Stage, hello: Conversation) -> None:
    stage.provider.scripts = [HELLO]
    assert stage.turn(hello) == HELLO
    assert stage.pool.books == [("lease", "a"), ("success", "a"), ("release", "a")]
    assert stage.pool.needs == [Need("fake", "auto")]
    assert stage.pool.outcomes == [Outcome(None, "auto")]


def test_the_provider_is_given_the_account_and_the_way_out(
    stage: Stage, hello: Conversation
) -> None:
    stage.proxies = (Secret("http://proxy.test:1"),)
    stage.pool.accounts = [
        stage.pool.accounts[0],
        replace(stage.pool.accounts[1], proxy=Secret("http://own.test:1")),
    ]
    stage.provider.scripts = [[REFUSED], HELLO]
    stage.turn(hello)
    turns = stage.provider.turns
    assert [(seat.subject, io.proxy.reveal(), io.call) for _, seat, io in turns] == [
        ("subject-a", "http://proxy.test:1", stage.call),
        ("subject-b", "http://own.test:1", stage.call),
    ]


@pytest.mark.parametrize(
    ("asked", "reply_to", "disabled", "caller", "kept"),
    [
        (None, None, True, PoolKey("k"), False),
        (None, None, False, PoolKey("k"), True),
        (None, KEPT, True, PoolKey("k"), True),
        (False, KEPT, False, PoolKey("k"), False),
        (True, None, True, PoolKey("k"), True),
        (True, None, False, Anonymous(), False),
        (True, None, True, OWN, True),
    ],
)
def test_whether_the_conversation_is_kept(
    stage: Stage,
    hello: Conversation,
    asked: bool | None,
    reply_to: ReplyTo | None,
    disabled: bool,
    caller: Any,
    kept: bool,
) -> None:
    stage.limits = replace(stage.limits, history_disabled=disabled)
    stage.provider.scripts = [HELLO]
    stage.turn(replace(hello, keep_history=asked, reply_to=reply_to), caller)
    assert stage.provider.turns[0][0].keep_history is kept


@pytest.mark.parametrize(
    ("in_body", "caller", "sent"),
    [
        (None, PoolKey("k"), None),
        (None, PoolKey("k", "team"), "team"),
        ("body", PoolKey("k", "team"), "body"),
        (None, OWN, None),
    ],
)
def test_which_workspace_is_asked_for(
    stage: Stage, hello: Conversation, in_body: str | None, caller: Any, sent: str | None
) -> None:
    stage.provider.scripts = [HELLO]
    stage.turn(replace(hello, workspace_id=in_body), caller)
    assert stage.provider.turns[0][0].workspace_id == sent


def test_slow_models_get_the_longer_deadline(stage: Stage, hello: Conversation) -> None:
    for slow, seconds in ((False, 1000.0), (True, 3700.0)):
        stage.call.deadline = 1000.0
        stage.provider.slow = slow
        stage.completions().plan(hello, PoolKey("key-id"), stage.call)
        assert stage.call.deadline == seconds


# --- again, or not


def test_attempts_are_counted_exactly(stage: Stage, hello: Conversation) -> None:
    stage.provider.scripts = [[UpstreamBadResponse("The upstream answered 500.")]]
    assert failure(stage.turn(hello)) == ErrorInfo(
        502, "server_error", "upstream_bad_response", "The upstream answered 500."
    )
    assert accounts(stage) == ["a", "b", "c", "d"]
    assert [need.excluded for need in stage.pool.needs] == [
        frozenset(),
        frozenset("a"),
        frozenset("ab"),
        frozenset("abc"),
    ]
    assert [outcome.blame for outcome in stage.pool.outcomes] == [Blame.TRANSIENT] * 4
    assert len(stage.pauses) == 3


def test_the_next_account_may_do_better(stage: Stage, hello: Conversation) -> None:
    stage.provider.scripts = [
        [UpstreamRateLimited("Limit.", retry_after=60, per_model=True)],
        [UpstreamAuthFailed("Expired.")],
        [UpstreamAccessDenied("Unusual activity.")],
        HELLO,
    ]
    assert stage.turn(hello) == HELLO
    assert stage.pool.outcomes == [
        Outcome(Blame.LIMITED, "auto", 60, True, "rate_limit_exceeded"),
        Outcome(Blame.NEEDS_LOGIN, "auto", None, False, "upstream_account_auth_failed"),
        Outcome(Blame.EGRESS, "auto", None, False, "upstream_access_denied"),
        Outcome(None, "auto"),
    ]
    assert len(stage.pauses) == 1  # limits and logins say nothing about the next


@pytest.mark.parametrize("workspace", [None, "theirs"])
def test_a_workspace_the_caller_chose_puts_no_account_out_of_reach(
    stage: Stage, hello: Conversation, workspace: str | None
) -> None:
    stage.provider.scripts = [[UpstreamAuthFailed("No.")], [UpstreamAccessDenied("No.")], HELLO]
    stage.turn(replace(hello, workspace_id=workspace))
    own = [Blame.NEEDS_LOGIN, Blame.EGRESS, None]
    chosen = [Blame.TRANSIENT, Blame.TRANSIENT, None]
    assert [outcome.blame for outcome in stage.pool.outcomes] == (chosen if workspace else own)


def test_a_refused_request_is_not_quoted_in_the_log(
    stage: Stage, hello: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    stage.provider.scripts = [[REFUSED], [ContextTooLong("Too long: 'my prompt'")]]
    with caplog.at_level(logging.INFO):
        stage.turn(hello)
    assert caplog.messages == [
        "attempt 1 of 4 failed: upstream_connection_error (No connection (stage: connect).)",
        "turn failed: context_length_exceeded",
    ]


@pytest.mark.parametrize(
    "error",
    [UnknownModel("No such model."), ContextTooLong("Too long.")],
    ids=lambda error: error.code,
)
def test_what_no_account_can_mend_is_told_at_once(
    stage: Stage, hello: Conversation, error: Chat2ApiError
) -> None:
    stage.provider.scripts = [[error]]
    assert stage.turn(hello) == [Failure(error.info)]
    assert stage.pool.books == [("lease", "a"), ("none", "a"), ("release", "a")]


@pytest.mark.parametrize("first", [TextDelta("Hel"), ReasoningDelta("Hm"), Thread("conv", "msg")])
def test_nothing_is_tried_after_the_first_event(
    stage: Stage, hello: Conversation, first: Event
) -> None:
    error = UpstreamTruncated("The upstream's answer was cut short.")
    stage.provider.scripts = [[first, error], HELLO]
    assert stage.turn(hello) == [first, Failure(error.info)]
    assert accounts(stage) == ["a"]


@pytest.mark.parametrize(
    ("keep", "error", "tried"),
    [
        (False, dispatched(UpstreamBadResponse("500")), ["a", "b"]),
        (False, dispatched(UpstreamTimeout("silent")), ["a", "b"]),
        (False, dispatched(UpstreamTruncated("empty")), ["a", "b"]),
        (True, dispatched(UpstreamBadResponse("500")), ["a"]),
        (True, dispatched(UpstreamTimeout("silent")), ["a"]),
        (True, dispatched(UpstreamTruncated("empty")), ["a"]),
        (True, UpstreamBadResponse("sentinel 500"), ["a", "b"]),
        (True, UpstreamRateLimited("limit"), ["a", "b"]),
    ],
)
def test_after_dispatch_a_kept_turn_needs_a_definite_refusal(
    stage: Stage, hello: Conversation, keep: bool, error: UpstreamError, tried: list[str]
) -> None:
    stage.provider.scripts = [[error], HELLO]
    stage.turn(replace(hello, keep_history=keep))
    assert accounts(stage) == tried


def test_limits_held_back_text_is_not_an_event_yet(stage: Stage, hello: Conversation) -> None:
    """What the caller has not seen may still be tried elsewhere."""
    stage.provider.scripts = [[TextDelta("EN"), REFUSED], HELLO]
    events = stage.turn(replace(hello, limits=Limits(stop=("END",))))
    assert events == HELLO


# --- nobody left


def test_the_pools_own_refusal_is_told_as_it_is(stage: Stage, hello: Conversation) -> None:
    stage.pool.accounts = []
    stage.pool.when_empty = PoolExhausted("All cooling.", retry_after=30)
    assert failure(stage.turn(hello)) == ErrorInfo(
        429, "rate_limit_error", "account_pool_exhausted", "All cooling.", None, 30
    )


@pytest.mark.parametrize(
    ("last", "pool_says", "code"),
    [
        (UpstreamRateLimited("l"), PoolExhausted("p", retry_after=9), "account_pool_exhausted"),
        (UpstreamRateLimited("l"), NoAccountAvailable("p"), "rate_limit_exceeded"),
        (UpstreamAuthFailed("l"), PoolExhausted("p", retry_after=9), "no_account_available"),
        (UpstreamAccessDenied("l"), NoAccountAvailable("p"), "upstream_access_denied"),
        (REFUSED, NoAccountAvailable("p"), "upstream_connection_error"),
    ],
)
def test_when_the_pool_runs_out_on_the_way(
    stage: Stage, hello: Conversation, last: Exception, pool_says: Chat2ApiError, code: str
) -> None:
    stage.pool.accounts = stage.pool.accounts[:2]
    stage.pool.when_empty = pool_says
    stage.provider.scripts = [[last]]
    assert failure(stage.turn(hello)).code == code
    assert accounts(stage) == ["a", "b"]


def test_when_attempts_run_out_the_pool_knows_how_long(stage: Stage, hello: Conversation) -> None:
    stage.provider.scripts = [[UpstreamRateLimited("l")]]
    assert failure(stage.turn(hello)).code == "rate_limit_exceeded"
    stage.pool.when_asked = PoolExhausted("All cooling.", retry_after=30)
    told = failure(stage.turn(hello))
    assert (told.code, told.retry_after) == ("account_pool_exhausted", 30)


def test_a_refused_credential_of_ours_is_never_a_401(stage: Stage, hello: Conversation) -> None:
    stage.provider.scripts = [[UpstreamAuthFailed("Expired.")]]
    told = failure(stage.turn(hello))
    assert (told.status, told.code) == (503, "no_account_available")
    assert accounts(stage) == ["a", "b", "c", "d"]


# --- other seats


@pytest.mark.parametrize(
    ("errors", "turns", "told"),
    [
        ([REFUSED], 2, None),
        ([REFUSED, REFUSED], 2, (502, "upstream_connection_error")),
        ([UpstreamBadResponse("500")], 1, (502, "upstream_bad_response")),
        ([UpstreamTimeout("silent")], 1, (504, "upstream_timeout")),
        ([UpstreamRateLimited("limit", retry_after=7)], 1, (429, "rate_limit_exceeded")),
        ([UpstreamAuthFailed("expired")], 1, (401, "invalid_api_key")),
        ([ConversationNotFound("gone")], 1, (404, "conversation_not_found")),
    ],
)
def test_a_direct_token_is_tried_again_on_network_errors_only(
    stage: Stage,
    hello: Conversation,
    errors: list[Exception],
    turns: int,
    told: tuple[int, str] | None,
) -> None:
    stage.provider.scripts = [*([error] for error in errors), HELLO]
    events = stage.turn(hello, OWN)
    assert [credential for _, credential, _ in stage.provider.turns] == [OWN.credential] * turns
    assert stage.pool.books == []
    if told is None:
        assert events == HELLO
    else:
        assert (failure(events).status, failure(events).code) == told


def test_anonymous_turns_use_no_account(stage: Stage, hello: Conversation) -> None:
    stage.provider.scripts = [[UpstreamBadResponse("500")], HELLO]
    assert stage.turn(hello, Anonymous()) == HELLO
    assert {seat for _, seat, _ in stage.provider.turns} == {Credential("anonymous", None)}
    assert stage.pool.books == []


@pytest.mark.parametrize(
    ("allowed", "accounts_held", "subject"),
    [(True, False, "anonymous"), (True, True, "subject-a"), (False, True, "subject-a")],
)
def test_a_key_with_an_empty_pool_may_go_unnamed(
    stage: Stage, hello: Conversation, allowed: bool, accounts_held: bool, subject: str
) -> None:
    stage.allow_anonymous = allowed
    stage.pool.accounts = stage.pool.accounts if accounts_held else []
    stage.provider.scripts = [HELLO]
    assert stage.turn(hello) == HELLO
    assert stage.provider.turns[0][1].subject == subject


@pytest.mark.parametrize(
    ("caller", "status"), [(Anonymous(), 401), (PoolKey("k"), 502), (OWN, 502)]
)
def test_a_forced_login_is_the_keyless_callers_to_cure(
    stage: Stage, hello: Conversation, caller: Any, status: int
) -> None:
    stage.provider.scripts = [[UpstreamLoginRequired("Log in, or set PROXY_URL.")]]
    told = failure(stage.turn(hello, caller))
    assert (told.status, told.code, told.message) == (
        status,
        "login_required",
        "Log in, or set PROXY_URL.",
    )


# --- endings


def test_closing_early_closes_the_provider_and_frees_the_account(
    stage: Stage, hello: Conversation
) -> None:
    stage.provider.scripts = [HELLO]
    events = stage.begin(hello, count_usage=True)
    assert next(events) == TextDelta("Hel")
    assert (stage.pool.held, stage.provider.open) == (1, 1)
    events.close()
    assert stage.pool.books == [("lease", "a"), ("success", "a"), ("release", "a")]
    assert stage.provider.open == 0


def test_a_caller_who_is_gone_says_nothing_of_the_account(
    stage: Stage, hello: Conversation
) -> None:
    stage.provider.scripts = [HELLO]
    events = stage.begin(hello)
    assert next(events) == TextDelta("Hel")
    stage.call.cancel(ClientGone("The caller hung up."))
    events.close()
    assert stage.pool.books == [("lease", "a"), ("release", "a")]
    assert stage.provider.open == 0


def test_limits_end_the_upstreams_turn(stage: Stage, hello: Conversation) -> None:
    stage.provider.scripts = [[TextDelta("one END two"), TextDelta("three"), Finish("stop")]]
    events = stage.turn(replace(hello, limits=Limits(stop=("END",))))
    assert events == [TextDelta("one "), Finish("stop", "END")]
    assert stage.pool.books == [("lease", "a"), ("success", "a"), ("release", "a")]


def test_nothing_is_begun_for_a_call_that_is_over(stage: Stage, hello: Conversation) -> None:
    gone = ClientGone("The caller hung up.")
    stage.call.cancel(gone)
    assert stage.turn(hello) == [Failure(gone.info)]
    assert stage.provider.turns == []


@pytest.mark.parametrize("told", [[], [TextDelta("Hel")]])
def test_a_cancelled_call_is_told_as_what_it_was_cancelled_with(
    stage: Stage, hello: Conversation, told: list[Event]
) -> None:
    """Whatever the provider made of it; and nobody is blamed for it."""
    gone = ClientGone("The caller hung up.")
    broken = UpstreamConnectionError("The connection broke.")
    stage.provider.scripts = [[*told, lambda: stage.call.cancel(gone), broken]]
    assert stage.turn(hello) == [*told, Failure(gone.info)]
    assert stage.pool.books == [("lease", "a"), ("release", "a")]


def test_a_call_cancelled_between_attempts(
    stage: Stage, hello: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = ClientGone("The caller hung up.")
    monkeypatch.setattr(
        "chat2api.service.pool_backend.pause_seconds", lambda *_: stage.call.cancel(gone)
    )
    stage.provider.scripts = [[REFUSED]]
    assert stage.turn(hello) == [Failure(gone.info)]
    assert accounts(stage) == ["a"]


@pytest.mark.parametrize("told", [[], [TextDelta("Hel")]])
def test_the_unforeseen_is_logged_and_not_shown(
    stage: Stage, hello: Conversation, told: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    stage.provider.scripts = [[*told, ZeroDivisionError("fk-secret")], HELLO]
    with caplog.at_level(logging.ERROR):
        events = stage.turn(hello)
    message = "Internal error; the log has it under this request id."
    assert events == [*told, Failure(ErrorInfo(500, "server_error", "internal_error", message))]
    assert accounts(stage) == ["a"]
    assert caplog.messages == ["turn failed unexpectedly"]
