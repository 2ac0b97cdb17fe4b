"""A WebSocket over a pair of sockets, one side as gunicorn hands it over."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    Request,
    TextMessage,
)

from chat2api.errors import InternalError, RequestError
from chat2api.lifetime.budget import ByteBudget
from chat2api.web.socket_wire import GOING_AWAY, Wire, WireClosed

MOST = 200_000
BUDGET = 2_000_000


class Peer:
    """The client's side, byte by byte."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(5)
        self.protocol = WSConnection(ConnectionType.CLIENT)
        self.handshake = self.protocol.send(Request(host="here", target="/v1/responses"))
        self.events: list[Event] = []

    def environ(self, sock: socket.socket) -> dict[str, Any]:
        lines = self.handshake.decode().split("\r\n")[1:]
        headers = dict(line.split(": ", 1) for line in lines if line)
        named = {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in headers.items()}
        return {"gunicorn.socket": sock, **named}

    def send(self, event: Any) -> None:
        self.sock.sendall(self.protocol.send(event))

    def send_in_vain(self, event: Any) -> None:
        """What the other side may hang up on before all of it is out."""
        with suppress(BrokenPipeError):
            self.send(event)

    def next(self) -> Event:
        while not self.events:
            data = self.sock.recv(65_536)
            self.protocol.receive_data(data or None)
            self.events.extend(self.protocol.events())
        return self.events.pop(0)

    def text(self) -> str:
        """The next message, put together."""
        pieces: list[str] = []
        while True:
            event = self.next()
            assert isinstance(event, TextMessage)
            pieces.append(event.data)
            if event.message_finished:
                return "".join(pieces)


class Pair:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        ours, theirs = socket.socketpair()
        self.ours = ours
        self.budget = ByteBudget(BUDGET)
        self.peer = Peer(theirs)
        self.wire = Wire(
            self.peer.environ(ours),
            most_bytes=MOST,
            stall_seconds=30.0,
            budget=self.budget,
            clock=clock,
        )
        assert isinstance(self.peer.next(), AcceptConnection)

    def close(self) -> None:
        self.wire.drop()
        self.peer.sock.close()
        self.ours.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def test_messages_both_ways(pair: Pair) -> None:
    pair.peer.send(TextMessage(data="ask é"))
    assert pair.wire.receive(5) == "ask é"
    pair.wire.send("answer \u2028")
    assert pair.peer.text() == "answer \u2028"


def test_binary_messages_are_told_apart(pair: Pair) -> None:
    pair.peer.send(BytesMessage(data=b"\x00"))
    assert pair.wire.receive(5) == b"\x00"


def test_nothing_in_time(pair: Pair) -> None:
    assert pair.wire.receive(0.01) is None


def test_what_is_no_handshake_is_refused_before_a_byte_is_sent() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        environ = {"gunicorn.socket": ours, "HTTP_UPGRADE": "websocket", "HTTP_HOST": "here"}
        with pytest.raises(RequestError):
            Wire(environ, most_bytes=MOST, stall_seconds=1, budget=ByteBudget(MOST))
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


def test_without_a_socket_there_is_none() -> None:
    with pytest.raises(InternalError) as refused:
        Wire({}, most_bytes=MOST, stall_seconds=1, budget=ByteBudget(MOST))
    assert refused.value.status == 501


def test_compression_is_not_taken() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = Peer(theirs)
        offered = "permessage-deflate; client_max_window_bits"
        environ = {**peer.environ(ours), "HTTP_SEC_WEBSOCKET_EXTENSIONS": offered}
        wire = Wire(environ, most_bytes=MOST, stall_seconds=1, budget=ByteBudget(MOST))
        accepted = peer.next()
        assert isinstance(accepted, AcceptConnection)
        assert accepted.extensions == []
        wire.drop()


def test_a_message_in_pieces(pair: Pair) -> None:
    pair.peer.send(TextMessage(data="one ", message_finished=False))
    pair.peer.send(TextMessage(data="two", message_finished=True))
    assert pair.wire.receive(5) == "one two"


def test_a_message_that_is_too_large_ends_it(pair: Pair) -> None:
    pair.peer.send_in_vain(TextMessage(data="x" * (MOST + 1)))
    event = pair.peer.next()
    assert isinstance(event, CloseConnection)
    assert event.code == 1009
    with pytest.raises(WireClosed):
        pair.wire.receive(5)


