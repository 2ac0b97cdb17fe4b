"""Pictures have addresses; what happens behind them is tested with `passing`."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/images/edits"])
def test_a_model_that_nobody_has(site: Any, path: str) -> None:
    response = site.send("POST", path, json={"model": "gpt-5-5", "prompt": "A cat"})
    assert response.status_code == 400
    assert response.get_json()["error"]["param"] == "model"
    assert site.send("GET", path).status_code == 405
