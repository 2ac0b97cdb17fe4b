"""Faults of the requirements call, queued for its endpoints."""

from __future__ import annotations

import base64
from typing import Any

import pytest

P = "gAAAAAC" + base64.b64encode(b"[3000,null]").decode()


@pytest.mark.parametrize(
    ("fault", "where", "expected"),
    [
        ("turnstile", "turnstile", True),
        ("arkose", "arkose", True),
        ("no_proof", "proofofwork", False),
    ],
)
@pytest.mark.parametrize("endpoint", ["requirements", "prepare"])
def test_what_is_required(
    endpoint: str, fault: str, where: str, expected: bool, caller: Any, control: Any
) -> None:
    control("/next", {"endpoint": endpoint, "fault": fault})
    path = "/sentinel/chat-requirements" + ("/prepare" if endpoint == "prepare" else "")
    asked = [caller.post(path, {"p": P}).json()[where]["required"] for _ in range(2)]
    assert asked == [expected, not expected]


def test_a_login_can_be_forced_and_work_made_harder(anonymous: Any, control: Any) -> None:
    wish = {"endpoint": "requirements", "fault": "force_login+difficulty"}
    control("/next", {**wish, "params": {"difficulty": "0000ff"}})
    asked = anonymous.post("/sentinel/chat-requirements", {"p": None}).json()
    assert asked["force_login"] is True
    assert asked["proofofwork"]["difficulty"] == "0000ff"


def test_a_call_without_demanded_proof_is_let_in(caller: Any, control: Any) -> None:
    control("/next", {"endpoint": "prepare", "fault": "no_proof"})
    assert caller.read("/sim text").finish_reason == "stop"
