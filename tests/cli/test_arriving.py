"""`accounts import` and `accounts add`: what comes in, what is told, what never shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chat2api.cli.accounts import accounts
from tests.cli.conftest import Run, access, refresh

TEAM = "0aaaaaaa-1111-4222-8333-444444444444"
SEED = "11111111-2222-4333-8444-555555555555"
TALK = "22222222-2222-4333-8444-555555555555"


def imported(invoke: Run, *arguments: str) -> Any:
    done = invoke(accounts, "import", *arguments, "--json")
    assert done.exit_code in (0, 1), done.output
    return json.loads(done.stdout)["paths"]


def counts(
    added: int = 0, updated: int = 0, unchanged: int = 0, revived: int = 0
) -> dict[str, int]:
    return {"added": added, "updated": updated, "unchanged": unchanged, "revived": revived}


def numbers(report: dict[str, Any]) -> dict[str, int]:
    return {name: report[name] for name in counts()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What an earlier program left: two tokens, a double, junk, and a user of the mirror."""
    made = tmp_path / "old"
    made.mkdir()
    lines = ["# tokens", access("a"), f"{refresh('b')},{TEAM}", access("a"), "no token at all"]
    (made / "token.txt").write_text("\r\n".join(lines) + "\r\n", "utf-8-sig")
    seeds = {SEED: {"token": access("c"), "conversations": [TALK]}}
    (made / "seed_map.json").write_text(json.dumps(seeds))
    (made / "conversation_map.json").write_text(json.dumps({TALK: {"id": TALK, "title": "Talk"}}))
    return made


def test_twice_changes_nothing(invoke: Run, folder: Path) -> None:
    """C19."""
    (first,) = imported(invoke, str(folder))
    assert first == {
        "path": str(folder),
        **counts(added=2),
        "seeds": 1,
        "conversations": 1,
        "skipped": [{"where": "token.txt line 5", "reason": "not a token"}],
    }
    before = invoke(accounts, "list", "--json").stdout
    (second,) = imported(invoke, str(folder))
    assert second == {**first, **counts(unchanged=2), "seeds": 0, "conversations": 0}
    assert invoke(accounts, "list", "--json").stdout == before


def test_a_dry_run_tells_what_happens_and_takes_nothing(
    invoke: Run, folder: Path, tmp_path: Path
) -> None:
    """C19; also over several paths that hold the same, and where some of it is there already."""
    more = tmp_path / "more.txt"
    more.write_text(f"{access('a')}\n{access('d')}\n{access('c')}\n")
    paths = [str(more), str(folder), str(folder)]
    for _ in range(2):
        dry = imported(invoke, *paths, "--dry-run")
        assert dry == imported(invoke, *paths, "--dry-run")
        assert dry == imported(invoke, *paths)
    assert [numbers(one) for one in dry] == [
        counts(unchanged=3),
        counts(unchanged=2),
        counts(unchanged=2),
    ]


def test_ten_thousand_lines(invoke: Run, tmp_path: Path) -> None:
    """C19."""
    file = tmp_path / "token.txt"
    lines = [access(str(number % 5000)) if number % 2 else "" for number in range(10_000)]
    file.write_text("\n".join(lines))
    (dry,) = imported(invoke, str(file), "--dry-run")
    (done,) = imported(invoke, str(file))
    assert dry == done
    assert numbers(done) == counts(added=2500)


def test_no_token_shows(invoke: Run, folder: Path) -> None:
    (folder / "token.txt").write_text(f"{access('a')} {access('b')}\n{access('x')}\n")
    for more in ((), ("--dry-run",), ("--json",)):
        told = invoke(accounts, "import", str(folder), *more)
        assert "eyJ" not in told.output
        assert "rt_" not in told.output


def test_the_summary(invoke: Run, folder: Path) -> None:
    done = invoke(accounts, "import", str(folder), "--dry-run")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Nothing is taken; this is what would be:",
        f"{folder}: 2 added, 0 updated, 0 unchanged, 0 revived, 1 seed new, 1 conversation new, "
        "1 skipped",
        "  token.txt line 5: not a token",
    ]


