"""Fields however they are sent; what is no text or no object has none."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.routes.oauth_answers import fields_of

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


class Sent:
    def __init__(self, body: bytes, headers: dict[str, str]) -> None:
        self.raw_body = body
        self.headers = headers


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"a=1&b=x+y&c=", FORM, {"a": "1", "b": "x y"}),
        (b'{"a": "1", "b": 2, "c": null}', {}, {"a": "1"}),
        (b"[1]", {}, {}),
        (b"{", {}, {}),
        (b"", {}, {}),
    ],
)
def test_fields(body: bytes, headers: dict[str, str], expected: dict[str, str]) -> None:
    sent: Any = Sent(body, headers)
    assert fields_of(sent) == expected
