"""The application as a whole: its routes, and its state on the app object."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.app import ENDPOINTS, create_app


def test_every_endpoint_is_named_once() -> None:
    assert len(ENDPOINTS) == len(set(ENDPOINTS)) == 33


def test_two_simulators_do_not_know_each_other(caller: Any, control: Any) -> None:
    other = create_app().test_client()
    caller.talk("Hi")
    assert other.get("/_sim/requests").get_json()["requests"] == []
    token = {"Authorization": caller.headers["Authorization"]}
    assert other.get("/backend-api/models", headers=token).status_code == 401


@pytest.mark.parametrize("path", ["/backend-api/nothing", "/backend-anon/me", "/favicon.ico"])
def test_what_does_not_exist(path: str, app: Any) -> None:
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.get_json()) == (404, {"detail": "Not Found"})


def test_a_wrong_method_is_not_a_route(app: Any) -> None:
    assert app.test_client().get("/backend-api/f/conversation").status_code == 405
