"""Refusals: the status, the shape and the hint of each."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import pytest

FORM_ENDS = {
    "expired": (401, ["detail", "text", "error"]),
    "invalidated": (401, ["error", "revoked", "deactivated", "deleted"]),
}
PLAIN = {
    "payment": 402,
    "unusual": 403,
    "challenge": 403,
    "forbidden": 403,
    "country": 403,
    "model": 404,
    "gone": 404,
    "busy": 409,
    "too_long": 413,
    "schema": 422,
    "unsupported": 400,
    "policy": 400,
    "rate": 429,
    "redirect": 302,
}


@pytest.mark.parametrize(("fault", "status"), PLAIN.items())
def test_the_status_of_each_refusal(fault: str, status: int, caller: Any) -> None:
    assert caller.talk(f"/sim text fault={fault}").status == status


@pytest.mark.parametrize(
    ("fault", "form"), [(name, form) for name, (_, forms) in FORM_ENDS.items() for form in forms]
)
def test_credentials_are_refused_in_several_shapes(fault: str, form: str, caller: Any) -> None:
    answer = caller.talk(f"/sim text fault={fault} form={form}")
    assert answer.status == 401
    assert set(answer.json()) <= {"detail", "error", "error_description"}


def test_the_challenge_is_a_marked_page(caller: Any) -> None:
    answer = caller.talk("/sim text fault=challenge")
    assert answer.headers["cf-mitigated"] == "challenge"
    assert answer.headers["Content-Type"].startswith("text/html")
    assert b"Just a moment" in answer.body
    assert b"_cf_chl_opt" in answer.body


@pytest.mark.parametrize(
    ("words", "body"),
    [
        ("form=clears seconds=12", {"clears_in": 12}),
        ("form=cap seconds=12", {"clears_in": 12, "code": "model_cap_exceeded"}),
        ("form=string seconds=12", {"clears_in": "12"}),
        ("form=span seconds=3720", {"reset_after": "1h2m0s"}),
    ],
)
def test_limits_say_when_they_clear(words: str, body: dict[str, Any], caller: Any) -> None:
    found = caller.talk(f"/sim text fault=rate {words}").json()["detail"]
    assert {name: found[name] for name in body} == body


def test_limits_may_say_it_in_a_header(caller: Any) -> None:
    header = {
        form: caller.talk(f"/sim text fault=rate seconds=40 form={form}").headers["Retry-After"]
        for form in ("header", "date", "negative", "years")
    }
    assert (header["header"], header["negative"], header["years"]) == ("40", "-5", "315360000")
    assert parsedate_to_datetime(header["date"]).tzinfo is not None


@pytest.mark.parametrize("form", ["words", "resets", "detail", "busy", "html", "empty"])
def test_limits_in_other_shapes(form: str, caller: Any) -> None:
    assert caller.talk(f"/sim text fault=rate form={form}").status == 429


@pytest.mark.parametrize("status", [500, 502, 503, 520])
@pytest.mark.parametrize("form", ["detail", "coded", "list", "error", "plain", "oauth", "message"])
def test_any_status_in_any_shape(status: int, form: str, caller: Any) -> None:
    answer = caller.talk(f"/sim text fault=status status={status} form={form} text=Oops code=bad")
    assert answer.status == status
    assert "Oops" in answer.body.decode()


def test_bodies_that_are_no_json(caller: Any) -> None:
    bodies = {
        form: caller.talk(f"/sim text fault=status form={form}").body
        for form in ("html", "empty", "null", "broken")
    }
    assert bodies["html"].startswith(b"<html>")
    assert (bodies["empty"], bodies["null"], bodies["broken"]) == (
        b"",
        b"null",
        b'{"detail": "cut of',
    )


@pytest.mark.parametrize(
    ("fault", "kind"), [("page", "text/html"), ("json_error", "application/json")]
)
def test_answers_that_are_no_stream(fault: str, kind: str, caller: Any) -> None:
    answer = caller.talk(f"/sim text fault={fault}")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(kind)


def test_a_websocket_address_instead_of_a_stream(caller: Any) -> None:
    assert caller.talk("/sim text fault=wss").json()["wss_url"].startswith("wss://")


def test_a_redirect_points_elsewhere(caller: Any) -> None:
    answer = caller.talk("/sim text fault=redirect to=http://127.0.0.1:1/x status=307")
    assert (answer.status, answer.headers["Location"]) == (307, "http://127.0.0.1:1/x")


@pytest.mark.parametrize("words", ["rate form=nope", "status form=nope", "expired form=nope"])
def test_an_unknown_form_is_explained(words: str, caller: Any) -> None:
    answer = caller.talk(f"/sim text fault={words}")
    assert answer.status == 400
    assert "is none of" in answer.json()["detail"]


def test_a_refused_turn_leaves_no_conversation(caller: Any, app: Any) -> None:
    caller.talk("/sim text fault=status")
    assert app.extensions["simulator"].conversations._stored == {}
