"""From settings to a served application: who is wired to whom, and that nothing is left behind."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask import Flask

from chat2api.factory import build_runtime, chatgpt_options, create_app
from chat2api.lifetime.watchdog import Watchdog
from chat2api.providers.chatgpt.provider import ChatGptOptions
from chat2api.runtime import Runtime
from chat2api.secret import Secret
from chat2api.settings.model import Settings

NOBODY = ("http://127.0.0.1:1",)
BODY = {"messages": [{"role": "user", "content": "Hi"}]}
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.signature"

Serve = Callable[..., Flask]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """serve(**settings): an application over an upstream that is not there."""
    with ExitStack() as stack:

        def build(**given: Any) -> Flask:
            fixed = {"data_dir": tmp_path, "compute_processes": 1, "chatgpt_base_url": NOBODY}
            app = create_app(Settings(**{**fixed, "retry_times": 0, **given}))
            stack.callback(runtime_of(app).close)
            return app

        yield build


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


def test_accounts_come_from_the_token_file(serve: Serve, tmp_path: Path) -> None:
    mine = {"authorization": (Secret("sk-mine"),)}
    assert asked(serve(**mine), "sk-mine") == (503, "no_account_available")
    (tmp_path / "token.txt").write_text(f"# mine\n{TOKEN}\n")
    assert asked(serve(**mine), "sk-mine") == (502, "upstream_connection_error")


def test_who_may_call(serve: Serve) -> None:
    closed = serve(authorization=(Secret("sk-a"), Secret("sk-b")), direct_tokens="off")
    for key, status in [("sk-a", 503), ("sk-b", 503), ("sk-c", 401), (TOKEN, 401), (None, 401)]:
        assert asked(closed, key)[0] == status, key
    opened = serve(authorization=(Secret("sk-a"),), allow_anonymous=True)
    for key in (None, TOKEN, "sk-a"):  # with an empty pool, a key's requests go there too
        assert asked(opened, key) == (502, "upstream_connection_error"), key


def test_what_was_begun_is_ended(tmp_path: Path) -> None:
    before = {child.pid for child in psutil.Process().children()}
    settings = Settings(data_dir=tmp_path, compute_processes=1, authorization=(Secret("sk-a"),))
    held = build_runtime(settings)
    assert (held.settings, held.lifecycle.draining) == (settings, False)
    assert isinstance(held.watchdog, Watchdog)
    held.close()
    left = {child.pid for child in psutil.Process().children()} - before
    assert left == set()


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
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert key[0].encode() not in kept


def test_with_keys_of_ones_own_none_is_made(
    serve: Serve, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    serve(authorization=(Secret("sk-mine"),))
    assert capfd.readouterr().out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["pepper.key"]


def test_keys_of_ones_own_replace_the_first(
    serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    serve()
    key = re.search(r"sk-[\w-]{40,}", capfd.readouterr().out)
    assert key is not None
    assert asked(serve(authorization=(Secret("sk-mine"),)), key[0])[0] == 401


# --- secrets


def test_secrets_show_nowhere(serve: Serve) -> None:
    secrets = {
        "authorization": (Secret("sk-hidden-1"),),
        "auth_key": Secret("hidden-2"),
        "proxy_url": (Secret("http://user:hidden-3@127.0.0.1:1"),),
        "access_token_prefix": (Secret("hidden-4"),),
    }
    held = runtime_of(serve(**secrets))
    options = chatgpt_options(held.settings)
    for shown in (repr(held), str(held.settings), repr(options)):
        assert "hidden" not in shown


# --- the provider's slice


OTHER_NAMES = {
    "bases": "chatgpt_base_url",
    "extra_headers": "upstream_headers",
    "aliases": "model_aliases",
}


def test_every_option_has_its_setting() -> None:
    """Values that differ from each other and from the defaults find their way."""
    seconds = iter(range(11, 99))
    settings = Settings(
        chatgpt_base_url=("https://one.test",),
        user_agent="Agent/1.0",
        auth_key=Secret("relay"),
        upstream_headers={"X-One": "1"},
        model_aliases={"mine": "gpt-5-5"},
        conversation_only=True,
        pow_difficulty="0000ff",
        pow_variant="fnv",
        sentinel_flow="single",
        conversation_endpoint="classic",
        turnstile="fail",
        code_output="hide",
        event_limit_bytes=4096,
        **{name: next(seconds) for name in Settings.model_fields if name.endswith("_seconds")},
    )
    options = dataclasses.asdict(chatgpt_options(settings))
    assert options == {name: getattr(settings, OTHER_NAMES.get(name, name)) for name in options}


def test_options_left_out_mean_what_the_settings_say() -> None:
    told = dataclasses.asdict(chatgpt_options(Settings()))
    plain = dataclasses.asdict(ChatGptOptions(told["bases"], told["user_agent"]))
    assert {**plain, "extra_headers": {}, "aliases": {}} == told
