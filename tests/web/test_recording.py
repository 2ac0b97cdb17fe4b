"""What API requests leave behind, from the wire to the store."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from chat2api.chat.events import Finish, TextDelta
from chat2api.errors import (
    ClientGone,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamRateLimited,
    UpstreamTruncated,
)
from chat2api.pool.values import Account, Credential
from chat2api.secret import Secret
from chat2api.service.recording import Recorder
from chat2api.store.request_records import RequestFilter, RequestRecord

from .conftest import KEY

HELLO = [TextDelta("Hel"), TextDelta("lo!"), Finish("stop")]
PROMPT = [
    {"role": "system", "content": "Be planted-1"},
    {"role": "user", "content": "Say planted-2"},
]


def settled(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 3
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def records(site: Any) -> Callable[[], list[RequestRecord]]:
    """The records of all requests so far, the newest first."""

    def look() -> list[RequestRecord]:
        settled(site.is_idle)
        site.runtime.desk.recorder.flush()
        found: list[RequestRecord] = site.runtime.desk.records.page(RequestFilter())
        return found

    return look


@pytest.fixture
def record(records: Any) -> Callable[[], RequestRecord]:
    """The one record there is."""

    def look() -> RequestRecord:
        (found,) = records()
        return found  # type: ignore[no-any-return]

    return look


def test_a_whole_answer(site: Any, record: Any) -> None:
    response = site.ask(model="gpt-5-5", messages=PROMPT)
    found = record()
    assert found.request_id == response.headers["x-request-id"]
    assert (found.status, found.failed, found.code) == (200, False, "")
    assert (found.path, found.model, found.answered_by) == (
        "/v1/chat/completions", "gpt-5-5", "gpt-5-5",
    )  # fmt: skip
    assert (found.provider, found.account_id, found.attempts) == ("fake", "a", 1)
    assert re.fullmatch("[0-9a-f]{12}", found.key_id)
    assert (found.stream, found.address) == (False, "127.0.0.1")
    assert 0 <= found.first_byte_seconds <= found.seconds < 3
    usage = response.get_json()["usage"]
    assert found.prompt_tokens == usage["prompt_tokens"]
    assert found.completion_tokens == usage["completion_tokens"]
    assert not found.estimated
    assert found.at == pytest.approx(site.store.now(), abs=3)
    trace = found.trace
    assert (trace.chosen_by, trace.candidates, trace.message) == ("random", None, "")


def test_a_stream_is_counted_and_the_caller_not_told(site: Any, record: Any) -> None:
    response = site.ask(stream=True)
    assert "usage" not in response.get_data(as_text=True)
    found = record()
    assert (found.stream, found.status, found.completion_tokens > 0) == (True, 200, True)
    assert found.prompt_tokens > 0


def test_a_failure_before_the_first_byte(site: Any, record: Any) -> None:
    site.plays([UpstreamRateLimited("Out of quota.", retry_after=77.0)])
    assert site.ask(stream=True).status_code == 429
    found = record()
    assert (found.status, found.failed, found.code) == (429, True, "rate_limit_exceeded")
    assert (found.trace.message, found.trace.retry_after) == ("Out of quota.", 77.0)
    assert found.trace.begun_with == 0
    (event,) = site.runtime.desk.events.of("a")
    assert (event.kind, event.request_id) == ("limited", found.request_id)
    assert event.detail == {"code": "rate_limit_exceeded", "seconds": 77}


def test_a_failure_within_the_answer(site: Any, record: Any) -> None:
    site.plays([TextDelta("Hel"), UpstreamTruncated("It ended early.")])
    assert site.ask(stream=True).status_code == 200
    found = record()
    assert (found.status, found.failed, found.code) == (502, True, "upstream_truncated")
    assert found.completion_tokens > 0
    assert found.trace.message == "It ended early."
    assert found.trace.begun_with == 200


def test_a_rotation_is_one_record(site: Any, record: Any) -> None:
    site.given["retry_times"] = 1
    site.plays([UpstreamBadResponse("Nonsense.")], HELLO)
    assert site.ask().status_code == 200
    found = record()
    assert [one.code for one in found.trace.attempts] == ["upstream_bad_response", ""]
    assert (found.failed, found.attempts) == (False, 2)


def test_a_caller_who_leaves(site: Any, record: Any) -> None:
    def leave() -> None:
        response.close()

    site.plays([TextDelta("Hel"), lambda: settled(lambda: bool(left)), TextDelta("lo")])
    left: list[bool] = []
    response = site.ask(stream=True)
    next(response.response)
    leave()
    left.append(True)
    found = record()
    assert (found.status, found.failed, found.code) == (499, False, "client_gone")
    assert found.trace.attempts[-1].code == "client_gone"
    assert site.runtime.desk.heat.of("a", 0) == {}


def test_a_caller_who_leaves_before_anything_came(site: Any, record: Any) -> None:
    def gone() -> None:
        _, _, call = site.provider.turns[-1]
        call.cancel(ClientGone("The caller hung up."))

    site.plays([gone, *HELLO])
    site.ask()
    found = record()
    assert (found.status, found.failed, found.code) == (499, False, "client_gone")


@pytest.mark.parametrize(
    ("request_", "status", "code", "model"),
    [
        ({"data": b"{planted"}, 400, "invalid_json", ""),
        (
            {"json": {"model": "m", "stream": True, "messages": "planted"}},
            400,
            "invalid_value",
            "m",
        ),
        ({"json": {"model": 7, "messages": []}}, 400, None, ""),
    ],
)
def test_refused_requests_of_known_callers(
    site: Any, record: Any, request_: Any, status: int, code: str | None, model: str
) -> None:
    assert site.send("POST", "/v1/chat/completions", **request_).status_code == status
    found = record()
    assert (found.status, found.failed, found.model) == (status, True, model)
    assert code in (None, found.code)
    assert (found.attempts, found.provider, found.prompt_tokens) == (0, "", 0)
    assert "planted" not in repr(found)


def test_keys_of_ours_are_named(site: Any, records: Any) -> None:
    key, key_id = made_key(site, scopes=("usage",))
    assert site.ask(key=key).status_code == 403
    allowed, other_id = made_key(site)
    assert site.ask(key=allowed).status_code == 200
    newest, refused = records()
    assert (refused.status, refused.code, refused.key_id) == (403, "key_scope", key_id)
    assert newest.key_id == other_id


def made_key(site: Any, **more: Any) -> tuple[str, str]:
    key, text = site.keys.create("a label", **more)
    return text.reveal(), key.key_id


def test_other_callers_are_told_apart(site: Any, records: Any) -> None:
    site.given["allow_anonymous"] = True
    site.ask(key=None)
    site.ask(key="eyJhbGciOi.eyJzdWIiOiJ4In0.c2ln")
    assert [one.key_id for one in records()] == ["direct", "anonymous"]


def test_strangers_leave_no_record(site: Any, records: Any) -> None:
    assert site.ask(key="sk-wrong").status_code == 401
    assert site.ask(key=None).status_code == 401
    assert site.send("GET", "/v1/models").status_code == 200
    assert site.send("GET", "/v1/chat/completions").status_code == 405
    assert records() == []


def test_a_direct_token_that_is_refused_is_recorded(site: Any, record: Any) -> None:
    site.plays([UpstreamAuthFailed("Refused.")])
    assert site.ask(key="eyJhbGciOi.eyJzdWIiOiJ4In0.c2ln").status_code == 401
    found = record()
    assert (found.status, found.key_id, found.account_id) == (401, "direct", "")
    assert found.trace.attempts[0].code == "upstream_account_auth_failed"


def test_addresses_come_from_trusted_proxies_only(site: Any, records: Any) -> None:
    site.given["trusted_proxies"] = ("127.0.0.1/32",)
    site.send(
        "POST",
        "/v1/chat/completions",
        json={"messages": PROMPT},
        headers={"X-Forwarded-For": "203.0.113.9"},
    )
    assert [one.address for one in records()] == ["203.0.113.9"]


def test_the_prefix_of_the_api_is_not_written_down(site: Any, record: Any) -> None:
    site.given["api_prefix"] = "planted"
    assert site.ask(path="/planted/v1/chat/completions").status_code == 200
    assert record().path == "/v1/chat/completions"


# --- what was said


def everything(site: Any) -> bytes:
    """All files of the database."""
    return b"".join(path.read_bytes() for path in site.store.data_dir.glob("*.db*"))


def test_no_word_of_prompts_or_answers_is_kept(site: Any, record: Any) -> None:
    site.plays([TextDelta("planted-3"), Finish("stop")])
    site.ask(messages=PROMPT)
    found = record()
    assert site.runtime.desk.records.content(found.record_id) is None
    assert b"planted" not in everything(site)


def test_where_contents_are_logged_they_are_sealed(site: Any, record: Any) -> None:
    site.given["log_content"] = True
    site.plays([TextDelta("planted-"), TextDelta("3"), Finish("stop")])
    site.ask(messages=PROMPT, stream=True)
    found = record()
    assert site.runtime.desk.records.content(found.record_id) == (
        "[system]\nBe planted-1\n\n[user]\nSay planted-2\n\n[answer]\nplanted-3"
    )
    assert b"planted" not in everything(site)


def test_logged_contents_are_cut(site: Any, record: Any) -> None:
    site.given["log_content"] = True
    site.plays([TextDelta("a" * 30_000), Finish("stop")])
    site.ask(messages=[{"role": "user", "content": "p" * 30_000}])
    content = site.runtime.desk.records.content(record().record_id)
    prompt, _, answer = content.partition("\n\n[answer]\n")
    assert (len(prompt), len(answer)) == (20_000, 20_000)


def test_a_broken_book_costs_no_answer(site: Any, monkeypatch: Any, caplog: Any) -> None:
    def break_down(self: Any, *given: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Recorder, "finish", break_down)
    assert site.ask().get_json()["choices"][0]["message"]["content"] == "Hello!"
    settled(site.is_idle)
    assert "a request could not be recorded" in caplog.text


def test_accounts_of_the_pool_only_have_a_history(site: Any, record: Any) -> None:
    site.pool.account = Account("b", "fake", Credential("subject-b", Secret("fk-b")))
    site.plays([UpstreamRateLimited("x")])
    site.ask(key="eyJhbGciOi.eyJzdWIiOiJ4In0.c2ln")
    record()
    assert site.runtime.desk.events.of("b") == []
    site.ask(key=KEY)
    settled(site.is_idle)
    site.runtime.desk.recorder.flush()
    assert [one.kind for one in site.runtime.desk.events.of("b")] == ["limited"]
