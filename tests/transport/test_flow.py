"""One exchange and how its wait is ended from outside."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Iterator

import pytest

from chat2api.errors import ClientGone, UpstreamTimeout
from chat2api.lifetime.call import Call
from chat2api.transport.flow import Flow, current_flow, note_connection

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(2)
        yield ours, theirs


@pytest.fixture
def flow() -> Flow:
    return Flow(Call(math.inf), 5.0)


def test_ending_shuts_both_directions(flow: Flow, pair: Pair) -> None:
    ours, theirs = pair
    flow.attach(ours)
    flow.end()
    assert (theirs.recv(1), ours.recv(1)) == (b"", b"")
    with pytest.raises(BrokenPipeError):
        theirs.sendall(b"x")


def test_ending_wakes_a_reader_in_another_thread(flow: Flow, pair: Pair) -> None:
    ours, _ = pair
    flow.attach(ours)
    ender = threading.Timer(0.05, flow.end)
    ender.start()
    ours.settimeout(2)
    assert ours.recv(1) == b""
    ender.join()


def test_a_connection_that_comes_after_the_end_is_ended_at_once(flow: Flow, pair: Pair) -> None:
    ours, theirs = pair
    flow.end()
    flow.attach(ours)
    assert theirs.recv(1) == b""


def test_a_detached_connection_is_left_alone(flow: Flow, pair: Pair) -> None:
    ours, theirs = pair
    flow.attach(ours)
    flow.detach()
    flow.end()
    ours.sendall(b"still here")
    assert theirs.recv(99) == b"still here"


def test_ending_twice_or_after_the_other_side_is_no_error(flow: Flow, pair: Pair) -> None:
    ours, _ = pair
    flow.attach(ours)
    flow.end()
    ours.close()
    flow.end()
    assert flow.ended


@pytest.mark.parametrize(("now", "expired"), [(104.9, False), (105.0, False), (105.1, True)])
def test_silence_is_counted_from_where_the_wait_began(
    flow: Flow, now: float, expired: bool
) -> None:
    flow.since = 100.0
    flow.tick(now)
    assert (flow.expired, flow.ended) == (expired, expired)


def test_nothing_expires_while_nobody_waits(flow: Flow) -> None:
    flow.wait_begins()
    assert flow.since is not None
    flow.wait_ends()
    flow.tick(math.inf)
    assert not flow.expired


def test_an_end_is_explained_by_the_call_first(flow: Flow) -> None:
    flow.explain("while nothing happened")
    flow.expired = True
    with pytest.raises(UpstreamTimeout) as timeout:
        flow.explain("before it answered")
    assert timeout.value.message == "The upstream was silent for 5 s before it answered."
    gone = ClientGone("The caller hung up.")
    flow.call.cancel(gone)
    with pytest.raises(ClientGone) as caught:
        flow.explain("before it answered")
    assert caught.value is gone


def test_connections_report_to_the_flow_of_their_thread(pair: Pair) -> None:
    ours, theirs = pair
    mine, inner = Flow(Call(math.inf), 1.0), Flow(Call(math.inf), 1.0)
    note_connection(ours)  # nobody's: must not fail
    with current_flow(mine):
        with current_flow(inner):
            note_connection(ours)
        note_connection(theirs)
        note_connection(None)
        stranger = threading.Thread(target=note_connection, args=(ours,))
        stranger.start()
        stranger.join()
    note_connection(ours)
    mine.end()
    assert ours.recv(1) == b""  # `theirs` was mine
    inner.end()
    with pytest.raises(BrokenPipeError):
        ours.sendall(b"x")
