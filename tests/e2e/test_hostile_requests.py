"""Bodies made to hurt: too large, too deep, too many, not what they say (F01 to F04, F06, F14, F21)."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import requests

KEY = "sk-test-key-of-the-suite"
MIB = 1024 * 1024
SAY: list[Any] = [{"role": "user", "content": "/sim text"}]


@pytest.fixture(scope="module")
def guarded(start_server: Any, new_tokens: Any, keeps_secrets: Any) -> Iterator[Any]:
    """A server that must still be well after all of this."""
    server = start_server(tokens=new_tokens(2), LOG_LEVEL="debug")
    yield server
    assert server.post({"messages": SAY}).status_code == 200
    assert "Traceback" not in server.log
    assert "unforeseen" not in server.log
    keeps_secrets(server)


@pytest.fixture
def resident(guarded: Any) -> Any:
    """resident(): bytes of memory that the server's worker holds."""
    (worker,) = psutil.Process(guarded.process.child.pid).children()[:1]
    return lambda: worker.memory_info().rss


@pytest.fixture
def refuse(guarded: Any, upstream: Any) -> Any:
    """refuse(body): the error that a body is refused with; the upstream must not hear of it."""

    def one(body: bytes, status: int = 400, **headers: str) -> Any:
        answer = requests.post(
            f"{guarded.base_url}/chat/completions",
            data=body,
            headers={"Authorization": KEY, **headers},
            timeout=20,
        )
        assert answer.status_code == status, answer.text
        assert upstream.control("requests")["requests"] == []
        error = answer.json()["error"]
        assert error["type"] == "invalid_request_error"
        return error

    return one


# --- size (F01)


@pytest.mark.parametrize("framing", ["length", "chunks", "no key"])
def test_a_body_of_100_mib_is_not_taken_in(
    guarded: Any, dial: Any, resident: Any, upstream: Any, framing: str
) -> None:
    before = resident()
    wire = dial(guarded)
    authorization = "" if framing == "no key" else f"Authorization: {KEY}\r\n"
    chunked = framing == "chunks"
    size = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {100 * MIB}"
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n{authorization}{size}\r\n\r\n"
    piece = b"100000\r\n" + b"x" * MIB + b"\r\n" if chunked else b"x" * MIB
    wire.send(head.encode())
    sent = 0
    try:
        while sent < 100 * MIB:
            wire.send(piece)
            sent += MIB
    except OSError:
        assert sent > 32 * MIB or not chunked  # the server may hang up, once it has answered
    assert wire.head() == (401 if framing == "no key" else 413)
    assert wire.headers["connection"] == "close"
    error = json.loads(wire.body())["error"]
    assert error["code"] == ("invalid_api_key" if framing == "no key" else "request_too_large")
    assert resident() - before < 64 * MIB
    assert upstream.control("requests")["requests"] == []


def test_ordinary_clients_see_the_refusal_of_a_large_body(refuse: Any) -> None:
    assert refuse(b"x" * (40 * MIB), 413)["code"] == "request_too_large"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compression_bomb(refuse: Any, resident: Any, encoding: str) -> None:
    before = resident()
    bomb = _bomb(31 if encoding == "gzip" else 15, mib=128)
    error = refuse(bomb, 413, **{"Content-Encoding": encoding})
    assert error["code"] == "request_too_large"
    assert resident() - before < 64 * MIB


