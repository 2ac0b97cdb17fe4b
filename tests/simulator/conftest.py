"""A caller that speaks the wire, and a reducer of streams that shares no line with any decoder."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import pytest
from flask import Flask

from chat2api.simulator.app import create_app
from chat2api.simulator.config import Config, Variant
from chat2api.simulator.proof import work_is_enough

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) Tester/1.0"


# --- reading streams


@dataclass
class Reading:
    """What a reader makes of a stream."""

    text: str = ""  # visible answers as sent, joined by blank lines
    reasoning: str = ""
    images: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    errors: list[Any] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    done: bool = False
    conversation_id: str | None = None
    answer_id: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    broken: int = 0  # payloads that were not JSON


def split_events(body: bytes) -> Iterator[str]:
    """The data of each event, per the standard."""
    text = body.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    for block in text.split("\n\n"):
        fields = (line.partition(":") for line in block.split("\n"))
        data = [value.removeprefix(" ") for key, _, value in fields if key == "data"]
        if data:
            yield "\n".join(data)


def _edit(root: dict[str, Any], path: str, kind: str, value: Any) -> None:
    if kind == "patch":
        for one in value:
            _edit(root, path + one["p"], one["o"], one.get("v"))
    elif path == "" and kind == "add":
        root.clear()
        root.update(copy.deepcopy(value))
    elif path:
        with suppress(KeyError, IndexError, TypeError, ValueError):
            _edit_leaf(root, path.split("/")[1:], kind, value)


def _edit_leaf(node: Any, keys: list[str], kind: str, value: Any) -> None:
    for name in keys[:-1]:
        node = node[int(name)] if isinstance(node, list) else node[name]
    key: Any = int(keys[-1]) if isinstance(node, list) else keys[-1]
    if kind in ("add", "replace"):
        node[key] = value
    elif kind == "remove":
        del node[key]
    elif kind == "truncate":
        node[key] = node[key][:value]
    elif kind == "append":
        old = node.get(key) if isinstance(node, dict) else node[key]
        if isinstance(old, dict):
            old.update(value)
        elif isinstance(old, list):
            old.extend(value if isinstance(value, list) else [value])
        else:
            node[key] = value if old is None else old + value


class _Reader:
    def __init__(self) -> None:
        self.reading = Reading()
        self.seen: dict[str, dict[str, Any]] = {}
        self.roots: dict[int, dict[str, Any]] = {}
        self.state: tuple[Any, ...] = ("", "add", 0)
        self.moderated = False

    def event(self, data: str) -> None:
        if data.strip() == "[DONE]":
            self.reading.done = True
            return
        try:
            value = json.loads(data)
        except ValueError:
            self.reading.broken += 1
            return
        if not isinstance(value, dict):
            return
        if isinstance(value.get("type"), str):
            self.typed(value)
        elif {"v", "p", "o"} & set(value):
            self.delta(value)
        elif "message" in value or "error" in value or "detail" in value:
            self.snapshot(value)

    def typed(self, value: dict[str, Any]) -> None:
        self.reading.types.append(value["type"])
        if value["type"] == "moderation":
            verdict = value.get("moderation_response") or {}
            self.moderated = self.moderated or bool(verdict.get("blocked"))
        if value["type"] == "resume_conversation_token":
            self.reading.tokens[value["kind"]] = value["token"]
        self.reading.conversation_id = value.get("conversation_id") or self.reading.conversation_id

    def delta(self, value: dict[str, Any]) -> None:
        self.state = path, kind, channel = tuple(
            value.get(key, old) for key, old in zip("poc", self.state, strict=True)
        )
        root = self.roots.setdefault(channel, {})
        _edit(root, path, kind, value.get("v"))
        self.look(root)

    def snapshot(self, value: dict[str, Any]) -> None:
        if isinstance(value.get("message"), dict):
            known = self.seen.get(value["message"].get("id"), {})
            if len(_text(known)) > len(_text(value["message"])):
                return  # out of date
            self.roots[self.state[2]] = value
        if "detail" in value:
            self.reading.errors.append(value["detail"])
        self.look(value)

    def look(self, root: dict[str, Any]) -> None:
        if root.get("error"):
            self.reading.errors.append(root["error"])
        message = root.get("message")
        if isinstance(message, dict) and isinstance(message.get("author"), dict):
            self.seen[message["id"]] = message
        self.reading.conversation_id = root.get("conversation_id") or self.reading.conversation_id


def _text(message: dict[str, Any]) -> str:
    parts = (message.get("content") or {}).get("parts") or []
    return "".join(one for one in parts if isinstance(one, str))


def _is_answer(message: dict[str, Any]) -> bool:
    return (
        message["author"]["role"] == "assistant"
        and message.get("recipient") in (None, "all")
        and message["content"]["content_type"] in ("text", "multimodal_text")
        and message.get("channel") in (None, "final")
        and not (message.get("metadata") or {}).get("is_visually_hidden_from_conversation")
    )


def _thoughts(message: dict[str, Any]) -> str | None:
    content, role = message["content"], message["author"]["role"]
    if content["content_type"] == "thoughts":
        return "\n\n".join(f"{one['summary']}\n{one['content']}" for one in content["thoughts"])
    is_summary = role == "tool" and "initial_text" in (message.get("metadata") or {})
    return _text(message) if is_summary or message.get("channel") == "commentary" else None


def read_stream(body: bytes, sent: tuple[str, ...] = ()) -> Reading:
    """Decodes a stream, leaving out messages whose ids were sent."""
    reader = _Reader()
    for data in split_events(body):
        reader.event(data)
    reading = reader.reading
    reading.messages = messages = [one for one in reader.seen.values() if one["id"] not in sent]
    answers = [one for one in messages if _is_answer(one)]
    reading.text = "\n\n".join(_text(one) for one in answers)
    thoughts = [_thoughts(one) for one in messages]
    reading.reasoning = "\n\n".join(one for one in thoughts if one is not None)
    for message in messages:
        is_picture = message["content"]["content_type"] == "multimodal_text"
        if is_picture and message["status"] == "finished_successfully":
            reading.images += [one["asset_pointer"] for one in message["content"]["parts"]]
    if answers:
        reading.answer_id = answers[-1]["id"]
        details = answers[-1]["metadata"].get("finish_details", {}).get("type")
        ends = {"max_tokens": "length", "stop": "stop"}
        reading.finish_reason = ends.get(details) if answers[-1]["end_turn"] else None
    if reader.moderated:
        reading.finish_reason = "content_filter"
    return reading


# --- speaking the wire


def requirements_payload(nonce: int = 1, user_agent: str = USER_AGENT) -> str:
    array = [3000, "Mon Jun 01 2026", 4294967296, nonce, user_agent, None, "prod-x", "en-US"]
    array += ["en-US,en", 12, "onLine−true", "location", "window", 1.5, "device"]
    text = json.dumps(array, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(text.encode()).decode()


def solve(work: dict[str, Any], variant: Variant) -> str:
    for nonce in range(500_000):
        payload = requirements_payload(nonce)
        if work_is_enough(payload, work["seed"], work["difficulty"], variant):
            return f"gAAAAAB{payload}"
    raise AssertionError("no proof found")


@dataclass
class Answer:
    """An HTTP answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Send = Callable[[str, str, dict[str, str], Any], Answer]


