"""Requirements and proof: what is asked, what is shown for it, and what may stand in the way."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from chat2api.compute.protocol import ComputeFailed, ComputeTimeout
from chat2api.errors import (
    ClientGone,
    ProofTooHard,
    UnknownModel,
    UpstreamAccessDenied,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamChallenge,
    UpstreamConnectionError,
    UpstreamLoginRequired,
    UpstreamRateLimited,
)
from chat2api.pool.values import Credential
from chat2api.providers.chatgpt.home import HomePage
from chat2api.providers.chatgpt.persona import Persona
from chat2api.providers.chatgpt.routes import KEEP_SECONDS, Routes
from chat2api.providers.chatgpt.sentinel import Sentinel, SentinelOptions
from chat2api.providers.chatgpt.session import Session
from chat2api.simulator.proof import answer_fault, requirements_fault

AGENT = "Agent/1.0 Chrome/124"
SINGLE = "POST /backend-api/sentinel/chat-requirements"
PREPARE, FINALIZE = f"{SINGLE}/prepare", f"{SINGLE}/finalize"
TOKEN = "openai-sentinel-chat-requirements-token"
PREPARE_TOKEN = "openai-sentinel-chat-requirements-prepare-token"
PROOF = "openai-sentinel-proof-token"
SO = "OpenAI-Sentinel-SO-Token"
WORK = {"required": True, "seed": "0.4242", "difficulty": "0fffff"}


@pytest.fixture
def persona() -> Persona:
    return Persona("subject-a")


@pytest.fixture
def session(stage: Any, persona: Persona) -> Any:
    """session(credential=…, home=…): one turn's, before the scripted upstream."""

    def build(credential: Credential = stage.credential, home: HomePage | None = None) -> Session:
        return Session(
            "https://upstream.test",
            credential,
            persona,
            stage.io,
            user_agent=AGENT,
            home=home or HomePage(),
            extra={},
            first_byte_seconds=60.0,
        )

    return build


@pytest.fixture
def sentinel(clock: Any) -> Any:
    """sentinel(**options): one with memories of its own."""
    return lambda **options: Sentinel(Routes(clock), SentinelOptions(**options))


# --- the two flows


def test_two_steps(stage: Any, session: Any, sentinel: Any, script: Any) -> None:
    assert sentinel().clear(session()) == {TOKEN: "final-token", PREPARE_TOKEN: "prepared"}
    assert stage.upstream.calls == [PREPARE, FINALIZE]
    asked, final = (script.body(request) for request in stage.upstream.requests)
    assert list(asked) == ["p"]
    assert asked["p"].endswith("~S")
    assert final == {"prepare_token": "prepared"}


def test_one_call(stage: Any, session: Any, sentinel: Any, script: Any) -> None:
    assert sentinel(flow="single").clear(session()) == {TOKEN: "single-token"}
    assert stage.upstream.calls == [SINGLE]
    (asked,) = (script.body(request) for request in stage.upstream.requests)
    assert list(asked) == ["p"]
    assert not asked["p"].endswith("~S")


def test_anonymous_callers_have_a_prefix_of_their_own(
    stage: Any, session: Any, sentinel: Any
) -> None:
    sentinel().clear(session(Credential("anonymous", None)))
    assert stage.upstream.calls == [
        "POST /backend-anon/sentinel/chat-requirements/prepare",
        "POST /backend-anon/sentinel/chat-requirements/finalize",
    ]


@pytest.mark.parametrize("flow", ["single", "two_step"])
@pytest.mark.parametrize("variant", ["auto", "sha3", "fnv"])
def test_the_opening_token_can_be_read(
    stage: Any, session: Any, sentinel: Any, script: Any, flow: str, variant: str
) -> None:
    sentinel(flow=flow, variant=variant).clear(session())
    assert requirements_fault(script.body(stage.upstream.requests[0])["p"]) is None


def test_requirements_are_fresh_but_the_opening_token_serves_a_page(
    stage: Any, session: Any, sentinel: Any, script: Any
) -> None:
    it, page, other = sentinel(), HomePage(("/a.js",)), HomePage(("/b.js",))
    for home in (page, page, other):
        it.clear(session(home=home))
    assert stage.upstream.calls == [PREPARE, FINALIZE] * 3
    first, second, third = (script.body(one)["p"] for one in stage.upstream.sent(PREPARE))
    assert first == second != third