def _bomb(wbits: int, mib: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    blanks = b" " * MIB
    return b"".join(packer.compress(blanks) for _ in range(mib)) + packer.flush()


def test_compressed_bodies_are_welcome(guarded: Any, upstream: Any) -> None:
    body = json.dumps({"messages": SAY}).encode()
    ways = {"gzip": gzip.compress(body), "deflate": zlib.compress(body), "identity": body}
    for encoding, packed in ways.items():
        answer = requests.post(
            f"{guarded.base_url}/chat/completions",
            data=packed,
            headers={"Authorization": KEY, "Content-Encoding": encoding},
            timeout=10,
        )
        assert answer.status_code == 200


def test_damaged_and_unknown_compression(refuse: Any) -> None:
    packed = gzip.compress(json.dumps({"messages": SAY}).encode())
    for body in (packed[:-9], packed[:-9] + b"A" * 9, b"\x1f\x8b nothing", b"", b"plain"):
        assert refuse(body, **{"Content-Encoding": "gzip"})["code"] == "invalid_json"
    for encoding in ("br", "zstd", "gzip, gzip", "compress"):
        error = refuse(packed, 415, **{"Content-Encoding": encoding})
        assert error["code"] == "unsupported_media_type"


# --- shape (F02, F03)


@pytest.mark.parametrize("depth", [65, 1_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth(refuse: Any, opening: bytes, closing: bytes, depth: int) -> None:
    nested = opening * depth + b"1" + closing * depth
    body = json.dumps({"messages": SAY, "metadata": {"a": "@"}}).encode().replace(b'"@"', nested)
    assert refuse(body)["code"] == "json_too_deep"
    assert refuse(opening * depth)["code"] in ("json_too_deep", "invalid_json")  # never closed


def _with(value: str, name: str = "seed") -> bytes:
    return json.dumps({"messages": SAY}).encode()[:-1] + f', "{name}": {value}}}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"null",
        b"[]",
        b'"text"',
        b"12",
        b"{",
        b"{}x",
        _with("NaN"),
        _with("Infinity", "temperature"),
        _with("-Infinity", "temperature"),
        _with("1e999", "temperature"),
        _with("9" * (10 * MIB)),
        _with('"\\ud800"', "user"),
        _with('"\xff"', "user").replace(b"\xc3\xbf", b"\xff"),
        _with("1, 'a': 2"),
        _with("01"),
        _with("[]", "messages"),
        b"\xef\xbb\xbf" + _with("1"),
        _with("1").decode().encode("utf-16"),
    ],
    ids=lambda body: repr(body[-24:]),
)
def test_what_is_no_request(guarded: Any, refuse: Any, body: bytes) -> None:
    began = time.monotonic()
    assert refuse(body)["code"] in ("invalid_json", "invalid_value")
    assert time.monotonic() - began < 2


def test_a_million_keys(refuse: Any) -> None:
    many = "{" + ",".join(f'"{n}":1' for n in range(1_000_000)) + "}"
    assert refuse(_with(many, "metadata"))["code"] in ("invalid_json", "invalid_value")


def test_more_messages_than_a_body_may_hold_values(refuse: Any) -> None:
    assert refuse(json.dumps({"messages": SAY * 100_000}).encode())["code"] == "invalid_json"


def test_a_key_named_twice(refuse: Any) -> None:
    assert refuse(_with("1", "messages"))["code"] == "invalid_json"


# --- fields (F04, F06)


def content(parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": parts}]}


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": {"0": SAY[0]}}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": SAY * 10_001}, "messages"),
        ({"messages": [*SAY, "text"]}, "messages[1]"),
        ({"messages": [*SAY, {"content": "x"}]}, "messages[1].role"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": 7, "content": "x"}]}, "messages[0].role"),
        (content(None), "messages[0].content"),
        (content(7), "messages[0].content"),
        (content([{"type": "hologram"}]), "messages[0].content[0].type"),
        (content([{"type": "text", "text": "a"}, {"text": "b"}]), "messages[0].content[1].type"),
        (content([{"type": "text", "text": 1}]), "messages[0].content[0].text"),
        ({"messages": SAY, "n": 1000}, "n"),
        ({"messages": SAY, "n": 0}, "n"),
        ({"messages": SAY, "n": "2"}, "n"),
        ({"messages": SAY, "max_tokens": -1}, "max_tokens"),
        ({"messages": SAY, "max_completion_tokens": 0}, "max_completion_tokens"),
        ({"messages": SAY, "max_tokens": 1.5}, "max_tokens"),
        ({"messages": SAY, "temperature": "hot"}, "temperature"),
        ({"messages": SAY, "temperature": 3}, "temperature"),
        ({"messages": SAY, "top_p": -0.1}, "top_p"),
        ({"messages": SAY, "stream": "yes"}, "stream"),
        ({"messages": SAY, "stream_options": []}, "stream_options"),
        ({"messages": SAY, "stop": [""]}, "stop[0]"),
        ({"messages": SAY, "stop": ["a"] * 500}, "stop"),
        ({"messages": SAY, "model": 7}, "model"),
        ({"messages": SAY, "model": ["gpt"]}, "model"),
        ({"messages": SAY, "reasoning_effort": "utter"}, "reasoning_effort"),
        ({"messages": SAY, "history_disabled": 1}, "history_disabled"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named(refuse: Any, request_: dict[str, Any], param: str) -> None:
    error = refuse(json.dumps(request_).encode())
    assert error["param"] == param
    assert error["code"] in ("invalid_value", "missing_required_parameter")
    assert len(error["message"]) < 400


# --- what travels on in headers and addresses (F14)


@pytest.mark.parametrize(
    "value", ["gpt\r\nX-Evil: 1", "gpt\n", "gpt\0", "gpt\x7f", "gpt\u2028x", "m" * 65_536]
)
@pytest.mark.parametrize("field", ["model", "user", "conversation_id", "parent_message_id"])
def test_control_characters_in_ids_and_names(refuse: Any, field: str, value: str) -> None:
    error = refuse(json.dumps({"messages": SAY, field: value}).encode())
    assert (error["param"], error["code"]) == (field, "invalid_value")
    assert "Evil" not in error["message"]


@pytest.mark.parametrize("field", ["conversation_id", "parent_message_id", "chatgpt_account_id"])
@pytest.mark.parametrize("value", ["../me", "a/b", "a?b=c", "a#b", "a%2fb", "ü", "a b", "a" * 65])
def test_ids_that_would_change_an_address(refuse: Any, field: str, value: str) -> None:
    error = refuse(json.dumps({"messages": SAY, field: value}).encode())
    assert (error["param"], error["code"]) == (field, "invalid_value")


def test_a_strange_model_name_stays_a_name(guarded: Any, upstream: Any, ask: Any) -> None:
    names = ["../../me?x=1#y", "模型😀", "gpt-4'; drop table", "g-../../x", "${jndi:x}"]
    for name in names:
        ask(guarded, model=name)
    seen = upstream.control("requests?endpoint=conversation")["requests"]
    assert [turn["body"]["model"] for turn in seen] == names
    assert {turn["path"] for turn in seen} == {"/backend-api/f/conversation"}


def test_any_text_reaches_the_upstream_as_it_is(guarded: Any, upstream: Any, ask: Any) -> None:
    text = "/sim text\n" + "".join(map(chr, range(32))) + "\x7f\u2028\u2029\ufeff\ufffe\U0010ffff"
    assert ask(guarded, text).status == 200
    (turn,) = upstream.control("requests?endpoint=conversation")["requests"]
    assert turn["body"]["messages"][0]["content"]["parts"] == [text]


# --- patterns (F21)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "(" * 50_000 + ")" * 50_000,
        '"' * 100_000,
        "\\" * 100_000,
        " " * 100_000,
        "![image](" * 11_000,
        "【" * 50_000,
        "\ue200" * 50_000,
        "try again in " * 7_000,
        "eyJ" * 33_000,
        "Bearer " * 14_000,
        "1h" * 50_000,
        "a\n" * 50_000,
    ],
    ids=lambda text: repr(text[:9]),
)
def test_no_text_makes_a_pattern_slow(guarded: Any, upstream: Any, ask: Any, text: str) -> None:
    """As a prompt, a model, a key and the upstream's refusal. Bounds are loose: other work goes on here."""
    began = time.monotonic()
    assert ask(guarded, f"/sim text\n{text}").status == 200
    assert ask(guarded, model=text).status == 400
    upstream.control(
        "next", {"endpoint": "prepare", "fault": "status", "params": {"status": 400, "text": text}}
    )
    refused = ask(guarded)
    assert (refused.status, len(refused.error["message"]) <= 500) == (400, True)
    assert time.monotonic() - began < 3
