"""One account's exchanges: what every request carries, and what becomes of answers."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from chat2api.errors import (
    ClientGone,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamChallenge,
    UpstreamConnectionError,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamTruncated,
)
from chat2api.lifetime.call import Call
from chat2api.pool.values import Credential
from chat2api.providers.chatgpt.home import HomePage
from chat2api.providers.chatgpt.persona import Persona
from chat2api.providers.chatgpt.session import (
    JSON_LIMIT_BYTES,
    REFUSAL_LIMIT_BYTES,
    Session,
    new_id,
    refusal,
)
from chat2api.secret import Secret
from chat2api.transport.protocol import Outgoing

BASE = "https://upstream.test"
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/124.0.0.0 Safari/537.36"
TOKEN = "eyJhbGci.token-of-a"
ME = "/backend-api/me"


@pytest.fixture
def persona() -> Persona:
    return Persona("subject-a")


@pytest.fixture
def session(stage: Any, persona: Persona) -> Any:
    """session(credential=…, …): one before the scripted upstream."""

    def build(credential: Credential = stage.credential, **given: Any) -> Session:
        parts = {"user_agent": AGENT, "home": HomePage(), "extra": {}, "first_byte_seconds": 7.0}
        return Session(BASE, credential, persona, stage.io, **{**parts, **given})

    return build


# --- what a request carries


def test_the_headers_of_an_account(session: Any, persona: Persona) -> None:
    home = HomePage(("/a.js",), "build", "prod-0123", "6549031")
    path = "/backend-api/f/conversation"
    assert session(home=home).headers(path, {"Accept": "text/event-stream"}) == {
        "Accept-Language": "en-US,en;q=0.9",
        "Priority": "u=1, i",
        "Sec-Ch-Ua": '"Chromium";v="124", "Google Chrome";v="124", "Not-A.Brand";v="99"',
        "Sec-Ch-Ua-Mobile": "?0",
        "Sec-Ch-Ua-Platform": '"Windows"',
        "Sec-Fetch-Dest": "empty",
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Site": "same-origin",
        "Accept": "text/event-stream",
        "Accept-Encoding": "gzip",
        "Origin": BASE,
        "Referer": f"{BASE}/",
        "User-Agent": AGENT,
        "Oai-Device-Id": persona.device_id,
        "Oai-Language": "en-US",
        "oai-session-id": persona.session_id,
        "oai-client-version": "prod-0123",
        "oai-client-build-number": "6549031",
        "Authorization": f"Bearer {TOKEN}",
        "Cookie": f"oai-did={persona.device_id}",
        "x-openai-target-path": path,
        "x-openai-target-route": path,
    }


def test_who_has_no_account_shows_no_token(session: Any) -> None:
    anonymous = session(Credential("anonymous", None))
    assert (anonymous.prefix, anonymous.anonymous) == ("/backend-anon", True)
    assert not {"Authorization", "Chatgpt-Account-Id"} & set(anonymous.headers("/", {}))
    assert (session().prefix, session().anonymous) == ("/backend-api", False)


def test_an_unseen_home_page_is_not_made_up(session: Any) -> None:
    unseen = session(home=HomePage()).headers("/", {})
    assert not {"oai-client-version", "oai-client-build-number"} & set(unseen)


@pytest.mark.parametrize(
    ("of_account", "of_turn", "sent"),
    [
        (None, None, None),
        ("team-1", None, "team-1"),
        (None, "team-2", "team-2"),
        ("team-1", "team-2", "team-2"),
        ("", "", None),
    ],
)
def test_the_turns_workspace_wins(
    session: Any, of_account: str | None, of_turn: str | None, sent: str | None
) -> None:
    credential = Credential("subject-a", Secret(TOKEN), of_account)
    headers = session(credential, workspace_id=of_turn).headers("/", {})
    assert headers.get("Chatgpt-Account-Id") == sent


def test_the_operators_headers_come_last_but_for_the_requests_own(session: Any) -> None:
    extra = {"authkey": "relay", "Oai-Language": "de-DE", "Accept": "nothing"}
    headers = session(extra=extra).headers("/", {"Accept": "text/event-stream"})
    assert (headers["authkey"], headers["Oai-Language"]) == ("relay", "de-DE")
    assert headers["Accept"] == "text/event-stream"


# --- sending


def test_what_is_sent(stage: Any, session: Any) -> None:
    stage.proxy = Secret("http://proxy.test:1")
    it = session()
    it.open("POST", f"{ME}?page=1", {"name": "Zoë"}, {"X-One": "1"}, idle_seconds=3.0)
    more = {"X-One": "1", "Content-Type": "application/json"}
    assert stage.upstream.requests == [
        Outgoing(
            "POST",
            f"{BASE}{ME}?page=1",
            it.headers(ME, more),
            '{"name":"Zoë"}'.encode(),
            Secret("http://proxy.test:1"),
            first_byte_seconds=7.0,
            idle_seconds=3.0,
            repeatable=False,
        )
    ]


def test_a_question_has_no_body_and_may_be_repeated(stage: Any, session: Any, script: Any) -> None:
    stage.upstream.plays(f"GET {ME}", script.json({"id": 1}))
    assert session().ask("GET", ME) == {"id": 1}
    (request,) = stage.upstream.requests
    assert (request.body, request.repeatable) == (None, True)
    assert "Content-Type" not in request.headers
    assert stage.upstream.all_closed


def test_cookies_are_kept_whatever_the_answer(stage: Any, session: Any, script: Any) -> None:
    refused = script.json({"detail": "no"}, 500, **{"Set-Cookie": "_cfuvid=v1; Path=/"})
    stage.upstream.plays(f"GET {ME}", refused, script.json({}))
    it = session()
    with pytest.raises(UpstreamBadResponse):
        it.ask("GET", ME)
    it.ask("GET", ME)
    first, second = (request.headers["Cookie"] for request in stage.upstream.requests)
    assert "_cfuvid" not in first
    assert second == f"{first}; _cfuvid=v1"


def test_the_same_for_another_call(stage: Any, session: Any, script: Any) -> None:
    """What has to be said after a call has ended is said for a new one."""
    stage.upstream.plays(f"GET {ME}", script.json({}))
    home = HomePage(("/a.js",), None, "prod-1", None)
    it = session(home=home, extra={"authkey": "relay"}, workspace_id="team")
    stage.call.cancel(ClientGone("Gone."))
    with pytest.raises(ClientGone):
        it.ask("GET", ME)
    call = Call(stage.call.deadline)
    later = it.with_call(call)
    assert later.ask("GET", ME) == {}
    assert later.io.call is call
    assert later.headers("/", {}) == it.headers("/", {})
    assert stage.upstream.requests[-1].first_byte_seconds == 7.0


# --- answers


@pytest.mark.parametrize(
    ("status", "document", "kind"),
    [
        (401, {"detail": {"code": "token_expired", "message": "Expired."}}, UpstreamAuthFailed),
        (429, {"detail": "Too many requests"}, UpstreamRateLimited),
        (503, {"detail": "Down."}, UpstreamBadResponse),
        (204, None, UpstreamBadResponse),
    ],
)
def test_an_answer_that_is_none_is_raised(
    stage: Any, session: Any, script: Any, status: int, document: Any, kind: type[Exception]
) -> None:
    stage.upstream.plays(f"GET {ME}", script.json(document, status))
    with pytest.raises(kind):
        session().ask("GET", ME)
    assert stage.upstream.all_closed


@pytest.mark.parametrize("body", ["", "<html>Be right back</html>", '{"cut": ', "NaN"])
def test_an_answer_must_be_json(stage: Any, session: Any, script: Any, body: str) -> None:
    stage.upstream.plays(f"GET {ME}", script.page(body))
    with pytest.raises(UpstreamBadResponse, match="not JSON"):
        session().ask("GET", ME)


def test_an_answer_has_its_limit(stage: Any, session: Any, script: Any) -> None:
    stage.upstream.plays(f"GET {ME}", script.json("x" * JSON_LIMIT_BYTES))
    with pytest.raises(UpstreamBadResponse, match="too large"):
        session().ask("GET", ME)


def refused(session: Session) -> Exception:
    return refusal(session.open("GET", ME, None, {}))


@pytest.mark.parametrize("status", [301, 302, 307, 308, 304])
def test_redirects_are_not_read_and_not_followed(
    stage: Any, session: Any, script: Any, status: int
) -> None:
    elsewhere = script.page("", status, Location="https://other-host.test/")
    stage.upstream.plays(f"GET {ME}", elsewhere)
    error = refused(session())
    assert (type(error), "redirect" in str(error)) == (UpstreamBadResponse, True)
    assert "other-host" not in str(error)
    assert [response.taken for response in stage.upstream.responses] == [0]
    assert stage.upstream.all_closed
    assert len(stage.upstream.requests) == 1


def test_a_refusal_is_classified(stage: Any, session: Any, script: Any) -> None:
    stage.upstream.plays(f"GET {ME}", script.page("<title>Just a moment...</title>", 403))
    assert isinstance(refused(session()), UpstreamChallenge)
    wait = script.json({"detail": "Too many requests"}, 429, **{"Retry-After": "77"})
    stage.upstream.plays(f"GET {ME}", wait)
    assert getattr(refused(session()), "retry_after", None) == 77


@pytest.mark.parametrize(
    "piece",
    [
        b"x" * (REFUSAL_LIMIT_BYTES + 1),
        UpstreamBadResponse("Undecodable."),
        UpstreamConnectionError("Reset."),
        UpstreamTruncated("Cut."),
    ],
)
def test_a_refusal_that_cannot_be_read_counts_by_its_status(
    stage: Any, session: Any, script: Any, piece: Any
) -> None:
    answer = script.json({}, 429)
    answer.pieces = (b"<", piece)
    stage.upstream.plays(f"GET {ME}", answer)
    assert isinstance(refused(session()), UpstreamRateLimited)
    assert stage.upstream.all_closed


def test_nobody_waits_for_the_rest_of_a_refusal(stage: Any, session: Any, script: Any) -> None:
    """Silence, or the end of the call, which may be an UpstreamTimeout too."""
    answer = script.json({}, 429)
    answer.pieces = (UpstreamTimeout("Silent."),)
    stage.upstream.plays(f"GET {ME}", answer)
    with pytest.raises(UpstreamTimeout):
        refused(session())


def test_ids_are_fresh_uuids() -> None:
    ids = {new_id() for _ in range(50)}
    assert {uuid.UUID(one).version for one in ids} == {4}
    assert len(ids) == 50
