"""Requests that are passed on, and answers that come back as they are."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest
from urllib3.filepost import encode_multipart_formdata

from chat2api.errors import RequestError, UpstreamConnectionError, UpstreamRateLimited
from chat2api.providers.protocol import Io
from chat2api.service.egress import Egress
from chat2api.service.entries import Entries, Entry
from chat2api.service.entry_backend import EntryBackend
from chat2api.settings.compatible_entry import CompatibleEntry
from chat2api.store.request_records import RequestFilter

PICTURE = b'{"created": 1, "data": [{"b64_json": "AA"}]}'
DRAW = "/v1/images/generations"


class Answer:
    """`pieces` are bytes, errors, or things to do."""

    def __init__(self, pieces: list[Any], headers: dict[str, str]) -> None:
        self.status = 200
        self.headers = headers
        self.pieces = pieces
        self.closed = False

    def chunks(self) -> Generator[bytes, None, None]:
        try:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.closed = True

    def close(self) -> None:
        self.closed = True


class Painter:
    """An upstream that plays `answer`, or raises it."""

    name = "studio"

    def __init__(self) -> None:
        self.answer: Any = Answer([PICTURE], {"content-type": "application/json"})
        self.asked: list[tuple[str, bytes, str]] = []

    def forward(self, path: str, body: bytes, content_type: str, io: Io) -> Any:
        self.asked.append((path, body, content_type))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def plays(self, kind: str, *pieces: Any, **headers: str) -> None:
        self.answer = Answer(list(pieces), {"content-type": kind, **headers})


@pytest.fixture
def painter(site: Any) -> Painter:
    made: Any = Painter()
    nothing: Any = None
    entry = CompatibleEntry("studio", "http://x.test", models=("painter", "speaker"))
    site.entries = Entries([Entry(EntryBackend(entry, made, Egress(nothing, nothing), 0))])
    return made  # type: ignore[no-any-return]


def test_a_picture(site: Any, painter: Painter) -> None:
    response = site.send("POST", DRAW, json={"model": "studio/painter", "prompt": "A cat", "n": 2})
    assert response.data == PICTURE
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.headers["x-chat2api-provider"] == "studio"
    ((path, body, kind),) = painter.asked
    assert (path, kind) == ("/images/generations", "application/json")
    assert json.loads(body) == {"model": "painter", "prompt": "A cat", "n": 2}
    assert site.is_idle()


def test_speech_keeps_its_type_and_length(site: Any, painter: Painter) -> None:
    painter.plays("audio/mpeg", b"ID3", b"more", **{"content-length": "7"})
    response = site.send("POST", "/v1/audio/speech", json={"model": "speaker", "input": "Hi"})
    assert (response.data, response.content_type) == (b"ID3more", "audio/mpeg")
    assert response.headers["Content-Length"] == "7"
    assert painter.asked[0][0] == "/audio/speech"


def test_a_length_of_what_was_compressed_is_not_told(site: Any, painter: Painter) -> None:
    painter.plays("audio/mpeg", b"more", **{"content-length": "3", "content-encoding": "gzip"})
    response = site.send("POST", "/v1/audio/speech", json={"model": "speaker", "input": "Hi"})
    assert "Content-Length" not in response.headers
    assert "Content-Encoding" not in response.headers


def test_a_form_with_a_picture(site: Any, painter: Painter) -> None:
    picture = b"\x89PNG\r\n--"
    fields = [
        ("image", ("a.png", picture, "image/png")),
        ("model", "studio/painter"),
        ("prompt", "bluer"),
    ]
    body, kind = encode_multipart_formdata(fields)
    response = site.send("POST", "/v1/images/edits", data=body, content_type=kind)
    assert response.data == PICTURE
    ((path, sent, sent_kind),) = painter.asked
    assert (path, sent_kind) == ("/images/edits", kind)
    assert sent == body.replace(b"studio/painter", b"painter")


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"json": {"prompt": "x"}}, 400, "missing_required_parameter"),
        ({"json": {"model": 3}}, 400, "invalid_value"),
        ({"json": {"model": "gpt-5-5"}}, 400, "unsupported_value"),
        ({"data": b"{"}, 400, "invalid_json"),
        (
            {"data": b"--x", "content_type": "multipart/form-data; boundary=x"},
            400,
            "invalid_value",
        ),
        (
            {"data": b"--x--\r\n", "content_type": "multipart/form-data; boundary=x"},
            400,
            "missing_required_parameter",
        ),
        ({"json": {"model": "painter"}, "key": "sk-wrong"}, 401, "invalid_api_key"),
    ],
)
def test_what_cannot_be_passed_on(
    site: Any, painter: Painter, request_: dict[str, Any], status: int, code: str
) -> None:
    response = site.send("POST", DRAW, **request_)
    assert (response.status_code, response.get_json()["error"]["code"]) == (status, code)
    assert painter.asked == []
    assert site.is_idle()


def test_keys_for_other_things_and_other_models(site: Any, painter: Painter) -> None:
    _, chat_only = site.keys.create("Bob", scopes=["chat"])
    _, other = site.keys.create("Ann", models=["gpt-*"])
    asked = {"json": {"model": "painter"}}
    for secret, code in ((chat_only, "key_scope"), (other, "model_not_allowed")):
        response = site.send("POST", DRAW, key=secret.reveal(), **asked)
        assert (response.status_code, response.get_json()["error"]["code"]) == (403, code)
    assert painter.asked == []


def test_a_form_cannot_name_a_second_model(site: Any, painter: Painter) -> None:
    """An upstream may take the last where we look at the first."""
    _, key = site.keys.create("Ann", models=["painter"])
    body, kind = encode_multipart_formdata([("model", "painter"), ("model", "dear")])
    form = {"data": body, "content_type": kind, "key": key.reveal()}
    response = site.send("POST", "/v1/images/edits", **form)
    assert (response.status_code, response.get_json()["error"]["code"]) == (400, "invalid_value")
    assert painter.asked == []


def test_strangers_do_not_paint_at_the_operators_cost(site: Any, painter: Painter) -> None:
    site.given["allow_anonymous"] = True
    response = site.send("POST", DRAW, key=None, json={"model": "painter"})
    assert response.get_json()["error"]["code"] == "unsupported_value"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestError("Bad size.", param="size"), 400),
        (UpstreamRateLimited("x", retry_after=9), 429),
    ],
)
def test_refusals_are_mapped(site: Any, painter: Painter, error: Exception, status: int) -> None:
    painter.answer = error
    response = site.send("POST", DRAW, json={"model": "painter"})
    assert response.status_code == status
    assert site.is_idle()


def test_an_answer_that_breaks_off_is_seen_to(site: Any, painter: Painter) -> None:
    broken = UpstreamConnectionError("It broke.")
    painter.plays("audio/mpeg", b"ID3", broken)
    response = site.send("POST", "/v1/audio/speech", json={"model": "speaker"}, buffered=False)
    with pytest.raises(OSError, match="broke off"):
        list(response.response)
    painter.plays("text/event-stream", b'data: {"n":1}\n\n', broken)
    told = site.send("POST", DRAW, json={"model": "painter", "stream": True}).text
    assert told.startswith('data: {"n":1}\n\nevent: error\ndata: {"error":')
    assert "[DONE]" not in told
    assert site.is_idle()


def test_a_caller_who_leaves_ends_the_upstream(site: Any, painter: Painter) -> None:
    painter.plays("audio/mpeg", b"ID3", b"more")
    response = site.send("POST", "/v1/audio/speech", json={"model": "speaker"}, buffered=False)
    assert next(iter(response.response)) == b"ID3"
    response.close()
    assert site.is_idle()
    assert painter.answer.closed
    site.runtime.desk.recorder.flush()
    (record,) = _records(site)
    assert (record.code, record.failed) == ("client_gone", False)


def test_it_is_written_down(site: Any, painter: Painter) -> None:
    site.send("POST", DRAW, json={"model": "studio/painter"}).close()
    painter.answer = UpstreamRateLimited("x")
    site.send("POST", DRAW, json={"model": "painter"}).close()
    site.runtime.desk.recorder.flush()
    last, first = _records(site)
    assert (first.provider, first.answered_by, first.failed) == ("studio", "painter", False)
    assert (last.code, last.trace.attempts[0].route) == ("rate_limit_exceeded", "entry")


def _records(site: Any) -> list[Any]:
    return list(site.runtime.desk.records.page(RequestFilter(), most=9))
