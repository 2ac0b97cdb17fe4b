"""Requirements: handed out fresh, taken back once, refused when wrong, stale, foreign or reused."""

from __future__ import annotations

from typing import Any

import pytest

UNUSUAL = {"detail": "Unusual activity has been detected from your device. Try again later."}
TOKEN = "openai-sentinel-chat-requirements-token"
PREPARE = "openai-sentinel-chat-requirements-prepare-token"
PROOF = "openai-sentinel-proof-token"


def converse(caller: Any, headers: dict[str, str], era: str = "2026") -> Any:
    path = "/conversation" if era == "2024" else "/f/conversation"
    return caller.post(path, caller.body("/sim text", era=era), headers)


def refused(control: Any) -> list[str]:
    return [one["refused"] for one in control("/requests")["requests"] if one["refused"]]


@pytest.mark.parametrize("era", ["2024", "2026"])
def test_a_fresh_sequence_opens_exactly_one_call(era: str, caller: Any, control: Any) -> None:
    headers = caller.admission(era)
    assert converse(caller, headers, era).status == 200
    again = converse(caller, headers, era)
    assert (again.status, again.json()) == (403, UNUSUAL)
    assert refused(control) == ["requirements_reused"]


@pytest.mark.parametrize("era", ["2024", "2026"])
def test_tokens_grow_stale(era: str, caller: Any, control: Any, now: list[float]) -> None:
    headers = caller.admission(era)
    now[0] += 541
    assert converse(caller, headers, era).json() == UNUSUAL
    assert refused(control) == ["requirements_stale"]


def test_a_wrong_proof_is_refused_at_the_call(caller: Any, control: Any) -> None:
    headers = caller.single()
    control("/config", {"difficulty": "0" * 12})
    harder = caller.post(
        "/sentinel/chat-requirements", {"p": "gAAAAAC" + headers[PROOF].removeprefix("gAAAAAB")}
    ).json()
    wrong = {**headers, TOKEN: harder["token"]}
    assert converse(caller, wrong, "2024").json() == UNUSUAL
    assert refused(control) == ["proof_work"]


def test_a_wrong_proof_is_refused_at_finalize(caller: Any, control: Any) -> None:
    good = caller.single()[PROOF]
    control("/config", {"difficulty": "0" * 8})
    p = "gAAAAAC" + good.removeprefix("gAAAAAB")
    asked = caller.post("/sentinel/chat-requirements/prepare", {"p": p}).json()
    body = {"prepare_token": asked["prepare_token"], "proofofwork": good}
    answer = caller.post("/sentinel/chat-requirements/finalize", body)
    assert (answer.status, answer.json()) == (403, UNUSUAL)
    assert refused(control) == ["proof_work"]


def test_a_prepare_token_is_finalized_once(caller: Any, control: Any) -> None:
    headers = caller.two_step()
    body = {"prepare_token": headers[PREPARE], "proofofwork": headers[PROOF]}
    assert caller.post("/sentinel/chat-requirements/finalize", body).status == 403
    assert refused(control) == ["prepare_token_unknown_or_reused"]


def test_both_key_names_are_understood(caller: Any) -> None:
    headers = caller.two_step
    assert headers()[TOKEN]
    original = caller.post

    def renamed(path: str, body: Any = None, more: Any = None) -> Any:
        if path.endswith("/finalize"):
            body = {"prepare_token": body["prepare_token"], "proof_token": body["proofofwork"]}
        return original(path, body, more)

    caller.post = renamed
    assert headers()[TOKEN]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({TOKEN: ""}, "requirements_missing"),
        ({TOKEN: "gAAAAABmmade-up"}, "requirements_unknown"),
        ({PREPARE: "another"}, "prepare_token_mismatch"),
        ({PREPARE: ""}, "prepare_token_mismatch"),
        ({PROOF: "gAAAAABother~S"}, "proof_differs_from_finalize"),
    ],
)
def test_headers_must_belong_together(
    change: dict[str, str], reason: str, caller: Any, control: Any
) -> None:
    assert converse(caller, {**caller.two_step(), **change}).json() == UNUSUAL
    assert refused(control) == [reason]


def test_the_prepare_header_may_be_made_optional(caller: Any, control: Any) -> None:
    control("/config", {"prepare_header": False})
    assert converse(caller, {**caller.two_step(), PREPARE: ""}).status == 200


def test_tokens_of_another_account_are_refused(caller: Any, free_caller: Any, control: Any) -> None:
    assert converse(free_caller, caller.two_step()).json() == UNUSUAL
    assert refused(control) == ["requirements_of_another"]


def test_another_user_agent_is_refused(caller: Any, control: Any) -> None:
    headers = caller.single()
    caller.headers["User-Agent"] = "curl/8"
    assert converse(caller, headers, "2024").json() == UNUSUAL
    assert refused(control) == ["proof_user_agent"]


@pytest.mark.parametrize("era", ["2024", "2026"])
def test_without_a_proof_none_is_expected(era: str, caller: Any, control: Any) -> None:
    control("/config", {"pow_required": False})
    assert PROOF not in caller.admission(era)
    assert converse(caller, caller.admission(era), era).status == 200


def test_turnstile_may_be_enforced(caller: Any, control: Any) -> None:
    control("/config", {"turnstile": True, "turnstile_enforced": True})
    assert converse(caller, caller.two_step()).json() == UNUSUAL
    assert refused(control) == ["turnstile_missing"]


def test_the_so_token_has_to_come_back(caller: Any, control: Any) -> None:
    control("/config", {"so_token": True, "pow_required": False})
    p = {"p": None}
    asked = caller.post("/sentinel/chat-requirements", p).json()
    headers = {TOKEN: asked["token"]}
    assert converse(caller, headers, "2024").json() == UNUSUAL
    asked = caller.post("/sentinel/chat-requirements", p).json()
    headers = {TOKEN: asked["token"], "OpenAI-Sentinel-SO-Token": asked["so_token"]}
    assert converse(caller, headers, "2024").status == 200


def test_cheap_mode_takes_any_proof(caller: Any, control: Any) -> None:
    control("/config", {"cheap": True, "difficulty": "0" * 8})
    asked = caller.post("/sentinel/chat-requirements/prepare", {"p": "anything"}).json()
    body = {"prepare_token": asked["prepare_token"], "proofofwork": "gAAAAABx"}
    token = caller.post("/sentinel/chat-requirements/finalize", body).json()["token"]
    headers = {TOKEN: token, PREPARE: asked["prepare_token"], PROOF: "gAAAAABx"}
    assert converse(caller, headers).status == 200


def test_conduits_belong_to_whom_they_were_given(
    caller: Any, free_caller: Any, control: Any
) -> None:
    body = {"action": "next", "model": "auto", "parent_message_id": "client-created-root"}
    conduit = caller.post("/f/conversation/prepare", body).json()["conduit_token"]
    assert 300 < len(conduit) < 420
    again = caller.post("/f/conversation/prepare", body, {"x-conduit-token": conduit})
    assert again.status == 200
    headers = {**free_caller.two_step(), "x-conduit-token": conduit}
    answer = converse(free_caller, headers)
    assert (answer.status, answer.json()["detail"]["code"]) == (403, "invalid_conduit_token")
    headers = {**caller.two_step(), "x-conduit-token": conduit}
    assert converse(caller, headers).status == 200
    assert refused(control) == ["conduit_unknown"]
