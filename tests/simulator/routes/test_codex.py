"""The Codex backend over HTTP: who may call, what is answered, limits, failures, and a long run of an agent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

BASE = "/backend-api/codex"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
    },
}
SEALED = ["reasoning.encrypted_content"]


def events(answer: TestResponse) -> list[dict[str, Any]]:
    lines = answer.data.decode().splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def items(answer: TestResponse) -> list[dict[str, Any]]:
    done = "response.output_item.done"
    return [one["item"] for one in events(answer) if one["type"] == done]


def text(answer: TestResponse) -> str:
    parts = [part for item in items(answer) for part in item.get("content") or ()]
    return "".join(part["text"] for part in parts)


def sendable(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "status"}


@dataclass
class Coder:
    """A program that speaks to the Codex backend with one account."""

    client: FlaskClient
    account: dict[str, Any]
    said: list[Any] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.account['access_token']}",
            "ChatGPT-Account-ID": self.account["workspaces"][0],
        }

    def post(self, *said: Any, headers: Any = None, **fields: Any) -> TestResponse:
        content = [
            {"role": "user", "content": one} if isinstance(one, str) else one for one in said
        ]
        body = {"model": "gpt-5.5", "instructions": "Be kind.", "store": False, "stream": True}
        return self.client.post(
            f"{BASE}/responses",
            json={**body, "input": content, **fields},
            headers={**self.headers, **(headers or {})},
        )

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(BASE + path, headers={**self.headers, **headers})

    def refresh(self) -> None:
        """A new access token by the refresh token."""
        asked = {"grant_type": "refresh_token", "client_id": self.account["client_id"]}
        asked["refresh_token"] = self.account["refresh_token"]
        answer = self.client.post("/oauth/token", json=asked)
        assert answer.status_code == 200
        self.account |= answer.get_json()


@pytest.fixture
def enrolled(app: Flask, control: Any) -> Callable[..., Coder]:
    """`enrolled("ann", quota=3)` is a coder with a new account of that kind."""

    def made(name: str = "ann", **wish: Any) -> Coder:
        return Coder(
            app.test_client(), control("/accounts", {"name": name, "refresh": "rt", **wish})
        )

    return made


@pytest.fixture
def coder(enrolled: Any) -> Coder:
    ann: Coder = enrolled()
    return ann


# --- who may call


def test_only_logins_of_codex(app: Flask, control: Any) -> None:
    demo = Coder(app.test_client(), control("/accounts")["accounts"][0])
    assert demo.post("Hi").status_code == 403
    control("/config", {"codex_logins": "any"})
    assert demo.post("Hi").status_code == 200


def test_a_login_by_a_person_is_one_of_codex(app: Flask, control: Any) -> None:
    client = app.test_client()
    ours = {"client_id": "app_EMoamEEZ73f0CkXaXp7hrann"}
    code = client.post("/api/accounts/deviceauth/usercode", json=ours).get_json()
    control(f"/device/{code['user_code']}", {"do": "approve", "account": "demo-plus"})
    asked = {"device_auth_id": code["device_auth_id"], "user_code": code["user_code"]}
    found = client.post("/api/accounts/deviceauth/token", json=asked).get_json()
    trade = {
        **ours,
        "grant_type": "authorization_code",
        "code": found["authorization_code"],
        "code_verifier": found["code_verifier"],
        "redirect_uri": "http://localhost/deviceauth/callback",
    }
    account = control("/accounts")["accounts"][0]
    older = Coder(client, dict(account))
    tokens = client.post("/oauth/token", data=trade)
    assert tokens.status_code == 200
    assert Coder(client, {**account, **tokens.get_json()}).post("Hi").status_code == 200
    assert older.post("Hi").status_code == 403


def test_tokens_are_refused_in_this_backends_words(coder: Coder, control: Any) -> None:
    unknown = coder.post("Hi", headers={"Authorization": "Bearer x"})
    assert unknown.status_code == 401
    assert unknown.get_json()["detail"].startswith("Could not parse your authentication token")
    control("/accounts/ann/expire", {"what": "access"})
    expired = coder.post("Hi")
    assert (expired.status_code, expired.get_json()["error"]["code"]) == (401, "token_expired")
    coder.refresh()
    assert coder.post("Hi").status_code == 200
    control("/accounts/ann/revoke", {"what": "access"})
    assert coder.post("Hi").get_json()["error"]["code"] == "token_invalidated"


def test_the_account_header(coder: Coder, control: Any, app: Flask) -> None:
    bearer = {"Authorization": coder.headers["Authorization"]}
    body = {"model": "gpt-5.5", "instructions": "x", "store": False, "stream": True}
    body["input"] = [{"role": "user", "content": "Hi"}]
    ask = lambda: app.test_client().post(f"{BASE}/responses", json=body, headers=bearer)  # noqa: E731
    assert ask().get_json() == {"detail": "ChatGPT-Account-ID header is required"}
    control("/config", {"codex_account_header": "optional"})
    assert ask().status_code == 200
    assert coder.post("Hi", headers={"ChatGPT-Account-ID": "other"}).status_code == 403


def test_deactivated_accounts(enrolled: Any) -> None:
    answer = enrolled(deactivated=True).post("Hi")
    assert (answer.status_code, answer.get_json()["detail"]["code"]) == (
        402,
        "deactivated_workspace",
    )


# --- answers


def test_a_tool_is_called_and_its_result_told(coder: Coder) -> None:
    said: list[Any] = [{"role": "user", "content": "Weather in Rome and Oslo?"}]
    answer = coder.post(*said, tools=[WEATHER], include=SEALED, prompt_cache_key="k")
    assert answer.mimetype == "text/event-stream"
    thought, *calls = items(answer)
    places = [json.loads(call["arguments"])["location"] for call in calls]
    assert (thought["type"], places) == ("reasoning", ["Rome", "Oslo"])
    said += [thought, *map(sendable, calls)]
    said += [
        {"type": "function_call_output", "call_id": call["call_id"], "output": f"{at} C"}
        for at, call in enumerate(calls)
    ]
    told = coder.post(*said, tools=[WEATHER], include=SEALED, prompt_cache_key="k")
    assert text(told) == "Here is what I found: 0 C\n1 C"
    usage = events(told)[-1]["response"]["usage"]
    assert usage["input_tokens_details"]["cached_tokens"] > 0
    assert usage["output_tokens_details"]["reasoning_tokens"] > 0


def test_thoughts_belong_to_their_account(coder: Coder, enrolled: Any) -> None:
    thought, message = items(coder.post("Hi", include=SEALED))
    history = ["Hi", thought, sendable(message), "And now?"]
    assert coder.post(*history).status_code == 200
    other = enrolled("bob").post(*history)
    assert other.status_code == 400
    assert other.get_json()["error"]["code"] == "invalid_encrypted_content"


def test_headers_of_an_answer(coder: Coder, enrolled: Any) -> None:
    answer = coder.post("Hi")
    assert answer.headers["openai-model"] == "gpt-5.5"
    assert answer.headers["x-codex-plan-type"] == "plus"
    assert answer.headers["x-request-id"]
    state = {"x-codex-turn-state": answer.headers["x-codex-turn-state"]}
    assert coder.post("Hi", headers=state).status_code == 200
    assert enrolled("bob").post("Hi", headers=state).status_code == 400


def test_without_anything_to_do_it_is_the_echo(coder: Coder) -> None:
    assert "> Good morning" in text(coder.post("Good morning", tools=[WEATHER]))
    assert "Be kind." in text(coder.post("Good morning"))


def test_pictures_and_searches(coder: Coder) -> None:
    tools = [{"type": "image_generation"}, {"type": "web_search"}]
    assert "image_generation_call" in [
        one["type"] for one in items(coder.post("Draw", tools=tools))
    ]
    found = items(coder.post("What is the latest news?", tools=tools))
    assert found[1]["type"] == "web_search_call"
    # A function that fits comes first.
    called = items(coder.post("Search the weather in Rome", tools=[WEATHER, *tools]))
    assert called[-1]["type"] == "function_call"


def test_scenarios(coder: Coder, app: Flask) -> None:
    assert text(coder.post("/sim text words=2")) == "word1 word2"
    whole = events(coder.post("/sim text words=2 output=full usage=null"))[-1]["response"]
    assert (len(whole["output"]), whole["usage"]) == (2, None)
    flood = events(coder.post("/sim flood deltas=50", reasoning={"effort": "low"}))
    assert sum(one["type"] == "response.output_text.delta" for one in flood) == 50
    script = '/sim agent arguments=whole\ncall get_weather {"location": "Oslo"}'
    whole = events(coder.post(script, tools=[WEATHER]))
    assert not any("arguments" in one["type"] for one in whole)
    assert events(coder.post("/sim length"))[-1]["type"] == "response.incomplete"
    refused = items(coder.post("/sim refusal spoken=1"))[-1]
    assert refused["content"][0]["type"] == "refusal"
    app.test_client().post("/_sim/recordings/mine", data=b'data: {"type":"response.completed"}\n\n')
    assert events(coder.post("/sim replay name=mine")) == [{"type": "response.completed"}]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("/sim nothing", "no scenario `nothing`"),
        ("/sim text fault=nothing", "no fault `nothing`"),
        ("/sim agent style=loud", "no style `loud`"),
        ("/sim baked", "not for this API"),
        ("/sim text usage=some", "usage='some' is none of full, bare, null"),
    ],
)
def test_mistakes_are_named(coder: Coder, said: str, problem: str) -> None:
    answer = coder.post(said)
    assert answer.status_code == 400
    assert problem in answer.get_json()["detail"]


def test_it_is_recorded(coder: Coder, control: Any) -> None:
    assert items(coder.post("Weather in Rome", tools=[WEATHER]))
    coder.post("Hi", stop=["x"])
    done, refused = control("/requests?endpoint=codex_responses")["requests"]
    assert (done["status"], done["completed"], done["account"]) == (200, True, "ann")
    assert done["expected"]["finish_reason"] == "tool_calls"
    assert done["expected"]["calls"][0]["name"] == "get_weather"
    assert (refused["status"], refused["refused"]) == (400, "body")
    assert coder.account["access_token"] not in json.dumps([done, refused])


# --- models and usage


def test_models(coder: Coder, enrolled: Any) -> None:
    answer = coder.get("/models?client_version=0.144.0")
    assert answer.get_json()["models"][0]["slug"] == "gpt-5.6-sol"
    again = coder.get("/models?client_version=0.144.0", **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert coder.post("Hi").headers["x-models-etag"] == answer.headers["ETag"]
    assert coder.get("/models").status_code == 400
    assert coder.get("/models?client_version=0.42.0").get_json() == {"models": []}
    assert enrolled("bob", plan="free").post("Hi", model="gpt-5.4").status_code == 400


def test_usage(enrolled: Any, control: Any) -> None:
    control("/config", {"codex_week_turns": 4})
    ann = enrolled(quota=2, quota_seconds=60)
    ann.post("Hi")
    found = ann.get("/usage").get_json()["rate_limit"]
    assert found["primary_window"]["used_percent"] == 50
    assert found["secondary_window"]["used_percent"] == 25
    assert found["secondary_window"]["limit_window_seconds"] == 604_800


def test_there_are_no_completions_here(coder: Coder) -> None:
    answer = coder.client.post(f"{BASE}/chat/completions", json={}, headers=coder.headers)
    assert answer.status_code == 403
    assert coder.client.post(f"{BASE}/responses/compact", json={}).status_code == 404


# --- limits and failures


def test_a_limit_that_ends(enrolled: Any, now: list[float]) -> None:
    ann = enrolled(quota=1, quota_seconds=60)
    assert ann.post("Hi").headers["x-codex-primary-used-percent"] == "100"
    full = ann.post("Hi")
    error = full.get_json()["error"]
    assert (full.status_code, error["type"]) == (429, "usage_limit_reached")
    assert full.headers["x-codex-primary-reset-at"] == str(error["resets_at"])
    now[0] = error["resets_at"]
    assert ann.post("Hi").status_code == 200


def test_too_much_at_a_time(coder: Coder, control: Any, app: Flask) -> None:
    control("/config", {"max_parallel_turns": 1})
    simulator = app.extensions["simulator"]
    owner = f"ann/{coder.account['workspaces'][0]}"
    simulator.enter(owner)
    assert coder.post("Hi").status_code == 429
    simulator.leave(owner)
    assert coder.post("Hi").status_code == 200


def test_too_long(coder: Coder, control: Any) -> None:
    control("/config", {"max_message_chars": 1000})
    answer = coder.post("word " * 300)
    assert answer.status_code == 200
    assert events(answer)[-1]["response"]["error"]["code"] == "context_length_exceeded"


def test_faults(coder: Coder, control: Any) -> None:
    assert coder.post("/sim text fault=status status=503").status_code == 503
    limited = coder.post("/sim text fault=limit form=header seconds=7")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "7")
    expired = coder.post("/sim text fault=expired")
    assert (expired.status_code, expired.get_json()["error"]["code"]) == (401, "token_expired")
    assert "detail" in coder.post("/sim text fault=expired form=text").get_json()
    overloaded = coder.post("/sim text fault=overload times=1")
    assert overloaded.status_code == 200
    assert events(overloaded)[-1]["response"]["error"]["code"] == "server_is_overloaded"
    # The same text again is the same request.
    assert events(coder.post("/sim text fault=overload times=1"))[-1]["type"].endswith("completed")
    control("/next", {"endpoint": "codex_models", "fault": "challenge"})
    assert coder.get("/models?client_version=1.0.0").status_code == 403
    assert b"event:" not in coder.post("/sim text fault=nameless+crlf").data


# --- a long run


def test_a_long_run_of_an_agent(enrolled: Any, control: Any, now: list[float]) -> None:
    """Half an hour of steps, with a limit that ends, a token that expires, and a stream that breaks."""
    ann = enrolled(quota=6, quota_seconds=300, lifetime_seconds=900)
    steps = [f"think Step {n}.\nsay Now {n}.\ncall get_weather {{}}" for n in range(1, 41)]
    script = "/sim agent\n" + "\n---\n".join([*steps, "say All is done."])
    ordinary = {"endpoint": "codex_responses", "times": 25}
    control("/next", [ordinary, {"endpoint": "codex_responses", "fault": "close"}])
    said: list[Any] = [script]
    trouble: list[Any] = []
    start = now[0]
    for _ in range(80):
        answer = ann.post(*said, tools=[WEATHER], include=SEALED, prompt_cache_key="run")
        now[0] += 45
        if answer.status_code == 401:
            trouble.append("expired")
            ann.refresh()
        elif answer.status_code == 429:
            trouble.append("limited")
            now[0] = answer.get_json()["error"]["resets_at"]
        elif events(answer)[-1]["type"] != "response.completed":
            trouble.append("broken")
        elif not (calls := [one for one in items(answer) if one["type"] == "function_call"]):
            break
        else:
            said += map(sendable, items(answer))
            said += [
                {"type": "function_call_output", "call_id": call["call_id"], "output": "fine"}
                for call in calls
            ]
    assert text(answer) == "All is done."
    assert now[0] - start > 1_800
    assert trouble.count("broken") == 1
    assert {"expired", "limited"} < set(trouble)
    assert sum(isinstance(one, dict) and one["type"] == "function_call" for one in said) == 40
