"""How a request went, kept as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.store.traces import AttemptRecord, Candidates, Trace, clean, trace_of, trace_text

_SECONDS = st.floats(0, 4000).map(lambda value: round(value, 3))
_MAYBE = st.none() | _SECONDS
_NAMES = st.text("abcdefghij_-0123456789", max_size=20)

_ATTEMPTS = st.builds(
    AttemptRecord,
    number=st.integers(1, 25),
    route=st.sampled_from(["pool", "direct", "anonymous"]),
    account_id=_NAMES,
    code=_NAMES,
    status=st.integers(0, 599),
    message=_NAMES,
    retry_after=_MAYBE,
    began=_SECONDS,
    seconds=_SECONDS,
    first_byte=_MAYBE,
    proof_seconds=_SECONDS,
    renewed=st.booleans(),
    upstream_status=st.integers(0, 599),
    provider=_NAMES,
)
_COUNTS = st.builds(Candidates, *[st.integers(0, 9999)] * 8)
_TRACES = st.builds(
    Trace,
    attempts=st.lists(_ATTEMPTS, max_size=5).map(tuple),
    candidates=st.none() | _COUNTS,
    waited=_SECONDS,
    chosen_by=st.sampled_from(["", "random", "turn", "pinned"]),
    notes=st.lists(_NAMES, max_size=3).map(tuple),
    message=_NAMES,
    retry_after=_MAYBE,
)


@given(_TRACES)
def test_what_was_kept_is_read_again(trace: Trace) -> None:
    assert trace_of(trace_text(trace)) == trace


def test_the_plainest_trace_takes_no_room() -> None:
    assert trace_text(Trace()) == "{}"


def test_secrets_and_length_of_messages() -> None:
    attempt = AttemptRecord(
        1, "pool", "a", "x", 502, "told sk-planted-secret " + "y" * 900, None, 0.0, 1.0, None
    )
    kept = trace_text(
        Trace((attempt,), message="eyJplanted.abc " + "z" * 900, notes=("sk-planted-2",))
    )
    assert "planted" not in kept
    trace = trace_of(kept)
    assert (len(trace.message), len(trace.attempts[0].message)) == (300, 300)


@pytest.mark.parametrize(
    "damaged",
    ["", "{", "null", "[]", "7", '{"attempts":[[1]]}', '{"attempts":7}', '{"candidates":[1,2]}',
     '{"waited":"x"}', "[" * 100_000],
)  # fmt: skip
def test_a_damaged_trace_is_an_empty_one(damaged: str) -> None:
    assert trace_of(damaged) == Trace()


@given(st.text())
def test_foreign_text_can_be_stored(text: str) -> None:
    kept = clean(text, 50)
    assert "\0" not in kept
    assert len(kept) <= 50
    kept.encode("utf-8")


def test_a_secret_at_the_edge_is_not_left_over() -> None:
    assert "planted" not in clean("x" * 40 + " sk-planted-secret", 50)


def test_one_kept_before_the_upstreams_status_was() -> None:
    old = '{"attempts":[[1,"pool","a","x",502,"m",null,0.1,0.2,null,0.0,false]]}'
    (attempt,) = trace_of(old).attempts
    assert (attempt.status, attempt.upstream_status) == (502, 0)
    known = Trace(
        (AttemptRecord(1, "pool", "a", "x", 502, "", None, 0, 1, None, upstream_status=403),),
        begun_with=200,
    )
    assert trace_of(trace_text(known)) == known
