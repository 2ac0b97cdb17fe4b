"""An upstream that takes too long to begin: A16, A23, and what it does to further tries."""

from __future__ import annotations

import time
from typing import Any

import openai
import pytest

FIRST_BYTE, WHOLE = 0.5, 1.3
SLACK = 1.5  # others work on this machine too


@pytest.fixture(scope="module")
def hasty(start_server: Any, new_tokens: Any) -> Any:
    return start_server(
        tokens=new_tokens(8),
        RETRY_TIMES="1",
        FIRST_BYTE_SECONDS=str(FIRST_BYTE),
        SLOW_FIRST_BYTE_SECONDS="30",
        REQUEST_SECONDS=str(WHOLE),
        SLOW_REQUEST_SECONDS="30",
    )


@pytest.fixture
def timed(hasty: Any, upstream: Any, ask: Any) -> Any:
    """timed(text, …): the answer and the seconds it took."""

    def one(text: str, **more: Any) -> tuple[Any, float]:
        began = time.monotonic()
        answer = ask(hasty, text, **more)
        return answer, time.monotonic() - began

    return one


def test_silence_goes_to_the_next_account(timed: Any, turns: Any) -> None:
    answer, seconds = timed("/sim text fault=hang times=1")
    assert (answer.status, answer.finish_reason) == (200, "stop")
    assert FIRST_BYTE <= seconds < FIRST_BYTE + SLACK
    assert len({turn["account"] for turn in turns()}) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_silence_everywhere(timed: Any, turns: Any, eventually: Any, stream: bool) -> None:
    answer, seconds = timed("/sim text fault=hang", stream=stream)
    assert (answer.status, answer.code) == (504, "upstream_timeout")
    assert "Retry-After" in answer.headers
    assert 2 * FIRST_BYTE <= seconds < 2 * FIRST_BYTE + SLACK
    assert len(turns()) == 2
    eventually(lambda: all(turn["aborted"] for turn in turns()))


def test_a_time_out_is_an_exception_of_its_type(hasty: Any, upstream: Any, sdk: Any) -> None:
    messages: Any = [{"role": "user", "content": "/sim text fault=hang"}]
    with pytest.raises(openai.InternalServerError) as caught:
        sdk(hasty).chat.completions.create(
            model="gpt-5-5", messages=messages, extra_body={"history_disabled": False}
        )
    assert (caught.value.status_code, caught.value.code) == (504, "upstream_timeout")


def test_silence_in_a_kept_turn_is_not_tried_again(timed: Any, turns: Any) -> None:
    answer, seconds = timed("/sim text fault=hang", history_disabled=False)
    assert (answer.status, answer.code) == (504, "upstream_timeout")
    assert seconds < FIRST_BYTE + SLACK
    assert len(turns()) == 1


def test_reasoning_models_may_take_longer(timed: Any) -> None:
    answer, seconds = timed("/sim text fault=hang seconds=1", model="some-thinking-model")
    assert answer.status == 200
    assert seconds > 1


@pytest.mark.parametrize(
    ("fault", "stream"),
    [("drip seconds=0.2", False), ("drip seconds=0.2", True), ("quiet", True)],
)
def test_the_whole_request_has_its_time(
    timed: Any, turns: Any, eventually: Any, fault: str, stream: bool
) -> None:
    """Bytes that drip in keep every other clock from running out."""
    answer, seconds = timed(f"/sim text fault={fault}", stream=stream)
    assert (answer.status, answer.code) == (504, "upstream_timeout")
    assert WHOLE <= seconds < WHOLE + SLACK
    assert len(turns()) == 1
    eventually(lambda: turns()[0]["aborted"])


def test_the_whole_time_holds_over_all_tries(timed: Any, upstream: Any) -> None:
    hang = {"fault": "hang", "params": {"seconds": 0.4}, "times": "always"}
    upstream.control("default", [{**hang, "endpoint": one} for one in ("prepare", "finalize")])
    answer, seconds = timed("/sim text fault=hang seconds=0.45")
    assert seconds < WHOLE + SLACK
    assert answer.status in (200, 504)


def test_accounts_are_free_again_afterwards(hasty: Any, upstream: Any, ask: Any) -> None:
    assert [ask(hasty).status for _ in range(8)] == [200] * 8
