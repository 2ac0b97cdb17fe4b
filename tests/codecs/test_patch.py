"""codecs.patch: the delta encoding, rule by rule, and against a plain reducer."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.codecs.patch import Change, PatchDecoder, plain, split_pointer
from chat2api.codecs.rope import Rope


def root(**message: Any) -> dict[str, Any]:
    return {"message": message, "error": None}


def applied(*deltas: dict[str, Any]) -> Any:
    """The documents after these deltas, plain."""
    decoder = PatchDecoder()
    for delta in deltas:
        decoder.apply(copy.deepcopy(delta))
    return {channel: plain(document) for channel, document in decoder.documents.items()}


OPEN = {"p": "", "o": "add", "v": root(text="", list=[], object={}), "c": 0}


def edited(*deltas: dict[str, Any]) -> Any:
    return applied(OPEN, *deltas)[0]["message"]


def test_pointer_path_and_channel_are_inherited_independently() -> None:
    documents = applied(
        {"p": "", "o": "add", "v": root(text="a"), "c": 0},
        {"v": root(text="b"), "c": 1},
        {"p": "/message/text", "o": "append", "v": "1"},
        {"v": "2"},
        {"c": 0, "v": "3"},
        {"p": "/message/other", "v": "4"},
    )

    assert documents == {0: root(text="a3", other="4"), 1: root(text="b12")}


def test_a_value_is_never_inherited() -> None:
    assert edited({"p": "/message/text", "o": "append", "v": "x"}, {}, {"c": 0})["text"] == "x"


def test_a_patch_is_inherited_but_inherits_nothing_inside() -> None:
    message = edited(
        {"p": "", "o": "patch", "v": [
            {"p": "/message/text", "o": "append", "v": "a"},
            {"v": "lost"},
            {"p": "/message/text", "v": "lost"},
        ]},
        {"v": [{"p": "/message/text", "o": "append", "v": "b"}]},
    )  # fmt: skip

    assert message["text"] == "ab"


def test_paths_in_a_patch_are_relative_and_patches_nest() -> None:
    message = edited(
        {"p": "/message", "o": "patch", "v": [
            {"p": "/text", "o": "append", "v": "a"},
            {"p": "/object", "o": "patch", "v": [{"p": "/k", "o": "add", "v": 1}]},
        ]},
    )  # fmt: skip

    assert message == {"text": "a", "list": [], "object": {"k": 1}}


def test_a_bare_list_of_operations_is_a_patch_in_any_state() -> None:
    message = edited(
        {"p": "/message/text", "o": "append", "v": "a"},
        {"v": [{"p": "/message/list", "o": "append", "v": 1}]},
        {"v": "b"},
    )

    assert message["text"] == "ab"
    assert message["list"] == [1]


def test_a_list_of_other_objects_is_a_value() -> None:
    message = edited(
        {"p": "/message/list", "o": "append", "v": [{"title": "a"}, {"title": "b"}]},
        {"v": [{"title": "c"}]},
    )

    assert message["list"] == [{"title": "a"}, {"title": "b"}, {"title": "c"}]


@pytest.mark.parametrize(
    "delta",
    [
        {"o": "append", "p": "", "v": root(text="new")},
        {"o": "replace", "p": "/message/text", "c": 7, "v": root(text="new")},
        {"v": root(text="new")},
    ],
)
def test_a_whole_document_is_taken_whatever_the_operation(delta: dict[str, Any]) -> None:
    decoder = PatchDecoder()
    decoder.apply(copy.deepcopy(OPEN))
    decoder.apply({"p": "/message/text", "o": "append", "v": "old"})

    change = decoder.apply(delta)

    assert change == Change(decoder.channel, root(text="new"), ((),), grew=False)


@pytest.mark.parametrize(
    ("delta", "key", "expected"),
    [
        ({"o": "add", "p": "/message/list/0", "v": "x"}, "list", ["x", "a", "b"]),
        ({"o": "add", "p": "/message/list/-", "v": "x"}, "list", ["a", "b", "x"]),
        ({"o": "add", "p": "/message/list/2", "v": "x"}, "list", ["a", "b", "x"]),
        ({"o": "add", "p": "/message/list/3", "v": "x"}, "list", ["a", "b"]),
        ({"o": "replace", "p": "/message/list/1", "v": "x"}, "list", ["a", "x"]),
        ({"o": "replace", "p": "/message/list/2", "v": "x"}, "list", ["a", "b"]),
        ({"o": "append", "p": "/message/list", "v": "x"}, "list", ["a", "b", "x"]),
        ({"o": "append", "p": "/message/list", "v": ["x", "y"]}, "list", ["a", "b", "x", "y"]),
        ({"o": "append", "p": "/message/list/1", "v": "x"}, "list", ["a", "bx"]),
        ({"o": "append", "p": "/message/list/2", "v": "x"}, "list", ["a", "b", "x"]),
        ({"o": "truncate", "p": "/message/list", "v": 1}, "list", ["a"]),
        ({"o": "remove", "p": "/message/list/0"}, "list", ["b"]),
        ({"o": "remove", "p": "/message/list/2"}, "list", ["a", "b"]),
        ({"o": "replace", "p": "/message/text", "v": "new"}, "text", "new"),
        ({"o": "append", "p": "/message/text", "v": "!"}, "text", "text!"),
        ({"o": "append", "p": "/message/text", "v": 5}, "text", "text"),
        ({"o": "truncate", "p": "/message/text", "v": 2}, "text", "te"),
        ({"o": "truncate", "p": "/message/text", "v": -1}, "text", "text"),
        ({"o": "replace", "p": "/message/text"}, "text", "text"),
        ({"o": "truncate", "p": "/message/object", "v": 0}, "object", {"a": 1}),
        ({"o": "truncate", "p": "/message/text", "v": True}, "text", "text"),
        ({"o": "append", "p": "/message/object", "v": {"b": 2}}, "object", {"a": 1, "b": 2}),
        ({"o": "append", "p": "/message/object/new", "v": "x"}, "object", {"a": 1, "new": "x"}),
        ({"o": "append", "p": "/message/null", "v": "x"}, "null", "x"),
        ({"o": "remove", "p": "/message/object/a"}, "object", {}),
        ({"o": "add", "p": "/message/object/x~1y~0z", "v": 1}, "object", {"a": 1, "x/y~z": 1}),
        ({"o": "add", "p": "/message/object/__proto__", "v": 1}, "object", {"a": 1}),
        ({"o": "add", "p": "/message/object/a/b", "v": 1}, "object", {"a": 1}),
        ({"o": "add", "p": "/message/list/-1", "v": 1}, "list", ["a", "b"]),
        ({"o": "add", "p": "/message/list/9999999999999", "v": 1}, "list", ["a", "b"]),
        ({"o": "add", "p": "/message/object/b"}, "object", {"a": 1}),
        ({"o": "explode", "p": "/message/text", "v": "x"}, "text", "text"),
        ({"o": ["add"], "p": {"x": 1}, "c": "one", "v": 5}, "text", "text"),
        ({"o": "patch", "p": "", "v": "text"}, "text", "text"),
        ({"o": "patch", "p": "", "v": ["text", None, {"p": 1, "o": "add"}]}, "text", "text"),
    ],
)  # fmt: skip
def test_operations(delta: dict[str, Any], key: str, expected: Any) -> None:
    message = {"text": "text", "list": ["a", "b"], "object": {"a": 1}, "null": None}

    (document,) = applied({"p": "", "o": "add", "v": root(**message), "c": 0}, delta).values()

    assert document["message"][key] == expected


def test_only_places_that_changed_are_reported() -> None:
    decoder = PatchDecoder()
    decoder.apply(copy.deepcopy(OPEN))

    change = decoder.apply({"p": "", "o": "patch", "v": [
        {"p": "/message/text", "o": "append", "v": "a"},
        {"p": "/message/nowhere/at/all", "o": "add", "v": "a"},
        {"p": "/message/list", "o": "append", "v": 1},
    ]})  # fmt: skip

    assert change.paths == (("message", "text"), ("message", "list"))
    assert not change.grew


def test_bare_appends_answer_with_one_change_until_something_else_happens() -> None:
    decoder = PatchDecoder()
    decoder.apply(copy.deepcopy(OPEN))
    first = decoder.apply({"p": "/message/text", "o": "append", "v": "a"})

    assert first.grew
    assert decoder.apply({"v": "b"}) is first
    assert decoder.apply({"v": ""}) is first

    decoder.put(root(text="z"))
    after = decoder.apply({"v": "c"})
    assert after is not first
    assert plain(decoder.documents[0]) == root(text="zc")


def test_a_document_can_be_removed() -> None:
    decoder = PatchDecoder()
    decoder.apply(copy.deepcopy(OPEN))

    change = decoder.apply({"p": "", "o": "remove"})

    assert change.document is None
    assert decoder.apply({"p": "/message/text", "o": "append", "v": "x"}).paths == ()


def test_a_patch_nested_beyond_reason_is_ignored() -> None:
    value: Any = [{"p": "/message/text", "o": "append", "v": "deep"}]
    for _ in range(200):
        value = [{"p": "", "o": "patch", "v": value}]

    assert edited({"p": "", "o": "patch", "v": value})["text"] == ""


def test_pointers() -> None:
    assert split_pointer("") == ()
    assert split_pointer("/a/0/-") == ("a", "0", "-")
    assert split_pointer("a/b") == ("a", "b")
    assert split_pointer("/~01/~1") == ("~1", "/")
    assert split_pointer("/") == ("",)


def test_plain_copies() -> None:
    rope = Rope("a")
    document = {"x": [rope, {"y": rope}]}

    copied = plain(document)
    rope.append("b")

    assert copied == {"x": ["a", {"y": "a"}]}


# --- against a reference -------------------------------------------------------------------------


def reduce(documents: dict[int, Any], deltas: list[dict[str, Any]]) -> dict[int, Any]:
    """The sheet's rules with plain values, each delta walking its path again."""
    pointer, operation, channel = "", "add", 0
    for delta in deltas:
        pointer, operation = delta.get("p", pointer), delta.get("o", operation)
        channel = delta.get("c", channel)
        steps = [{"p": pointer, "o": operation, "v": delta["v"]}] if operation != "patch" else [
            {**item, "p": pointer + item["p"]} for item in delta["v"]
        ]  # fmt: skip
        for step in steps:
            reduce_one(documents, channel, step)
    return documents