def test_sizes_are_those_on_the_wire(pair: Pair) -> None:
    """Characters may be four bytes each."""
    pair.peer.send_in_vain(TextMessage(data="€" * (MOST // 2)))
    event = pair.peer.next()
    assert isinstance(event, CloseConnection)
    assert event.code == 1009
    with pytest.raises(WireClosed):
        pair.wire.receive(5)


def test_small_pieces_are_as_large_as_their_message(pair: Pair) -> None:
    pieces = MOST // 1000
    for number in range(pieces):
        pair.peer.send(TextMessage(data="x" * 1000, message_finished=number == pieces - 1))
    assert pair.wire.receive(5) == "x" * 1000 * pieces


def test_messages_without_a_pause_between_them(pair: Pair) -> None:
    """Each is measured by itself, wherever the network cuts them."""
    text = "x" * (MOST // 10)
    sending = threading.Thread(
        target=lambda: [pair.peer.send(TextMessage(data=text)) for _ in range(30)], daemon=True
    )
    sending.start()
    assert [pair.wire.receive(5) for _ in range(30)] == [text] * 30
    sending.join(5)
    assert pair.wire._held == 0


def test_what_came_counts_until_it_is_handed_on(pair: Pair) -> None:
    pair.peer.send(TextMessage(data="x" * 100_000, message_finished=False))
    wait_for(lambda: pair.wire._held > 95_000)
    pair.peer.send(TextMessage(data="x" * 50_000, message_finished=True))
    assert len(pair.wire.receive(5) or "") == 150_000
    pair.budget.take(BUDGET)  # all of it was given back
    pair.budget.give_back(BUDGET)
    pair.peer.send(TextMessage(data="x" * 100_000, message_finished=False))
    wait_for(lambda: pair.wire._held > 95_000)
    pair.wire.drop()
    pair.budget.take(BUDGET)


def test_what_there_is_no_room_for_ends_it(pair: Pair) -> None:
    pair.budget.take(BUDGET - 50_000)
    pair.peer.send_in_vain(TextMessage(data="x" * 100_000))
    event = pair.peer.next()
    assert isinstance(event, CloseConnection)
    assert event.code == 1013
    with pytest.raises(WireClosed):
        pair.wire.receive(5)


def wait_for(look: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not look():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_what_is_no_text_ends_it(pair: Pair) -> None:
    pair.peer.sock.sendall(b"\x81\x81\x00\x00\x00\x00\xff")  # a masked text that is no UTF-8
    with pytest.raises(WireClosed):
        pair.wire.receive(5)


@pytest.mark.parametrize("noise", [b"\xff" * 64, b"\x81\x05hello"])
def test_what_is_no_frame_ends_it(pair: Pair, noise: bytes) -> None:
    pair.peer.sock.sendall(noise)
    with pytest.raises(WireClosed):
        pair.wire.receive(5)


def test_large_frames_go_out_whole(pair: Pair) -> None:
    """However slowly they are taken, and whatever else is sent meanwhile."""
    text = "0123456789" * 400_000
    sending = threading.Thread(target=lambda: pair.wire.send(text), daemon=True)
    sending.start()
    while pair.wire._sock.sending_since == math.inf:
        time.sleep(0.001)
    pinging = threading.Thread(target=pair.wire.ping, daemon=True)
    pinging.start()
    assert pair.peer.text() == text
    assert isinstance(pair.peer.next(), Ping)
    sending.join(5)
    pinging.join(5)


def test_pings_are_answered(pair: Pair) -> None:
    pair.peer.send(Ping(payload=b"x"))
    answer = pair.peer.next()
    assert isinstance(answer, Pong)
    assert bytes(answer.payload) == b"x"


def test_no_answer_to_a_ping_is_needed(pair: Pair) -> None:
    """Clients that do something else for a while do not answer."""
    for _ in range(5):
        pair.wire.ping()
    pair.peer.send(TextMessage(data="still here"))
    assert pair.wire.receive(5) == "still here"


def test_goodbye(pair: Pair) -> None:
    pair.wire.close(GOING_AWAY, "later")
    event = pair.peer.next()
    assert isinstance(event, CloseConnection)
    assert (event.code, event.reason) == (GOING_AWAY, "later")
    with pytest.raises(WireClosed):
        pair.wire.send("more")
    pair.wire.close(GOING_AWAY, "again")  # nobody listens


def test_the_other_side_says_goodbye(pair: Pair) -> None:
    pair.peer.send(CloseConnection(code=1000))
    with pytest.raises(WireClosed):
        pair.wire.receive(5)
    assert isinstance(pair.peer.next(), CloseConnection)
    assert pair.peer.sock.recv(1) == b""  # and everybody can see that it has ended


def test_the_other_side_vanishes(pair: Pair) -> None:
    pair.peer.sock.close()
    with pytest.raises(WireClosed):
        pair.wire.receive(5)
    with pytest.raises(WireClosed):
        pair.wire.ping()


def test_who_takes_nothing_is_dropped() -> None:
    now = [100.0]
    pair = Pair(lambda: now[0])
    failed: list[Exception] = []

    def send() -> None:
        try:
            pair.wire.send("x" * 20_000_000)
        except WireClosed as error:
            failed.append(error)

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    while pair.wire._sock.sending_since > now[0]:
        time.sleep(0.001)
    pair.wire.tick(129.0)
    assert sending.is_alive()
    pair.wire.tick(131.0)
    sending.join(5)
    assert len(failed) == 1
    pair.close()


def test_who_takes_little_by_little_is_not_dropped() -> None:
    now = [100.0]
    pair = Pair(lambda: now[0])
    size = 3_000_000
    sending = threading.Thread(target=lambda: pair.wire.send("x" * size), daemon=True)
    sending.start()
    taken = 0
    while taken < size:
        now[0] += 5
        pair.wire.tick(now[0])
        taken += len(pair.peer.sock.recv(65_536))
        time.sleep(0.001)
    sending.join(5)
    pair.wire.ping()
    pair.close()


def test_others_have_their_turn_while_much_comes_in() -> None:
    """Frames that hold nothing cost as much as others."""
    pair = Pair()
    rests: list[None] = []
    pair.wire._sock._breathe = lambda: rests.append(None)
    for _ in range(20):
        pair.peer.sock.sendall(b"".join(pair.peer.protocol.send(Ping()) for _ in range(100)))
        for _ in range(100):
            assert isinstance(pair.peer.next(), Pong)
    assert len(rests) >= 15  # the first may have begun before it was looked at
    pair.close()


def test_what_nobody_looks_at_is_not_taken_in_for_ever(pair: Pair) -> None:
    """A flood waits in the network and not in memory."""
    sent = flood(pair.peer)
    assert sent < 1000
    assert len(pair.wire._server.input_buffer) < 20
    taken = 0
    while pair.wire.receive(0.3) is not None:
        taken += 1
    assert taken == sent


def flood(peer: Peer) -> int:
    """How many messages fit into the network."""
    peer.sock.settimeout(0.3)
    for number in range(1000):
        try:
            peer.send(TextMessage(data="x" * 60_000))
        except TimeoutError:
            return number
    return 1000