class Caller:
    """A client of either generation over any way of sending."""

    def __init__(self, send: Send, token: str | None) -> None:
        self._send = send
        self.prefix = "/backend-api" if token else "/backend-anon"
        self.headers = {"User-Agent": USER_AGENT, "Oai-Device-Id": str(uuid.uuid4())}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        return self._send(method, path, {**self.headers, **(headers or {})}, body)

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        return self.call("POST", self.prefix + path, body, headers)

    def admission(self, era: str) -> dict[str, str]:
        """The sentinel headers of one fresh sequence."""
        return self.single() if era == "2024" else self.two_step()

    def single(self) -> dict[str, str]:
        path = "/sentinel/chat-requirements"
        asked = self.post(path, {"p": "gAAAAAC" + requirements_payload()}).json()
        headers = {"openai-sentinel-chat-requirements-token": asked["token"]}
        work = asked["proofofwork"]
        if work["required"]:
            headers["openai-sentinel-proof-token"] = solve(work, "sha3")
        return headers

    def two_step(self) -> dict[str, str]:
        path = "/sentinel/chat-requirements"
        p = "gAAAAAC" + requirements_payload() + "~S"
        asked = self.post(f"{path}/prepare", {"p": p}).json()
        work = asked["proofofwork"]
        body = {"prepare_token": asked["prepare_token"]}
        if work["required"]:
            body["proofofwork"] = solve(work, "fnv") + "~S"
        token = self.post(f"{path}/finalize", body).json()["token"]
        headers = {
            "openai-sentinel-chat-requirements-token": token,
            "openai-sentinel-chat-requirements-prepare-token": asked["prepare_token"],
        }
        if "proofofwork" in body:
            headers["openai-sentinel-proof-token"] = body["proofofwork"]
        return headers

    def body(self, *texts: str, era: str = "2026", **fields: Any) -> dict[str, Any]:
        """A conversation body; `texts` become user messages."""
        messages = [
            {
                "id": str(uuid.uuid4()),
                "author": {"role": "user"},
                "content": {"content_type": "text", "parts": [text]},
                "metadata": {},
            }
            for text in texts
        ]
        parent = "client-created-root" if era == "2026" else str(uuid.uuid4())
        body = {"action": "next", "messages": messages, "model": "auto"}
        return {**body, "parent_message_id": parent, "supported_encodings": ["v1"], **fields}

    def talk(self, *texts: str, era: str = "2026", **fields: Any) -> Answer:
        """A conversation call with everything it needs."""
        headers = {**self.admission(era), "Accept": "text/event-stream"}
        path = "/conversation" if era == "2024" or not self.is_logged_in else "/f/conversation"
        return self.post(path, self.body(*texts, era=era, **fields), headers)

    @property
    def is_logged_in(self) -> bool:
        return "Authorization" in self.headers

    def read(self, *texts: str, era: str = "2026", **fields: Any) -> Reading:
        answer = self.talk(*texts, era=era, **fields)
        assert answer.status == 200, answer.body
        return read_stream(answer.body)