def reduce_one(documents: dict[int, Any], channel: int, step: dict[str, Any]) -> None:
    holder: Any = documents
    key: Any = channel
    for token in step["p"].split("/")[1:]:
        holder = holder[key] if isinstance(holder, list) else holder.get(key)
        key = token
        if isinstance(holder, list):
            key = len(holder) if token == "-" else int(token)
    value = step["v"]
    match step["o"]:
        case "add" if isinstance(holder, list):
            holder.insert(key, value)
        case "add" | "replace":
            holder[key] = value
        case "append" if isinstance(holder[key], dict):
            holder[key] = {**holder[key], **value}
        case "append":
            holder[key] = holder[key] + value
        case "truncate":
            holder[key] = holder[key][:value]


texts = st.text(alphabet="ab你😀", max_size=3)
text_paths = st.sampled_from(["/message/parts/0", "/message/parts/1"])
text_edits = st.one_of(
    st.builds(lambda p, v: {"p": p, "o": "append", "v": v}, text_paths, texts),
    st.builds(lambda p, v: {"p": p, "o": "replace", "v": v}, text_paths, texts),
    st.builds(lambda p, v: {"p": p, "o": "truncate", "v": v}, text_paths, st.integers(0, 4)),
    st.builds(
        lambda v: {"p": "/message/meta", "o": "append", "v": v},
        st.dictionaries(st.sampled_from("xy"), texts, max_size=2),
    ),
    st.builds(lambda v: {"p": "/message/refs", "o": "append", "v": v}, st.lists(texts, max_size=2)),
    st.builds(lambda v: {"p": "/message/refs/0", "o": "add", "v": v}, texts),
)
deltas = st.one_of(
    st.builds(lambda edit, c: {**edit, "c": c}, text_edits, st.integers(0, 1)),
    text_edits,
    st.builds(lambda edits: {"p": "", "o": "patch", "v": edits}, st.lists(text_edits, max_size=3)),
)


