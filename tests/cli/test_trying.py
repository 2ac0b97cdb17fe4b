"""`accounts test` and `accounts refresh` against the simulator."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat2api.cli.accounts import accounts
from tests.cli.conftest import Run, Upstream

Prepared = Callable[..., list[str]]


@pytest.fixture
def prepared(invoke: Run, upstream: Upstream) -> Prepared:
    """prepared(*names, **wishes): accounts upstream, and here by both their tokens; their ids."""

    def make(*names: str, **wishes: Any) -> list[str]:
        made = [upstream.account(name, **wishes) for name in names]
        entries = [
            {"access_token": one["access_token"], "refresh_token": one["refresh_token"]}
            for one in made
        ]
        Path("logins.json").write_text(json.dumps(entries))
        done = invoke(accounts, "add", "--auth-json", "logins.json")
        assert done.exit_code == 0, done.output
        return [line.split()[0] for line in done.stdout.splitlines()]

    return make


@pytest.fixture
def ask(invoke: Run, upstream: Upstream) -> Run:
    """The same as `invoke(accounts, …)`, with the simulator as upstream."""
    return lambda *arguments, **environ: invoke(accounts, *arguments, **upstream.environ, **environ)


def trials(ask: Run, *arguments: str) -> list[tuple[str, str]]:
    done = ask("test", *arguments, "--json")
    found = json.loads(done.stdout)
    assert all(isinstance(one["seconds"], float) for one in found)
    assert done.exit_code == (0 if all(one["result"] == "ok" for one in found) else 1)
    return [(one["id"], one["result"]) for one in found]


# --- test


def test_all_are_well(ask: Run, prepared: Prepared, upstream: Upstream) -> None:
    ids = prepared("anna", "bob")
    assert trials(ask, "--all") == [(ids[0], "ok"), (ids[1], "ok")]
    assert upstream.outcomes("anna") == []
    assert trials(ask, ids[1]) == [(ids[1], "ok")]


def test_tokens_that_have_ended_are_renewed_first(
    ask: Run, prepared: Prepared, upstream: Upstream
) -> None:
    (one,) = prepared("anna", expired=True)
    assert trials(ask, one) == [(one, "ok")]
    assert upstream.outcomes("anna") == ["rotated"]


def test_a_refused_token_is_renewed_and_tried_once_more(
    ask: Run, prepared: Prepared, upstream: Upstream
) -> None:
    (one,) = prepared("anna")
    upstream.send("accounts/anna/revoke", {"what": "access"})
    assert trials(ask, one) == [(one, "ok")]
    assert upstream.outcomes("anna") == ["rotated"]


def test_refused_limited_and_failed(ask: Run, prepared: Prepared, upstream: Upstream) -> None:
    ids = prepared("anna", "bob", "carl")
    upstream.send("accounts/anna/revoke", {"what": "both"})
    faults = [("bob", "rate", {"seconds": 30}), ("carl", "status", {"status": 500})]
    upstream.send(
        "default",
        [
            {"endpoint": "models", "account": name, "fault": fault, "params": params}
            for name, fault, params in faults
        ],
    )
    assert trials(ask, "--all") == [(ids[0], "refused"), (ids[1], "limited"), (ids[2], "failed")]
    lines = ask("test", *ids).stdout.splitlines()
    assert lines[0].split() == ["ID", "ACCOUNT", "RESULT", "SECONDS", "REASON"]
    assert [line.split()[2] for line in lines[1:]] == ["refused", "limited", "failed"]


def test_no_token_shows(ask: Run, prepared: Prepared, upstream: Upstream) -> None:
    ids = prepared("anna")
    upstream.send("accounts/anna/revoke", {"what": "both"})
    for told in (ask("test", *ids), ask("refresh", *ids)):
        assert "eyJ" not in told.output
        assert "rt_" not in told.output


def test_paused_ones_are_asked_by_name_only(ask: Run, prepared: Prepared) -> None:
    ids = prepared("anna", "bob")
    ask("disable", ids[0])
    assert trials(ask, "--all") == [(ids[1], "ok")]
    assert trials(ask, ids[0]) == [(ids[0], "ok")]


@pytest.mark.parametrize("name", ["test", "refresh"])
def test_which_ones_must_be_said(ask: Run, prepared: Prepared, name: str) -> None:
    ids = prepared("anna")
    assert ask(name).exit_code == 2
    assert ask(name, "--all", ids[0]).exit_code == 2
    unknown = ask(name, "acc_none")
    assert (unknown.exit_code, unknown.stderr) == (1, "Error: There is no account 'acc_none'.\n")


# --- refresh


def test_all_are_renewed(ask: Run, prepared: Prepared, upstream: Upstream) -> None:
    names = [f"user{number}" for number in range(6)]
    prepared(*names)
    done = ask("refresh", "--all")
    assert (done.exit_code, done.stdout) == (0, "6 renewed.\n")
    assert [upstream.outcomes(name) for name in names] == [["rotated"]] * 6
    shown = json.loads(ask("list", "--json").stdout)
    assert [one["label"] for one in shown] == [f"{name}@example.com" for name in names]
    assert ask("refresh", "--all").exit_code == 0
    assert [upstream.outcomes(name) for name in names] == [["rotated"] * 2] * 6


def test_some_are_refused(ask: Run, prepared: Prepared, upstream: Upstream) -> None:
    ids = prepared("anna", "bob")
    upstream.send("accounts/anna/revoke", {"what": "both"})
    done = ask("refresh", *ids)
    assert (done.exit_code, done.stdout) == (1, "1 renewed, 1 refused.\n")
    assert f"{ids[0]}: the renewal was refused: refresh_token_invalidated" in done.stderr
    (failed,) = json.loads(ask("list", "--failed", "--json").stdout)
    assert failed["id"] == ids[0]
    again = json.loads(ask("refresh", "--all", "--json").stdout)
    assert again == {"renewed": 1, "refused": 0, "failed": 0, "left": 0}


def test_a_fresh_failure_rests_unless_forced(
    ask: Run, prepared: Prepared, upstream: Upstream
) -> None:
    (one,) = prepared("anna")
    fault = {"endpoint": "oauth_token", "fault": "status", "params": {"status": 500}, "times": 1}
    upstream.send("next", fault)
    assert ask("refresh", one).stdout == "0 renewed, 1 failed.\n"
    assert ask("refresh", one).stdout == "0 renewed, 1 failed.\n"
    assert upstream.outcomes("anna") == ["fault"]
    assert ask("refresh", one, "--force").stdout == "1 renewed.\n"
    assert upstream.outcomes("anna") == ["fault", "rotated"]


def test_an_access_token_alone_cannot_be_renewed(ask: Run, upstream: Upstream) -> None:
    token = upstream.account("anna")["access_token"]
    Path("token.txt").write_text(token)
    ask("import", "token.txt")
    (one,) = json.loads(ask("list", "--json").stdout)
    assert ask("refresh", one["id"]).stdout == "0 renewed, 1 refused.\n"
    assert ask("refresh", "--all").stdout == "0 renewed.\n"


def test_an_interruption_leaves_the_rest(
    ask: Run, prepared: Prepared, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the first: what was begun is stored, the others are untouched."""
    from chat2api.jobs.renewing import Renewing

    names = [f"user{number}" for number in range(5)]
    prepared(*names)
    one_of = Renewing._one

    def interrupted(self: Renewing, *args: Any, **more: Any) -> Any:
        tally = one_of(self, *args, **more)
        signal.raise_signal(signal.SIGINT)
        self.stop()  # the handler runs in the main thread, a moment later
        return tally

    monkeypatch.setattr(Renewing, "_one", interrupted)
    done = ask("refresh", "--all", "--json", REFRESH_PARALLEL="1")
    monkeypatch.undo()
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told == {"renewed": 1, "refused": 0, "failed": 0, "left": 4}
    assert [upstream.outcomes(name) for name in names] == [["rotated"], [], [], [], []]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_audit_log_knows(ask: Run, prepared: Prepared, place: dict[str, str]) -> None:
    from chat2api.cli.opened import opened_store
    from chat2api.store.audit import Audit

    prepared("anna")
    ask("refresh", "--all")
    with opened_store(None, place) as store:
        newest = Audit(store).recent()[0]
    assert (newest.actor, newest.action) == ("cli", "refresh accounts")
    assert newest.detail == {"renewed": 1, "refused": 0, "failed": 0}
