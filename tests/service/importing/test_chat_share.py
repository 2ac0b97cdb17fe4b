"""Chat-Share's accounts and users."""

from __future__ import annotations

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.importing.chat_share import read_chat_tokens, read_users
from chat2api.service.importing.found import Found, FoundAccount, FoundSeed, Skipped

from .samples import access, legacy, written

AT, OLD = access("anna"), legacy("anna")
ID = "aaaaaaaa-0000-4000-8000-000000000000"


def test_accounts() -> None:
    entry = {"email": "a@example.com", "status": True, "type": "/static/gpt.png", "PLUS": "True"}
    content = written([{**entry, "access_token": AT, "refresh_token": OLD}, entry, "x"])
    assert read_chat_tokens(content, "chatToken.json") == Found(
        accounts=(
            FoundAccount(
                NewAccount(
                    access_token=Secret(AT), refresh_token=Secret(OLD), email="a@example.com"
                ),
                "chatToken.json entry 1",
            ),
        ),
        skipped=(
            Skipped("chatToken.json entry 2", "holds no access token and no refresh token"),
            Skipped("chatToken.json entry 3", "is not an entry of this kind of file"),
        ),
    )


def test_users() -> None:
    users = [
        {"id": ID, "username": "anna", "bind_email": "a@example.com", "bind_token": AT},
        {"id": "two", "bind_email": "b@example.com", "bind_token": ""},
        {"id": "three", "bind_email": None, "bind_token": None},
        {"id": "four", "bind_token": "garbage"},
        {"id": "five", "bind_email": "e@example.com", "bind_token": "garbage"},
        {"id": 6, "bind_token": AT},
        None,
    ]
    bound = NewAccount(access_token=Secret(AT), email="a@example.com", pooled=False)
    odd = "what it is bound to is not a token; it was taken without an account"

    def seed(text: str, account: NewAccount | None, email: str, entry: int) -> FoundSeed:
        where = f"users.json entry {entry}"
        return FoundSeed(Secret(text), None, account, "", (), False, where, email)

    assert read_users(written(users), "users.json") == Found(
        seeds=(
            seed(ID, bound, "a@example.com", 1),
            seed("two", None, "b@example.com", 2),
            seed("five", None, "e@example.com", 5),
        ),
        skipped=(
            Skipped("users.json entry 3", "is bound to no account"),
            Skipped("users.json entry 4", odd),
            Skipped("users.json entry 5", odd),
            Skipped("users.json entry 6", "not a seed"),
            Skipped("users.json entry 7", "is not an entry of this kind of file"),
        ),
    )


def test_other_shapes() -> None:
    assert read_users(b"{}", "u") == Found(skipped=(Skipped("u", "is not a JSON list"),))
    assert read_chat_tokens(b"[", "c") == Found(skipped=(Skipped("c", "is damaged (line 1)"),))
