"""What a turn leaves behind for whoever asks later why it went as it did."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from chat2api.chat.conversation import Conversation, Message, ReplyTo, Text, ToolChoice, ToolSpec
from chat2api.chat.events import (
    Event,
    Failure,
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from chat2api.errors import (
    ClientGone,
    ErrorInfo,
    NoAccountAvailable,
    PoolExhausted,
    RequestError,
    UpstreamAccessDenied,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamRateLimited,
)
from chat2api.pool.values import Credential, Need
from chat2api.secret import Secret
from chat2api.service.access import Direct, PoolKey
from chat2api.service.tracing import (
    CONTENT_CHARACTERS,
    EXACT_CHARACTERS,
    Happening,
    Tracer,
    code_of,
    told_message,
)
from chat2api.service.usage import UsageCounter
from chat2api.store.request_records import AttemptRecord, Candidates

Stage = Any
HELLO: list[Event] = [TextDelta("Hel"), TextDelta("lo"), Finish("stop")]
COUNTED = Candidates(9, 1, 1, 1, 1, 1, 1, 0)


class Clock:
    """A second passes at each look."""

    def __init__(self) -> None:
        self.now = 99.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


class Look:
    """Turns on a stage, with a tracer."""

    def __init__(self, stage: Stage, conversation: Conversation) -> None:
        self.stage = stage
        self.conversation = conversation
        self.tracer = Tracer(Clock())
        self.census: list[Need] = []

    def turn(self, caller: Any = None, *, count_usage: bool = False) -> list[Event]:
        return list(self.begin(caller, count_usage=count_usage))

    def begin(self, caller: Any = None, *, count_usage: bool = False) -> Any:
        def census(need: Need) -> Candidates:
            self.census.append(need)
            return COUNTED

        stage = self.stage
        completions = stage.completions(census)
        caller = caller or PoolKey("key-id")
        plan = completions.plan(self.conversation, caller, stage.call)
        return completions.events(
            plan,
            caller,
            stage.call,
            count_usage=count_usage,
            tracer=self.tracer,
        )

    def attempts(self, call_error: Any = None) -> tuple[AttemptRecord, ...]:
        return self.tracer.trace(call_error, "random", None).attempts

    def usage(self) -> Usage:
        return UsageCounter(self.stage.compute).recorded(self.tracer, self.conversation)


@pytest.fixture
def look(stage: Stage, hello: Conversation) -> Look:
    return Look(stage, hello)


def test_a_turn_that_just_works(look: Look) -> None:
    look.stage.provider.scripts = [HELLO]
    look.turn()
    assert look.attempts() == (
        # asked 101, seated 102, first event 103, ended 104
        AttemptRecord(1, "pool", "a", "", 200, "", None, 2.0, 2.0, 1.0),
    )
    trace = look.tracer.trace(None, "turn", None)
    assert (trace.waited, trace.chosen_by, trace.notes, trace.candidates) == (1.0, "turn", (), None)
    assert (look.tracer.account_id, look.tracer.first_byte_seconds) == ("a", 3.0)
    assert look.census == []
    assert not look.tracer.is_unfinished


def test_a_rotation(look: Look) -> None:
    limited = UpstreamRateLimited("Out of quota.", retry_after=2160.0, per_model=True)
    look.stage.provider.scripts = [[limited], HELLO]
    look.turn()
    first, second = look.attempts()
    assert (first.account_id, first.code, first.status) == ("a", "rate_limit_exceeded", 429)
    assert (first.message, first.retry_after, first.first_byte) == ("Out of quota.", 2160.0, None)
    assert (second.number, second.account_id, second.code) == (2, "b", "")
    assert second.began >= first.began + first.seconds
    assert look.tracer.account_id == "b"
    assert look.census == [Need("fake", "auto", frozenset({"a", "b"}))]
    assert look.tracer.trace(None, "random", None).candidates == COUNTED
    detail = {"code": "rate_limit_exceeded", "seconds": 2160, "model": "auto"}
    (happened,) = look.tracer.happened
    assert happened == Happening("a", "limited", happened.after, detail)


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (UpstreamAccessDenied("Unusual."), ["cooling"]),
        (UpstreamBadResponse("Nonsense."), ["rest"]),
        (UpstreamAuthFailed("Refused."), ["needs_login"]),
        (RequestError("Bad."), []),
    ],
)
def test_what_accounts_learn(look: Look, error: Exception, kinds: list[str]) -> None:
    look.stage.retry_times = 0
    look.stage.provider.scripts = [[error]]
    look.turn()
    assert [one.kind for one in look.tracer.happened] == kinds


def test_nobody_is_there(look: Look) -> None:
    look.stage.pool.accounts = []
    look.stage.pool.when_empty = PoolExhausted("All cooling.", retry_after=60.0)
    look.turn()
    assert look.attempts() == ()
    assert isinstance(look.tracer.error, PoolExhausted)
    assert look.tracer.trace(None, "random", look.tracer.error.info).candidates == COUNTED
    assert look.census == [Need("fake", "auto")]


def test_a_request_at_fault_needs_no_count(look: Look) -> None:
    look.stage.provider.scripts = [[RequestError("It says: secret prompt", param="messages")]]
    look.turn()
    assert look.census == []
    (attempt,) = look.attempts()
    assert (attempt.code, attempt.message) == ("invalid_value", "param: messages")


def test_a_pinned_turn(look: Look) -> None:
    look.stage.homes["conv"] = "c"
    look.conversation = replace(look.conversation, reply_to=ReplyTo("conv", "msg"))
    look.stage.provider.scripts = [HELLO]
    look.turn()
    assert look.tracer.trace(None, "random", None).chosen_by == "pinned"


def test_a_token_of_the_callers_own(look: Look) -> None:
    look.stage.provider.scripts = [HELLO]
    look.turn(Direct(Credential("own", Secret("fk-own"))))
    (attempt,) = look.attempts()
    assert (attempt.route, attempt.account_id) == ("direct", "")
    assert look.tracer.trace(None, "random", None).chosen_by == ""


def test_a_renewal_within_a_turn(look: Look) -> None:
    account = look.stage.pool.accounts[0]
    look.stage.tokens.renewed = {"a": replace(account)}
    look.stage.provider.scripts = [[UpstreamAuthFailed("Ended.")], HELLO]
    look.turn()
    (attempt,) = look.attempts()
    assert (attempt.renewed, attempt.code) == (True, "")


def test_the_proof_has_a_stopwatch(look: Look) -> None:
    def prove() -> None:
        _, _, io = look.stage.provider.turns[-1]
        io.compute.run("search_proof", call=io.call, timeout_seconds=1.0)
        io.compute.run("count_tokens", call=io.call, timeout_seconds=1.0)

    look.stage.provider.scripts = [[prove, *HELLO]]
    look.turn()
    assert look.attempts()[0].proof_seconds == 1.0
    assert [name for (name,) in look.stage.compute.ran] == ["search_proof", "count_tokens"]


def test_a_turn_that_its_caller_left(look: Look) -> None:
    gone = ClientGone("The caller hung up.")
    look.stage.provider.scripts = [HELLO]
    events = look.begin()
    next(events)
    look.stage.call.cancel(gone)
    assert look.tracer.is_unfinished
    (attempt,) = look.attempts(gone)
    assert (attempt.code, attempt.status) == ("client_gone", 499)
    events.close()


def test_choices_share_a_tracer(look: Look) -> None:
    look.stage.provider.scripts = [HELLO]
    threads = [threading.Thread(target=look.turn) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [one.number for one in look.attempts()] == [1, 2, 3]
    assert look.tracer.trace(None, "random", None).notes == ("choices=3",)
    plain = UsageCounter(look.stage.compute)
    assert look.usage().completion_tokens == 3 * plain.count("Hello")


def test_an_answer_that_was_not_as_asked_for(look: Look) -> None:
    """The one attempt after another that was answered; who was tried counts all of them."""
    tools = (ToolSpec("get_weather", "", {"type": "object"}),)
    look.conversation = replace(look.conversation, tools=tools, tool_choice=ToolChoice("required"))
    look.stage.provider.scripts = [HELLO]
    assert isinstance(look.turn()[-1], Failure)
    assert [one.code for one in look.attempts()] == ["", ""]
    assert look.tracer.trace(None, "random", None).notes == ("asked_again",)
    (need,) = look.census
    assert need.excluded == {one.account_id for one in look.attempts()}


def test_an_answer_as_asked_for_is_not_noted(look: Look) -> None:
    look.stage.provider.scripts = [[UpstreamRateLimited("wait")], HELLO]
    look.turn()
    assert look.tracer.trace(None, "random", None).notes == ()


# --- tokens for the record


def test_short_texts_are_counted(look: Look) -> None:
    call = ToolCallDelta(0, "call", "look_up", '{"a":1}')
    look.stage.provider.scripts = [[ReasoningDelta("Hm. "), *HELLO[:2], call, HELLO[2]]]
    look.turn()
    count = UsageCounter(look.stage.compute).count
    usage = look.usage()
    assert usage.completion_tokens == count('Hm. Hellolook_up{"a":1}')
    assert usage.prompt_tokens > count("Say hello")
    assert not usage.estimated


def test_it_is_the_same_count_as_the_callers(look: Look) -> None:
    look.stage.provider.scripts = [HELLO]
    told = [event for event in look.turn(count_usage=True) if isinstance(event, Usage)]
    assert look.usage() == replace(told[0], estimated=False)
    other = Look(look.stage, look.conversation)
    other.turn()
    assert other.usage() == look.usage()


def test_long_answers_are_estimated(look: Look) -> None:
    words = "word " * 20
    look.stage.provider.scripts = [[*[TextDelta(words)] * 200, Finish("stop")]]
    look.turn()
    usage = look.usage()
    assert usage.estimated
    assert usage.completion_tokens == pytest.approx(200 * 25, rel=0.02)
    assert len(words) * 200 > EXACT_CHARACTERS


def test_long_prompts_are_estimated(look: Look) -> None:
    look.conversation = Conversation("auto", (Message("user", (Text("word " * 4000),)),))
    look.stage.provider.scripts = [HELLO]
    look.turn()
    usage = look.usage()
    assert usage.estimated
    assert usage.prompt_tokens == pytest.approx(5000, rel=0.02)


def test_the_upstreams_own_figures_count(look: Look) -> None:
    figures = Usage(1000, 2000, estimated=False)
    look.stage.provider.scripts = [[TextDelta("x"), figures, Finish("stop")]]
    look.turn()
    assert look.usage() == Usage(1000, 2000, estimated=False)


def test_no_answer_used_nothing(look: Look) -> None:
    look.stage.provider.scripts = [[NoAccountAvailable("x")]]
    look.turn()
    assert look.usage() == Usage(0, 0, estimated=False)


# --- texts


def test_no_text_is_kept_unless_wanted(look: Look) -> None:
    look.stage.provider.scripts = [HELLO]
    look.turn()
    assert look.tracer.turns[0].kept_text == ""


def test_kept_text_is_cut(look: Look) -> None:
    look.tracer = Tracer(keep_text=True)
    look.stage.provider.scripts = [[*[TextDelta("x" * 7000)] * 5, Finish("stop")]]
    look.turn()
    assert look.tracer.turns[0].kept_text == "x" * CONTENT_CHARACTERS


def test_codes_and_messages() -> None:
    assert code_of(ClientGone("x")) == "client_gone"
    assert code_of(UpstreamBadResponse("x")) == "upstream_bad_response"
    assert told_message(ErrorInfo(503, "server_error", "x", "Told.")) == "Told."
    assert told_message(ErrorInfo(400, "invalid_request_error", "x", "Your prompt")) == ""
    assert told_message(ErrorInfo(401, "invalid_request_error", "x", "No key.")) == "No key."


def test_what_the_upstream_answered_is_not_what_we_do(look: Look) -> None:
    error = UpstreamAccessDenied("Unusual.")
    error.upstream_status = 403
    look.stage.retry_times = 0
    look.stage.provider.scripts = [[error]]
    look.turn()
    (attempt,) = look.attempts()
    assert (attempt.status, attempt.upstream_status) == (502, 403)


def test_nobody_is_chosen_where_nobody_was_free(look: Look) -> None:
    turn = look.tracer.turn()
    turn.begins("pool", Need("fake", "auto"), set())
    assert look.tracer.trace(None, "random", None).chosen_by == ""


def test_each_try_is_noted_with_the_upstream_it_was_of() -> None:
    tracer = Tracer(Clock())
    turn = tracer.turn()
    turn.begins("pool", Need("fake", "m"), set())
    first = turn.attempt()
    first.seated("a")
    first.ended(UpstreamBadResponse("It broke."))
    turn.begins("entry", Need("local", "m"), set())
    second = turn.attempt()
    second.seated()
    second.begun()
    second.ended(None)
    attempts = tracer.trace(None, "turn", None).attempts
    assert [(one.route, one.account_id, one.provider) for one in attempts] == [
        ("pool", "a", ""),
        ("entry", "", "local"),
    ]
    assert [one.first_byte is None for one in attempts] == [True, False]
    assert tracer.provider == "local"
