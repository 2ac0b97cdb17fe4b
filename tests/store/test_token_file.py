"""Reading token.txt, whatever an editor made of it."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.pool.values import Account, Credential
from chat2api.secret import Secret
from chat2api.store.token_file import credential_of, looks_like_access_token, read_accounts

A = "eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.signature_-A"
B = "eyJhbGciOiJSUzI1NiJ9.eyJhIjoyfQ.signature_-B"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "token.txt"


def read(path: Path, content: bytes) -> list[tuple[str, str | None]]:
    path.write_bytes(content)
    found = []
    for account in read_accounts(path, "chatgpt"):
        token = account.credential.access_token
        assert token is not None
        found.append((token.reveal(), account.credential.workspace_id))
    return found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", []),
        (f"{A}\n{B}\n".encode(), [(A, None), (B, None)]),
        (f"{A}\r\n{B}\r\n".encode(), [(A, None), (B, None)]),
        (f"{A}\r{B}".encode(), [(A, None), (B, None)]),
        (f"\ufeff{A}".encode(), [(A, None)]),
        (f"\ufeff# mine\r\n{A}".encode(), [(A, None)]),
        (f"# a comment\n\n  \n   # another\n\t{A} \n#{B}\n".encode(), [(A, None)]),
        (f"{A},team-1\n{A} , team_2 \n{A},\n".encode(), [(A, "team-1"), (A, "team_2"), (A, None)]),
        (f"{B}\n{A}\n{B}\n{A},\n".encode(), [(B, None), (A, None)]),
        (b"fk-relay.token\n", [("fk-relay.token", None)]),
    ],
)
def test_lines(path: Path, content: bytes, found: list[tuple[str, str | None]]) -> None:
    assert read(path, content) == found


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"rt_refresh",
        b"sk-key",
        b"fk-",
        b"eyJhbGciOi",
        f"{A} # whose".encode(),
        f"{A} {B}".encode(),
        f"{A},team 1".encode(),
        f"{A},a,b".encode(),
        f"{A},{'x' * 65}".encode(),
        f"{A},münchen".encode(),
        f"{A}\x00".encode(),
        f"{A}é".encode(),
        f"{A}\xff".encode("latin-1"),
        "\ufeffeyJhbGciOi".encode("utf-16"),
        b'{"accessToken": "eyJhbGciOi"}',
    ],
)
def test_other_lines_are_left_out_and_counted_but_not_shown(
    path: Path, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert read(path, line + b"\n" + B.encode()) == [(B, None)]
    assert caplog.messages == ["token.txt: 1 line(s) are not access tokens and were left out"]


@given(st.binary(max_size=200))
def test_no_content_is_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any_token.txt"
    path.write_bytes(content)
    read_accounts(path, "chatgpt")


def test_no_file_is_an_empty_pool(path: Path) -> None:
    assert read_accounts(path, "chatgpt") == []


def test_an_account_is_named_by_a_hash_of_its_credential(path: Path) -> None:
    path.write_text(f"{A},team\n")
    digest = hashlib.sha256(f"{A}\0team".encode()).hexdigest()
    assert read_accounts(path, "codex") == [
        Account(f"acc_{digest[:12]}", "codex", Credential(digest[:20], Secret(A), "team"))
    ]


def test_names_tell_tokens_and_workspaces_apart_and_tell_nothing_of_them() -> None:
    credentials = [credential_of(A, None), credential_of(A, "team"), credential_of(B, None)]
    assert len({credential.subject for credential in credentials}) == 3
    assert credential_of(A, None) == credentials[0]
    assert A not in repr(credentials)


@pytest.mark.parametrize(
    ("text", "like"),
    [(A, True), ("fk-x", True), ("", False), ("fk-", False), (f" {A}", False), (f"{A}\n", False)],
)
def test_what_looks_like_an_access_token(text: str, like: bool) -> None:
    assert looks_like_access_token(text) is like
