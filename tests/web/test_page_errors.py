"""Failures as pages: in the reader's language, with the request's id, and never with what is inside."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Blueprint

from chat2api.errors import (
    Chat2ApiError,
    ErrorInfo,
    StorageUnavailable,
    TooLarge,
    TooManyLoginAttempts,
)
from chat2api.settings.version import version
from chat2api.web import page_errors
from chat2api.web.page_errors import advice, show_failures_as_pages, wants_page, wording

PASSWORD = "the admin password of the suite"
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"Accept": "*/*"}, False),
        ({"Accept": "application/json, */*"}, False),
        ({"Accept": "text/html;q=0, */*"}, False),
        ({"Accept": HTML}, True),
        ({"Accept": HTML, "Authorization": "Bearer x"}, False),
        ({"Accept": HTML, "Authorization": "Basic dTpw"}, True),
    ],
)
def test_who_wants_a_page(site: Any, headers: dict[str, str], expected: bool) -> None:
    with site.app.test_request_context("/", headers=headers):
        assert wants_page() is expected


def failing(site: Any, error: Exception) -> None:
    """A page of the site that meets `error`."""
    room = Blueprint("room", __name__)
    show_failures_as_pages(room)

    @room.get("/room")
    def view() -> str:
        raise error

    site.own_app().register_blueprint(room)


@pytest.mark.parametrize(
    ("error", "status", "english", "chinese"),
    [
        (TooLarge("x"), 413, "That is too much at once.", "一次提交的内容过多"),
        (StorageUnavailable("x"), 503, "The database does not answer.", "数据库暂无响应"),
        (RuntimeError("inside"), 500, "Something went wrong here", "服务器内部出错"),
    ],
)
def test_a_failure_is_a_page(
    site: Any, error: Exception, status: int, english: str, chinese: str
) -> None:
    failing(site, error)
    for lang, words in (("en", english), ("zh", chinese)):
        headers = {"Accept": HTML, "Accept-Language": lang}
        answer = site.send("GET", "/room", key=None, headers=headers)
        text = answer.get_data(as_text=True)
        assert answer.status_code == status
        assert words in text
        assert answer.headers["x-request-id"] in text
        assert "inside" not in text
        assert answer.headers["Cache-Control"] == "no-store"
    script = site.send("GET", "/room", key=None)
    assert (script.status_code, script.mimetype) == (status, "application/json")


@pytest.mark.parametrize(
    "code",
    ["csrf_failed", "request_too_large", "too_many_login_attempts", "storage_unavailable",
     "internal_error", "request_timeout", "not_plain_text", "not_found"],
)  # fmt: skip
def test_what_people_meet_has_words_in_both_languages(site: Any, code: str) -> None:
    said = []
    for lang in ("en", "zh"):
        with site.app.test_request_context(f"/?lang={lang}"):
            said.append(wording(ErrorInfo(400, "t", code, "the message")))
    assert "the message" not in said
    assert said[0].isascii()
    assert not said[1].isascii()


@pytest.mark.parametrize("status", [400, 404, 409, 413, 500, 502])
def test_people_are_told_what_to_do(site: Any, status: int) -> None:
    said = []
    for lang in ("en", "zh"):
        with site.app.test_request_context(f"/?lang={lang}"):
            said.append(advice(ErrorInfo(status, "t", "code", "the message")))
    assert said[0].isascii()
    assert said[0]
    assert not said[1].isascii()


def test_the_cause_of_a_defect_can_be_reported_without_what_is_inside(site: Any) -> None:
    failing(site, RuntimeError("inside"))
    stranger = site.send("GET", "/room", key=None, headers={"Accept": HTML})
    report = stranger.get_data(as_text=True).split("<pre", 1)[1].split("</pre>", 1)[0]
    assert stranger.headers["x-request-id"] in report
    assert "page /room" in report
    assert "version" not in report
    sign_in = {"password": PASSWORD}
    assert site.send("POST", "/admin/sign-in", key=None, data=sign_in).status_code == 303
    known = site.send("GET", "/room", key=None, headers={"Accept": HTML})
    assert f"version {version()}" in known.get_data(as_text=True)


def test_a_limit_counts_down(site: Any) -> None:
    failing(site, TooManyLoginAttempts("x", retry_after=61.2))
    answer = site.send("GET", "/room", key=None, headers={"Accept": HTML})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "62")
    assert 'data-wait="62"' in answer.get_data(as_text=True)
    assert "You can try again in 1:02." in answer.get_data(as_text=True)


def test_without_templates_there_is_still_a_page(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(site, TooLarge("x"))

    def broken(*given: Any, **more: Any) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr(page_errors, "render_page", broken)
    answer = site.send("GET", "/room", key=None, headers={"Accept": HTML})
    text = answer.get_data(as_text=True)
    assert (answer.status_code, answer.mimetype) == (413, "text/html")
    assert answer.headers["x-request-id"] in text
    assert "inside" not in text
    assert len(text.encode()) < 4096
    assert answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "mimetype"),
    [
        ("GET", "/nothing", {"Accept": HTML}, 404, "text/html"),
        ("GET", "/nothing", {}, 404, "application/json"),
        ("GET", "/v1/nothing", {"Accept": HTML}, 404, "application/json"),
        ("GET", "/prefix/v1/nothing", {"Accept": HTML}, 404, "application/json"),
        ("PUT", "/", {"Accept": HTML}, 405, "text/html"),
        ("PUT", "/", {}, 405, "application/json"),
    ],
)
def test_lost_browsers_get_a_page_and_clients_json(
    site: Any, method: str, path: str, headers: dict[str, str], status: int, mimetype: str
) -> None:
    answer = site.send(method, path, key=None, headers=headers)
    assert (answer.status_code, answer.mimetype) == (status, mimetype)
    assert ("Allow" in answer.headers) == (status == 405)
    if mimetype == "text/html":
        assert answer.headers["Content-Security-Policy"]
        assert "/v1" not in answer.get_data(as_text=True)


def test_other_failures_say_their_message(site: Any) -> None:
    with site.app.test_request_context("/"):
        assert wording(Chat2ApiError("As it is.", code="other").info) == "As it is."
