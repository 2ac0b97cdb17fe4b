"""The Responses API over WebSocket, against a real server: turns, their continuation, and every end."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import websocket
from websocket import ABNF, WebSocket, WebSocketBadStatusException

from .processes import KEY, Server, Simulator

Dial = Callable[..., "Talk"]


class Talk:
    """One connection."""

    def __init__(self, server: Server, key: str | None = KEY, **more: Any) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        address = f"ws://127.0.0.1:{server.port}/v1/responses"
        self.plain = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        try:
            self.socket: WebSocket = websocket.create_connection(
                address, timeout=20, header=headers, socket=self.plain, **more
            )
        except Exception:
            self.plain.close()  # the library leaves it open
            raise

    def say(self, **body: Any) -> None:
        self.socket.send(json.dumps({"type": "response.create", **body}))

    def ask(self, text: Any = "/sim text", **body: Any) -> list[Any]:
        """The events of one turn, to its last."""
        self.say(model="gpt-5", input=text, **body)
        return self.events()

    def events(self) -> list[Any]:
        events = [self.next()]
        while events[-1]["type"] not in LAST:
            events.append(self.next())
        return events

    def next(self) -> Any:
        return json.loads(self.socket.recv())

    def closed(self) -> int:
        """The code that the server closes with; events before it are passed over."""
        while True:
            frame = self.socket.recv_frame()
            if frame is not None and frame.opcode == ABNF.OPCODE_CLOSE:
                return int.from_bytes(frame.data[:2], "big")


LAST = ("response.completed", "response.failed", "response.incomplete", "error")


@pytest.fixture(scope="module")
def own_server(start_server: Callable[..., Server]) -> Server:
    return start_server(
        RETRY_TIMES="0", KEEPALIVE_SECONDS="0.5", SOCKET_IDLE_SECONDS="3", BODY_LIMIT_BYTES="100000"
    )


@pytest.fixture
def dial_socket(own_server: Server, upstream: Simulator) -> Iterator[Dial]:
    opened: list[Talk] = []

    def connect(server: Server | None = None, **given: Any) -> Talk:
        opened.append(Talk(server or own_server, **given))
        return opened[-1]

    yield connect
    for talk in opened:
        talk.plain.close()


def text_of(event: Any) -> str:
    parts = [part for item in event["response"]["output"] for part in item.get("content", ())]
    return "".join(part["text"] for part in parts)


# --- turns


def test_a_turn_is_told_event_by_event(dial_socket: Dial) -> None:
    events = dial_socket().ask("/sim text")
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert kinds[-1] == "response.completed"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    deltas = [event["delta"] for event in events if event["type"].endswith("text.delta")]
    assert "".join(deltas) == text_of(events[-1]) != ""


def test_one_turn_after_another(dial_socket: Dial) -> None:
    talk = dial_socket()
    ids = {talk.ask(f"/sim text {number}")[-1]["response"]["id"] for number in range(3)}
    assert len(ids) == 3


def test_the_request_may_stand_within_the_message(dial_socket: Dial) -> None:
    talk = dial_socket()
    talk.socket.send(
        json.dumps(
            {"type": "response.create", "response": {"model": "gpt-5", "input": "/sim text"}}
        )
    )
    assert talk.events()[-1]["type"] == "response.completed"


def test_what_is_not_stored_is_continued_on_its_connection_only(
    dial_socket: Dial, turns: Callable[[], list[Any]]
) -> None:
    talk = dial_socket()
    first = talk.ask("/sim text the word is cobalt", store=False)[-1]["response"]["id"]
    done = talk.ask("/sim text which word", store=False, previous_response_id=first)[-1]
    assert done["type"] == "response.completed"
    assert done["response"]["previous_response_id"] == first
    assert "cobalt" in json.dumps(turns()[-1])
    other = dial_socket()
    (refused,) = other.ask("/sim text", store=False, previous_response_id=first)
    assert refused["status"] == 400
    assert refused["error"]["code"] == "previous_response_not_found"
    assert refused["error"]["param"] == "previous_response_id"
    assert other.ask("/sim text")[-1]["type"] == "response.completed"


def test_what_is_stored_is_continued_everywhere(
    dial_socket: Dial, own_server: Server, sdk: Any
) -> None:
    talk = dial_socket()
    first = talk.ask("/sim text")[-1]["response"]["id"]
    again = dial_socket().ask("/sim text", previous_response_id=first)[-1]
    assert again["type"] == "response.completed"
    client = sdk(own_server)
    assert client.responses.retrieve(again["response"]["id"]).previous_response_id == first


def test_a_stored_turn_after_one_that_is_not_carries_it(
    dial_socket: Dial, own_server: Server, sdk: Any, turns: Callable[[], list[Any]]
) -> None:
    talk = dial_socket()
    first = talk.ask("/sim text the word is slate", store=False)[-1]["response"]["id"]
    second = talk.ask("/sim text and", previous_response_id=first)[-1]["response"]["id"]
    sdk(own_server).responses.create(
        model="gpt-5", input="/sim text which word", previous_response_id=second
    )
    assert "slate" in json.dumps(turns()[-1])


def test_a_failed_continuation_forgets_what_it_continued(dial_socket: Dial) -> None:
    talk = dial_socket()
    first = talk.ask("/sim text", store=False)[-1]["response"]["id"]
    stray = [{"type": "function_call_output", "call_id": "call_missing", "output": "1"}]
    (failed,) = talk.ask(stray, store=False, previous_response_id=first)
    assert failed["error"]["code"] == "tool_call_not_found"
    (gone,) = talk.ask("/sim text", store=False, previous_response_id=first)
    assert gone["error"]["code"] == "previous_response_not_found"


def test_a_warm_up_answers_nothing_and_can_be_continued(
    dial_socket: Dial, turns: Callable[[], list[Any]]
) -> None:
    talk = dial_socket()
    warm = talk.ask("/sim text the word is ember", store=False, generate=False)[-1]
    assert warm["type"] == "response.completed"
    assert warm["response"]["output"] == []
    assert turns() == []
    first = warm["response"]["id"]
    assert talk.ask("/sim text", store=False, previous_response_id=first)[-1]["type"] == LAST[0]
    assert "ember" in json.dumps(turns()[-1])


# --- refusals


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("no json", "invalid_json"),
        ("[]", "invalid_value"),
        ('{"type": "session.update"}', "invalid_value"),
        ("{}", "invalid_value"),
        ('{"type": "response.create"}', "missing_required_parameter"),
        ("[" * 100, "json_too_deep"),
        (b"\x00", "invalid_value"),
    ],
)
def test_a_bad_message_is_told_and_the_connection_goes_on(
    dial_socket: Dial, message: str | bytes, code: str
) -> None:
    talk = dial_socket()
    if isinstance(message, bytes):
        talk.socket.send_binary(message)
    else:
        talk.socket.send(message)
    refused = talk.next()
    assert (refused["type"], refused["status"], refused["error"]["code"]) == ("error", 400, code)
    assert talk.ask()[-1]["type"] == "response.completed"


def test_one_turn_at_a_time(dial_socket: Dial) -> None:
    talk = dial_socket()
    talk.say(model="gpt-5", input="/sim text words=30 tps=20")
    assert talk.next()["type"] == "response.created"
    talk.say(model="gpt-5", input="/sim text")
    events = talk.events()
    while events[-1]["type"] == "error":
        assert events[-1]["error"]["code"] == "response_in_progress"
        events = [*events, *talk.events()]
    assert [event["type"] for event in events].count("error") == 1
    assert events[-1]["type"] == "response.completed"
    assert talk.ask()[-1]["type"] == "response.completed"


def test_a_failure_of_the_upstream_is_told(dial_socket: Dial) -> None:
    talk = dial_socket()
    events = talk.ask("/sim text words=40 fault=reset after=3")
    assert events[-1]["type"] in ("response.failed", "error")
    assert talk.ask()[-1]["type"] == "response.completed"


@pytest.mark.parametrize("key", [None, "sk-wrong"])
def test_without_a_key_there_is_no_connection(dial_socket: Dial, key: str | None) -> None:
    with pytest.raises(WebSocketBadStatusException) as refused:
        dial_socket(key=key)
    assert refused.value.status_code == 401


def test_a_handshake_that_is_none(own_server: Server) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Authorization": f"Bearer {KEY}"}
    answer = requests.get(f"{own_server.base_url}/responses", headers=headers, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_message_that_is_too_large_ends_the_connection(dial_socket: Dial) -> None:
    talk = dial_socket()
    talk.say(model="gpt-5", input="x" * 200_000)
    assert talk.closed() == 1009


# --- the life of a connection


def test_pings_keep_it_and_silence_ends_it(dial_socket: Dial) -> None:
    talk = dial_socket()
    began = time.monotonic()
    pings = 0
    while True:
        frame = talk.socket.recv_frame()
        assert frame is not None
        if frame.opcode == ABNF.OPCODE_CLOSE:
            break
        pings += frame.opcode == ABNF.OPCODE_PING
    assert int.from_bytes(frame.data[:2], "big") == 1000
    assert 2.5 < time.monotonic() - began < 8
    assert pings >= 3


def test_who_hangs_up_ends_the_upstreams_turn(
    dial_socket: Dial, upstream: Simulator, eventually: Callable[..., Any]
) -> None:
    talk = dial_socket()
    talk.say(model="gpt-5", input="/sim text words=4000 tps=40")
    while not talk.next()["type"].endswith("delta"):
        pass
    talk.socket.sock.close()
    left = time.time()
    (turn,) = eventually(lambda: [one for one in upstream_turns(upstream) if one["aborted"]], 5)
    assert turn["aborted_at"] - left < 1


@pytest.mark.parametrize("fault", ["silence after=3 seconds=60", "hang seconds=60"])
def test_who_says_goodbye_to_a_silent_turn_ends_it(
    dial_socket: Dial, upstream: Simulator, eventually: Callable[..., Any], fault: str
) -> None:
    talk = dial_socket()
    talk.say(model="gpt-5", input=f"/sim text words=40 fault={fault}")
    eventually(lambda: upstream_turns(upstream))
    left = time.time()
    talk.socket.close(timeout=1)
    (turn,) = eventually(lambda: [one for one in upstream_turns(upstream) if one["aborted"]], 5)
    assert turn["aborted_at"] - left < 1.2


def upstream_turns(upstream: Simulator) -> list[Any]:
    found: list[Any] = upstream.control("requests?endpoint=conversation")["requests"]
    return found


def test_a_draining_server_says_goodbye(
    brief_server: Callable[..., Server], dial_socket: Dial, upstream: Simulator
) -> None:
    server = brief_server(RETRY_TIMES="0", DRAIN_SECONDS="2")
    idle, busy = dial_socket(server), dial_socket(server)
    busy.say(model="gpt-5", input="/sim text words=30 tps=25")
    assert busy.next()["type"] == "response.created"
    assert server.process.child is not None
    server.process.child.terminate()
    assert idle.closed() == 1001
    assert busy.events()[-1]["type"] in ("response.completed", "response.failed")
    assert busy.closed() == 1001


def test_every_turn_is_logged_and_nothing_secret(
    own_server: Server, keeps_secrets: Callable[[Server], None]
) -> None:
    assert "WS" in own_server.log
    keeps_secrets(own_server)