def test_much_junk_is_told_in_short(invoke: Run, tmp_path: Path) -> None:
    file = tmp_path / "token.txt"
    file.write_text(f"{access('a')}\n" + "junk\n" * 30)
    lines = invoke(accounts, "import", str(file)).stdout.splitlines()
    assert lines[-2:] == [
        "  token.txt line 21: not a token",
        "  and 10 more; --json lists all",
    ]


def test_a_path_without_anything_fails(invoke: Run, tmp_path: Path) -> None:
    done = invoke(accounts, "import", str(tmp_path / "nowhere"))
    assert done.exit_code == 1
    assert "nowhere: does not exist" in done.stdout


# --- add


def added(invoke: Run, text: str, *options: str) -> Any:
    done = invoke(accounts, "add", *options, input=text)
    assert done.exit_code == 0, done.output
    assert "eyJ" not in done.output
    return json.loads(invoke(accounts, "list", "--json").stdout)


def test_tokens_from_standard_input(invoke: Run) -> None:
    text = f"{access('a')}\n{refresh('b')},{TEAM}\n"
    shown = added(invoke, text, "--note", "from Bob", "--proxy", "proxy.example:3128")
    assert [(one["renewable"], one["workspace"]) for one in shown] == [(False, None), (True, TEAM)]
    assert {(one["note"], one["proxy"], one["source"]) for one in shown} == {
        ("from Bob", "http://proxy.example:3128", "cli")
    }
    assert shown[0]["token"] == f"eyJhbG...{access('a')[-4:]}"


def test_the_ids_are_told(invoke: Run) -> None:
    first = invoke(accounts, "add", input=access("a"))
    (shown,) = json.loads(invoke(accounts, "list", "--json").stdout)
    assert first.stdout == f"{shown['id']}  added\n"
    assert invoke(accounts, "add", input=access("a")).stdout == f"{shown['id']}  unchanged\n"


def test_a_login_file(invoke: Run, tmp_path: Path) -> None:
    login = tmp_path / "auth.json"
    tokens = {"access_token": access("a"), "refresh_token": refresh("a"), "account_id": TEAM}
    login.write_text(json.dumps({"OPENAI_API_KEY": None, "tokens": tokens}))
    (shown,) = added(invoke, "", "--auth-json", str(login), "--note", "n")
    assert (shown["kind"], shown["workspace"], shown["note"]) == ("codex", TEAM, "n")


def test_a_proxy_with_a_password_comes_from_a_file(invoke: Run, tmp_path: Path) -> None:
    refused = invoke(accounts, "add", "--proxy", "http://u:planted@h:1", input=access("a"))
    assert refused.exit_code == 2
    assert "--proxy-file" in refused.stderr
    assert "planted" not in refused.output
    file = tmp_path / "proxy"
    file.write_text("http://u:planted@h:1\n")
    (shown,) = added(invoke, access("a"), "--proxy-file", str(file))
    assert shown["proxy"] == "http://***@h:1"


@pytest.mark.parametrize(
    ("text", "options", "code", "told"),
    [
        ("", [], 1, "There is no token in it"),
        ("hello\n", [], 1, "There is no token in it"),
        (access("a"), ["--proxy", "ftp://h"], 2, "must be an http, https or socks5 address"),
        (access("a"), [access("a")], 2, "unexpected extra argument"),
        ("", ["--auth-json", "nowhere.json"], 1, "does not exist"),
    ],
)
def test_mistakes(invoke: Run, text: str, options: list[str], code: int, told: str) -> None:
    done = invoke(accounts, "add", *options, input=text)
    assert done.exit_code == code
    assert told in done.stderr
    assert json.loads(invoke(accounts, "list", "--json").stdout) == []


def test_lines_without_a_token_are_told(invoke: Run) -> None:
    done = invoke(accounts, "add", input=f"{access('a')}\nnonsense\n")
    assert done.exit_code == 0
    assert "standard input line 2: not a token" in done.stderr