# --- which flow


@pytest.mark.parametrize("status", [404, 405])
def test_an_upstream_without_two_steps_is_asked_once(
    stage: Any, clock: Any, session: Any, sentinel: Any, script: Any, status: int
) -> None:
    stage.upstream.plays(PREPARE, script.json({"detail": "Not Found"}, status))
    it = sentinel()
    assert it.clear(session()) == {TOKEN: "single-token"}
    it.clear(session())
    assert stage.upstream.calls == [PREPARE, SINGLE, SINGLE]
    clock.now += KEEP_SECONDS
    it.clear(session())
    assert stage.upstream.calls[3:] == [PREPARE, SINGLE]


def test_an_upstream_that_changes_generation_is_followed(
    stage: Any, session: Any, sentinel: Any, script: Any
) -> None:
    missing, there = script.json({"detail": "Not Found"}, 404), script.json({"token": "t"})
    stage.upstream.plays(PREPARE, missing, script.json({"prepare_token": "p2"}))
    stage.upstream.plays(SINGLE, there, missing)
    it = sentinel()
    assert it.clear(session()) == {TOKEN: "t"}
    assert it.clear(session()) == {TOKEN: "final-token", PREPARE_TOKEN: "p2"}
    it.clear(session())
    assert stage.upstream.calls == [PREPARE, SINGLE, SINGLE, *[PREPARE, FINALIZE] * 2]


def test_an_upstream_without_requirements(
    stage: Any, session: Any, sentinel: Any, script: Any
) -> None:
    for route in (PREPARE, SINGLE):
        stage.upstream.plays(route, script.json({"detail": "Not Found"}, 404))
    with pytest.raises(UpstreamBadResponse, match="Not Found"):
        sentinel().clear(session())
    assert stage.upstream.calls == [PREPARE, SINGLE]


@pytest.mark.parametrize(("flow", "route"), [("single", SINGLE), ("two_step", PREPARE)])
def test_a_flow_that_was_set_is_not_left(
    stage: Any, session: Any, sentinel: Any, script: Any, flow: str, route: str
) -> None:
    stage.upstream.plays(route, script.json({"detail": "Not Found"}, 404))
    with pytest.raises(UpstreamBadResponse):
        sentinel(flow=flow).clear(session())
    assert stage.upstream.calls == [route]


@pytest.mark.parametrize(
    ("status", "document", "kind"),
    [
        (401, {"detail": {"code": "token_expired", "message": "Expired."}}, UpstreamAuthFailed),
        (403, {"detail": "Unusual activity"}, UpstreamAccessDenied),
        (404, {"detail": {"code": "model_not_found", "message": "No."}}, UnknownModel),
        (429, {"detail": "Too many requests"}, UpstreamRateLimited),
        (500, {"detail": "Oops"}, UpstreamBadResponse),
        (302, None, UpstreamBadResponse),
    ],
)
def test_a_refusal_says_nothing_about_routes(
    stage: Any,
    session: Any,
    sentinel: Any,
    script: Any,
    status: int,
    document: Any,
    kind: type[Exception],
) -> None:
    stage.upstream.plays(PREPARE, script.json(document, status))
    with pytest.raises(kind):
        sentinel().clear(session())
    assert stage.upstream.calls == [PREPARE]


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_refused_second_step(
    stage: Any, session: Any, sentinel: Any, script: Any, status: int
) -> None:
    stage.upstream.plays(FINALIZE, script.json({"detail": "No."}, status))
    with pytest.raises((UpstreamBadResponse, UpstreamAccessDenied)):
        sentinel().clear(session())
    assert stage.upstream.calls == [PREPARE, FINALIZE]


def test_an_upstream_out_of_reach(stage: Any, session: Any, sentinel: Any) -> None:
    stage.upstream.plays(PREPARE, UpstreamConnectionError("No name (stage: dns)."))
    with pytest.raises(UpstreamConnectionError):
        sentinel().clear(session())
    assert stage.upstream.calls == [PREPARE]


