"""Whole folders, as earlier programs leave them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chat2api.pool.values import Look, NewAccount
from chat2api.secret import Secret
from chat2api.service.importing import content, folder
from chat2api.service.importing.folder import read_path
from chat2api.service.importing.found import (
    Found,
    FoundAccount,
    FoundConversation,
    FoundSeed,
    Skipped,
)
from chat2api.service.importing.token_lines import REFUSED

from .samples import AUTH, CODEX, FOLDERS, TEAM, access, jwt, legacy, refresh, written

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
LAST_REFRESH = 1_782_901_230.0


def conversation(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def device(letter: str) -> str:
    return f"d0000000-0000-4000-8000-00000000000{letter}"


def about(name: str) -> dict[str, str]:
    return {
        "chatgpt_account_id": TEAM,
        "chatgpt_plan_type": "plus",
        "chatgpt_user_id": f"user-{name}",
    }


def skipped(path: Path) -> list[tuple[str, str]]:
    return [(each.where, each.reason) for each in read_path(path).skipped]


# --- lanqian

ANNA = NewAccount(
    access_token=Secret(access("anna")),
    proxy=Secret("http://user:secret-word@proxy.example:8080"),
    look=Look(f"{AGENT} Anna", device("a")),
)
BEN = NewAccount(
    access_token=Secret(access("ben")),
    refresh_token=Secret(refresh("ben")),
    proxy=Secret("socks5://one.example:1080"),
    look=Look(f"{AGENT} Ben", device("b")),
    refreshed_at=1_751_360_000.0,
)
CLEO = NewAccount(
    access_token=Secret(access("cleo")),
    refresh_token=Secret(legacy("cleo")),
    workspace_id=TEAM,
    look=Look(f"{AGENT} Cleo"),
    refreshed_at=1_751_370_000.0,
)
FRIEND = NewAccount(
    access_token=Secret(access("friend", note="expired")),
    look=Look(f"{AGENT} Friend"),
    pooled=False,
)


def test_accounts_of_a_data_folder() -> None:
    found = read_path(FOLDERS / "lanqian")
    eve = NewAccount(access_token=Secret(access("eve")), refused=REFUSED)
    dora = NewAccount(refresh_token=Secret(legacy("dora")), refused=REFUSED)
    guest = NewAccount(refresh_token=Secret(refresh("guest")), pooled=False)
    assert found.accounts == (
        FoundAccount(ANNA, "token.txt line 3"),
        FoundAccount(BEN, "token.txt line 5"),
        FoundAccount(CLEO, "token.txt line 6"),
        FoundAccount(eve, "token.txt line 9"),
        FoundAccount(dora, "error_token.txt line 1", hint=True),
        FoundAccount(guest, "refresh_map.json entry 3", hint=True),
    )
    assert found.skipped == (Skipped("token.txt line 8", "not a token"),)


def test_users_of_a_data_folder() -> None:
    one, two, three = map(conversation, (1, 2, 3))
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    maps = [f"seed_map.json entry {number}" for number in range(1, 5)]
    found = read_path(FOLDERS / "lanqian")
    assert found.seeds == (
        FoundSeed(Secret("anna@home"), None, ANNA, "user-anna", (two, one), False, maps[0]),
        FoundSeed(Secret("friend"), None, FRIEND, "", (), False, maps[1]),
        FoundSeed(Secret("nobody"), None, None, "", (three,), False, maps[2]),
        FoundSeed(None, digest, CLEO, "", (), True, maps[3]),
    )
    assert found.conversations == (
        FoundConversation(
            one,
            {
                "title": "Soup",
                "create_time": "2026-01-02T03:04:05.678901Z",
                "update_time": "2026-01-02T03:05:05.678901Z",
                "is_archived": False,
            },
            "conversation_map.json entry 1",
        ),
        FoundConversation(
            two,
            {
                "title": None,
                "create_time": "2026-02-02T03:04:05.678901Z",
                "update_time": "2026-02-02T03:05:05.678901Z",
                "gizmo_id": "g-1",
            },
            "conversation_map.json entry 2",
        ),
    )


def test_a_damaged_file_gives_nothing_and_hinders_no_other() -> None:
    found = read_path(FOLDERS / "lanqian-damaged")
    anna = NewAccount(access_token=Secret(access("anna")))
    assert found == Found(
        accounts=(FoundAccount(anna, "token.txt line 1"),),
        skipped=(
            Skipped("token.txt line 2", "not a token"),
            Skipped("refresh_map.json", "is damaged (line 4)"),
            Skipped("seed_map.json", "is empty"),
            Skipped("conversation_map.json", "is damaged (line 1)"),
            Skipped("routing_config.json", "has bindings that are not a JSON object"),
            Skipped("fp_map.json", "is not a JSON object"),
            Skipped("users.json", "is not a JSON list"),
            Skipped("codex-ben.json", "is damaged (line 1)"),
            Skipped("package.json", "not a file this importer knows"),
        ),
    )


# --- others


def test_the_configuration_of_aurorax() -> None:
    finn = NewAccount(
        access_token=Secret(access("finn", client_id=CODEX)),
        refresh_token=Secret(refresh("finn")),
        id_token=Secret(jwt(email="finn@example.com", aud=[CODEX], **{AUTH: about("finn")})),
        workspace_id=TEAM,
        email="finn@example.com",
        plan="plus",
        kind="codex",
        client_id=CODEX,
        proxy=Secret("socks5://finn:pass-word@proxy.example:1080"),
        refreshed_at=LAST_REFRESH,
    )
    gail = NewAccount(access_token=Secret(access("gail")), email="gail@example.com", plan="plus")
    file = "conf/app.dev.yaml"
    assert read_path(FOLDERS / "aurorax") == Found(
        accounts=(FoundAccount(finn, f"{file} entry 1"), FoundAccount(gail, f"{file} entry 2")),
        skipped=(
            Skipped(
                f"{file} entry 2", "its proxy is no http, https or socks5 address and was left out"
            ),
            Skipped(f"{file} entry 3", "holds no access token and no refresh token"),
        ),
    )
    assert [each.new for each in read_path(FOLDERS / "aurorax" / "conf").accounts] == [finn, gail]


def test_the_data_of_chat_share() -> None:
    hana = NewAccount(
        access_token=Secret(access("hana")),
        refresh_token=Secret(legacy("hana")),
        email="hana@example.com",
    )
    ivan = NewAccount(refresh_token=Secret(legacy("ivan")), email="ivan@example.com")
    one, two = conversation(0xA2), conversation(0xA3)
    assert read_path(FOLDERS / "chat-share") == Found(
        accounts=(
            FoundAccount(hana, "chatToken.json entry 1"),
            FoundAccount(ivan, "chatToken.json entry 2"),
        ),
        seeds=(
            FoundSeed(Secret(one), None, hana, "", (), False, "users.json entry 2", hana.email),
            FoundSeed(Secret(two), None, ivan, "", (), False, "users.json entry 3", ivan.email),
        ),
        skipped=(
            Skipped("chatToken.json entry 3", "holds no access token and no refresh token"),
            Skipped("users.json entry 1", "is bound to no account"),
        ),
    )


@pytest.mark.parametrize("path", ["codex", "codex/auth.json"])
def test_a_codex_login(path: str) -> None:
    jo = NewAccount(
        access_token=Secret(access("jo", client_id=CODEX, **{AUTH: about("jo")})),
        refresh_token=Secret(refresh("jo")),
        id_token=Secret(jwt(email="jo@example.com", aud=[CODEX], **{AUTH: about("jo")})),
        workspace_id=TEAM,
        email="jo@example.com",
        plan="plus",
        kind="codex",
        client_id=CODEX,
        refreshed_at=LAST_REFRESH + 0.123456,
    )
    assert read_path(FOLDERS / path) == Found(accounts=(FoundAccount(jo, "auth.json"),))


# --- what may lie in a folder


def test_only_logins_are_read_from_files_of_other_names(tmp_path: Path) -> None:
    (tmp_path / "codex-a.json").write_bytes(written({"access_token": access("a")}))
    (tmp_path / "b.json").write_bytes(written({refresh("b"): {"token": "", "timestamp": 1}}))
    (tmp_path / "notes.txt").write_text(refresh("c"))
    (tmp_path / "api_key.json").write_bytes(written({"hash": "ours"}))
    assert read_path(tmp_path) == Found(
        accounts=(FoundAccount(NewAccount(access_token=Secret(access("a"))), "codex-a.json"),),
        skipped=(Skipped("b.json", "not a file this importer knows"),),
    )


def test_a_file_that_was_named_is_read_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text(refresh("c"))
    here = NewAccount(refresh_token=Secret(refresh("c")))
    assert read_path(file) == Found(accounts=(FoundAccount(here, "notes line 1"),))
    link = tmp_path / "link"
    link.symlink_to(file)
    assert read_path(link) == Found(accounts=(FoundAccount(here, "link line 1"),))


def test_links_are_followed_within_the_folder_only(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for place in (inside / "..data", outside):
        place.mkdir(parents=True)
        (place / "token.txt").write_text(refresh(place.name.strip(".")))
    (outside / "app.dev.yaml").write_text(f"chatgpts: [{{access_token: {access('x')}}}]")
    (inside / "token.txt").symlink_to("..data/token.txt")
    (inside / "error_token.txt").symlink_to(outside / "token.txt")
    (inside / "conf").symlink_to(outside)
    (inside / "loop.json").symlink_to("loop.json")
    (inside / "users.json").symlink_to("nowhere")
    assert read_path(inside) == Found(
        accounts=(
            FoundAccount(NewAccount(refresh_token=Secret(refresh("data"))), "token.txt line 1"),
        ),
        skipped=(
            Skipped("error_token.txt", "is a link to another folder"),
            Skipped("users.json", "does not exist"),
            Skipped("conf/app.dev.yaml", "is a link to another folder"),
            Skipped("loop.json", "cannot be read"),
        ),
    )


def test_what_is_no_file_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "LARGEST_BYTES", 4)
    (tmp_path / "token.txt").mkdir()
    os.mkfifo(tmp_path / "error_token.txt")
    (tmp_path / "auth.json").write_text("12345")
    assert skipped(tmp_path) == [
        ("token.txt", "is not a file"),
        ("error_token.txt", "is not a file"),
        ("auth.json", "is larger than 64 MB"),
    ]


def test_a_file_that_grows_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "auth.json").write_text("12345")
    monkeypatch.setattr(content, "LARGEST_BYTES", 4)
    assert skipped(tmp_path) == [("auth.json", "is larger than 64 MB")]


def test_nothing_to_find(tmp_path: Path) -> None:
    assert skipped(tmp_path) == [(tmp_path.name, "holds no file this importer knows")]
    assert skipped(tmp_path / "gone") == [("gone", "does not exist")]
    assert skipped(Path("a\0b")) == [("ab", "cannot be read")]


def test_more_files_than_anybody_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_MOST_FILES", 1)
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_bytes(written(refresh(name)))
    assert read_path(tmp_path) == Found(
        accounts=(FoundAccount(NewAccount(refresh_token=Secret(refresh("a.json"))), "a.json"),),
        skipped=(Skipped(tmp_path.name, "has more than 10,000 other JSON files"),),
    )


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, pattern: str) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "glob", refuse)
    assert skipped(tmp_path) == [(tmp_path.name, "cannot be read")]
