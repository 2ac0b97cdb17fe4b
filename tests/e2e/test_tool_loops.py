"""Two hundred agents at once, ten turns each: every call gets its own result and nobody else's."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import closing
from typing import Any

import pytest

from .processes import KEY

AGENTS = 200
TURNS = 10
LOOK_UP: Any = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks a key up.",
        "parameters": {
            "type": "object",
            "properties": {"key": {"type": "string"}, "last": {"type": "string"}},
            "required": ["key", "last"],
        },
    },
}


@pytest.fixture
def loop_server(brief_server: Any) -> Any:
    return brief_server(ACCOUNT_CONCURRENCY="200", QUEUE_SECONDS="60", LOG_LEVEL="WARNING")


def play(agent: int) -> str:
    """Turns 1 to 9 look something up and repeat what came of the turn before; turn 10 says the last."""
    steps = [
        f'call look_up {{"key": "agent {agent} turn {turn}", "last": "{{result}}"}}'
        for turn in range(1, TURNS)
    ]
    return "/sim agent\n" + "\n---\n".join([*steps, f"say agent {agent} ends with {{result}}"])


def value_of(key: str) -> str:
    return f"the value of {key}"


class Agent(threading.Thread):
    """A client's loop, without an SDK to be quick: asks, runs its tool, asks again."""

    def __init__(self, port: int, number: int, start: threading.Barrier) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.number = number
        self.gate = start
        self.turns: list[tuple[str, Any]] = []
        self.ids: list[str] = []
        self.error: str | None = None

    def run(self) -> None:
        self.gate.wait(30)
        messages: list[Any] = [{"role": "user", "content": play(self.number)}]
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)) as connection:
            while self.error is None and len(self.turns) < TURNS:
                messages += self.turn(connection, messages)

    def turn(self, connection: http.client.HTTPConnection, messages: list[Any]) -> list[Any]:
        body = json.dumps({"model": "gpt-5-5", "messages": messages, "tools": [LOOK_UP]})
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            self.error = told.decode()
            return []
        return self.acted(json.loads(told)["choices"][0])

    def acted(self, choice: Any) -> list[Any]:
        message, reason = choice["message"], choice["finish_reason"]
        calls = message.get("tool_calls")
        if not calls:
            self.turns.append((reason, message["content"]))
            return [message]
        (call,) = calls
        arguments = json.loads(call["function"]["arguments"])
        self.turns.append((reason, arguments))
        self.ids.append(call["id"])
        result = value_of(arguments["key"])
        return [message, {"role": "tool", "tool_call_id": call["id"], "content": result}]


def expected(agent: int) -> list[tuple[str, Any]]:
    keys = [f"agent {agent} turn {turn}" for turn in range(1, TURNS)]
    lasts = ["(no result)", *map(value_of, keys)]
    calls = [{"key": key, "last": last} for key, last in zip(keys, lasts, strict=False)]
    end = f"agent {agent} ends with {lasts[-1]}"
    return [*(("tool_calls", call) for call in calls), ("stop", end)]


@pytest.mark.timeout(600)
def test_every_call_and_result_are_paired(loop_server: Any, upstream: Any) -> None:
    # The upstream that costs least: fewer calls for each turn, and no proofs.
    upstream.control("config", {"pow_required": False, "generation": "2024"})
    start = threading.Barrier(AGENTS)
    agents = [Agent(loop_server.port, number, start) for number in range(AGENTS)]
    for agent in agents:
        agent.start()
    for agent in agents:
        agent.join(500)
    assert [agent.error for agent in agents if agent.error] == []
    assert [agent.number for agent in agents if agent.turns != expected(agent.number)] == []
    ids = [one for agent in agents for one in agent.ids]
    assert len(set(ids)) == len(ids) == AGENTS * (TURNS - 1)
