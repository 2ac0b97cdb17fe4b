import inspect
import json

import pytest
from gunicorn.http import errors as parser

from chat2api.serve.parser_errors import INTERNAL_ERROR, METHOD_NOT_ALLOWED, draw, refusal

PLANTED = "planted\r\n<b>"


def make(kind):
    """An instance whose every argument is text of the client."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    takes_text = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    return kind(*[PLANTED] * len(takes_text))


KINDS = [
    kind
    for _, kind in inspect.getmembers(parser, inspect.isclass)
    if issubclass(kind, parser.ParseException)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_complaint_of_the_parser_has_an_answer_that_repeats_nothing(kind):
    answer = draw(refusal(make(kind)), "req_1")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"planted" not in answer
    assert b"HTTP/1.1 " in head.splitlines()[0]
    assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (parser.LimitRequestLine(9000, 8190), 414, "uri_too_long"),
        (parser.LimitRequestHeaders("x"), 431, "headers_too_large"),
        (parser.InvalidHeader("x"), 400, "invalid_value"),
        (parser.UnsupportedTransferCoding("x"), 400, "invalid_value"),
        (parser.InvalidRequestLine("GET x"), 400, "invalid_value"),
        (parser.InvalidRequestLine("CONNECT x"), 405, "method_not_allowed"),
        (parser.InvalidChunkSize(b"x"), 400, "invalid_value"),
        (parser.InvalidResponseHeader("x"), 500, "internal_error"),
        (parser.InvalidResponseHeaderName("x"), 500, "internal_error"),
        (parser.ConfigurationProblem("x"), 500, "internal_error"),
        (RuntimeError("x"), 500, "internal_error"),
        (SystemExit(1), 500, "internal_error"),
    ],
)
def test_statuses(error, status, code):
    info = refusal(error)
    assert (info.status, info.code) == (status, code)


def test_an_answer_on_the_wire():
    body = (
        b'{"error": {"message": "The server failed; its log has more under the request id.", '
        b'"type": "server_error", "param": null, "code": "internal_error"}}'
    )
    assert (
        draw(INTERNAL_ERROR, "req_1")
        == (
            b"HTTP/1.1 500 Internal Server Error\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: %d\r\n"
            b"x-request-id: req_1\r\n"
            b"Connection: close\r\n"
            b"\r\n" % len(body)
        )
        + body
    )


def test_a_refused_method_is_told_the_others():
    assert b"\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" in draw(
        METHOD_NOT_ALLOWED, "req_1"
    )
