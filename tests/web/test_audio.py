"""Speech has an address; what happens behind it is tested with `passing`."""

from __future__ import annotations

from typing import Any


def test_a_model_that_nobody_has(site: Any) -> None:
    response = site.send("POST", "/v1/audio/speech", json={"model": "gpt-5-5", "input": "Hi"})
    assert response.status_code == 400
    assert response.get_json()["error"]["code"] == "unsupported_value"


def test_a_key_without_the_scope(site: Any) -> None:
    _, secret = site.keys.create("Bob", scopes=["images"])
    response = site.send("POST", "/v1/audio/speech", key=secret.reveal(), json={"model": "x"})
    assert response.get_json()["error"]["code"] == "key_scope"
