import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.comments import CommentedSeq

from chat2api.settings.config_file import parse_document
from chat2api.settings.yaml_comments import keeping_tail, quoted, set_items, set_value

LIST = """\
a:
  # about x
  - x  # x itself
  # about y
  - y  # y itself
  - z

# about b
b: 1
"""


def changed(text, change):
    document = parse_document(text, "r", "x")
    change(document.data)
    return document.dump()


def test_a_value_changes_and_its_neighbours_comments_stay():
    text = "a: 1  # one\n\n# about b\nb: 2\n"
    after = changed(text, lambda d: set_value(d, "a", quoted("9")))
    assert after == 'a: "9" # one\n\n# about b\nb: 2\n'


def test_a_new_key_comes_before_the_closing_comment():
    assert changed("a: 1\n\n# end\n", lambda d: set_value(d, "b", 2)) == "a: 1\nb: 2\n\n# end\n"


@pytest.mark.parametrize(
    ("values", "origins", "expected"),
    [
        (
            ["y", "z"],
            [1, 2],
            "a:\n  # about x\n  # about y\n  - y  # y itself\n  - z\n\n# about b\nb: 1\n",
        ),
        (
            ["x", "z"],
            [0, 2],
            "a:\n  # about x\n  - x  # x itself\n  # about y\n  - z\n\n# about b\nb: 1\n",
        ),
        (
            ["x", "y", "new"],
            [0, 1, None],
            "a:\n  # about x\n  - x  # x itself\n  # about y\n  - y  # y itself\n  - new\n"
            "\n# about b\nb: 1\n",
        ),
        ([], [], "a: []\n  # about x\n  # about y\n\n# about b\nb: 1\n"),
    ],
)
def test_a_list_changes_and_comments_stay(values, origins, expected):
    assert changed(LIST, lambda d: set_items(d, "a", values, origins)) == expected


ITEMS = st.lists(
    st.sampled_from([("x", 0), ("y", 1), ("z", 2), ("new", None)]), min_size=1, unique=True
)


@given(ITEMS)
def test_no_comment_line_is_lost_while_items_remain(items):
    values, origins = [v for v, _ in items], [o for _, o in items]
    text = changed(LIST, lambda d: set_items(d, "a", values, origins))
    assert parse_document(text, "r", "x").data == {"a": values, "b": 1}
    assert "\n# about b\nb: 1\n" in text
    assert "# about x\n" in text
    assert "# about y\n" in text
    for name, origin in (("x", 0), ("y", 1)):
        assert (f"{name}  # {name} itself" in text) == (origin in origins)


def test_a_flow_list_stays_one():
    text = "a: ['x', y]  # two\nb: 1\n"
    after = changed(text, lambda d: set_items(d, "a", ["y"], [1]))
    assert " ".join(after.split()) == "a: [y] # two b: 1"


def test_a_deep_last_leaf_gives_its_comment_back():
    text = "a:\n  b:\n    - c: 1\n      d: 2  # two\n# end\n"

    def drop(data):
        with keeping_tail(data, "a"):
            data["a"]["b"] = CommentedSeq([7])

    assert changed(text, drop) == "a:\n  b:\n    - 7\n# end\n"


@pytest.mark.parametrize("text", ["123", "yes", "a: b", "null", "~", "2025-01-01", "", "'", "\\"])
def test_quoted_text_stays_text(text):
    written = changed("a: 1\n", lambda d: set_value(d, "a", quoted(text)))
    assert parse_document(written, "r", "x").data == {"a": text}
