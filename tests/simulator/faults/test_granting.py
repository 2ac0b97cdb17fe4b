"""Faults of the token endpoint: what is answered, and whether the token is spent."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from http.client import HTTPException
from typing import Any

import pytest

from chat2api.simulator.faults import registry
from chat2api.simulator.params import BadParameter, Params


@pytest.fixture
def ann(control: Any) -> Any:
    return control("/accounts", {"name": "ann", "refresh": "rt"})


@pytest.fixture
def trade(app: Any) -> Any:
    """`trade(account)` presents its refresh token; a line broken on purpose gives an empty answer."""
    client = app.test_client()

    def ask(account: Any) -> Any:
        with suppress(OSError):
            return client.post("/oauth/token", json=asked(account))
        return app.response_class(b"", status=599)

    return ask


def asked(account: Any) -> dict[str, str]:
    names = ("client_id", "refresh_token")
    return {"grant_type": "refresh_token", **{name: account[name] for name in names}}


def queue(control: Any, fault: str, **params: Any) -> None:
    control("/next", {"endpoint": "oauth_token", "fault": fault, "params": params})


def last(control: Any) -> tuple[str, bool]:
    entry = control("/refreshes")["refreshes"][-1]
    return entry["outcome"], entry["delivered"]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("grant", 400, "invalid_grant"),
        ("invalid_grant", 400, "invalid_grant"),
        ("reused", 401, "refresh_token_reused"),
        ("refresh_expired", 401, "refresh_token_expired"),
        ("refresh_revoked", 401, "refresh_token_invalidated"),
    ],
)
def test_refusals_spend_nothing(
    fault: str, status: int, code: str, ann: Any, control: Any, trade: Any
) -> None:
    for form in ("object", "string", "code"):
        queue(control, fault, form=form)
        answer = trade(ann)
        found = answer.get_json()
        places = {"object": found.get("error"), "string": found, "code": found}
        name = {"object": "code", "string": "error", "code": "code"}[form]
        assert (answer.status_code, places[form][name]) == (status, code)
    assert last(control) == ("fault", True)
    assert trade(ann).status_code == 200


def test_any_code_with_any_status(ann: Any, control: Any, trade: Any) -> None:
    queue(control, "grant", code="account_deactivated", form="object", status=403)
    answer = trade(ann)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "account_deactivated")


@pytest.mark.parametrize(
    ("form", "access"),
    [("opaque", "not-a-token"), ("missing", ...), ("empty", ""), ("null", None), ("number", 17)],
)
def test_useless_answers_spend_nothing(
    form: str, access: Any, ann: Any, control: Any, trade: Any
) -> None:
    queue(control, "not_jwt", form=form)
    answer = trade(ann)
    assert (answer.status_code, answer.get_json().get("access_token", ...)) == (200, access)
    assert trade(ann).status_code == 200


def test_answers_that_are_no_object(ann: Any, control: Any, trade: Any) -> None:
    for fault, params in (
        ("not_jwt", {"form": "list"}),
        ("status", {"status": 200, "form": "empty"}),
    ):
        queue(control, fault, **params)
        assert trade(ann).data[:1] in (b"[", b"")
    queue(control, "page")
    assert trade(ann).headers["Content-Type"].startswith("text/html")
    assert trade(ann).status_code == 200


@pytest.mark.parametrize(("form", "shown"), [("missing", ...), ("null", None), ("empty", "")])
def test_an_answer_without_a_new_token_leaves_the_old(
    form: str, shown: Any, ann: Any, control: Any, trade: Any
) -> None:
    queue(control, "no_refresh", form=form)
    assert trade(ann).get_json().get("refresh_token", ...) == shown
    assert last(control) == ("kept", True)
    assert trade(ann).get_json()["refresh_token"].startswith("rt_")


@pytest.mark.parametrize("fault", ["reset", "cut", "close", "short_body", "not_http"])
def test_a_line_that_breaks_early_spends_nothing(
    fault: str, ann: Any, control: Any, trade: Any
) -> None:
    queue(control, fault)
    trade(ann)
    assert last(control) == ("fault", False)
    assert trade(ann).status_code == 200


@pytest.mark.parametrize("fault", ["rotate_then_reset", "rotate_then_cut", "rotate_then_hang"])
def test_a_spent_token_whose_answer_is_lost(fault: str, ann: Any, control: Any, trade: Any) -> None:
    queue(control, fault, seconds=0)
    assert trade(ann).data == b""
    assert last(control) == ("rotated", False)
    assert trade(ann).get_json()["error"]["code"] == "refresh_token_reused"
    newest = control("/accounts")["accounts"][-1]
    assert trade(newest).status_code == 200


@pytest.mark.parametrize(("params", "status"), [({}, 502), ({"status": 504, "form": "html"}, 504)])
def test_a_spent_token_behind_a_gateway(
    params: dict[str, Any], status: int, ann: Any, control: Any, trade: Any
) -> None:
    queue(control, "rotate_then_status", **params)
    assert trade(ann).status_code == status
    assert last(control)[0] == "rotated"
    assert trade(ann).status_code == 401


@pytest.mark.parametrize(
    ("fault", "stage"), [("not_jwt", "reply"), ("no_refresh", "terms"), ("grant", "reply")]
)
def test_an_unknown_form_is_explained(fault: str, stage: str) -> None:
    (found,) = registry.find([fault])
    with pytest.raises(BadParameter, match="is none of"):
        getattr(found, stage)(Params({"form": "nope"}))


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [("hang", "fault"), ("rotate_then_hang", "rotated")],
)
def test_who_hangs_up_in_the_silence(fault: str, outcome: str, live: Any) -> None:
    """The early silence ends without an exchange, the late one after it."""
    ann = live.control("/accounts", {"name": fault, "refresh": "rt"})
    wish = {"endpoint": "oauth_token", "fault": fault, "params": {"seconds": 20}}
    live.control("/next", {**wish, "account": fault})
    with closing(live.open("POST", "/oauth/token", {}, asked(ann))) as connection:
        connection.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.getresponse()
    entry = wait_for(live, fault)
    assert (entry["outcome"], entry["delivered"]) == (outcome, False)
    again = live.send("POST", "/oauth/token", {}, asked(ann))
    assert again.status == (200 if outcome == "fault" else 401)


@pytest.mark.parametrize(
    ("fault", "spent"), [("reset", False), ("rotate_then_reset", True), ("rotate_then_cut", True)]
)
def test_broken_lines_on_the_wire(fault: str, spent: bool, live: Any) -> None:
    ann = live.control("/accounts", {"name": f"wire-{fault}", "refresh": "rt"})
    live.control("/next", {"endpoint": "oauth_token", "fault": fault, "params": {"at": "headers"}})
    body = b""
    with suppress(HTTPException, OSError):
        body = live.send("POST", "/oauth/token", {}, asked(ann)).body
    assert body == b""
    assert live.send("POST", "/oauth/token", {}, asked(ann)).status == (401 if spent else 200)


def wait_for(live: Any, account: str) -> Any:
    """The account's last entry once its answer is over, which the simulator sees by itself."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        entries = live.control(f"/refreshes?account={account}")["refreshes"]
        if entries and entries[-1]["delivered"] is not None:
            return entries[-1]
        time.sleep(0.05)
    raise AssertionError("the exchange does not end")