@pytest.fixture
def now() -> list[float]:
    """A clock to turn by hand: `now[0]` is the time."""
    return [1_800_000_000.0]


@pytest.fixture
def app(now: list[float]) -> Flask:
    return create_app(Config(pacing=0), clock=lambda: now[0])


@pytest.fixture
def calling(app: Flask) -> Callable[[int | None], Caller]:
    """Callers in process: a demo account by number, or nobody."""
    client = app.test_client()

    def send(method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        response = client.open(path, method=method, headers=headers, **content)
        return Answer(response.status_code, dict(response.headers), response.data)

    def caller(number: int | None) -> Caller:
        accounts = app.extensions["simulator"].accounts.all()
        return Caller(send, None if number is None else accounts[number].token)

    return caller


@pytest.fixture
def caller(calling: Callable[[int | None], Caller]) -> Caller:
    """The paid demo account."""
    return calling(0)


@pytest.fixture
def free_caller(calling: Callable[[int | None], Caller]) -> Caller:
    return calling(1)


@pytest.fixture
def anonymous(calling: Callable[[int | None], Caller]) -> Caller:
    return calling(None)


@pytest.fixture
def control(app: Flask) -> Callable[..., Any]:
    """`control("/config", {...})` posts, `control("/stats")` gets; returns the JSON."""
    client = app.test_client()

    def ask(path: str, body: Any = None) -> Any:
        url = f"/_sim{path}"
        response = client.get(url) if body is None else client.post(url, json=body)
        assert response.status_code == 200, response.data
        return response.get_json()

    return ask


@pytest.fixture
def read() -> Callable[..., Reading]:
    """The stream reducer."""
    return read_stream


# --- a real process


class Live:
    """A simulator in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "chat2api.simulator", "--port", "0", "--exit-with-stdin"]
        self.process = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line.startswith("simulator listening on http://127.0.0.1:"), line
        self.url = line.split()[-1]

    def close(self) -> None:
        """Closes its standard input and waits for its end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=10)

    def control(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.url}/_sim{path}", data, timeout=10) as answer:
            return json.load(answer)

    def open(self, method: str, path: str, headers: dict[str, str], body: Any) -> HTTPConnection:
        """Sends a request and leaves the answer to be read."""
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=20)
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {**headers, "Content-Type": "application/json"})
        return connection

    def send(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        with closing(self.open(method, path, headers, body)) as connection:
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())

    def caller(self) -> Caller:
        return Caller(self.send, self.control("/accounts")["accounts"][0]["access_token"])

    def records(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("/requests?endpoint=conversation")["requests"]
        return found


@pytest.fixture(scope="session")
def live_process() -> Iterator[Live]:
    with closing(Live("--set", "pacing=0")) as live:
        yield live


@pytest.fixture
def live(live_process: Live) -> Live:
    """A real simulator without a past."""
    live_process.control("/reset", {})
    return live_process


@pytest.fixture
def live_caller(live: Live) -> Caller:
    return live.caller()


@pytest.fixture
def start() -> Iterator[Callable[..., Live]]:
    """Starts simulators of a test's own; they end with it."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(closing(Live(*arguments)))
