"""From settings to a served application, and to another one when the settings change."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask import Flask

from chat2api.chat.conversation import Conversation, Message, Text
from chat2api.chat.events import Failure
from chat2api.errors import StorageUnavailable
from chat2api.factory.app import FixedSettings, Worker, create_app
from chat2api.lifetime.call import Call
from chat2api.runtime import Runtime
from chat2api.secret import Secret
from chat2api.service.access import PoolKey
from chat2api.settings.load import LoadedSettings
from chat2api.settings.model import Settings
from chat2api.web.routes import register_routes
from chat2api.web.state import runtime

BODY = {"messages": [{"role": "user", "content": "Hi"}]}
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.signature"

Serve = Callable[..., Flask]
Site = Any


def runtime_of(app: Flask) -> Runtime:
    held: Runtime = app.extensions["chat2api"]
    return held


def asked(app: Flask, key: str | None) -> tuple[int, str]:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    response = app.test_client().post("/v1/chat/completions", json=BODY, headers=headers)
    return response.status_code, response.get_json()["error"]["code"]


# --- wiring


def listening() -> set[Any]:
    found = psutil.Process().net_connections()
    return {one.laddr for one in found if one.status == psutil.CONN_LISTEN}


def test_an_application_is_built_without_listening(serve: Serve) -> None:
    before = listening()
    app = serve(authorization=(Secret("sk-mine"),))
    client = app.test_client()
    assert client.get("/ping").get_json() == {"message": "pong"}
    models = client.get("/v1/models", headers={"Authorization": "Bearer sk-mine"})
    assert "auto" in [one["id"] for one in models.get_json()["data"]]
    assert listening() == before


def test_who_may_call(serve: Serve) -> None:
    closed = serve(authorization=(Secret("sk-a"), Secret("sk-b")), direct_tokens="off")
    for key, status in [("sk-a", 503), ("sk-b", 503), ("sk-c", 401), (TOKEN, 401), (None, 401)]:
        assert asked(closed, key)[0] == status, key
    opened = serve(authorization=(Secret("sk-a"),), allow_anonymous=True)
    for key in (None, TOKEN, "sk-a"):  # with an empty pool, a key's requests go there too
        assert asked(opened, key) == (502, "upstream_connection_error"), key


def test_accounts_come_from_the_token_file(serve: Serve, tmp_path: Path) -> None:
    """By a job, as it does in a worker."""
    (tmp_path / "token.txt").write_text(f"# mine\n{TOKEN}\n")
    worker = Worker(
        Flask("chat2api"),
        FixedSettings(LoadedSettings(Settings(data_dir=tmp_path, compute_processes=1), {})),
    )
    try:
        assert worker._assembled.arrivals.look() is not None
        assert worker.runtime.book.counts().total == 1
    finally:
        worker.close()


def test_what_was_begun_is_ended(tmp_path: Path) -> None:
    before = {child.pid for child in psutil.Process().children()}
    settings = Settings(data_dir=tmp_path, compute_processes=1, authorization=(Secret("sk-a"),))
    held = runtime_of(create_app(settings))
    assert (held.settings, held.lifecycle.draining) == (settings, False)
    assert any(thread.name == "APScheduler" for thread in threading.enumerate())
    held.close()
    left = {child.pid for child in psutil.Process().children()} - before
    assert left == set()
    assert not any(thread.name == "APScheduler" for thread in threading.enumerate())


# --- the first key


def test_the_first_key_is_made_once_and_opens_the_door(
    serve: Serve, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = serve()
    key = re.search(r"sk-[\w-]{40,}", capfd.readouterr().out)
    assert key is not None
    again = serve()
    assert capfd.readouterr().out == ""
    for app in (first, again):
        assert asked(app, key[0]) == (503, "no_account_available")
        assert asked(app, "sk-other") == (401, "invalid_api_key")
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert key[0].encode() not in kept


def test_with_keys_of_ones_own_none_is_made(
    serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    serve(authorization=(Secret("sk-mine"),))
    assert capfd.readouterr().out == ""


# --- secrets


def test_secrets_show_nowhere(serve: Serve) -> None:
    secrets = {
        "authorization": (Secret("sk-hidden-1"),),
        "auth_key": Secret("hidden-2"),
        "proxy_url": (Secret("http://user:hidden-3@127.0.0.1:1"),),
        "access_token_prefix": (Secret("hidden-4"),),
    }
    held = runtime_of(serve(**secrets))
    for shown in (repr(held), str(held.settings)):
        assert "hidden" not in shown


# --- other settings


def test_a_change_replaces_the_runtime_as_a_whole(site: Site) -> None:
    register_routes(site.app, site.worker.settings)
    before = site.worker.runtime
    site.worker.reload()
    assert site.worker.runtime is before
    site.write("retry_times: 2\nauth:\n  access_tokens: [sk-second]\n")
    site.worker.reload()
    after = runtime_of(site.app)
    assert after is site.worker.runtime is not before
    assert (before.settings.retry_times, after.settings.retry_times) == (0, 2)
    assert asked(site.app, "sk-first") == (401, "invalid_api_key")
    assert asked(site.app, "sk-second") == (503, "no_account_available")
    assert site.audit() == ["config_loaded"]


def test_a_request_keeps_the_settings_that_it_began_with(site: Site) -> None:
    """B25"""
    seen: list[int] = []

    @site.app.get("/look")
    def look() -> str:
        seen.append(runtime().settings.retry_times)
        site.write("retry_times: 2\nauth:\n  access_tokens: [sk-first]\n")
        site.worker.reload()
        seen.append(runtime().settings.retry_times)
        return "seen"

    site.app.test_client().get("/look")
    site.app.test_client().get("/look")
    assert seen == [0, 0, 2, 2]


def test_a_turn_under_way_goes_on_with_what_it_has(site: Site) -> None:
    hello = Conversation("auto", (Message("user", (Text("Hi"),)),))
    old = site.worker.runtime
    caller, call = PoolKey("k"), Call(float("inf"))
    plan = old.completions.plan(hello, caller, call)
    events = old.completions.events(plan, caller, call, count_usage=False)
    site.write("retry_times: 2\n")
    site.worker.reload()
    (failed,) = list(events)
    assert isinstance(failed, Failure)
    assert failed.error.code == "no_account_available"


def test_a_broken_file_changes_nothing(site: Site) -> None:
    """D17: and it is said once, in the audit log too."""
    before = site.worker.runtime
    for text in ("retry_times: many\n", "retry_times: many\n# sk-planted0123456789\n", "a: [\n"):
        site.write(text)
        site.worker.reload()
        site.worker.reload()
        assert runtime_of(site.app) is before
        assert site.worker.runtime.config.problem is not None
    assert site.audit() == ["config_refused"] * 3
    site.write("retry_times: 1\n")
    site.worker.reload()
    assert site.worker.runtime.config.problem is None
    assert runtime_of(site.app).settings.retry_times == 1
    assert site.audit()[-1] == "config_loaded"


def test_accounts_of_the_file_follow_it(site: Site) -> None:
    book = site.worker.runtime.book
    auth = "auth:\n  access_tokens: [sk-first]\n"
    site.write(auth + "chatgpts:\n  - refresh_token: rt_filed0000000000000000\n")
    site.worker.reload()
    assert book.counts().total == 1
    site.write(auth)
    site.worker.reload()
    assert book.counts().total == 0


def test_a_change_that_the_database_held_up_is_made_later(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object) -> Any:
        raise StorageUnavailable("The database is busy.")

    site.write("retry_times: 2\nchatgpts:\n  - refresh_token: rt_filed0000000000000000\n")
    for place in ("assemble", "Arrivals.follow_config"):
        with monkeypatch.context() as patch:
            module = "chat2api.factory.app" if place == "assemble" else "chat2api.service.arrivals"
            patch.setattr(f"{module}.{place}", away)
            site.worker.reload()
        assert "settings are taken over later" in caplog.messages[-1]
    site.worker.reload()
    assert site.worker.settings.retry_times == 2
    assert site.worker.runtime.book.counts().total == 1
    assert site.audit() == ["config_loaded"]


def test_a_worker_in_place_of_a_dead_one_begins_with_the_file_of_now(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """It was forked with the settings of the start; going by them would take accounts away."""
    site.write("chatgpts:\n  - refresh_token: rt_filed0000000000000000\n")
    app = Flask("chat2api")
    late = Worker(app, site.keeper)
    try:
        assert late.runtime.book.counts().total == 1
        assert len(late.settings.chatgpts) == 1
    finally:
        late.close()


def test_a_change_made_here_counts_at_once(site: Site) -> None:
    desk = site.worker.runtime.config
    desk.change({"proxy": "http://one.test:1"}, desk.view()["revision"])
    assert [one.reveal() for one in site.worker.settings.proxy_url] == ["http://one.test:1"]


def test_an_end_without_a_database_is_an_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> Any:
        raise StorageUnavailable("gone")

    monkeypatch.setattr("chat2api.store.workers.Workers.leave", away)
    site.worker.close()


def test_which_worker_took_over_what_is_noted(site: Site) -> None:
    level = logging.getLogger().level
    try:
        site.write("log_level: error\n")
        site.worker.reload()
        (entry,) = site.worker.runtime.audit.recent()
        assert entry.detail == {
            "worker": site.worker._base.workers.worker_id,
            "revision": site.keeper.current().config_revision,
        }
        assert logging.getLogger().level == logging.ERROR
    finally:
        logging.getLogger().setLevel(level)


def test_a_worker_writes_its_lines_into_the_live_log(site: Site) -> None:
    site.worker.start_jobs()
    logging.getLogger("chat2api.suite").error("seen by a page")
    live = site.worker.runtime.desk.live
    assert "seen by a page" in [line.text for line in live.last().lines]
    site.worker.close()
    logging.getLogger("chat2api.suite").error("seen by nobody")
    assert "seen by nobody" not in [line.text for line in live.last().lines]
