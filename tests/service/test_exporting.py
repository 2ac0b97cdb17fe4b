"""Accounts going out: each form with tokens is read by any importer, the list without holds none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chat2api.pool.values import AccountRow
from chat2api.secret import Secret
from chat2api.service.exporting import COLUMNS, FORMS, Form, as_list, facts_of, rendered
from chat2api.service.importing.recognise import read_content
from chat2api.store.account_book import ExportedAccount
from tests.cli.conftest import access, refresh

TEAM = "0aaaaaaa-1111-4222-8333-444444444444"


def exported(**changes: Any) -> ExportedAccount:
    fields: dict[str, Any] = {
        "account_id": "acc_1",
        "label": "bob@example.com",
        "plan": "plus",
        "kind": "web",
        "workspace_id": TEAM,
        "access_token": Secret(access("a")),
        "id_token": None,
        "refresh_token": Secret(refresh("a")),
        "proxy": Secret("http://u:p@h:1"),
        "refreshed_at": 0.0,
        "failed": False,
    }
    return ExportedAccount(**{**fields, **changes})


def test_json() -> None:
    assert json.loads(rendered([exported()], "json")) == [
        {
            "email": "bob@example.com",
            "type": "plus",
            "kind": "web",
            "access_token": access("a"),
            "refresh_token": refresh("a"),
            "account_id": TEAM,
            "last_refresh": "1970-01-01T00:00:00+00:00",
            "proxy": "http://u:p@h:1",
        }
    ]


def test_auth_json() -> None:
    one = exported()
    login = {
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": None,
            "access_token": access("a"),
            "refresh_token": refresh("a"),
            "account_id": TEAM,
        },
        "last_refresh": "1970-01-01T00:00:00+00:00",
    }
    assert json.loads(rendered([one], "auth.json")) == login
    assert json.loads(rendered([one, one], "auth.json")) == [login, login]


def test_tokens() -> None:
    """The refresh token lives longest; one that was refused is of no use."""
    accounts = [
        exported(),
        exported(failed=True, workspace_id=None),
        exported(refresh_token=None, workspace_id=None),
        exported(refresh_token=None, access_token=None),
    ]
    assert rendered(accounts, "tokens") == (
        f"{refresh('a')},{TEAM}\n{access('a')}\n{access('a')}\n"
    )


@pytest.mark.parametrize("form", FORMS)
def test_the_importer_reads_what_was_written(form: Form) -> None:
    names = {"json": "accounts.json", "auth.json": "auth.json", "tokens": "tokens.txt"}
    text = rendered([exported(), exported(refresh_token=Secret(refresh("b")))], form)
    found = read_content(names[form], text.encode())
    assert found.skipped == ()
    tokens = [one.new.refresh_token for one in found.accounts]
    assert tokens == [Secret(refresh("a")), Secret(refresh("b"))]
    assert {one.new.workspace_id for one in found.accounts} == {TEAM}


def test_names_and_notes_of_people_come_back() -> None:
    named = exported(label="team-03", note="of Ann, 备用")
    text = rendered([named, exported()], "json")
    found = read_content("accounts.json", text.encode())
    told = [(one.new.email, one.new.note) for one in found.accounts]
    assert told[0] == ("team-03", "of Ann, 备用")
    bare = read_content("a.json", rendered([exported()], "json").encode()).accounts[0].new
    assert (bare.email, bare.note) == ("bob@example.com", "")


def made_token(claims: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".c2ln"


def row(**changes: Any) -> AccountRow:
    fields: dict[str, Any] = {
        "account_id": "acc_1",
        "provider": "chatgpt",
        "kind": "codex",
        "state": "cooling",
        "label": "鲍勃",
        "plan": "plus",
        "workspace_id": TEAM,
        "source": "cli",
        "masked_token": "rt_abc...9k2p",
        "renewable": True,
        "expires_at": 0.0,
        "until": None,
        "reason": "",
        "reason_at": None,
        "proxy_masked": "http://***@h:1",
    }
    return AccountRow(**{**fields, **changes})


def test_a_list_holds_no_token_and_no_proxy() -> None:
    (facts,) = json.loads(as_list([row()]))
    assert tuple(facts) == COLUMNS
    assert (facts["name"], facts["state"], facts["renewable"]) == ("鲍勃", "cooling", True)
    assert (facts["token_ends"], facts["until"]) == ("1970-01-01T00:00:00+00:00", None)
    assert not {"rt_abc...9k2p", "http://***@h:1"} & set(facts_of(row()))


@pytest.mark.parametrize(("kind", "workspace"), [("web", None), ("web", TEAM), ("codex", TEAM)])
def test_kind_and_workspace_come_back_as_they_were(kind: str, workspace: str | None) -> None:
    """Whatever the tokens look like: this one was made by a Codex login."""
    token = made_token({
        "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
        "https://api.openai.com/auth": {"chatgpt_account_id": "b-workspace-of-the-token"},
    })  # fmt: skip
    one = exported(kind=kind, workspace_id=workspace, access_token=Secret(token))
    found = read_content("accounts.json", rendered([one], "json").encode()).accounts[0].new
    assert (found.kind, found.workspace_id) == (kind, workspace)
