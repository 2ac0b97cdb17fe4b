"""Commands in a directory of their own, and an upstream for those that ask one."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import requests
from click.testing import CliRunner, Result

SECRET_KEY = "a secret key of the suite"
_READY = re.compile(r"simulator listening on (http://\S+)")

Run = Callable[..., Result]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a command; the working directory is empty."""
    monkeypatch.chdir(tmp_path)
    return {"DATA_DIR": str(tmp_path / "data"), "SECRET_KEY": SECRET_KEY}


@pytest.fixture
def invoke(place: dict[str, str]) -> Run:
    """invoke(command, *arguments, input=None, **environ)."""

    def go(
        command: click.Command, *arguments: str, input: str | None = None, **environ: str
    ) -> Result:
        return CliRunner().invoke(command, arguments, obj={**place, **environ}, input=input)

    return go


class Upstream:
    """The simulator and its control routes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = requests.Session()
        self._http.trust_env = False

    @property
    def environ(self) -> dict[str, str]:
        return {
            "CHATGPT_BASE_URL": self.url,
            "OPENAI_AUTH_TOKEN_URL": f"{self.url}/oauth/token",
            "REFRESH_PER_SECOND": "1000",
        }

    def send(self, path: str, body: Any) -> Any:
        answer = self._http.post(f"{self.url}/_sim/{path}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ask(self, path: str) -> Any:
        return self._http.get(f"{self.url}/_sim/{path}", timeout=10).json()

    def account(self, name: str, **wishes: Any) -> dict[str, Any]:
        """A fresh account with a refresh token; an earlier one of the name is gone."""
        added: dict[str, Any] = self.send("accounts", {"name": name, "refresh": "rt", **wishes})
        return added

    def outcomes(self, name: str) -> list[str]:
        entries = self.ask(f"refreshes?account={name}")["refreshes"]
        return [entry["outcome"] for entry in entries]

    def close(self) -> None:
        self._http.close()


@pytest.fixture(scope="session")
def _simulator(start_server: Callable[..., Any]) -> Iterator[Upstream]:
    process = start_server("-m", "chat2api.simulator", "--port", "0")
    ready = process.wait_until(lambda: _READY.search(process.out))
    upstream = Upstream(ready[1])
    yield upstream
    upstream.close()
    process.end()


@pytest.fixture
def upstream(_simulator: Upstream) -> Upstream:
    _simulator.send("reset", {})
    return _simulator


# --- tokens


def access(name: str) -> str:
    """A made-up access token; its signature signs nothing."""
    parts = ({"alg": "RS256", "typ": "JWT"}, {"jti": name, "exp": 1_900_000_000})
    return ".".join(_part(part) for part in parts) + ".c2lnbmVk"


def _part(value: dict[str, Any]) -> str:
    raw = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def refresh(name: str) -> str:
    return f"rt_made_up_{name}_refresh_token"
