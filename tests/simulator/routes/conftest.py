"""Presenting refresh tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse


@pytest.fixture
def trade(app: Flask) -> Callable[..., TestResponse]:
    """`trade(account, **changed)` presents the account's refresh token; None leaves a field out."""
    client = app.test_client()

    def ask(account: dict[str, Any], *, form: bool = False, **changed: Any) -> TestResponse:
        asked = {
            "grant_type": "refresh_token",
            "client_id": account["client_id"],
            "refresh_token": account["refresh_token"],
            **changed,
        }
        fields = {name: value for name, value in asked.items() if value is not None}
        content = {"data": fields} if form else {"json": fields}
        return client.post("/oauth/token", **content)

    return ask
