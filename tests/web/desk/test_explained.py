"""One request, explained: what is shown of it, drawn of it, and handed on as text."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from chat2api.service.emulated_turn import CALL_DROPPED, CALL_INVALID
from chat2api.service.tracing import ASKED_AGAIN
from chat2api.store.request_records import RequestRecord
from chat2api.store.traces import AttemptRecord, Candidates, Trace
from chat2api.tools.scan import RESULT_INVENTED
from chat2api.web.charts import Span
from chat2api.web.desk.explained import (
    account_href,
    answer_text,
    as_text,
    chosen_text,
    explained,
    models_text,
    tokens_text,
    verdict_of,
)
from chat2api.web.desk.names import Names
from chat2api.web.times import short_time

NAMES = Names({"key_1": "phone"}, {"a": "alice@example.com", "b": "team-03"})
LIMITED = AttemptRecord(
    1, "pool", "b", "rate_limit_exceeded", 429, "Too many.", 2160.0, 0.1, 0.4, None, upstream_status=429
)  # fmt: skip
GOOD = AttemptRecord(2, "pool", "a", "", 200, "", None, 0.5, 7.5, 0.9, 0.2, True)
RECORD = RequestRecord(
    "req_1", 1_795_824_000.0, 8.1, 200, False, model="gpt-5", answered_by="gpt-5", key_id="key_1",
    account_id="a", attempts=2, prompt_tokens=812, completion_tokens=1204,
    trace=Trace((LIMITED, GOOD), Candidates(200, 142, 18, 28, 0, 12, 0, 0), 0.1, "random", ("tools: as text",)),
)  # fmt: skip
FAILED = replace(
    RECORD, status=502, failed=True, code="upstream_timeout", trace=Trace(message="No answer.")
)


@pytest.fixture(autouse=True)
def in_a_request(site: Any) -> Iterator[None]:
    app: Flask = site.app
    if "accounts.page" not in app.view_functions:
        app.add_url_rule("/admin/accounts", "accounts.page", lambda: "")
    with app.test_request_context("/"):
        yield


def test_the_verdict_comes_in_one_sentence() -> None:
    assert verdict_of(RECORD).startswith("It worked on the second account. The first was limited")
    assert verdict_of(FAILED) == "The upstream did not answer in time."


def test_attempts_tell_what_they_met() -> None:
    limited, good = explained(RECORD, NAMES).attempts
    assert (limited.account, limited.pill.role, limited.message) == ("team-03", "wait", "Too many.")
    assert "rate_limit_exceeded" in limited.facts
    assert any(fact.startswith("limited until") for fact in limited.facts)
    assert (good.account, good.pill.word, good.message) == ("alice@example.com", "Worked", "")
    assert good.account_href == account_href("a") == "/admin/accounts/a"
    assert "its token was renewed for this" in good.facts


def test_the_waterfall_is_in_order_and_to_scale() -> None:
    waited, limited, good = explained(RECORD, NAMES).lanes
    kinds = [[span.kind for span in lane.spans] for lane in (waited, limited, good)]
    assert kinds == [["wait"], ["bad"], ["proof", "before", "good"]]
    assert [(span.begins, round(span.seconds, 3)) for span in good.spans] == [
        (0.5, 0.2), (0.7, 0.7), (1.4, 6.6),
    ]  # fmt: skip
    assert limited.text == "429 · 0.40 s"
    assert isinstance(good.spans[0], Span)


@pytest.mark.parametrize("more", [{"proof_seconds": 99.0}, {"first_byte": 99.0}, {"seconds": 0.0}])
def test_times_that_do_not_fit_stay_within_the_attempt(more: dict[str, Any]) -> None:
    odd = replace(GOOD, **more)
    (lane,) = explained(replace(RECORD, trace=Trace((odd,))), NAMES).lanes
    assert all(span.seconds >= 0 for span in lane.spans)
    assert lane.spans[-1].begins <= odd.began + odd.seconds


def test_candidates_leave_out_what_is_nought() -> None:
    assert explained(RECORD, NAMES).candidates == [
        "200 accounts", "142 ready", "18 busy", "28 resting", "12 need a login",
    ]  # fmt: skip
    assert explained(FAILED, NAMES).candidates == []


def test_side_and_step_are_for_failures() -> None:
    assert explained(RECORD, NAMES).side == ""
    failed = explained(FAILED, NAMES)
    assert (failed.side, failed.step, failed.step_href) == ("Upstream's side", "Try again.", "")


def test_models_tokens_and_choice() -> None:
    assert models_text(RECORD) == "gpt-5"
    assert models_text(replace(RECORD, answered_by="o3")) == "gpt-5 → o3"
    assert models_text(replace(RECORD, model="", answered_by="")) == "–"
    assert tokens_text(RECORD) == "812 in, 1,204 out"
    assert tokens_text(replace(RECORD, estimated=True)) == "812 in, 1,204 out (estimated)"
    assert tokens_text(replace(RECORD, prompt_tokens=0, completion_tokens=0)) == ""
    chosen = [
        replace(RECORD, trace=Trace(chosen_by=how)) for how in ("random", "turn", "pinned", "")
    ]
    assert len({chosen_text(one) for one in chosen}) == 4


def test_callers_without_an_account_of_ours(site: Any) -> None:
    for route, name in (("direct", "the caller's own token"), ("anonymous", "without a login")):
        record = replace(RECORD, trace=Trace((replace(GOOD, route=route, account_id=""),)))
        view = explained(record, NAMES)
        assert (view.attempts[0].account, view.attempts[0].account_href) == (name, "")
        assert view.lanes[0].label == name


def test_notes_in_words() -> None:
    view = explained(
        replace(RECORD, trace=Trace(notes=("choices=3", "choices=x", "tools: text"))), NAMES
    )
    assert view.notes == ["3 answers were asked for at once", "choices=x", "tools: text"]


@pytest.mark.parametrize(
    "note", [ASKED_AGAIN, CALL_INVALID, CALL_DROPPED, RESULT_INVENTED], ids=lambda note: note
)
def test_what_became_of_calls_is_told_in_words(note: str) -> None:
    record = replace(RECORD, trace=Trace(notes=(note,)))
    view = explained(record, NAMES)
    (told,) = view.notes
    assert told.endswith(".")
    assert "_" not in told
    assert told in as_text(record, view, NAMES)


def test_as_text() -> None:
    text = as_text(RECORD, explained(RECORD, NAMES), NAMES)
    assert text.splitlines()[0] == "Request req_1"
    for part in (
        "phone",
        "gpt-5",
        "It worked on the second account",
        "team-03",
        "Too many.",
        "142 ready",
    ):
        assert part in text
    failed = as_text(FAILED, explained(FAILED, NAMES), NAMES)
    assert "Upstream's side · we answered 502 · upstream_timeout" in failed
    assert "No answer." in failed


def test_our_status_is_not_the_upstreams() -> None:
    met = replace(LIMITED, code="upstream_challenge_required", status=502)
    (known,) = explained(
        replace(FAILED, trace=Trace((replace(met, upstream_status=403),))), NAMES
    ).attempts
    (unknown,) = explained(
        replace(FAILED, trace=Trace((replace(met, upstream_status=0),))), NAMES
    ).attempts
    assert "upstream answered 403" in known.facts
    assert not [fact for fact in (*known.facts, *unknown.facts) if "502" in fact]
    assert not [fact for fact in unknown.facts if "answered" in fact]


def test_what_was_answered() -> None:
    left = replace(RECORD, status=499, code="client_gone", trace=Trace())
    assert [
        answer_text(one)
        for one in (
            RECORD,
            FAILED,
            replace(FAILED, trace=Trace(begun_with=200)),
            left,
            replace(left, trace=Trace(begun_with=200)),
        )
    ] == [
        "we answered 200",
        "we answered 502",
        "200, then an error event",
        "nobody was there to be answered",
        "200, not heard to its end",
    ]


def test_a_caller_who_hung_up() -> None:
    met = replace(LIMITED, code="client_gone", status=499, message="", upstream_status=0)
    left = replace(RECORD, status=499, code="client_gone", attempts=1, trace=Trace((met,)))
    view = explained(left, NAMES)
    assert (view.sentence, view.side) == ("The caller hung up before the end.", "")
    assert (view.role, view.glyph) == ("off", "leave")
    assert [span.kind for span in view.lanes[0].spans] == ["good"]


def test_groups_add_up_and_those_that_were_tried_are_among_them() -> None:
    found = Candidates(5, 4, 0, 0, 1, 0, 0, 1)
    view = explained(replace(FAILED, trace=Trace(candidates=found)), NAMES)
    assert view.candidates == ["5 accounts", "4 ready", "1 limited for this model"]
    assert view.tried == "1 of them was tried for this request"
    assert explained(RECORD, NAMES).tried == ""


def test_who_is_put_to_rest_for_where_it_came_from_comes_back(site: Any) -> None:
    code = "upstream_challenge_required"
    met = AttemptRecord(1, "pool", "a", code, 502, "", None, 0.5, 1.5, None)
    direct = AttemptRecord(2, "direct", "", code, 502, "", None, 0.5, 1.5, None)
    record = RequestRecord(
        "req_1", time.time() - 3600, 3.0, 502, True, code, trace=Trace(attempts=(met, direct))
    )
    first, second = explained(record, NAMES).attempts
    assert first.pill.word == "Upstream asks for a human check."
    ends = short_time(record.at + 2 + site.runtime.settings.access_denied_seconds)
    assert f"the account rests until {ends}" in first.facts
    assert not any("rests" in fact for fact in second.facts)


def test_short_limits_are_told_to_the_second_and_what_is_over_is_no_advice() -> None:
    at = time.time() - 3600
    met = AttemptRecord(1, "pool", "a", "rate_limit_exceeded", 429, "", 30.0, 0.0, 1.0, None)
    trace = Trace(attempts=(met,), retry_after=30.0)
    record = RequestRecord("req_1", at, 1.0, 429, True, "rate_limit_exceeded", trace=trace)
    view = explained(record, NAMES)
    (limit,) = [fact for fact in view.attempts[0].facts if fact.startswith("limited until")]
    assert re.search(r"\d\d:\d\d:\d\d$", limit)
    assert view.retry_at is None
    fresh = replace(record, at=time.time())
    assert explained(fresh, NAMES).retry_at == pytest.approx(fresh.at + 31)
