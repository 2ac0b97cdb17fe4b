"""The control routes: what they take, give back and refuse."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.app import ENDPOINTS


def test_settings_are_changed_one_by_one(control: Any) -> None:
    before = control("/config")
    after = control("/config", {"generation": "2024", "difficulty": "00ffff"})
    assert after == {**before, "generation": "2024", "difficulty": "00ffff"}
    assert control("/config") == after


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/config", {"generatoin": "2024"}, "generatoin"),
        ("/config", {"difficulty": "xyz"}, "difficulty"),
        ("/config", ["2024"], "JSON object"),
        ("/next", {"scenario": "nothing"}, "`nothing`"),
        ("/next", {"fault": "nothing"}, "`nothing`"),
        ("/next", [{"fault": "reset"}, {"when": 1}], "'when'"),
        ("/next", {"endpoint": "nowhere"}, "'nowhere'"),
        ("/default", None, "object"),
        ("/accounts", {"plan": "free"}, "name"),
    ],
)
def test_mistakes_change_nothing_and_are_named(
    path: str, body: Any, named: str, app: Any, control: Any
) -> None:
    before = control("/config"), control("/behaviours"), control("/accounts")
    answer = app.test_client().post(f"/_sim{path}", json=body)
    assert answer.status_code == 400
    assert named in answer.get_json()["error"]
    assert (control("/config"), control("/behaviours"), control("/accounts")) == before


@pytest.mark.parametrize("address", ["203.0.113.9", "10.0.0.1", "", "not an address"])
def test_control_is_for_this_machine_only(address: str, app: Any) -> None:
    answer = app.test_client().get("/_sim/accounts", environ_overrides={"REMOTE_ADDR": address})
    assert answer.status_code == 403


def test_a_reset_forgets_everything_but_the_accounts(caller: Any, control: Any) -> None:
    tokens = control("/accounts")
    reading = caller.read("Hi")
    control("/config", {"generation": "2024"})
    control("/next", {"fault": "rate"})
    control("/default", {"fault": "rate"})
    headers = caller.single()
    control("/reset", {})
    assert control("/requests")["requests"] == []
    assert control("/stats")["counters"] == {"active": 0}
    assert control("/behaviours") == {"queue": [], "default": []}
    assert control("/config")["generation"] == "both"
    assert control("/accounts") == tokens
    path = f"/backend-api/conversation/{reading.conversation_id}"
    assert caller.call("GET", path).status == 404
    assert caller.post("/conversation", caller.body("Hi", era="2024"), headers).status == 403


def test_records_tell_the_story_of_a_call(caller: Any, control: Any, now: list[float]) -> None:
    caller.talk("/sim text fault=crlf")
    records = control("/requests")["requests"]
    assert [one["endpoint"] for one in records] == ["prepare", "finalize", "conversation"]
    last = records[-1]
    assert last["body"]["messages"][0]["content"]["parts"] == ["/sim text fault=crlf"]
    wanted = {"account": "demo-plus", "status": 200, "scenario": "text", "faults": ["crlf"]}
    wanted |= {"completed": True, "aborted": False, "refused": None, "finished_at": now[0]}
    assert {name: last[name] for name in wanted} == wanted
    assert last["bytes_sent"] > 1000
    assert last["tokens_sent"] > 10
    assert control(f"/requests?since={last['id']}")["requests"] == []
    assert len(control("/requests?endpoint=finalize")["requests"]) == 1


def test_counters_count_refusals_by_reason(caller: Any, control: Any) -> None:
    caller.post("/f/conversation", caller.body("Hi"))
    counters = control("/stats")["counters"]
    assert counters["refused.requirements_missing"] == 1
    assert counters["calls.conversation"] == 1


def test_the_catalogue_lists_all(control: Any) -> None:
    catalogue = control("/catalogue")
    assert {"echo", "baked", "help"} <= {one["name"] for one in catalogue["scenarios"]}
    assert {"reset", "rate", "bomb"} <= {one["name"] for one in catalogue["faults"]}
    assert catalogue["endpoints"] == list(ENDPOINTS)


def test_expectations_can_be_asked_for(control: Any, app: Any) -> None:
    assert control("/expected?scenario=text&words=3")["text"] == "word1 word2 word3"
    assert "turn **4**" in control("/expected?prompt=Hello&turn=4")["text"]
    assert "第 **1** 轮" in control("/expected?prompt=你好")["text"]
    assert app.test_client().get("/_sim/expected?scenario=baked").status_code == 400


def test_health_and_unknown_routes(control: Any, app: Any) -> None:
    assert control("/health") == {"status": "ok"}
    answer = app.test_client().get("/backend-api/unheard-of")
    assert (answer.status_code, answer.get_json()) == (404, {"detail": "Not Found"})


def test_enormous_expectations_are_noted_by_hash(caller: Any, control: Any) -> None:
    caller.talk("/sim blob mib=1")
    expected = control("/requests")["requests"][-1]["expected"]
    assert (expected["text"], expected["length"]) == (None, 1024 * 1024)
    assert len(expected["sha256"]) == 64
