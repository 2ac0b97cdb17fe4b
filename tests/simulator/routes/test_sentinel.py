"""The sentinel routes: what they ask for in each generation."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"turnstile": True}, {"turnstile": {"required": True, "dx": "PBp5bWFyc2ltdWxhdG9y"}}),
        ({"arkose": True}, {"arkose": {"required": True, "dx": "YXJrb3Nl"}}),
        ({"pow_required": False}, {"proofofwork": {"required": False}}),
        ({"force_login": True}, {"force_login": False}),
    ],
)
def test_settings_change_what_is_asked(
    settings: dict[str, Any], expected: dict[str, Any], caller: Any, control: Any
) -> None:
    control("/config", settings)
    asked = caller.post("/sentinel/chat-requirements", {"p": None}).json()
    assert {name: asked[name] for name in expected} == expected
    assert asked["persona"] == "chatgpt-paid"


def test_forced_login_is_for_the_anonymous(anonymous: Any, control: Any) -> None:
    control("/config", {"force_login": True})
    asked = anonymous.post("/sentinel/chat-requirements", {"p": None}).json()
    assert (asked["force_login"], asked["persona"]) == (True, "chatgpt-noauth")


def test_the_free_are_told_apart(free_caller: Any) -> None:
    asked = free_caller.post("/sentinel/chat-requirements", {"p": None}).json()
    assert asked["persona"] == "chatgpt-freeaccount"


def test_a_payload_of_the_wrong_shape_is_refused(caller: Any, control: Any) -> None:
    for path in ("", "/prepare"):
        answer = caller.post("/sentinel/chat-requirements" + path, {"p": "gAAAAAC???"})
        assert answer.status == 403
    reasons = [one["refused"] for one in control("/requests")["requests"]]
    assert reasons == ["requirements_shape"] * 2


def test_the_first_step_may_carry_a_token_already(caller: Any, control: Any) -> None:
    control("/config", {"token_in_prepare": True})
    p = "gAAAAAC" + caller.single()["openai-sentinel-proof-token"].removeprefix("gAAAAAB")
    asked = caller.post("/sentinel/chat-requirements/prepare", {"p": p}).json()
    assert {"token", "prepare_token"} <= set(asked)


def test_faults_are_played_here_too(caller: Any, control: Any) -> None:
    control("/next", {"endpoint": "requirements", "fault": "challenge"})
    assert caller.post("/sentinel/chat-requirements", {"p": None}).headers["cf-mitigated"]
