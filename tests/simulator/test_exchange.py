"""A request at the door: who calls, what is written down, how refusals and faults are answered."""

from __future__ import annotations

import json
from typing import Any

import pytest


def models(caller: Any, **headers: str) -> Any:
    return caller.call("GET", "/backend-api/models", None, headers)


@pytest.mark.parametrize("bearer", ["", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.x", "Basic abc"])
def test_strangers_are_refused(bearer: str, caller: Any) -> None:
    answer = models(caller, Authorization=bearer)
    assert (answer.status, answer.json()["detail"]["code"]) == (401, "invalid_jwt")


def test_an_expired_token_is_refused(caller: Any, now: list[float]) -> None:
    now[0] += 11 * 86_400
    answer = models(caller)
    assert (answer.status, answer.json()["detail"]["code"]) == (401, "token_expired")


def test_a_foreign_workspace_is_refused(caller: Any, control: Any) -> None:
    mine = control("/accounts")["accounts"][0]["workspaces"]
    header = "Chatgpt-Account-Id"
    assert [models(caller, **{header: one}).status for one in mine] == [200, 200]
    assert models(caller, **{header: "someone-else"}).status == 403


def test_the_bearer_is_never_written_down(caller: Any, control: Any) -> None:
    models(caller)
    models(caller, Authorization="Bearer secret-of-a-stranger")
    known, stranger = control("/requests")["requests"]
    assert known["headers"]["authorization"] == "Bearer <demo-plus>"
    assert stranger["headers"]["authorization"].startswith("Bearer <unknown:")
    assert stranger["refused"] == "token_unknown"
    assert "secret-of-a-stranger" not in json.dumps(stranger)


def test_an_account_added_by_control_can_call(caller: Any, control: Any) -> None:
    added = control("/accounts", {"name": "eve", "plan": "team", "workspaces": ["w1"]})
    caller.headers["Authorization"] = f"Bearer {added['access_token']}"
    assert models(caller, **{"Chatgpt-Account-Id": "w1"}).status == 200


def test_the_anonymous_need_a_device(anonymous: Any, control: Any) -> None:
    assert anonymous.call("GET", "/backend-anon/models").status == 200
    assert anonymous.call("GET", "/backend-anon/models", None, {"Oai-Device-Id": ""}).status == 403
    control("/config", {"anonymous": False})
    assert anonymous.call("GET", "/backend-anon/models").status == 401


def test_a_fault_with_a_wrong_parameter_is_explained(caller: Any, control: Any) -> None:
    control("/next", {"endpoint": "models", "fault": "drip", "params": {"seconds": "x"}})
    answer = caller.call("GET", "/backend-api/models")
    assert (answer.status, answer.json()) == (
        400,
        {"detail": "simulator: seconds='x' is not a number"},
    )


def test_plain_answers_say_their_length(caller: Any) -> None:
    answer = caller.call("GET", "/backend-api/models")
    assert int(answer.headers["Content-Length"]) == len(answer.body)


def test_large_bodies_are_not_kept(caller: Any, control: Any) -> None:
    caller.talk("x" * 300_000)
    assert control("/requests")["requests"][-1]["body"].startswith("<300")


def test_cheap_mode_keeps_no_bodies(caller: Any, control: Any) -> None:
    control("/config", {"cheap": True})
    caller.talk("Hi")
    record = control("/requests")["requests"][-1]
    assert (record["body"], record["headers"], record["expected"]) == (None, {}, None)
