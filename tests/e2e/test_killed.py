"""SIGKILL of any process at any moment: nothing stays behind, and the pool is as it was (D03)."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from .pools import Pool, family_of, pool_at, workers_of
from .processes import KEY, OwnSimulator, Server

pytestmark = pytest.mark.timeout(120)

YAML = f"""# kept through every change
auth:
  access_tokens: ["{KEY}"]
proxy: ""
"""


@pytest.fixture
def server(tmp_path: Path, own_upstream: OwnSimulator) -> Iterator[Server]:
    """Not started yet; what it leaves running is killed after the test."""
    accounts = own_upstream.control(
        "accounts", [{"name": f"person-{n}", "refresh": "rt"} for n in range(6)]
    )
    (tmp_path / "server" / "conf").mkdir(parents=True)
    (tmp_path / "server" / "conf" / "app.dev.yaml").write_text(YAML)
    settings = {
        "WORKERS": "2",
        "RANDOM_TOKEN": "false",
        "OPENAI_AUTH_TOKEN_URL": f"{own_upstream.url}/oauth/token",
    }
    tokens = [account["refresh_token"] for account in accounts]
    server = Server(tmp_path / "server", own_upstream.url, tokens, settings)
    yield server
    kill(family_of(server) if server.process.child else [])
    server.stop()


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def end(server: Server, victims: list[psutil.Process]) -> None:
    """Kill these; with them all that the server started has to go, by itself and soon."""
    everybody = family_of(server)
    kill(victims)
    assert server.process.child is not None
    server.process.child.wait(10)
    server.stop()
    assert psutil.wait_procs(everybody, timeout=10)[1] == []


def standing(pool: Pool) -> dict[str, Any]:
    """What has to survive, by account: state with its end and reason, and the tokens."""
    kept = {one.label: (one.access_token, one.refresh_token) for one in pool.book.export()}
    return {
        row.label: (
            *(row.state, row.until, row.reason, dict(row.model_limits)),
            *(None if token is None else token.reveal() for token in kept[row.label]),
        )
        for row in pool.book.everything()
    }


def is_whole(data_dir: Path) -> bool:
    with closing(sqlite3.connect(data_dir / "chat2api.db")) as database:
        return bool(database.execute("PRAGMA integrity_check").fetchall() == [("ok",)])


def bring_every_state_about(server: Server, upstream: OwnSimulator, ask: Any, pool: Pool) -> None:
    """person-0 limited for one model, 1 cooling, 2 in need of a login, 3 paused, 4 and 5 as good as new."""
    faults = {"person-0": "rate", "person-1": "unusual", "person-2": "invalidated"}
    upstream.control(
        "default",
        [
            {
                "account": name,
                "fault": fault,
                "params": {"seconds": 3600} if fault == "rate" else {},
            }
            for name, fault in faults.items()
        ],
    )
    upstream.control("accounts/person-2/revoke", {"what": "both"})
    paused = [row.account_id for row in pool.book.everything() if "person-3" in row.label]
    assert pool.book.pause(paused) == 1
    for _ in range(8):
        assert ask(server).status == 200
    upstream.control("default", [])
    assert {name: state for name, state in pool.states().items() if name != "person-3"} == {
        "person-0": "active",
        "person-1": "cooling",
        "person-2": "needs_login",
        "person-4": "active",
        "person-5": "active",
    }
    limits = {row.label: list(row.model_limits) for row in pool.book.everything()}
    assert limits["person-0@example.com"] == ["gpt-5-5"]


def test_any_process_at_any_moment(
    server: Server, own_upstream: OwnSimulator, ask: Any, dial: Any, eventually: Any
) -> None:
    server.start()
    with pool_at(server.data_dir) as pool:
        eventually(lambda: all(row.expires_at for row in pool.book.everything()), seconds=15)
        bring_every_state_about(server, own_upstream, ask, pool)
        before = standing(pool)

        for whom in (the_compute_processes, one_worker):
            busy = dial(server)
            busy.ask("/sim text words=4000 tps=40").head()
            family = family_of(server)
            victims = whom(server)
            kill(victims)
            assert psutil.wait_procs(victims, timeout=5)[1] == []
            eventually(lambda: len(workers_of(server)) == 2 and server.is_ready(), seconds=15)
            assert ask(server).status == 200
            eventually(partial(none_is_left, family, server), seconds=10)
            assert standing(pool) == before

        for whom in (the_master, family_of):
            busy = dial(server)
            busy.ask("/sim text words=4000 tps=40").head()
            end(server, whom(server))
            assert is_whole(server.data_dir)
            server.start()
            assert standing(pool) == before
            assert [ask(server).status for _ in range(2)] == [200, 200]
            assert standing(pool) == before
    assert "Traceback" not in server.log


def the_master(server: Server) -> list[psutil.Process]:
    return family_of(server)[:1]


def one_worker(server: Server) -> list[psutil.Process]:
    return workers_of(server)[:1]


def the_compute_processes(server: Server) -> list[psutil.Process]:
    return [child for worker in workers_of(server) for child in worker.children()]


def none_is_left(family: list[psutil.Process], server: Server) -> bool:
    """Whether those of an earlier family that run on all belong to the server."""
    now = family_of(server)
    return all(one in now for one in family if one.is_running())


def test_in_the_middle_of_the_first_start(server: Server, eventually: Any) -> None:
    """While the key, the schema and the files in DATA_DIR are on their way."""
    (server.data_dir / "chat2api.db").unlink()
    for seconds in (0.7, 1.3, 1.9):
        server.process.start()
        time.sleep(seconds)  # the kill may fall anywhere
        end(server, family_of(server))
    server.start()
    assert is_whole(server.data_dir)
    with pool_at(server.data_dir) as pool:
        eventually(lambda: all(row.expires_at for row in pool.book.everything()), seconds=15)
        assert pool.states() == {f"person-{n}": "active" for n in range(6)}


def test_in_the_middle_of_changes_of_the_configuration(server: Server, eventually: Any) -> None:
    """The file is the one before or the one after, whole, and nothing lies beside it that hinders."""
    path = server.directory / "conf" / "app.dev.yaml"
    server.start()
    stop = threading.Event()
    done: list[int] = []
    writer = threading.Thread(target=change_the_proxy, args=(server, stop, done.append))
    writer.start()
    eventually(lambda: len(done) >= 5, seconds=15)
    end(server, family_of(server))
    stop.set()
    writer.join(10)
    assert path.read_text().startswith(YAML[:-4])
    server.start()
    assert change_the_proxy(server, None, done.append) == 200
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "app.dev.yaml",
        "app.dev.yaml.bak",
    ]


def change_the_proxy(
    server: Server, stop: threading.Event | None, note: Callable[[int], None]
) -> int:
    """PUT another proxy, once or until `stop`; the last status."""
    status = 0
    with requests.Session() as session, suppress(requests.RequestException):
        session.headers["Authorization"] = f"Bearer {KEY}"
        url = f"{server.url}/admin/api/config"
        for port in range(1, 10_000):
            view = session.get(url, timeout=10).json()
            body = {
                name: view[name] for name in ("auth_tokens", "access_token_prefixes", "chatgpts")
            }
            body["proxy"] = f"http://127.0.0.1:{port}"
            status = session.put(url, data=json.dumps(body), timeout=10).status_code
            note(status)
            if stop is None or stop.is_set():
                break
    return status
