"""Models, person and account in the shapes of the wire."""

from __future__ import annotations

from typing import Any


def test_the_model_list(caller: Any, control: Any) -> None:
    control("/config", {"generation": "2026"})
    found = caller.call("GET", "/backend-api/models?history_and_training_disabled=false").json()
    thinking = next(one for one in found["models"] if one["slug"] == "gpt-5-5-thinking")
    assert thinking["thinking_efforts"] == [
        {"thinking_effort": "standard"},
        {"thinking_effort": "extended"},
    ]
    assert found["default_model_slug"] == "gpt-5-5"
    assert found["categories"][0]["default_model"] == "gpt-5-5"


def test_the_anonymous_list_is_short(anonymous: Any, control: Any) -> None:
    control("/config", {"generation": "2026"})
    found = anonymous.call("GET", "/backend-anon/models?iim=false&is_gizmo=false").json()
    assert {one["slug"] for one in found["models"]} == {"auto", "gpt-5-mini"}


def test_the_person(caller: Any) -> None:
    found = caller.call("GET", "/backend-api/me").json()
    assert (found["object"], found["id"], found["email"]) == (
        "user",
        "user-demo-plus",
        "demo-plus@example.com",
    )


def test_the_workspaces(caller: Any, control: Any) -> None:
    ids = control("/accounts")["accounts"][0]["workspaces"]
    found = caller.call("GET", "/backend-api/accounts/check/v4-2023-04-27").json()
    assert found["account_ordering"] == ids
    kinds = [found["accounts"][one]["account"]["structure"] for one in ids]
    assert kinds == ["personal", "workspace"]


def test_the_limits(caller: Any) -> None:
    found = caller.post("/conversation/init", {"gizmo_id": None}).json()
    assert found["type"] == "conversation_detail_metadata"
    assert {one["feature_name"] for one in found["limits_progress"]} == {
        "deep_research",
        "file_upload",
        "image_gen",
    }
