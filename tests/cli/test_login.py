"""`login` against the simulator: the person is a thread that reads what is printed."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from chat2api.cli import login as module
from chat2api.cli.accounts import accounts
from chat2api.cli.login import login
from tests.cli.conftest import Run, Upstream


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.02)


@pytest.fixture
def run(invoke: Run, upstream: Upstream) -> Run:
    """The command, with the simulator as login server, and quick."""
    upstream.send("config", {"device_interval": 1})
    environ = {
        "CHATGPT_BASE_URL": upstream.url,
        "OPENAI_AUTH_TOKEN_URL": f"{upstream.url}/oauth/token",
    }
    return lambda *arguments, **more: invoke(login, *arguments, **environ, **more)


@pytest.fixture
def person(upstream: Upstream) -> Iterator[Callable[..., None]]:
    """person(do, account): waits for a code that somebody asked for, and enters it."""
    threads: list[threading.Thread] = []

    def act(do: str, account: str) -> None:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            for code in upstream.ask("device")["codes"]:
                if code["state"] == "pending":
                    upstream.send(f"device/{code['user_code']}", {"do": do, "account": account})
                    return
            time.sleep(0.02)

    def begin(do: str = "approve", account: str = "anna") -> None:
        threads.append(threading.Thread(target=act, args=(do, account)))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join(15)
        assert not thread.is_alive()


def ids(invoke: Run) -> list[str]:
    listed = json.loads(invoke(accounts, "list", "--json").stdout)
    return [one["id"] for one in listed]


def test_a_code(run: Run, invoke: Run, person: Any, upstream: Upstream) -> None:
    made = upstream.account("anna")
    person()
    done = run()
    assert done.exit_code == 0, done.output
    (account_id,) = ids(invoke)
    assert done.stdout == f"Signed in as anna@example.com ({account_id}): a new account.\n"
    assert f"Open {upstream.url}/codex/device" in done.stderr
    assert re.search(r"enter [A-Z]{4}-[A-Z]{4} within 15 minutes", done.stderr)
    assert "Never enter a code you did not ask for." in done.stderr
    now = upstream.ask("accounts")["accounts"][-1]
    for secret in (made["access_token"], now["access_token"], now["refresh_token"]):
        assert secret not in done.output
    person()
    assert run("--device").stdout.endswith(": the account has new tokens.\n")


def test_whose_login_it_has_to_be(run: Run, invoke: Run, person: Any, upstream: Upstream) -> None:
    made = upstream.account("anna")
    upstream.account("bob")
    Path("auth.json").write_text(json.dumps({"tokens": {"access_token": made["access_token"]}}))
    assert invoke(accounts, "add", "--auth-json", "auth.json").exit_code == 0
    (anna,) = ids(invoke)
    person(account="bob")
    done = run("--account", anna)
    assert done.exit_code == 1
    assert "That login is another account's: bob@example.com. Nothing was changed." in done.stderr
    assert ids(invoke) == [anna]
    person(account="anna")
    assert run("--account", anna, "--json").exit_code == 0
    assert run("--account", "acc_none").exit_code == 1


def test_refused(run: Run, person: Any) -> None:
    person("deny")
    done = run("--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "state": "refused",
        "account": None,
        "label": None,
        "verdict": None,
        "why": "refused",
        "detail": "access_denied",
    }


def test_too_late(run: Run, person: Any) -> None:
    person("expire")
    done = run()
    assert (done.exit_code, done.stdout) == (1, "")
    assert "It was not finished in time. Nothing was changed." in done.stderr


# --- by link


def test_a_link(run: Run, invoke: Run, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """No codes are offered: the link comes by itself. The first paste is a wrong one."""
    upstream.account("anna")
    upstream.send("config", {"device_login": "not_offered"})
    said: list[str] = []
    echo = module.click.echo
    monkeypatch.setattr(
        module.click, "echo", lambda text, **more: (said.append(str(text)), echo(text, **more))
    )
    pasted = iter(["nonsense", None])

    def prompt(*_: Any, **__: Any) -> str:
        text = next(pasted)
        return text if text is not None else browsed(said, upstream)

    monkeypatch.setattr(module.click, "prompt", prompt)
    done = run()
    assert done.exit_code == 0, done.output
    assert "The login server offers no codes, or not to this place." in done.stderr
    assert "That is neither the address of the last page nor a code." in done.stderr
    assert "Signed in as anna@example.com" in done.stdout


def browsed(said: list[str], upstream: Upstream) -> str:
    (address,) = (line.removeprefix("Log in at ") for line in said if line.startswith("Log in at"))
    assert address.startswith(f"{upstream.url}/oauth/authorize?")
    fields = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    answer = requests.post(
        f"{upstream.url}/oauth/authorize",
        data={**fields, "account": "anna"},
        allow_redirects=False,
        timeout=10,
    )
    return answer.headers["Location"]


def test_the_end_of_input_cancels(run: Run) -> None:
    done = run("--paste", input="")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Cancelled. Nothing was changed." in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_end_of_the_terminal_cancels(
    run: Run, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    monkeypatch.setattr(module, "_by_code", lambda *_: signal.raise_signal(number))
    done = run()
    assert (done.exit_code, "Cancelled. Nothing was changed." in done.stderr) == (1, True)
    assert signal.getsignal(number) is before


def test_ctrl_c_cancels(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_awaited", interrupted)
    done = run()
    assert done.exit_code == 1
    assert "Cancelled. Nothing was changed." in done.stderr


def test_a_login_server_that_is_away(invoke: Run) -> None:
    done = invoke(login, OPENAI_AUTH_ISSUER="http://127.0.0.1:9")
    assert done.exit_code == 1
    assert "Error: The login could not be begun: " in done.stderr
