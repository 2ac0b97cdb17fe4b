"""A caller that speaks the wire, and a reducer of streams that shares no line with any decoder."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chat2api.simulator.app import create_app
from chat2api.simulator.config import Config

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) Tester/1.0"


# --- reading streams


@dataclass
class Reading:
    """What a reader makes of a stream."""

    text: str = ""  # visible answers as sent, joined by blank lines
    shown: str = ""  # the same with citations resolved
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


def split_events(body: bytes) -> list[tuple[str | None, str]]:
    """(event name, data) of each event, per the standard."""
    text = body.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    events = []
    for block in text.split("\n\n"):
        name, data = None, []
        for line in block.split("\n"):
            key, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if key == "event":
                name = value
            elif key == "data":
                data.append(value)
        if data:
            events.append((name, "\n".join(data)))
    return events


def _walk(node: Any, path: str) -> tuple[Any, str]:
    *parents, last = [one.replace("~1", "/").replace("~0", "~") for one in path.split("/")[1:]]
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node[key]
    return node, last


def _edit(root: dict[str, Any], path: str, kind: str, value: Any) -> None:
    if kind == "patch":
        for one in value:
            _edit(root, path + one["p"], one["o"], one.get("v"))
        return
    if path == "":
        if kind == "add":
            root.clear()
            root.update(copy.deepcopy(value))
        return
    try:
        node, last = _walk(root, path)
        key: Any = int(last) if isinstance(node, list) else last
        if kind in ("add", "replace"):
            node[key] = value
        elif kind == "remove":
            del node[key]
        elif kind == "truncate":
            node[key] = node[key][:value]
        elif kind == "append":
            old = node.get(key) if isinstance(node, dict) else node[key]
            if old is None:
                node[key] = value
            elif isinstance(old, dict):
                old.update(value)
            elif isinstance(old, list):
                old.extend(value if isinstance(value, list) else [value])
            else:
                node[key] = old + value
    except (KeyError, IndexError, TypeError, ValueError):
        return


class _Reader:
    def __init__(self) -> None:
        self.reading = Reading()
        self.order: list[str] = []
        self.seen: dict[str, dict[str, Any]] = {}
        self.roots: dict[int, dict[str, Any]] = {}
        self.state: tuple[str, str, int] = ("", "add", 0)
        self.moderated = False

    def keep(self, message: Any) -> None:
        if not isinstance(message, dict) or not message.get("id"):
            return
        if message["id"] not in self.seen:
            self.order.append(message["id"])
        self.seen[message["id"]] = message

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
        path, kind, channel = self.state
        path, kind = value.get("p", path), value.get("o", kind)
        channel = value.get("c", channel)
        self.state = (path, kind, channel)
        root = self.roots.setdefault(channel, {})
        _edit(root, path, kind, value.get("v"))
        self.look(root)

    def snapshot(self, value: dict[str, Any]) -> None:
        if isinstance(value.get("message"), dict):
            old = self.seen.get(value["message"].get("id"))
            if old is not None and _length(old) > _length(value["message"]):
                return  # out of date
            self.roots[self.state[2]] = value
        if "detail" in value:
            self.reading.errors.append(value["detail"])
        self.look(value)

    def look(self, root: dict[str, Any]) -> None:
        if root.get("error"):
            self.reading.errors.append(root["error"])
        self.keep(root.get("message"))
        self.reading.conversation_id = root.get("conversation_id") or self.reading.conversation_id


def _length(message: dict[str, Any]) -> int:
    parts = (message.get("content") or {}).get("parts") or [""]
    return len(parts[0]) if isinstance(parts[0], str) else 0


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
    if role == "tool" and "initial_text" in (message.get("metadata") or {}):
        return str(content["parts"][0])
    if role == "assistant" and message.get("channel") == "commentary":
        return str(content["parts"][0])
    return None


def _resolved(message: dict[str, Any]) -> str:
    text: str = message["content"]["parts"][0]
    metadata = message.get("metadata") or {}
    for citation in sorted(metadata.get("citations") or [], key=lambda one: -one["start_ix"]):
        start, end = citation["start_ix"], citation["end_ix"]
        number = re.findall(r"\d+", text[start:end])[0]
        source = citation["metadata"]
        link = f' [{number}]({source["url"]} "{source["title"]}")'
        text = text[:start] + link + text[end:]
    for reference in metadata.get("content_references") or []:
        links = ", ".join(f"[{one['title']}]({one['url']})" for one in reference["items"])
        text = text.replace(reference["matched_text"], f"({links})")
    entity = "\ue200entity\ue202([^\ue201]*)\ue201"
    text = re.sub(entity, lambda found: json.loads(found.group(1))[1], text)
    return re.sub("\ue200[^\ue201]*\ue201?", "", text)


def read_stream(body: bytes, sent: tuple[str, ...] = ()) -> Reading:
    """Decodes a stream, leaving out messages whose ids were sent."""
    reader = _Reader()
    for _name, data in split_events(body):
        reader.event(data)
    reading = reader.reading
    messages = [reader.seen[one] for one in reader.order if one not in sent]
    messages = [one for one in messages if isinstance(one.get("author"), dict)]
    reading.messages = messages
    answers = [one for one in messages if _is_answer(one)]
    reading.text = "\n\n".join(one["content"]["parts"][0] for one in answers)
    reading.shown = "\n\n".join(_resolved(one) for one in answers)
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


def fnv(text: bytes) -> str:
    value = 0x811C9DC5
    for byte in text:
        value = (value ^ byte) * 0x01000193 % 2**32
    for shift, factor in ((16, 2246822507), (13, 3266489909), (16, 1)):
        value = (value ^ value >> shift) * factor % 2**32
    return f"{value:08x}"


def sha3(text: bytes) -> str:
    return hashlib.sha3_512(text).hexdigest()


def solve(seed: str, difficulty: str, hashed: Callable[[bytes], str]) -> str:
    for nonce in range(500_000):
        payload = requirements_payload(nonce)
        if hashed((seed + payload).encode())[: len(difficulty)] <= difficulty:
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
            proof = solve(work["seed"], work["difficulty"], sha3)
            headers["openai-sentinel-proof-token"] = proof
        return headers

    def two_step(self) -> dict[str, str]:
        path = "/sentinel/chat-requirements"
        p = "gAAAAAC" + requirements_payload() + "~S"
        asked = self.post(f"{path}/prepare", {"p": p}).json()
        work = asked["proofofwork"]
        body = {"prepare_token": asked["prepare_token"]}
        if work["required"]:
            body["proofofwork"] = solve(work["seed"], work["difficulty"], fnv) + "~S"
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


def _in_process(client: FlaskClient) -> Send:
    def send(method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        data = body if isinstance(body, bytes) else None
        payload = None if isinstance(body, bytes) else body
        response = client.open(path, method=method, headers=headers, json=payload, data=data)
        return Answer(response.status_code, dict(response.headers), response.data)

    return send


@pytest.fixture
def now() -> list[float]:
    """A clock to turn by hand: `now[0]` is the time."""
    return [1_800_000_000.0]


@pytest.fixture
def app(now: list[float]) -> Flask:
    return create_app(Config(pacing=0), clock=lambda: now[0])


@pytest.fixture
def caller(app: Flask) -> Caller:
    """The first demo account, calling in process."""
    account = app.extensions["simulator"].accounts.all()[0]
    return Caller(_in_process(app.test_client()), account.token)


@pytest.fixture
def free_caller(app: Flask) -> Caller:
    account = app.extensions["simulator"].accounts.all()[1]
    return Caller(_in_process(app.test_client()), account.token)


@pytest.fixture
def anonymous(app: Flask) -> Caller:
    return Caller(_in_process(app.test_client()), None)


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


@pytest.fixture
def events() -> Callable[[bytes], list[tuple[str | None, str]]]:
    """The event splitter."""
    return split_events


# --- a real process


class Live:
    """A started simulator."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process = process
        self.url = url
        self.port = int(url.rsplit(":", 1)[1])

    def control(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.url}/_sim{path}", data, timeout=10) as answer:
            return json.load(answer)

    def open(self, method: str, path: str, headers: dict[str, str], body: Any) -> HTTPConnection:
        """Sends a request and leaves the answer to be read."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {**headers, "Content-Type": "application/json"})
        return connection

    def send(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        connection = self.open(method, path, headers, body)
        try:
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def records(self, endpoint: str = "conversation") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control(f"/requests?endpoint={endpoint}")["requests"]
        return found


def start_simulator(*arguments: str) -> Live:
    command = [sys.executable, "-m", "chat2api.simulator", "--port", "0", "--exit-with-stdin"]
    process = subprocess.Popen(
        [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    assert line.startswith("simulator listening on http://127.0.0.1:"), line
    return Live(process, line.split()[-1])


def stop_simulator(live: Live) -> int:
    """Closes its standard input and waits."""
    assert live.process.stdin is not None
    assert live.process.stdout is not None
    live.process.stdin.close()
    live.process.stdout.close()
    return live.process.wait(timeout=10)


@pytest.fixture(scope="session")
def live_process() -> Iterator[Live]:
    live = start_simulator("--set", "pacing=0")
    yield live
    stop_simulator(live)


@pytest.fixture
def live(live_process: Live) -> Live:
    """A real simulator without a past."""
    live_process.control("/reset", {})
    return live_process


@pytest.fixture
def caller_of() -> Callable[[Live], Caller]:
    """The first demo account of a running simulator."""

    def caller(live: Live) -> Caller:
        return Caller(live.send, live.control("/accounts")["accounts"][0]["access_token"])

    return caller


@pytest.fixture
def live_caller(live: Live, caller_of: Callable[[Live], Caller]) -> Caller:
    return caller_of(live)


@pytest.fixture
def start() -> Iterator[Callable[..., Live]]:
    """Starts simulators of a test's own; they end with it."""
    started: list[Live] = []

    def one(*arguments: str) -> Live:
        started.append(start_simulator(*arguments))
        return started[-1]

    yield one
    for live in started:
        stop_simulator(live)
