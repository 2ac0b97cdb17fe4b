"""Forms as browsers and scripts send them, and what is refused."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from chat2api.errors import Chat2ApiError
from chat2api.web.forms import Form, SentFile, read_form


def read(site: Any, limit: int = 1000, **request: Any) -> Form | str:
    """What a request's form is, or the code and status of its refusal."""
    with site.app.test_request_context("/", method="POST", **request):
        site.app.preprocess_request()
        try:
            return read_form(limit)
        except Chat2ApiError as error:
            return f"{error.status} {error.code}"


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        ({"data": {"text": "a+ b\r\n中"}}, {"text": ("a+ b\r\n中",)}),
        ({"data": {"id": ["1", "2"]}}, {"id": ("1", "2")}),
        ({"data": b"text=", "content_type": "application/x-www-form-urlencoded"}, {"text": ("",)}),
        ({"data": b"text=a", "content_type": ""}, {"text": ("a",)}),
        ({"json": {"text": "a", "count": 3, "id": ["x", "y"]}}, {"text": ("a",), "count": ("3",), "id": ("x", "y")}),
        ({"data": "中\n", "content_type": "text/plain"}, {"text": ("中\n",)}),
    ],
)  # fmt: skip
def test_fields(site: Any, request_: dict[str, Any], fields: dict[str, Any]) -> None:
    assert read(site, **request_) == Form(fields)


def test_files_and_fields_of_a_multipart_form(site: Any) -> None:
    data = {"text": "a", "file": [(BytesIO(b"\xff"), "x.txt"), (BytesIO(b"y"), "y")]}
    form = read(site, data=data, content_type="multipart/form-data")
    assert form == Form({"text": ("a",)}, (SentFile("x.txt", b"\xff"), SentFile("y", b"y")))
    assert repr(form) == "Form(files=(SentFile(name='x.txt'), SentFile(name='y')))"


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        ({"data": {"text": "a" * 1000}}, "413 request_too_large"),
        ({"data": b"text=%ff"}, "400 invalid_value"),
        ({"data": b"text=\xff"}, "400 invalid_value"),
        ({"data": b"&".join([b"a=1"] * 200 * 5), "limit": 10_000}, None),
        ({"data": b"&".join([b"a=1"] * 1001), "limit": 10_000}, "400 invalid_value"),
        ({"data": b"\xff", "content_type": "text/plain"}, "400 invalid_value"),
        ({"data": b"text=a%00"}, "400 not_plain_text"),
        ({"json": {"text": "a\0"}}, "400 not_plain_text"),
        ({"data": b"{", "content_type": "application/json"}, "400 invalid_json"),
        ({"json": {"a": ["1"] * 999, "b": "1"}, "limit": 10_000}, None),
        ({"json": {"a": ["1"] * 999, "b": ["1"] * 2}, "limit": 10_000}, "400 invalid_value"),
        ({"json": {"text": None}}, "400 invalid_value"),
        ({"json": {"text": True}}, "400 invalid_value"),
        ({"data": b"x", "content_type": "multipart/form-data"}, "400 invalid_value"),
        ({"data": b"--b\r\nx", "content_type": "multipart/form-data; boundary=b"}, "400 invalid_value"),
        ({"data": b"<a/>", "content_type": "text/xml"}, "415 unsupported_media_type"),
    ],
)  # fmt: skip
def test_refusals(site: Any, request_: dict[str, Any], refusal: str | None) -> None:
    sent = {"content_type": "application/x-www-form-urlencoded", **request_}
    if "json" in sent:
        del sent["content_type"]
    answer = read(site, **sent)
    assert answer == refusal if refusal else isinstance(answer, Form)


def test_a_field_that_is_not_there() -> None:
    form = Form({"a": ("",)})
    assert (form.first("a"), form.first("b"), form.all("b")) == ("", None, ())
