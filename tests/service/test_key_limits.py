"""What a key may still use, and that it pays exactly once for what it used (G06 to G08)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat import tokens
from chat2api.chat.conversation import Conversation, Limits, Message, Text
from chat2api.chat.events import (
    Event,
    EventStream,
    Failure,
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from chat2api.errors import (
    Chat2ApiError,
    ErrorInfo,
    InsufficientQuota,
    RateLimited,
    StorageUnavailable,
)
from chat2api.service.access import Anonymous, PoolKey
from chat2api.service.key_limits import (
    ANSWER_TOKENS,
    Admission,
    Estimate,
    KeyLimits,
    day_in,
    duration_text,
    estimate_of,
    limit_headers,
)
from chat2api.store.api_keys import ApiKey
from chat2api.store.key_usage import Count, Day, KeyUsage

KEY = ApiKey("key_1", "Bob", "named", "sk-…ssss", "h1")
HELLO = Conversation("gpt-5", (Message("user", (Text("Say hi, please."),)),))


def caller(**limits: Any) -> PoolKey:
    return PoolKey("key_1", None, replace(KEY, **limits))


def costs(prompt: int, answer: int = 10, choices: int = 1) -> Callable[[], Estimate]:
    return lambda: Estimate(prompt, answer, choices)


@pytest.fixture
def usage(key_store: Any) -> KeyUsage:
    key_store.clock.at = datetime(2025, 6, 15, 18, 0, 10, tzinfo=UTC).timestamp()
    return KeyUsage(key_store)


@pytest.fixture
def limits(usage: KeyUsage) -> KeyLimits:
    return KeyLimits(usage, day_in("UTC"))


@pytest.fixture
def used(usage: KeyUsage) -> Callable[[], int]:
    return lambda: usage.used_today("key_1", day_in("UTC")(usage.now()))


# --- who is let in


@pytest.mark.parametrize("who", [Anonymous(), PoolKey("configured"), caller()])
def test_without_limits_nothing_is_counted(usage: KeyUsage, outage: Any, who: Any) -> None:
    outage.is_away = True
    admission = KeyLimits(usage, day_in("UTC")).admit(who, costs(1))
    assert (admission.headers(), admission.output_limit, admission.is_metered) == ({}, None, False)
    admission.settle(5)


def test_requests_of_a_minute(limits: KeyLimits, key_store: Any) -> None:
    two = caller(requests_per_minute=2)
    assert [limits.admit(two, costs(1)).headers() for _ in range(2)] == [
        {
            "x-ratelimit-limit-requests": "2",
            "x-ratelimit-remaining-requests": left,
            "x-ratelimit-reset-requests": "50s",
        }
        for left in "10"
    ]
    key_store.clock.at += 20.5
    with pytest.raises(RateLimited) as caught:
        limits.admit(two, costs(1))
    assert caught.value.info == ErrorInfo(
        429,
        "rate_limit_error",
        "rate_limit_exceeded",
        "This API key is limited to 2 requests per minute.",
        retry_after=29.5,
    )
    assert caught.value.headers["x-ratelimit-reset-requests"] == "30s"
    key_store.clock.at += 29.5
    assert limits.admit(two, costs(1)).headers()["x-ratelimit-remaining-requests"] == "1"


def test_tokens_of_a_day(limits: KeyLimits, used: Callable[[], int], key_store: Any) -> None:
    hundred = caller(daily_tokens=100, requests_per_minute=9)
    admission = limits.admit(hundred, costs(20, 50))
    assert admission.headers() == {
        "x-ratelimit-limit-requests": "9",
        "x-ratelimit-remaining-requests": "8",
        "x-ratelimit-reset-requests": "50s",
        "x-ratelimit-limit-tokens": "100",
        "x-ratelimit-remaining-tokens": "30",
        "x-ratelimit-reset-tokens": "5h59m50s",
    }
    admission.settle(100)
    assert used() == 100
    with pytest.raises(InsufficientQuota) as caught:
        limits.admit(hundred, costs(1))
    assert caught.value.info == ErrorInfo(
        429,
        "insufficient_quota",
        "insufficient_quota",
        "This API key has used its 100 tokens of today.",
        retry_after=21_590.0,
    )
    assert caught.value.headers["x-ratelimit-remaining-tokens"] == "0"
    key_store.clock.at += 21_590
    assert limits.admit(hundred, costs(1)).is_metered


def at_once(count: int, admit: Callable[[], Admission]) -> list[Admission]:
    passed: list[Admission] = []
    refused: list[Chat2ApiError] = []
    barrier = threading.Barrier(count, timeout=20)

    def run() -> None:
        barrier.wait()
        try:
            passed.append(admit())
        except Chat2ApiError as error:
            refused.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {error.status for error in refused} <= {429}
    assert len(passed) + len(refused) == count
    return passed


def test_exactly_as_many_pass_as_may(limits: KeyLimits, key_store: Any) -> None:
    """G06."""
    ten = caller(requests_per_minute=10, daily_tokens=10**6)
    assert len(at_once(50, lambda: limits.admit(ten, costs(1)))) == 10


def test_one_unit_lets_one_through(limits: KeyLimits) -> None:
    """G06."""
    one = caller(daily_tokens=1)
    (admission,) = at_once(50, lambda: limits.admit(one, costs(9)))
    assert admission.output_limit == 1


# --- how long answers may be


@pytest.mark.parametrize(
    ("budget", "cost", "limit"),
    [
        (1000, costs(20, 50), 50),
        (60, costs(20, 50), 40),
        (60, costs(20, 50, 2), 20),
        (60, costs(60, 50), 1),
        (60, costs(600, 50), 1),
        (1000, costs(20, 50, 3), 50),
    ],
)
def test_an_answer_is_as_long_as_the_budget_allows(
    limits: KeyLimits, budget: int, cost: Callable[[], Estimate], limit: int
) -> None:
    admission = limits.admit(caller(daily_tokens=budget), cost)
    assert admission.output_limit == limit
    for asked, most in ((None, limit), (1, 1), (10**6, limit)):
        told = admission.limited(replace(HELLO, limits=Limits(asked, ("X",))))
        assert told == replace(HELLO, limits=Limits(most, ("X",)))


def test_without_a_budget_an_answer_is_as_long_as_it_likes(limits: KeyLimits) -> None:
    admission = limits.admit(caller(requests_per_minute=5), costs(1))
    assert admission.limited(HELLO) is HELLO


def test_what_a_request_may_cost() -> None:
    prompt = tokens.prompt_overhead(HELLO) + 1 + 4
    assert estimate_of(HELLO, 2) == Estimate(prompt, ANSWER_TOKENS, 2)
    limited = replace(HELLO, limits=Limits(7))
    assert estimate_of(limited).total == prompt + 7


# --- paying


def turn(*events: Event, error: Exception | None = None) -> EventStream:
    yield from events
    if error is not None:
        raise error


def read(turns: Iterable[EventStream]) -> list[list[Event]]:
    return [list(one) for one in turns]


WHOLE = [TextDelta("Hi"), Usage(20, 3), Finish("stop")]
BROKEN = Failure(ErrorInfo(502, "server_error", "upstream_truncated", "Cut."))


@pytest.mark.parametrize(
    ("events", "paid"),
    [
        (WHOLE, 23),
        ([Usage(20, 3), TextDelta("Hi"), BROKEN], 23),
        ([ReasoningDelta("Hm"), TextDelta("Hello world"), BROKEN], 15 + 3),
        ([ToolCallDelta(0, "c", "f", "{}"), BROKEN], 15 + 1),
        ([TextDelta("x" * 30_000), BROKEN], 15 + 7500),
        ([BROKEN], 0),
        ([], 0),
    ],
)
def test_what_was_used_is_paid(
    limits: KeyLimits, used: Callable[[], int], events: list[Event], paid: int
) -> None:
    """G08: also of a stream that breaks; one that said nothing costs nothing."""
    admission = limits.admit(caller(daily_tokens=1000), costs(15))
    (metered,) = admission.metered([turn(*events)])
    assert list(metered) == events
    assert used() == paid
    admission.settle(999)
    admission.release()
    assert used() == paid


def test_choices_pay_the_prompt_once(limits: KeyLimits, used: Callable[[], int]) -> None:
    admission = limits.admit(caller(daily_tokens=1000), costs(15, choices=3))
    turns = admission.metered([turn(*WHOLE), turn(*WHOLE), turn(BROKEN)])
    first, second, third = turns
    assert read([first, second]) == [WHOLE, WHOLE]
    assert used() == 0
    assert read([third]) == [[BROKEN]]
    assert used() == 20 + 3 + 3


def test_a_caller_that_leaves_pays_for_what_was_said(
    limits: KeyLimits, used: Callable[[], int]
) -> None:
    closed: list[bool] = []

    def going_on() -> EventStream:
        try:
            yield TextDelta("Hello world")
            yield from WHOLE
        finally:
            closed.append(True)

    admission = limits.admit(caller(daily_tokens=1000), costs(15))
    (metered,) = admission.metered([going_on()])
    assert next(metered) == TextDelta("Hello world")
    metered.close()
    assert (closed, used()) == ([True], 15 + 2)


def test_an_error_passes_through(limits: KeyLimits, used: Callable[[], int]) -> None:
    admission = limits.admit(caller(daily_tokens=1000), costs(15))
    (metered,) = admission.metered([turn(TextDelta("Hi"), error=RuntimeError("bug"))])
    with pytest.raises(RuntimeError, match="bug"):
        list(metered)
    assert used() == 15 + 1


def test_without_a_budget_turns_are_not_read_twice(limits: KeyLimits) -> None:
    one = turn(*WHOLE)
    assert Admission().metered([one])[0] is one


def test_a_released_reservation_is_free_again(limits: KeyLimits, used: Callable[[], int]) -> None:
    ten = caller(daily_tokens=10)
    for _ in range(3):
        limits.admit(ten, costs(100)).release()
    assert used() == 0
    admission = limits.admit(ten, costs(100))
    admission.settle(-5)
    assert used() == 0


# --- while the store is away (G07)


@pytest.mark.parametrize(
    ("who", "flags", "let_in"),
    [
        (caller(requests_per_minute=1), {}, True),
        (caller(requests_per_minute=1), {"rate_fails_open": False}, False),
        (caller(daily_tokens=1), {}, False),
        (caller(daily_tokens=1, requests_per_minute=1), {}, False),
        (caller(daily_tokens=1), {"budget_fails_open": True}, True),
    ],
)
def test_while_the_store_is_away(
    usage: KeyUsage,
    outage: Any,
    who: PoolKey,
    flags: dict[str, bool],
    let_in: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    outage.is_away = True
    limits = KeyLimits(usage, day_in("UTC"), **flags)
    if let_in:
        admission = limits.admit(who, costs(1))
        assert (admission.headers(), admission.is_metered) == ({}, False)
        assert caplog.messages == ["a key's limits cannot be checked; it is let through"]
    else:
        with pytest.raises(StorageUnavailable):
            limits.admit(who, costs(1))


def test_what_could_not_be_stored_is_paid_later(
    limits: KeyLimits, used: Callable[[], int], outage: Any
) -> None:
    admissions = [limits.admit(caller(daily_tokens=1000), costs(15)) for _ in range(3)]
    outage.is_away = True
    admissions[0].settle(7)
    admissions[1].settle(8)
    outage.is_away = False
    assert used() == 0
    admissions[2].settle(1)
    assert used() == 16


# --- days and durations


@pytest.mark.parametrize(
    ("zone", "moment", "bucket", "hours"),
    [
        ("UTC", datetime(2025, 6, 15, 18, tzinfo=UTC), "day:2025-06-15", 6),
        ("Asia/Shanghai", datetime(2025, 6, 15, 18, tzinfo=UTC), "day:2025-06-16", 22),
        ("Europe/Berlin", datetime(2025, 3, 29, 23, tzinfo=UTC), "day:2025-03-30", 23),
        ("Europe/Berlin", datetime(2025, 10, 25, 22, tzinfo=UTC), "day:2025-10-26", 25),
    ],
)
def test_a_day_is_what_the_zone_says(zone: str, moment: datetime, bucket: str, hours: int) -> None:
    now = moment.timestamp()
    assert day_in(zone)(now) == Day(bucket, now + hours * 3600)


@given(st.floats(0, 4e9), st.sampled_from(["", "UTC", "Asia/Shanghai", "America/New_York"]))
def test_a_day_ends_after_now_and_begins_the_next(now: float, zone: str) -> None:
    day_of = day_in(zone)
    day = day_of(now)
    assert now < day.ends_at <= now + 26 * 3600
    assert day_of(day.ends_at).bucket > day.bucket


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0s"), (0, "0s"), (0.2, "1s"), (59.5, "1m0s"), (360, "6m0s"), (86_399, "23h59m59s")],
)
def test_durations_read_as_the_public_api_writes_them(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_no_limit_no_headers() -> None:
    assert limit_headers("tokens", None, 0.0) == {}
    assert limit_headers("tokens", Count(5, 2, 61.0), 0.0) == {
        "x-ratelimit-limit-tokens": "5",
        "x-ratelimit-remaining-tokens": "2",
        "x-ratelimit-reset-tokens": "1m1s",
    }
