"""Which file is which; and laws that hold for every reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.service.importing.found import Found, Skipped
from chat2api.service.importing.merging import merge
from chat2api.service.importing.recognise import (
    Format,
    by_name,
    place_of,
    read_content,
    recognise,
)

from .samples import FOLDERS, access, jwt, legacy, refresh, written

NAMES = [*(each.value for each in Format), "user_agents.json", "app.dev.yaml", "unknown"]
SAMPLES = sorted(path for path in FOLDERS.rglob("*") if path.is_file())
WHOLE = [path for path in SAMPLES if path.parent.name != "lanqian-damaged"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("token.txt", Format.TOKENS),
        ("data/Token.TXT", Format.TOKENS),
        ("C:\\data\\error_token.txt", Format.FAILED_TOKENS),
        ("user_agents.json", Format.LOOKS),
        ("wss_map.json", Format.SOCKETS),
        ("chatToken.json", Format.CHAT_TOKENS),
        ("conf/app.dev.yaml", Format.APP_YAML),
        ("app.prod.yml", Format.APP_YAML),
        ("app.dev.yaml.bak", None),
        ("codex-anna.json", None),
        ("", None),
    ],
)
def test_names(name: str, kind: Format | None) -> None:
    assert by_name(name) is kind


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
def test_shapes_tell_what_names_tell(path: Any) -> None:
    """Only a list of failed tokens looks like any list of tokens."""
    named = by_name(path.name)
    expected = Format.TOKENS if named is Format.FAILED_TOKENS else named
    assert recognise("upload", path.read_bytes()) is expected


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (written([access("a")]), Format.AUTH),
        (written(access("a")), Format.AUTH),
        (written({"chatgpts": []}), Format.APP_YAML),
        (f"notes\n{refresh('a')}\n".encode(), Format.TOKENS),
        (written({"name": "package"}), None),
        (written({}), None),
        (written([]), None),
        (written([1, {"a": 2}]), None),
        (written("text"), None),
        (b"17", None),
        (b"", None),
        (b"{", None),
        (b"\0\xff", None),
    ],
)
def test_shapes(content: bytes, kind: Format | None) -> None:
    assert recognise("upload", content) is kind


def test_what_is_unknown_is_said_to_be() -> None:
    def why(content: bytes) -> Found:
        return read_content("upload.json", content)

    unknown = "not a file this importer knows"
    assert why(b'{"a": 1}') == Found(skipped=(Skipped("upload.json", unknown),))
    assert why(b"hello") == Found(skipped=(Skipped("upload.json", unknown),))
    assert why(b'{"a":\n') == Found(skipped=(Skipped("upload.json", "is damaged (line 2)"),))


def test_places_show_no_token() -> None:
    assert place_of("data/token.txt") == "data/token.txt"
    assert place_of("a\r\nb") == "ab"
    assert place_of(access("a")) == place_of("\n") == "the file"


def test_what_is_known_to_hold_nothing_is_passed_over() -> None:
    assert read_content("wss_map.json", b"anything") == Found()


# --- laws: nothing raises, nothing leaks

PLANTED = (
    access("planted"),
    refresh("planted"),
    legacy("planted"),
    jwt(email=legacy("inner"), sub="planted"),
    "fk-planted-relay-token-of-somebody",
)
NEVER_SHOWN = (*PLANTED, legacy("inner"))

_words = st.sampled_from(
    [
        *[
            "token",
            "tokens",
            "access_token",
            "refreshToken",
            "id_token",
            "account_id",
            "accountId",
            "email",
            "user",
            "type",
        ],
        *[
            "conversations",
            "user_id",
            "managed",
            "title",
            "create_time",
            "timestamp",
            "user-agent",
            "proxy_url",
        ],
        *[
            "bindings",
            "oai-device-id",
            "chatgpts",
            "id",
            "bind_token",
            "bind_email",
            "last_refresh",
            "status",
        ],
        *["codex", "OPENAI_API_KEY", "auth_mode", "http://x.example"],
    ]
)
_leaves = st.one_of(
    st.sampled_from(PLANTED),
    st.tuples(st.sampled_from(PLANTED), st.sampled_from(PLANTED)).map(",".join),
    _words,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
)
_documents = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(_words, st.sampled_from(PLANTED)), inner, max_size=5),
    ),
    max_leaves=25,
)


def check(name: str, content: bytes) -> None:
    """Read and brought together twice, without a word of what is in it."""
    found = read_content(name, content)
    merged = merge([found, found])
    assert merge([merged]) == merged
    assert not [token for token in NEVER_SHOWN if token in f"{found!r}{merged!r}"]


@given(st.sampled_from(NAMES), _documents)
def test_any_document_in_any_file(name: str, document: Any) -> None:
    check(name, json.dumps(document).encode())


@given(st.sampled_from(NAMES), st.sampled_from(SAMPLES), st.data())
def test_any_file_cut_anywhere(name: str, path: Any, data: st.DataObject) -> None:
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    check(name, content[:cut])
    check(name, content[cut:])


@given(st.sampled_from(NAMES), st.binary(max_size=60), st.sampled_from(PLANTED))
def test_any_bytes(name: str, noise: bytes, token: str) -> None:
    check(name, noise)
    check(name, noise + token.encode() + noise)


@given(st.sampled_from(NAMES), st.text(alphabet="[]{}:,-\"' \n#&*!|>%@x1", max_size=40))
def test_any_structure(name: str, text: str) -> None:
    check(name, text.encode())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("piece", ["[", '{"a":', "- ", "{a: "])
def test_any_depth(name: str, piece: str) -> None:
    check(name, (piece * 2_000).encode())


@pytest.mark.parametrize("token", PLANTED)
@pytest.mark.parametrize("folder", ["", "data/", "C:\\data\\"])
def test_any_name(token: str, folder: str) -> None:
    damaged = Found(skipped=(Skipped("the file", "is damaged (line 1)"),))
    assert read_content(f"{folder}{token}", b"{") == damaged
