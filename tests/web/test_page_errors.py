"""Failures as pages: in the reader's language, with the request's id, and never with what is inside."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Blueprint

from chat2api.errors import Chat2ApiError, ErrorInfo, StorageUnavailable, TooLarge
from chat2api.web.page_errors import show_failures_as_pages, wants_page, wording

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

    site.app.register_blueprint(room)


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


def test_other_failures_say_their_message(site: Any) -> None:
    with site.app.test_request_context("/"):
        assert wording(Chat2ApiError("As it is.", code="other").info) == "As it is."