# --- what an answer may say


@pytest.mark.parametrize("value", [None, "", 7, ["t"], "line\nbreak", "Zoë"])
@pytest.mark.parametrize(
    ("flow", "route", "name"),
    [
        ("single", SINGLE, "token"),
        ("two_step", PREPARE, "prepare_token"),
        ("two_step", FINALIZE, "token"),
    ],
)
def test_a_token_that_cannot_be_shown(
    stage: Any,
    session: Any,
    sentinel: Any,
    script: Any,
    flow: str,
    route: str,
    name: str,
    value: Any,
) -> None:
    stage.upstream.plays(route, script.json({name: value}))
    with pytest.raises(UpstreamBadResponse, match=f"no usable {name}"):
        sentinel(flow=flow).clear(session())


@pytest.mark.parametrize("document", [None, [], "text", 7])
@pytest.mark.parametrize("route", [PREPARE, FINALIZE])
def test_requirements_must_be_an_object(
    stage: Any, session: Any, sentinel: Any, script: Any, route: str, document: Any
) -> None:
    stage.upstream.plays(route, script.json(document))
    with pytest.raises(UpstreamBadResponse, match="not a JSON object"):
        sentinel().clear(session())


@pytest.mark.parametrize("part", [None, {}, {"required": None}, {"required": "yes"}, [], True])
def test_what_is_missing_or_strange_is_not_required(
    stage: Any, session: Any, sentinel: Any, part: Any
) -> None:
    stage.requires(arkose=part, turnstile=part, proofofwork=part, force_login=None)
    it = session()
    assert sentinel(turnstile="fail").clear(it) == {
        TOKEN: "final-token",
        PREPARE_TOKEN: "prepared",
    }
    assert not it.challenge_announced


@pytest.mark.parametrize("flow", ["single", "two_step"])
def test_the_so_token_is_passed_on(stage: Any, session: Any, sentinel: Any, flow: str) -> None:
    stage.requires(so_token="so-1")
    assert sentinel(flow=flow).clear(session())[SO] == "so-1"


def test_the_newest_so_token_counts(stage: Any, session: Any, sentinel: Any, script: Any) -> None:
    stage.requires(so_token="so-1")
    stage.upstream.plays(FINALIZE, script.json({"token": "t", "so_token": "so-2"}))
    assert sentinel().clear(session())[SO] == "so-2"


@pytest.mark.parametrize("value", [None, 7, "line\nbreak"])
def test_a_so_token_that_cannot_be_shown_is_left_out(
    stage: Any, session: Any, sentinel: Any, value: Any
) -> None:
    stage.requires(so_token=value)
    assert SO not in sentinel().clear(session())


# --- what may stand in the way


@pytest.mark.parametrize("flow", ["single", "two_step"])
@pytest.mark.parametrize(
    ("demand", "kind"),
    [
        ({"force_login": True}, UpstreamLoginRequired),
        ({"arkose": {"required": True, "dx": "x"}}, UpstreamChallenge),
        ({"arkose": {"required": True}}, UpstreamChallenge),
        ({"turnstile": {"required": True, "dx": "x"}}, UpstreamChallenge),
    ],
)
def test_a_demand_that_is_not_met_ends_the_turn_at_once(
    stage: Any,
    session: Any,
    sentinel: Any,
    flow: str,
    demand: dict[str, Any],
    kind: type[Exception],
) -> None:
    stage.requires(**demand, proofofwork=WORK)
    with pytest.raises(kind):
        sentinel(flow=flow, turnstile="fail").clear(session())
    assert len(stage.upstream.calls) == 1
    assert stage.compute.ran == []


def test_a_turnstile_challenge_is_passed_by_and_noted(
    stage: Any, session: Any, sentinel: Any
) -> None:
    stage.requires(turnstile={"required": True, "dx": "x"})
    it = session()
    shown = sentinel().clear(it)
    assert shown == {TOKEN: "final-token", PREPARE_TOKEN: "prepared"}
    assert it.challenge_announced


# --- proofs


