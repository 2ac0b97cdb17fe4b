import copy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.errors import Conflict, RequestError
from chat2api.settings.config_file import parse_document
from chat2api.settings.config_merge import merge
from chat2api.settings.config_view import render

FILE = """\
# made by hand
log_level: info  # enough

proxy: "http://me:planted1@proxy:3128"  # the office's
# who may call
auth:
  access_tokens:
    # alice
    - sk-alice-planted-2222
    # bob
    - "Bearer sk-bob-planted-3333"  # leaves in May

  access_token_prefix: []
# the last word
"""
ALICE, BOB = "sk-ali...2222", "sk-bob...3333"


def new_token(value):
    return {"index": -1, "set": False, "value": value}


def document(text=FILE):
    return parse_document(text, "rev1", "app.dev.yaml")


def view(doc, fixed=frozenset()):
    return render(doc.data, revision="rev1", config_path="x", fixed=fixed)


def put(body, *, text=FILE, revision=None, fixed=frozenset()):
    """The new text, the changes, the warnings."""
    doc = document(text)
    merged = merge(doc, body, revision, fixed)
    written = doc.dump()
    assert "planted" not in f"{merged.changes}{merged.warnings}{merged.valid_keys}"
    return written, merged


def refused(body, **options):
    with pytest.raises(RequestError) as caught:
        put(body, **options)
    assert "planted" not in caught.value.message
    return caught.value.status, caught.value.param


# --- nothing changes


@pytest.mark.parametrize(
    "text", [FILE, "", "# c\n", "proxy_url: [a:1, 'u:p@b:2']\nauthorization: x,y\n"]
)
def test_what_was_got_may_be_put_back(text):
    written, merged = put(view(document(text)), text=text)
    assert merged.changes == merged.warnings == []
    assert parse_document(written, "r", "x").data == document(text).data


TOKENS = st.text("abc-. :#'\"{}[]&*!|>%@`0123456789", min_size=1, max_size=14).map(str.strip)
ENTRIES = st.fixed_dictionaries(
    {"access_token": st.sampled_from(["eyJ.a", "Bearer b", 'c"c'])},
    optional={"email": TOKENS, "expired": st.dates(), "refresh_token": TOKENS, "proxy": TOKENS},
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "proxy": TOKENS,
            "chatgpt_base_url": st.lists(TOKENS),
            "auth": st.fixed_dictionaries(
                {}, optional={"access_tokens": st.lists(TOKENS), "access_token_prefix": TOKENS}
            ),
            "chatgpts": st.lists(ENTRIES, max_size=3),
        },
    )
)
def test_any_file_may_be_put_back_as_it_was_got(content):
    doc = document("")
    doc.data.update(copy.deepcopy(content))
    before = copy.deepcopy(doc.data)
    merged = merge(doc, view(doc), "rev1")
    assert merged.changes == []
    assert doc.data == before


# --- keys and prefixes


def test_keys_are_added_kept_and_removed():
    written, merged = put(
        {
            "auth_tokens": [
                {"index": 1, "set": True, "masked": BOB},
                new_token(" Bearer sk-carol-planted-4444 "),
                new_token("sk-carol-planted-4444"),
                {"index": -1, "set": False, "value": " "},
            ]
        }
    )
    keys = parse_document(written, "r", "x").data["auth"]["access_tokens"]
    assert keys == ["Bearer sk-bob-planted-3333", "sk-carol-planted-4444"]
    assert merged.changes == ["auth_tokens: sk-car...4444 added", f"auth_tokens: {ALICE} removed"]
    assert merged.valid_keys == [BOB, "sk-car...4444"]
    assert merged.warnings == [f"From now on these keys are valid: {BOB}, sk-car...4444."]


def test_comments_survive():
    written, _ = put(
        {
            "proxy": "",
            "auth_tokens": [{"index": 1, "set": True}, new_token("sk-new")],
            "access_token_prefixes": [new_token("own-")],
            "chatgpts": [{"access_token": new_token("eyJ.a")}],
        }
    )
    assert (
        re.sub(r"(?<=\S) +#", " #", written)
        == """\
# made by hand
log_level: info # enough

proxy: "" # the office's
# who may call
auth:
  access_tokens:
    # alice
    # bob
    - "Bearer sk-bob-planted-3333" # leaves in May
    - "sk-new"

  access_token_prefix:
    - "own-"
chatgpts:
  - access_token: "eyJ.a"
# the last word
"""
    )


KEPT = [{"index": 0, "set": True}, {"index": 1, "set": True}]
ADDED = st.sampled_from([new_token("sk-new"), new_token("a: b # c"), new_token("123")])
COMMENTS = ("made by hand", "enough", "the office's", "who may call", "alice", "bob", "last word")


@given(
    keys=st.lists(st.one_of(st.sampled_from(KEPT), ADDED), min_size=1, max_size=4),
    prefixes=st.lists(ADDED, max_size=2),
    accounts=st.lists(ADDED.map(lambda token: {"refresh_token": token}), max_size=3),
    proxy=st.sampled_from(["", "http://h:1", "http://***@proxy:3128"]),
)
def test_comments_survive_whatever_is_put(keys, prefixes, accounts, proxy):
    body = {"auth_tokens": keys, "access_token_prefixes": prefixes, "chatgpts": accounts}
    written, _ = put(body | {"proxy": proxy})
    assert [words for words in COMMENTS if words not in written.replace("\n", " ")] == []
    data = parse_document(written, "r", "x").data
    stored = ["sk-alice-planted-2222", "Bearer sk-bob-planted-3333"]
    wanted = [key.get("value") or stored[key["index"]] for key in keys]
    assert data["auth"]["access_tokens"] == list(dict.fromkeys(wanted))
    assert [a["refresh_token"] for a in data.get("chatgpts", [])] == [
        account["refresh_token"]["value"] for account in accounts
    ]
    again, second = put(view(document(written)), text=written)
    assert (again, second.changes) == (written, [])


