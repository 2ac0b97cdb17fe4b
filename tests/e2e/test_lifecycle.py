"""From start to end of the process: drain, reload, killed workers, several workers (D01, B25, D03)."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

WORDS = " ".join(f"word{n}" for n in range(1, 41))
SHORT = "/sim text words=40 tps=40"
ENDLESS = "/sim text words=4000 tps=40"
SILENT = "/sim text words=40 fault=silence after=3 seconds=60"


def family(server: Any) -> list[psutil.Process]:
    """Everything that the server started."""
    return psutil.Process(server.process.child.pid).children(recursive=True)


def workers(server: Any) -> list[psutil.Process]:
    return psutil.Process(server.process.child.pid).children()


def term(server: Any) -> float:
    server.process.child.send_signal(signal.SIGTERM)
    return time.monotonic()


def gone(processes: list[psutil.Process]) -> bool:
    return psutil.wait_procs(processes, timeout=3)[1] == []


def error_code(body: bytes) -> Any:
    return json.loads(body)["error"]["code"]


def refuses_new_work(server: Any) -> bool:
    """Whether a new connection is refused, or told 503."""
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as fresh:
            fresh.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return fresh.recv(65_536).startswith(b"HTTP/1.1 503")
    except ConnectionError:
        return True


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_drain(
    start_server: Any,
    upstream: Any,
    dial: Any,
    payloads: Any,
    streamed_text: Any,
    eventually: Any,
    count: str,
) -> None:
    server = start_server("--workers", count, DRAIN_SECONDS="2")
    short = [dial(server) for _ in range(5)]
    endless = [dial(server) for _ in range(3)]
    whole, idle = dial(server), dial(server)
    for wire, text in zip(endless, (ENDLESS, ENDLESS, SILENT), strict=True):
        wire.ask(text)
    whole.ask(ENDLESS, stream=False)
    for wire in short:
        wire.ask(SHORT)
    begun = [wire.head() and wire.until(b"word1") for wire in short]
    for wire in endless:
        wire.head()
        wire.until(b"word3")
    assert idle.get("/ping") == 200
    eventually(lambda: upstream.control("stats")["active"] == 9)
    processes = family(server)

    began = term(server)
    eventually(lambda: refuses_new_work(server), seconds=1)
    assert idle.ask("/sim text").head() == 503
    assert idle.headers["retry-after"] == "5"
    assert error_code(idle.body()) == "server_shutting_down"
    assert idle.is_closed()

    for wire, first in zip(short, begun, strict=True):
        told = payloads(first + wire.body())
        assert (streamed_text(told), told[-1]) == (WORDS, "[DONE]")
    for wire in endless:
        body = wire.body()
        assert b"[DONE]" not in body
        error = payloads(body)[-1]["error"]
        assert (error["type"], error["code"]) == ("server_error", "server_shutting_down")
        assert 1.9 < time.monotonic() - began < 3.5
    assert whole.head() == 503
    assert error_code(whole.body()) == "server_shutting_down"

    assert server.process.child.wait(3) == 0
    assert gone(processes)
    turns = upstream.control("requests?endpoint=conversation")["requests"]
    assert sorted(one["aborted"] for one in turns) == [False] * 5 + [True] * 4
    assert "Traceback" not in server.log


def test_a_drain_reaches_who_waits_for_something_else(
    start_server: Any, upstream: Any, dial: Any, demo_tokens: Any, payloads: Any, eventually: Any
) -> None:
    """For a resumed stream, for a stored answer, for a proof, for an account."""
    server = start_server(
        tokens=demo_tokens[:1], ACCOUNT_CONCURRENCY="3", DRAIN_SECONDS="0.5", POW_DIFFICULTY="0"
    )
    polling, resuming, proving, queued = (dial(server) for _ in range(4))
    upstream.control(
        "next", {"endpoint": "resume", "fault": "hang", "params": {"seconds": 60}, "times": 1}
    )
    resuming.ask("/sim handoff", stream=False, history_disabled=False)
    eventually(lambda: upstream.control("requests?endpoint=resume")["requests"])
    text = "/sim text words=40 tps=20 fault=close recover=poll"
    polling.ask(text, history_disabled=False).head()
    eventually(lambda: upstream.control("requests?endpoint=read")["requests"])
    upstream.control("config", {"difficulty": "00000000ff"})
    proving.ask("/sim text")
    eventually(lambda: upstream.control("requests?endpoint=prepare")["requests"][2:])
    queued.ask("/sim text")
    time.sleep(0.2)
    processes = family(server)
    began = term(server)
    for wire in (resuming, proving, queued):
        assert wire.head() == 503
        assert error_code(wire.body()) == "server_shutting_down"
    assert payloads(polling.body())[-1]["error"]["code"] == "server_shutting_down"
    assert server.process.child.wait(6) == 0
    assert time.monotonic() - began < 6
    assert gone(processes)
    assert "Traceback" not in server.log


def test_a_reload_under_running_streams(
    start_server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any, eventually: Any
) -> None:
    """Old streams end as they began, with the old settings; new requests meet the new ones."""
    server = start_server(DRAIN_SECONDS="5", RETRY_TIMES="1")
    stream = dial(server)
    stream.ask("/sim text words=60 tps=30").head()
    begun = stream.until(b"word3")
    old = workers(server)
    assert server.post({"messages": []}, key=None).status_code == 401
    statuses: list[int] = []
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            statuses.append(server.post({"messages": []}).status_code)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    (server.directory / ".env").write_text("ALLOW_ANONYMOUS=true\n")
    server.process.child.send_signal(signal.SIGHUP)
    eventually(lambda: server.post({"messages": []}, key=None).status_code == 400)
    assert old[0].is_running()
    told = payloads(begun + stream.body())
    assert streamed_text(told) == " ".join(f"word{n}" for n in range(1, 61))
    assert told[-1] == "[DONE]"
    assert gone(old)
    stop.set()
    asking.join()
    assert len(statuses) > 20
    assert set(statuses) == {400}
    assert len(workers(server)) == 1


def test_a_killed_worker_takes_only_its_own_with_it(
    start_server: Any, upstream: Any, dial: Any, payloads: Any, eventually: Any
) -> None:
    server = start_server()
    stream = dial(server)
    stream.ask(ENDLESS).head()
    begun = stream.until(b"word3")
    (worker,) = workers(server)
    children = worker.children()
    assert children
    worker.kill()
    with suppress(ConnectionError, EOFError):
        begun += stream.body()
    assert b"[DONE]" not in begun
    assert gone(children)
    eventually(lambda: upstream.control("requests?endpoint=conversation")["requests"][0]["aborted"])
    eventually(lambda: workers(server) not in ([], [worker]))
    assert payloads(server.post(json_body("/sim text")).content)[-1] == "[DONE]"


def json_body(text: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "gpt-5-5", "stream": True, "messages": messages}


def test_two_workers_answer(
    start_server: Any, upstream: Any, dial: Any, payloads: Any, eventually: Any
) -> None:
    server = start_server("--workers", "2")
    eventually(lambda: len(workers(server)) == 2)
    wires = [dial(server) for _ in range(12)]
    for wire in wires:
        wire.ask(SHORT)
    assert {wire.head() for wire in wires} == {200}
    assert all(worker.children() for worker in workers(server))  # both had proofs to find
    for wire in wires:
        assert payloads(wire.body())[-1] == "[DONE]"


def test_under_gunicorns_own_command(
    start_server: Any,
    upstream: Any,
    dial: Any,
    payloads: Any,
    streamed_text: Any,
    pytestconfig: pytest.Config,
) -> None:
    """`gunicorn -c gunicorn.conf.py app:app`: the same answers, the same drain."""
    server = start_server(wait=False, DRAIN_SECONDS="1")
    root = pytestconfig.rootpath
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    server.process.command = [gunicorn, "-c", "gunicorn.conf.py", "app:app"]
    server.process.cwd = root
    server.start()
    short, endless = dial(server), dial(server)
    short.ask(SHORT)
    endless.ask(ENDLESS)
    assert (short.head(), endless.head()) == (200, 200)
    begun = short.until(b"word3")
    endless.until(b"word3")
    processes = family(server)
    term(server)
    told = payloads(begun + short.body())
    assert (streamed_text(told), told[-1]) == (WORDS, "[DONE]")
    assert payloads(endless.body())[-1]["error"]["code"] == "server_shutting_down"
    assert server.process.child.wait(3) == 0
    assert gone(processes)