def inheriting(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same deltas, leaving out what the one before already said."""
    shortened = []
    before: dict[str, Any] = {}
    for step in steps:
        shortened.append({k: v for k, v in step.items() if k == "v" or before.get(k) != v})
        before = {**before, **{k: v for k, v in step.items() if k != "v"}}
    return shortened


@settings(max_examples=200)
@given(st.lists(deltas, max_size=12))
def test_equals_a_plain_reducer(steps: list[dict[str, Any]]) -> None:
    documents = {c: root(parts=["", "x"], meta={}, refs=[]) for c in (0, 1)}
    decoder = PatchDecoder()
    for channel, document in copy.deepcopy(documents).items():
        decoder.put(document, channel)

    for step in inheriting(copy.deepcopy(steps)):
        decoder.apply(step)

    expected = reduce(documents, steps)
    assert {c: plain(document) for c, document in decoder.documents.items()} == expected


@settings(max_examples=150)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["p", "o", "c", "v", "message", "0", ""]), inner, max_size=4),
    max_leaves=12,
).filter(lambda value: isinstance(value, dict)))  # fmt: skip
def test_any_object_is_survived(delta: dict[str, Any]) -> None:
    decoder = PatchDecoder()
    decoder.apply(copy.deepcopy(OPEN))
    decoder.apply(delta)
    decoder.apply({"v": "x"})
