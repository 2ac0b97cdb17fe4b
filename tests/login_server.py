"""The simulator's login server behind a transport, for tests of logging in; and the person who uses it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from chat2api.simulator.app import create_app
from chat2api.simulator.config import Config
from chat2api.store.logins import Login
from chat2api.transport.protocol import Outgoing


class Answered:
    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self._body = body

    def read(self, limit_bytes: int) -> bytes:
        return self._body


class LoginServer:
    """The simulator as a transport. `fails` is raised instead of the next answers."""

    def __init__(self, now: Any) -> None:
        self.app = create_app(Config(pacing=0), clock=now)
        self.client = self.app.test_client()
        self.requests: list[Outgoing] = []
        self.fails: list[Exception] = []

    def open(self, request: Outgoing, call: Any) -> Answered:
        self.requests.append(request)
        if self.fails:
            raise self.fails.pop(0)
        path = urlsplit(request.url).path
        answer = self.client.post(path, data=request.body, headers=dict(request.headers))
        return Answered(answer.status_code, answer.data)

    @property
    def polls(self) -> int:
        return sum(one.url.endswith("/deviceauth/token") for one in self.requests)

    def control(self, path: str, body: Any) -> Any:
        answer = self.client.post(f"/_sim/{path}", json=body)
        assert answer.status_code == 200, answer.data
        return answer.get_json()

    def approve(self, login: Login, name: str = "ann") -> None:
        if not any(one.name == name for one in self.simulator.accounts.all()):
            self.control("accounts", {"name": name})
        self.control(f"device/{login.user_code}", {"do": "approve", "account": name})

    def browse(self, login: Login, name: str = "demo-free", **more: str) -> str:
        """What a person's browser ends up with."""
        fields = {key: values[0] for key, values in parse_qs(urlsplit(login.address).query).items()}
        answer = self.client.post("/oauth/authorize", data={**fields, "account": name, **more})
        return answer.headers["Location"]

    @property
    def simulator(self) -> Any:
        return self.app.extensions["simulator"]
