"""Turns that go wrong: what is tried again, what the error says, and what the upstream is told."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Any

import pytest

from chat2api.chat.events import Finish, TextDelta
from chat2api.errors import (
    Chat2ApiError,
    ClientGone,
    ContentPolicyViolation,
    ContextTooLong,
    RequestError,
    ShuttingDown,
    UpstreamAccessDenied,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamChallenge,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamTruncated,
)

API = "POST /backend-api"
HOME, STOP = "GET /", f"{API}/stop_conversation"
ASKED = f"{API}/sentinel/chat-requirements/prepare"
CLEARED = f"{API}/sentinel/chat-requirements/finalize"
CONDUIT, NEWER = f"{API}/f/conversation/prepare", f"{API}/f/conversation"
CLASSIC = f"{API}/conversation"
TRY = [ASKED, CLEARED, CONDUIT, NEWER]
HELLO = [TextDelta("Hel"), TextDelta("lo!"), Finish("stop")]
UNUSUAL = {"detail": "Unusual activity has been detected from your device. Try again later."}


@pytest.fixture
def hello(script: Any) -> Any:
    said = script.events(script.said("Hel"), script.said("Hello!", done=True), "[DONE]")
    return script.stream(said)


# --- distrust


def test_distrust_is_met_once_with_everything_fresh(stage: Any, script: Any, hello: Any) -> None:
    newer_page = script.page('<html data-build="prod-newer">')
    stage.upstream.plays(HOME, script.page('<html data-build="prod-older">'), newer_page)
    finals = [script.json({"token": f"token-{n}"}) for n in (1, 2)]
    stage.upstream.plays(CLEARED, *finals)
    stage.upstream.plays(NEWER, script.json(UNUSUAL, 403), hello)
    assert stage.turn() == HELLO
    assert stage.upstream.calls == [HOME, *TRY, HOME, *TRY]
    refused, accepted = (request.headers for request in stage.upstream.sent(NEWER))
    name = "openai-sentinel-chat-requirements-token"
    assert (refused[name], accepted[name]) == ("token-1", "token-2")
    name = "oai-client-version"
    assert (refused[name], accepted[name]) == ("prod-older", "prod-newer")


def test_distrust_that_stays(stage: Any, script: Any) -> None:
    stage.upstream.plays(NEWER, script.json(UNUSUAL, 403))
    error = stage.fails()
    assert (type(error), error.after_dispatch) == (UpstreamAccessDenied, False)
    assert stage.upstream.calls == [HOME, *TRY] * 2
    assert stage.upstream.all_closed


def test_distrust_in_the_requirements(stage: Any, script: Any) -> None:
    granted = script.json({"prepare_token": "prepared"})
    stage.upstream.plays(ASKED, script.json(UNUSUAL, 403), granted)
    assert stage.turn() == HELLO
    assert stage.upstream.calls == [HOME, ASKED, HOME, *TRY]


def test_distrust_after_a_challenge_was_announced(stage: Any, script: Any) -> None:
    """Going on without an answer was tried; now the challenge is what the caller hears of."""
    stage.requires(turnstile={"required": True, "dx": "x"})
    assert stage.turn() == HELLO
    stage.upstream.plays(NEWER, script.json(UNUSUAL, 403))
    assert type(stage.fails()) is UpstreamChallenge


def test_a_relays_distrust_is_not_ours_to_meet(stage: Any, script: Any) -> None:
    stage.options = {"conversation_only": True}
    stage.upstream.plays(NEWER, script.json(UNUSUAL, 403))
    assert type(stage.fails()) is UpstreamAccessDenied
    assert stage.upstream.calls == [HOME, CONDUIT, NEWER]


@pytest.mark.parametrize(
    ("status", "document", "kind"),
    [
        (400, {"detail": "Unsupported parameter: x"}, RequestError),
        (401, {"detail": {"code": "token_expired", "message": "Expired."}}, UpstreamAuthFailed),
        (403, {"detail": {"code": "unsupported_country", "message": "No."}}, UpstreamAccessDenied),
        (413, {"detail": {"code": "message_length_exceeds_limit"}}, ContextTooLong),
        (429, {"detail": "Too many requests"}, UpstreamRateLimited),
        (500, {"detail": "Oops"}, UpstreamBadResponse),
    ],
)
def test_other_refusals_are_not_tried_again(
    stage: Any, script: Any, status: int, document: Any, kind: type[Exception]
) -> None:
    stage.upstream.plays(NEWER, script.json(document, status))
    assert isinstance(stage.fails(), kind)
    assert stage.upstream.calls == [HOME, *TRY]
    assert stage.upstream.all_closed


def test_distrust_in_a_200_is_not_tried_again(stage: Any, script: Any) -> None:
    """Only a refusing status is definite: the turn may be running."""
    stage.upstream.plays(NEWER, script.json(UNUSUAL))
    error = stage.fails()
    assert (type(error), error.after_dispatch) == (UpstreamAccessDenied, True)
    assert stage.upstream.calls == [HOME, *TRY]


def test_a_browser_check_is_not_tried_again(stage: Any, script: Any) -> None:
    stage.upstream.plays(NEWER, script.page("<title>Just a moment...</title>", 403))
    error = stage.fails()
    assert type(error) is UpstreamChallenge
    assert "<title>" not in error.message
    assert stage.upstream.calls == [HOME, *TRY]


# --- whether the upstream may have acted


@pytest.mark.parametrize(
    ("route", "answer", "acted"),
    [
        (ASKED, (500, {}), False),
        (ASKED, UpstreamConnectionError("Reset."), False),
        (ASKED, UpstreamTimeout("Silent."), False),
        (CLEARED, (502, {}), False),
        (CLEARED, UpstreamConnectionError("Reset."), False),
        (NEWER, (401, {}), False),
        (NEWER, (403, {}), False),
        (NEWER, (429, {}), False),
        (NEWER, (423, {}), False),
        (NEWER, (422, {}), False),
        (NEWER, (500, {}), True),
        (NEWER, (503, {}), True),
        (NEWER, (520, {}), True),
        (NEWER, (302, {}), True),
        (NEWER, (200, {"detail": "Not now."}), True),
        (NEWER, (204, None), True),
        (NEWER, UpstreamConnectionError("Reset."), True),
        (NEWER, UpstreamTimeout("Silent."), True),
        (NEWER, UpstreamBadResponse("Not HTTP."), True),
        (CLASSIC, (500, {}), True),
        (CLASSIC, (429, {}), False),
        (CLASSIC, UpstreamConnectionError("Reset."), True),
    ],
)
def test_only_after_the_turn_was_sent_may_it_have_been_acted_on(
    stage: Any, script: Any, route: str, answer: Any, acted: bool
) -> None:
    stage.options = {"conversation_endpoint": "classic" if route == CLASSIC else "f"}
    reply = answer if isinstance(answer, Exception) else script.json(answer[1], answer[0])
    stage.upstream.plays(route, reply)
    error = stage.fails()
    assert isinstance(error, UpstreamError)
    assert error.after_dispatch is acted
    assert stage.upstream.all_closed


@pytest.mark.parametrize(("status", "acted"), [(500, True), (200, True), (403, False)])
@pytest.mark.parametrize("kind", [UpstreamConnectionError, UpstreamTruncated, UpstreamTimeout])
def test_an_answer_that_breaks_off_does_not_change_that(
    stage: Any, script: Any, status: int, acted: bool, kind: type[UpstreamError]
) -> None:
    broken = script.json({}, status)
    broken.pieces = (b"<", kind("Broken."))
    stage.upstream.plays(NEWER, broken)
    assert stage.fails().after_dispatch is acted


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (("page", "<h1>Be right back</h1>"), UpstreamBadResponse, "something else than a stream"),
        (("json", {"wss_url": "wss://x.test/?t=eyJ.a"}), UpstreamBadResponse, "WebSocket"),
        (("json", {"detail": {"code": "rate_limit_exceeded"}}), UpstreamRateLimited, "limit"),
        (("json", []), UpstreamBadResponse, "something else than a stream"),
    ],
)
def test_a_200_that_is_no_stream(
    stage: Any, script: Any, answer: tuple[str, Any], kind: type[UpstreamError], words: str
) -> None:
    make, body = answer
    stage.upstream.plays(NEWER, getattr(script, make)(body))
    error = stage.fails()
    assert (type(error), error.after_dispatch, words in error.message) == (kind, True, True)
    assert "wss:" not in error.message
    assert "<h1>" not in error.message


# --- streams that fail


def test_a_stream_that_breaks(stage: Any, script: Any) -> None:
    reset = UpstreamConnectionError("Reset.")
    stage.upstream.plays(NEWER, script.stream(script.events(script.said("Hel")), reset))
    events, error = stage.played()
    assert (events, error) == ([TextDelta("Hel")], reset)
    assert (reset.after_dispatch, stage.upstream.all_closed) == (True, True)


@pytest.mark.parametrize("pieces", [(), (b": ping\n\n",), (b"data: [DO",)])
def test_a_stream_without_an_answer(stage: Any, script: Any, pieces: tuple[bytes, ...]) -> None:
    stage.upstream.plays(NEWER, script.stream(*pieces))
    error = stage.fails()
    assert (type(error), error.after_dispatch) == (UpstreamTruncated, True)


def test_an_end_without_an_answer(stage: Any, script: Any) -> None:
    stage.upstream.plays(NEWER, script.stream(script.events("[DONE]")))
    error = stage.fails()
    assert (type(error), error.after_dispatch) == (UpstreamBadResponse, True)
    assert "empty" in error.message


def test_an_error_in_the_stream(stage: Any, script: Any) -> None:
    limited = {"detail": {"code": "rate_limit_exceeded", "message": "No more."}}
    stage.upstream.plays(NEWER, script.stream(script.events(limited)))
    error = stage.fails()
    assert (type(error), error.after_dispatch) == (UpstreamRateLimited, True)


def test_the_requests_own_fault_is_never_one_of_the_upstream(stage: Any, script: Any) -> None:
    policy = {"error": {"code": "content_policy_violation", "message": "No."}}
    stage.upstream.plays(NEWER, script.stream(script.events(policy)))
    error = stage.fails()
    assert type(error) is ContentPolicyViolation
    assert not hasattr(error, "after_dispatch")


def test_a_moderated_answer_is_an_answer(stage: Any, script: Any) -> None:
    blocked = {"type": "moderation", "moderation_response": {"blocked": True}}
    story = script.events(script.said("Let me"), blocked, "[DONE]")
    stage.upstream.plays(NEWER, script.stream(story))
    assert stage.turn() == [TextDelta("Let me"), Finish("content_filter")]


# --- leaving early


def left_after_first(stage: Any, **fields: Any) -> None:
    with closing(stage.begin(**fields)) as events:
        next(events)
    stoppers_end()


def stoppers_end() -> None:
    for thread in threading.enumerate():
        if thread.name == "stop-conversation":
            thread.join(5)


@pytest.mark.parametrize("keep", [True, False])
def test_the_upstream_is_told_when_the_caller_leaves(stage: Any, script: Any, keep: bool) -> None:
    left_after_first(stage, keep_history=keep)
    assert stage.upstream.calls == [HOME, *TRY, STOP]
    assert stage.upstream.responses[4].closed
    (stop,) = stage.upstream.sent(STOP)
    assert script.body(stop) == {"conversation_id": "c", "exclude_async_types": []}
    assert stop.headers["Authorization"] == "Bearer eyJhbGci.token-of-a"


def test_there_is_nothing_to_stop_before_the_upstream_names_it(stage: Any, script: Any) -> None:
    nameless = {**script.said("Hel"), "conversation_id": None}
    stage.upstream.plays(NEWER, script.stream(script.events(nameless)))
    left_after_first(stage)
    assert stage.upstream.calls == [HOME, *TRY]


def test_without_an_account_nothing_can_be_stopped(stage: Any) -> None:
    stage.leave_account()
    left_after_first(stage)
    assert not [call for call in stage.upstream.calls if "stop" in call]
    assert stage.upstream.all_closed


def test_what_ended_by_itself_is_not_stopped(stage: Any, script: Any) -> None:
    stage.turn()
    reset = UpstreamConnectionError("Reset.")
    stage.upstream.plays(NEWER, script.stream(script.events(script.said("Hel")), reset))
    assert stage.played()[1] is reset
    assert stage.upstream.sent(STOP) == []


@pytest.mark.parametrize("kind", [ClientGone, ShuttingDown, UpstreamTimeout])
def test_a_call_that_is_cancelled_stops_the_turn(
    stage: Any, script: Any, kind: type[Chat2ApiError]
) -> None:
    """The stop has a call of its own: the other is over."""
    error = kind("Over.")
    pieces = (script.events(script.said("Hel")), lambda: stage.call.cancel(error))
    stage.upstream.plays(NEWER, script.stream(*pieces, b"never read"))
    events, raised = stage.played(keep_history=True)
    assert (events[-1:], raised) == ([TextDelta("Hel")], error)
    stoppers_end()
    assert stage.upstream.calls == [HOME, *TRY, STOP]


def test_a_stop_that_fails_disturbs_nobody(stage: Any, script: Any) -> None:
    stage.upstream.plays(STOP, script.json({"detail": "Oops"}, 500))
    left_after_first(stage)
    stage.upstream.plays(STOP, UpstreamConnectionError("Reset."))
    left_after_first(stage)
    assert len(stage.upstream.sent(STOP)) == 2


def test_a_turn_that_was_not_begun_asks_nothing(stage: Any) -> None:
    stage.begin().close()
    assert stage.upstream.calls == []
