"""Two Codex backends: one of a few lines that plays what it is told, and the simulator's."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from werkzeug.wsgi import ClosingIterator

from chat2api.chat.conversation import Conversation, Message, Text
from chat2api.chat.events import Event
from chat2api.errors import Chat2ApiError
from chat2api.lifetime.call import Call
from chat2api.pool.values import Credential
from chat2api.providers.codex.provider import CodexOptions, CodexProvider
from chat2api.providers.oauth.endpoint import TokenEndpoint
from chat2api.providers.protocol import AccountCheck, Io
from chat2api.secret import Secret
from tests.providers.conftest import LOGIN, InlineCompute, PatientCall, WsgiTransport

ACCOUNT = Credential("subject-a", Secret("eyJhbGci.token-of-a"), "workspace-a")
TURN = "/backend-api/codex/responses"

FIELDS = {
    "model", "instructions", "input", "tools", "tool_choice", "parallel_tool_calls", "reasoning",
    "store", "stream", "include", "prompt_cache_key", "text",
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def problem(body: Any) -> str | None:
    """What the backend has against a body; None when it takes it."""
    unknown = set(body) - FIELDS
    if unknown:
        return f"Unsupported parameter: {min(unknown)}"
    if body.get("store") is not False:
        return "Store must be set to false"
    if body.get("stream") is not True:
        return "Stream must be set to true"
    if not body.get("instructions"):
        return "Instructions are required"
    if not isinstance(body.get("input"), list) or not body["input"]:
        return "Input must be a non-empty list"
    if len(body["prompt_cache_key"]) > 64:
        return "prompt_cache_key is too long"
    return problem_of_tools(body) or problem_of_items(body["input"])


def problem_of_tools(body: Any) -> str | None:
    tools, choice = body.get("tools"), body.get("tool_choice", "auto")
    if tools == [] or (tools is None and choice != "auto"):
        return "Tools are reserved"
    named = {}
    for tool in tools or ():
        if tool["type"] in ("function", "custom"):
            if not _NAME.fullmatch(tool["name"]) or tool["name"] in named:
                return f"Invalid tool name {tool['name']}"
            named[tool["name"]] = tool["type"]
        if tool["type"] == "function" and not isinstance(tool.get("strict"), bool):
            return "strict is missing"
    if isinstance(choice, dict) and named.get(choice["name"]) != choice["type"]:
        return f"Tool choice '{choice['name']}' not found in 'tools' parameter."
    return None


def problem_of_items(items: list[Any]) -> str | None:
    open_calls: dict[str, str] = {}
    seen: set[str] = set()
    for index, item in enumerate(items):
        if {"id", "status"} & set(item):
            return "Unknown parameter in input"
        kind = item["type"]
        if kind == "message":
            if item["role"] not in ("user", "assistant", "developer"):
                return "System messages are not allowed"
            if not item["content"] or any(part.get("text") == "" for part in item["content"]):
                return "Empty content"
        elif kind in ("function_call", "custom_tool_call"):
            if item["call_id"] in seen or not 0 < len(item["call_id"]) <= 64:
                return "Invalid call_id"
            if not _NAME.fullmatch(item["name"]):
                return "Invalid name"
            seen.add(item["call_id"])
            open_calls[item["call_id"]] = f"{kind}_output"
        elif kind.endswith("_output"):
            if open_calls.pop(item["call_id"], None) != kind:
                return f"No tool call found for output {item['call_id']}"
        elif kind == "reasoning":
            follows = items[index + 1] if index + 1 < len(items) else {}
            if follows.get("role") != "assistant" and follows.get("type") not in (
                "reasoning",
                "function_call",
                "custom_tool_call",
            ):
                return "Reasoning without its required following item"
    return f"No tool output found for function call {min(open_calls)}" if open_calls else None


def sse(*events: Any) -> bytes:
    texts = (one if isinstance(one, str) else json.dumps(one) for one in events)
    return b"".join(b"data: %b\n\n" % text.encode() for text in texts)


class FakeCodex:
    """`plays` is what the next turns are answered with; the last stays. `bodies` are those it took."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], Iterable[bytes]]] = []
        self.bodies: list[Any] = []
        self.documents: dict[str, Any] = {}

    def plays(self, *events: Any, status: int = 200, **headers: str) -> None:
        """Events of a stream, or (with a status of its own) the body of a refusal."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if status == 200:
            named.setdefault("Content-Type", "text/event-stream")
            pieces = [event if isinstance(event, bytes) else sse(event) for event in events]
        else:
            pieces = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in events]
            named.setdefault("Content-Type", "application/json")
        self.answers.append((status, named, pieces))

    def __call__(self, environ: Any, start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path in self.documents:
            return self._answer(start, 200, {}, [json.dumps(self.documents[path]).encode()])
        if path != TURN:
            return self._answer(start, 404, {}, [])
        body = json.loads(environ["wsgi.input"].read())
        wrong = problem(body)
        if wrong is not None:
            detail = json.dumps({"detail": wrong}).encode()
            return self._answer(start, 400, {"Content-Type": "application/json"}, [detail])
        self.bodies.append(body)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return self._answer(start, *answer)

    @staticmethod
    def _answer(
        start: Callable[..., Any], status: int, headers: dict[str, str], pieces: Iterable[bytes]
    ) -> Iterable[bytes]:
        start(f"{status} Said", list({"Content-Type": "application/json", **headers}.items()))
        return ClosingIterator(iter(pieces))


@dataclass
class Desk:
    """A provider before that backend."""

    backend: FakeCodex
    clock: Any
    options: dict[str, Any] = field(default_factory=dict)
    proxy: Secret | None = None
    learned: list[tuple[str, AccountCheck]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.transport = WsgiTransport(self.backend)
        self.call = PatientCall(self.clock)
        given = {"base_url": "https://upstream.test/backend-api", **self.options}
        self.provider = CodexProvider(
            CodexOptions("chat2api/9.9", **given),
            TokenEndpoint(LOGIN, self.clock),
            lambda credential, found: self.learned.append((credential.subject, found)),
            self.clock,
        )

    @property
    def io(self) -> Io:
        return Io(self.transport, InlineCompute(), self.call, self.proxy)


@pytest.fixture
def desk(clock: Any) -> Desk:
    return Desk(FakeCodex(), clock)


@dataclass
class Coder:
    """A login of the simulator's, and a provider before it. `patience` in seconds."""

    app: Any
    name: str
    patience: float = 10.0

    def __post_init__(self) -> None:
        client = self.app.test_client()
        wish = {"name": self.name, "refresh": "rt", "plan": "plus"}
        self.account = client.post("/_sim/accounts", json=wish).get_json()
        self.credential = Credential(self.name, Secret(self.account["access_token"]))
        self.io = Io(WsgiTransport(self.app), InlineCompute(), Call(math.inf))

    @property
    def provider(self) -> CodexProvider:
        options = CodexOptions(
            "chat2api/9.9",
            "https://upstream.test/backend-api",
            first_byte_seconds=self.patience,
            slow_first_byte_seconds=self.patience,
            idle_seconds=self.patience,
            slow_idle_seconds=self.patience,
            event_limit_bytes=2_000_000,
        )
        return CodexProvider(options, TokenEndpoint(LOGIN))

    def control(self, path: str, body: Any) -> None:
        answer = self.app.test_client().post(f"/_sim{path}", json=body)
        assert answer.status_code == 200

    def play(self, *said: Any, **fields: Any) -> tuple[list[Event], Chat2ApiError | None]:
        """The events of a turn, and the error that ended it if one did."""
        asked = {"model": "gpt-5.5", "messages": tuple(map(_message, said)), **fields}
        events: list[Event] = []
        try:
            events.extend(self.provider.stream(Conversation(**asked), self.credential, self.io))
        except Chat2ApiError as error:
            return events, error
        return events, None


def _message(said: Any) -> Message:
    return Message("user", (Text(said),)) if isinstance(said, str) else said


@pytest.fixture
def enrolled(simulator: Any) -> Callable[..., Coder]:
    """enrolled(name): a new login of the simulated backend."""
    app, _ = simulator
    app.extensions["simulator"].reset()
    app.extensions["simulator"].configure({"pacing": 0})
    return lambda name="ann": Coder(app, name)


@pytest.fixture(scope="session")
def find_problem() -> Callable[[Any], str | None]:
    return problem


@pytest.fixture(scope="session")
def account() -> Credential:
    return ACCOUNT