def test_the_order_of_the_body_counts():
    written, merged = put({"auth_tokens": [{"index": 1, "set": True}, {"index": 0, "set": True}]})
    keys = parse_document(written, "r", "x").data["auth"]["access_tokens"]
    assert keys == ["Bearer sk-bob-planted-3333", "sk-alice-planted-2222"]
    assert merged.changes == ["auth_tokens: order changed"]


def test_a_value_at_an_index_replaces_that_item():
    written, merged = put(
        {"auth_tokens": [{"index": 0, "set": True}, {"index": 1, "set": True, "value": "sk-b2"}]}
    )
    assert '- "sk-b2"' in written
    assert "# leaves in May" in written
    assert merged.changes == ["auth_tokens: *** added", f"auth_tokens: {BOB} removed"]


def test_no_key_left_is_refused():
    assert refused({"auth_tokens": []}) == (400, "auth_tokens")
    assert refused({"auth_tokens": [{"index": 0, "set": False}]}) == (400, "auth_tokens")


def test_unless_the_environment_has_the_keys():
    _, merged = put({"auth_tokens": []}, fixed=frozenset({"authorization"}))
    assert merged.warnings == [
        "auth_tokens is set by the environment or the command line; what the file says counts when "
        "it is not."
    ]


@pytest.mark.parametrize(
    "value", ["123", "yes", "null", "a: b", "- a", "#x", "'\"\\", "é中", "2025-01-01"]
)
def test_values_are_strings_whatever_they_look_like(value):
    written, _ = put({"access_token_prefixes": [new_token(value)], "proxy": "http://h:1"})
    assert parse_document(written, "r", "x").data["auth"]["access_token_prefix"] == [value]


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\x00b", "a\x85b", "a\u2028b", "a\x1bb"])
def test_line_breaks_and_control_characters_are_refused(value):
    assert refused({"auth_tokens": [new_token(value)]}) == (400, "auth_tokens[0].value")


@pytest.mark.parametrize("value", [ALICE, "eyJhbG...Qx9w", "***"])
def test_a_masked_secret_is_refused(value):
    assert refused({"auth_tokens": [new_token(value)]}) == (400, "auth_tokens[0].value")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], "body"),
        (None, "body"),
        ({"port": 1}, "port"),
        ({"auth_tokens": None}, "auth_tokens"),
        ({"auth_tokens": ["sk-a"]}, "auth_tokens[0]"),
        ({"auth_tokens": [{"index": 2, "set": True}]}, "auth_tokens[0].index"),
        ({"auth_tokens": [{"index": -1, "set": True}]}, "auth_tokens[0]"),
        ({"auth_tokens": [{"index": 0, "set": True, "key": "x"}]}, "auth_tokens[0].key"),
        ({"proxy": 1}, "proxy"),
        ({"proxy": "ftp://u:planted@h"}, "proxy"),
        ({"proxy": "http://***@elsewhere:1"}, "proxy"),
        ({"chatgpt_base_url": "chatgpt.com"}, "chatgpt_base_url"),
        ({"chatgpts": {}}, "chatgpts"),
        ({"revision": 1}, "revision"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(body, param):
    assert refused(body) == (400, param)


# --- addresses


def test_a_proxy_changes_and_shows_no_password():
    written, merged = put({"proxy": " socks5://you:planted@h:1 "})
    assert 'proxy: "socks5://you:planted@h:1"' in written
    assert merged.changes == ["proxy: http://***@proxy:3128 -> socks5://***@h:1"]


def test_one_of_several_proxies_changes():
    text = "proxy_url: ['http://a:1@h:1', 'http://b:2@h:1', 'http://c:3@x:1']\n"
    written, _ = put({"proxy": "http://***@h:1, http://***@h:1, http://new:1"}, text=text)
    assert written == 'proxy_url: "http://a:1@h:1,http://b:2@h:1,http://new:1"\n'


def test_the_upstream_may_go_back_to_the_default():
    written, merged = put({"chatgpt_base_url": ""}, text="chatgpt_base_url: https://relay\n")
    assert written == 'chatgpt_base_url: ""\n'
    assert merged.changes == ["chatgpt_base_url: https://relay -> none"]


# --- two administrators


@pytest.mark.parametrize("revision", ["rev1", '"rev1"', 'W/"rev1"', "*", None])
def test_the_revision_that_was_seen(revision):
    assert put({"proxy": ""}, revision=revision)[1].changes
    assert put({"proxy": "", "revision": "rev1"})[1].changes


@pytest.mark.parametrize("options", [{"revision": '"rev0"'}, {"revision": "rev0"}])
def test_another_revision_is_a_conflict(options):
    with pytest.raises(Conflict):
        put({"proxy": "", "revision": "rev1"}, **options)


def test_the_bodys_revision_counts_without_the_header():
    with pytest.raises(Conflict):
        put({"proxy": "", "revision": "rev0"})


def test_without_a_revision_the_masks_tell():
    with pytest.raises(Conflict):
        put({"auth_tokens": [{"index": 0, "set": True, "masked": BOB}]})
