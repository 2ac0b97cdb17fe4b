"""Why a request of one's own failed: for its owner and the operator, and for nobody else."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chat2api.store.request_records import RequestRecord
from chat2api.store.traces import AttemptRecord, Candidates, Trace
from chat2api.web.cookies import ticket_name

from .conftest import KEY, PASSWORD

ACCOUNT = "alice@example.com"
HTML = {"Accept": "text/html"}


def record(request_id: str, key_id: str, **more: Any) -> RequestRecord:
    """One that failed on an account, with everything in it that only the operator may see."""
    trace = Trace(
        attempts=(
            AttemptRecord(1, "web", "acct_a", "rate_limit_exceeded", 429, f"{ACCOUNT} is out of quota",
                600.0, 0.1, 0.2, None),
        ),
        candidates=Candidates(217, 0, 0, 217, 0, 0, 0, 0),
        message="All 217 accounts are resting.",
        retry_after=600.0,
    )  # fmt: skip
    values = {
        "status": 429,
        "failed": True,
        "code": "account_pool_exhausted",
        "trace": trace,
    } | more
    return RequestRecord(
        request_id, time.time() - 5, 1.0, key_id=key_id, account_id="acct_a", model="gpt-5", attempts=1,
        **values,
    )  # fmt: skip


@pytest.fixture
def phone(site: Any) -> tuple[str, str]:
    """A key that was made here: its id and its text."""
    made, secret = site.keys.create("phone")
    return made.key_id, secret.reveal()


def sign_in(site: Any, key: str, request_id: str = "req_1") -> Any:
    return site.client.post(f"/why/{request_id}", data={"key": key}, headers=HTML)


def ask(site: Any, request_id: str) -> Any:
    return site.client.get(f"/why/{request_id}", headers=HTML)


def test_strangers_see_the_same_form_whatever_the_id(site: Any, phone: Any) -> None:
    site.runtime.desk.records.add([record("req_1", phone[0])])
    known, unknown = ask(site, "req_1"), ask(site, "req_2")
    assert (known.status_code, unknown.status_code) == (401, 401)
    assert "Sign in with the API key that sent it." in known.text
    assert known.text.replace("req_1", "") == unknown.text.replace("req_2", "")
    assert known.headers["Cache-Control"] == "no-store"


def test_the_owner_sees_the_verdict_and_no_account(site: Any, phone: Any) -> None:
    key_id, key = phone
    site.runtime.desk.records.add([record("req_1", key_id)])
    answer = sign_in(site, key)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/why/req_1")
    cookie = answer.headers["Set-Cookie"]
    assert all(word in cookie for word in ("why=", "HttpOnly", "SameSite=Strict", "Path=/"))
    page = ask(site, "req_1")
    assert page.status_code == 200
    assert "This server is at its limit at the upstream." in page.text
    assert "The fault was the server&#39;s, not your key&#39;s." in page.text
    assert "It can be tried again after" in page.text
    for word in (ACCOUNT, "acct_a", "217", "quota"):
        assert word not in page.text


def test_a_success_does_not_tell_of_a_second_account(site: Any, phone: Any) -> None:
    key_id, key = phone
    first = AttemptRecord(1, "web", "a", "upstream_timeout", 504, "", None, 0, 1, None)
    trace = Trace(attempts=(first, AttemptRecord(2, "web", "b", "", 200, "", None, 1, 1, 0.5)))
    site.runtime.desk.records.add(
        [record("req_1", key_id, status=200, failed=False, code="", trace=trace)]
    )
    sign_in(site, key)
    page = ask(site, "req_1")
    assert "<h1>It worked.</h1>" in page.text
    assert "account" not in page.text


def test_somebody_elses_request_is_told_as_one_that_never_was(site: Any, phone: Any) -> None:
    key_id, key = phone
    other, _ = site.keys.create("laptop")
    site.runtime.desk.records.add([record("req_1", other.key_id), record("req_mine", key_id)])
    sign_in(site, key)
    theirs, none = ask(site, "req_1"), ask(site, "req_0")
    assert (theirs.status_code, none.status_code) == (404, 404)
    assert "There is no such request of your key." in theirs.text
    assert theirs.text.replace("req_1", "") == none.text.replace("req_0", "").replace(
        none.text.split('name="csrf" value="')[1].split('"')[0],
        theirs.text.split('name="csrf" value="')[1].split('"')[0],
    )
    assert ask(site, "req_mine").status_code == 200


def test_an_id_used_twice_shows_each_their_own(site: Any, phone: Any) -> None:
    key_id, key = phone
    site.runtime.desk.records.add(
        [record("req_1", key_id, code="upstream_timeout", status=504), record("req_1", "key_other")]
    )
    sign_in(site, key)
    assert "The upstream did not answer in time." in ask(site, "req_1").text


def test_a_configured_key_works_too(site: Any) -> None:
    digest = site.store.vault.hash(KEY)
    site.runtime.desk.records.add([record("req_1", digest[:12])])
    assert sign_in(site, KEY).status_code == 303
    assert ask(site, "req_1").status_code == 200


@pytest.mark.parametrize(
    "key", ["", "sk-wrong", "x" * 10_000, PASSWORD, "fk-a-token-of-an-account"]
)
def test_what_is_no_key_opens_nothing(site: Any, key: str) -> None:
    answer = sign_in(site, key)
    assert answer.status_code == 401
    assert "That key is not known here." in answer.text
    assert "Set-Cookie" not in answer.headers
    assert key == "" or key not in answer.text


def test_guessing_has_to_wait_and_leaves_administration_alone(site: Any, phone: Any) -> None:
    for _ in range(5):
        sign_in(site, "sk-wrong")
    locked = sign_in(site, phone[1])
    assert locked.status_code == 429
    assert int(locked.headers["Retry-After"]) > 1
    assert "Too many tries." in locked.text
    answer = site.client.post("/admin/sign-in", data={"password": PASSWORD}, headers=HTML)
    assert answer.status_code == 303


def test_a_right_key_forgives_no_guesses_at_the_password(site: Any, phone: Any) -> None:
    def guess() -> int:
        return int(
            site.client.post("/admin/sign-in", data={"password": "x"}, headers=HTML).status_code
        )

    assert [guess() for _ in range(4)] == [401] * 4
    sign_in(site, phone[1])
    assert [guess(), guess()] == [401, 429]


def test_ones_own_key_forgives_no_guesses_at_the_others(site: Any, phone: Any) -> None:
    for _ in range(4):
        assert sign_in(site, "sk-wrong").status_code == 401
    assert sign_in(site, phone[1]).status_code == 303
    assert sign_in(site, "sk-wrong").status_code == 401
    assert sign_in(site, phone[1]).status_code == 429


def test_the_session_ends_with_the_key(site: Any, phone: Any) -> None:
    key_id, key = phone
    site.runtime.desk.records.add([record("req_1", key_id)])
    sign_in(site, key)
    site.keys.revoke(key_id)
    site.store.clock.at += 3600  # keys are remembered for a while
    assert ask(site, "req_1").status_code == 401


def test_the_session_opens_nothing_else(site: Any, phone: Any) -> None:
    sign_in(site, phone[1])
    assert site.client.get("/admin/requests", headers=HTML).status_code == 401
    ticket = site.client.get_cookie("why")
    assert ticket is not None
    site.client.set_cookie("admin", ticket.value)
    assert site.client.get("/admin/requests", headers=HTML).status_code == 401


def test_the_operator_is_sent_on(site: Any) -> None:
    site.client.post("/admin/sign-in", data={"password": PASSWORD})
    answer = ask(site, "req_1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/requests/req_1")


def test_scripts_send_the_key(site: Any, phone: Any) -> None:
    key_id, key = phone
    site.runtime.desk.records.add([record("req_1", key_id), record("req_2", "key_other")])
    told = site.send("GET", "/why/req_1", key=key)
    assert told.status_code == 200
    body = told.get_json()
    assert body["verdict"] == "This server is at its limit at the upstream."
    assert (body["status"], body["code"], body["side"]) == (429, "account_pool_exhausted", "server")
    assert body["retry_at"].endswith("Z")
    assert ACCOUNT not in told.text
    assert "217" not in told.text
    for path in ("/why/req_2", "/why/req_3"):
        assert site.send("GET", path, key=key).status_code == 404
    assert site.send("GET", "/why/req_1", key="sk-wrong").status_code == 401
    assert site.send("GET", "/why/req_1", key="fk-a-token-of-an-account").status_code == 401
    assert site.client.get("/why/req_1", headers={"Accept": "application/json"}).status_code == 401


def test_signing_out_takes_a_page_of_ours(site: Any, phone: Any) -> None:
    sign_in(site, phone[1])
    csrf = ask(site, "req_0").text.split('name="csrf" value="')[1].split('"')[0]
    assert (
        site.client.post("/why/req_0/sign-out", data={"csrf": "x"}, headers=HTML).status_code == 403
    )
    assert ask(site, "req_0").status_code == 404
    assert (
        site.client.post("/why/req_0/sign-out", data={"csrf": csrf}, headers=HTML).status_code
        == 303
    )
    assert ask(site, "req_0").status_code == 401


def test_other_sites_can_sign_nobody_in(site: Any, phone: Any) -> None:
    headers = {**HTML, "Sec-Fetch-Site": "cross-site"}
    answer = site.client.post("/why/req_1", data={"key": phone[1]}, headers=headers)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_cookies_are_bound_to_the_host_where_the_connection_is_encrypted(site: Any) -> None:
    with site.app.test_request_context("/", base_url="https://chat.example"):
        assert ticket_name("why") == "__Host-why"
    with site.app.test_request_context("/"):
        assert ticket_name("why") == "why"


def test_behind_a_prefix(site: Any) -> None:
    site.given["api_prefix"] = "hidden"
    assert site.client.get("/why/req_1", headers=HTML).status_code == 404
    page = site.client.get("/hidden/why/req_1", headers=HTML)
    assert page.status_code == 401
    assert 'action="/hidden/why/req_1"' in page.text