@pytest.mark.parametrize(
    ("flow", "setting", "variant", "suffix"),
    [
        ("single", "auto", "sha3", ""),
        ("two_step", "auto", "fnv", "~S"),
        ("single", "fnv", "fnv", "~S"),
        ("two_step", "sha3", "sha3", ""),
    ],
)
def test_a_proof_is_found_and_shown(
    stage: Any,
    session: Any,
    sentinel: Any,
    script: Any,
    flow: str,
    setting: str,
    variant: Any,
    suffix: str,
) -> None:
    stage.requires(proofofwork=WORK)
    shown = sentinel(flow=flow, variant=setting).clear(session())[PROOF]
    fault = answer_fault(
        shown, seed="0.4242", difficulty="0fffff", variant=variant, user_agent=AGENT
    )
    assert fault is None
    assert shown.removesuffix("~S") + suffix == shown
    if flow == "two_step":
        (final,) = stage.upstream.sent(FINALIZE)
        assert script.body(final) == {"prepare_token": "prepared", "proofofwork": shown}


def test_the_search_leaves_this_process_and_has_a_limit(
    stage: Any, session: Any, sentinel: Any
) -> None:
    stage.requires(proofofwork=WORK)
    sentinel(proof_seconds=4.0).clear(session())
    ((task, args, timeout),) = stage.compute.ran
    assert (task, args[:3], args[-1], timeout) == (
        "search_proof",
        ("fnv", "0.4242", "0fffff"),
        4.0,
        6.0,
    )


@pytest.mark.parametrize(("flow", "empty"), [("single", "gAAAAAB"), ("two_step", "gAAAAAB~S")])
@pytest.mark.parametrize(
    "work", [{"seed": "", "difficulty": "0fffff"}, {"seed": "0.1"}, {"seed": None}]
)
def test_work_without_a_task_has_an_empty_answer(
    stage: Any, session: Any, sentinel: Any, flow: str, empty: str, work: dict[str, Any]
) -> None:
    stage.requires(proofofwork={"required": True, **work})
    assert sentinel(flow=flow).clear(session())[PROOF] == empty
    assert stage.compute.ran == []


@pytest.mark.parametrize("difficulty", ["00003a", "00003A", "000032", "0000"])
def test_work_beyond_the_limit_is_not_begun(
    stage: Any, session: Any, sentinel: Any, difficulty: str
) -> None:
    stage.requires(proofofwork={**WORK, "difficulty": difficulty})
    with pytest.raises(ProofTooHard, match="POW_DIFFICULTY"):
        sentinel(hardest="00003a").clear(session())
    assert stage.compute.ran == []
    assert stage.upstream.calls == [PREPARE]


@pytest.mark.parametrize("difficulty", ["xyz", "0fff ff", "-1"])
def test_work_of_unknown_difficulty(
    stage: Any, session: Any, sentinel: Any, difficulty: str
) -> None:
    stage.requires(proofofwork={**WORK, "difficulty": difficulty})
    with pytest.raises(UpstreamBadResponse, match="difficulty"):
        sentinel(hardest="0").clear(session())


def test_a_proof_that_is_not_found(stage: Any, session: Any, sentinel: Any) -> None:
    stage.requires(proofofwork={**WORK, "difficulty": "00000000"})
    with pytest.raises(ProofTooHard, match=r"within 0\.01 s"):
        sentinel(hardest="0", proof_seconds=0.01).clear(session())
    assert stage.upstream.calls == [PREPARE]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (ComputeTimeout("too long"), ProofTooHard),
        (ComputeFailed("died: gAAAAAB-secret"), UpstreamBadResponse),
        (ClientGone("Gone."), ClientGone),
    ],
)
def test_a_search_that_fails(
    stage: Any,
    session: Any,
    sentinel: Any,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
    kind: type[Exception],
) -> None:
    caplog.set_level(logging.DEBUG)
    stage.requires(proofofwork=WORK)
    stage.compute.failure = failure
    with pytest.raises(kind) as raised:
        sentinel().clear(session())
    assert stage.upstream.calls == [PREPARE]
    assert "secret" not in f"{raised.value} {caplog.text}"
