"""Checks of the machine."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from chat2api.cli.checks import machine
from chat2api.cli.checks.finding import Finding, fail, ok, warn
from chat2api.cli.checks.machine import (
    check_compute,
    check_data_dir,
    check_files,
    check_key_file,
    check_port,
)
from chat2api.cli.workshop import opened_egress
from chat2api.compute.protocol import ComputeFailed
from chat2api.secret import Secret
from chat2api.settings.model import Settings
from chat2api.transport.protocol import Transport

MIB = 1024 * 1024


def checked(path: Path, **more: Any) -> list[Finding]:
    return check_data_dir(Settings(data_dir=path, **more))


# --- the data directory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir(mode=0o700)
    return made


def test_a_directory_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    assert checked(path) == [ok("data directory", f"{path} is made at the first start")]
    (tmp_path / "file").touch()
    (finding,) = checked(tmp_path / "file" / "data")
    assert finding.grade == "fail"
    assert not path.exists()


def test_a_good_one(folder: Path) -> None:
    space, key = checked(folder)
    assert (space.grade, space.text.endswith("writable")) == ("ok", True)
    assert key == ok("secret key", f"{folder / 'secret.key'}, made at the first start")


@pytest.mark.parametrize(("free", "grade"), [(10, "fail"), (500, "warn"), (2000, "ok")])
def test_room_on_the_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch, free: int, grade: str
) -> None:
    usage = type(shutil.disk_usage(folder))(1, 1, free * MIB)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert checked(folder)[0].grade == grade


def test_one_open_to_others(folder: Path) -> None:
    folder.chmod(0o755)
    told = warn("data directory", f"{folder} is open to other users", f"chmod 700 {folder}")
    assert checked(folder)[1] == told


def test_a_network_file_system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D05."""
    monkeypatch.setattr(machine, "is_shared", lambda path: True)
    monkeypatch.setattr(machine, "file_system", lambda path: "nfs4")
    assert checked(folder)[1] == fail(
        "data directory",
        "SQLite on a network file system (nfs4) gets damaged",
        "Use a local disk, or PostgreSQL through DATABASE_URL.",
    )
    elsewhere = checked(folder, database_url=Secret("postgresql://h/d"))
    assert [one.grade for one in elsewhere] == ["ok", "ok"]


def test_the_key_file(folder: Path) -> None:
    settings = Settings(data_dir=folder)
    key = folder / "secret.key"
    key.write_text("x" * 40)
    key.chmod(0o600)
    assert check_key_file(settings) == [ok("secret key", f"{key}, mode 0600")]
    key.chmod(0o640)
    told = fail("secret key", f"{key} can be read by other users", f"chmod 600 {key}")
    assert check_key_file(settings) == [told]


# --- the port


@pytest.fixture
def transport() -> Iterator[Transport]:
    with opened_egress(Settings()) as egress:
        yield egress.transport


@pytest.fixture
def listening() -> Iterator[Callable[[bytes], int]]:
    """listening(body): the port of a server that answers everything with it."""
    servers: list[HTTPServer] = []

    def start(body: bytes) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return servers[-1].server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def port_checked(port: int, transport: Transport) -> Finding:
    return check_port(Settings(host="127.0.0.1", port=port), transport)


def test_a_free_port(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert port_checked(port, transport) == ok("port", f"{port} is free")
    assert port_checked(0, transport).grade == "ok"


def test_our_own_server_may_have_it(
    transport: Transport, listening: Callable[[bytes], int]
) -> None:
    port = listening(b'{"message": "pong"}')
    assert port_checked(port, transport) == ok("port", f"{port} is served by chat2api")


def test_somebody_else_has_it(transport: Transport, listening: Callable[[bytes], int]) -> None:
    port = listening(b"hello")
    finding = port_checked(port, transport)
    assert finding.grade == "fail"
    assert f"port {port} on 127.0.0.1 is in use" in finding.text


# --- limits and processes


def test_open_files() -> None:
    settings = Settings(worker_connections=1000)
    assert check_files(settings, lambda: 2064) == ok("open files", "2,064 are needed and allowed")
    few = check_files(settings, lambda: 1024)
    assert (few.grade, few.text) == (
        "warn",
        "1,024 are allowed, enough for 480 streams a worker",
    )
    assert check_files(Settings(worker_connections=8)).grade == "ok"


class Clock:
    """Moves by `step` at every look."""

    def __init__(self, step: float) -> None:
        self.step, self.now = step, 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_the_speed_of_the_proof_of_work() -> None:
    """In a real process; the search ends at the same nonce everywhere."""
    with opened_egress(Settings()) as egress:
        fast = check_compute(egress.compute, Clock(0.1))
        slow = check_compute(egress.compute, Clock(10.0))
    assert fast == ok("proof of work", "629,370 tries a second; a usual one takes 0.5 s")
    assert slow == warn("proof of work", "6,294 tries a second", "Give this machine more CPU.")


def test_processes_that_do_not_start() -> None:
    class Broken:
        def run(self, task: str, *args: Any, **more: Any) -> Any:
            raise ComputeFailed("the process died twice during it")

    finding = check_compute(Broken())
    assert finding.grade == "fail"
    assert "do not start: the process died twice" in finding.text
