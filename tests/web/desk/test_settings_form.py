"""The form of the configuration file: what it wants, what it may show, and edits that find their place."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.settings.config_file import parse_document
from chat2api.settings.config_merge import merge
from chat2api.settings.config_view import render
from chat2api.web.desk.settings_form import (
    body_of,
    changed_since,
    mark_of,
    moved,
    public,
    seen,
    with_kept,
)

FILE = """\
proxy: http://me:planted@proxy:3128
retry_times: 3
auth:
  access_tokens: [sk-alice-planted-2222, sk-bob-planted-3333]
chatgpts:
  - {access_token: eyJ-planted-aaaa-1111, email: a@example.com}
  - {access_token: eyJ-planted-bbbb-2222, refresh_token: rt_planted-bbbb, email: b@example.com}
"""
CAROL = "sk-carol-planted-4444"


def view_of(text: str = FILE) -> dict[str, Any]:
    document = parse_document(text, "r1", "x")
    return render(document.data, revision="r1", config_path="x", fixed=frozenset())


def untouched(view: dict[str, Any]) -> dict[str, str]:
    """What a browser sends of a form that nobody touched."""
    fields = {"revision": "r1", "seen": seen(view), "proxy": view["proxy"], "chatgpt_base_url": ""}
    fields |= {f"setting.{name}": value for name, value in view["settings"].items()}
    for part, name in (("keys", "auth_tokens"), ("prefixes", "access_token_prefixes")):
        fields[f"{part}.new"] = ""
        for index, item in enumerate(view[name]):
            fields |= {f"{part}.{index}.masked": item["masked"], f"{part}.{index}.value": ""}
    return fields


def changes(**edits: str) -> list[str]:
    """In words, for fields whose dots are written as double underscores."""
    view = view_of()
    fields = untouched(view) | {name.replace("__", "."): value for name, value in edits.items()}
    return merge(parse_document(FILE, "r1", "x"), body_of(fields, view), None).changes


def test_an_untouched_form_wants_nothing() -> None:
    assert changes() == []


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ({"keys__new": f" {CAROL}\n\n"}, ["auth_tokens: sk-car...4444 added"]),
        ({"keys__0__remove": "1"}, ["auth_tokens: sk-ali...2222 removed"]),
        (
            {"keys__1__value": CAROL},
            ["auth_tokens: sk-car...4444 added", "auth_tokens: sk-bob...3333 removed"],
        ),
        ({"proxy": ""}, ["proxy: http://***@proxy:3128 -> none"]),
        ({"setting__retry_times": "5"}, ["retry_times: 3 -> 5"]),
        ({"account__0__email": "c@example.com"}, ["account c@example.com: email changed", "1 account untouched"]),
        ({"account__0__remove": "1"}, ["account a@example.com removed", "1 account untouched"]),
        ({"account__1__access_token__remove": "1"}, ["account b@example.com: access_token changed", "1 account untouched"]),
        ({"account__1__access_token": "eyJ-new"}, ["account b@example.com: access_token changed", "1 account untouched"]),
        ({"account__new__refresh_token": "rt_new-token-x", "account__new__email": "n@x.y"}, ["account n@x.y added", "2 accounts untouched"]),
        ({"account__new__email": ""}, []),
    ],
)  # fmt: skip
def test_what_is_wanted(edits: dict[str, str], words: list[str]) -> None:
    assert changes(**edits) == words


# --- secrets that rest with the server


def test_a_page_tells_only_that_a_secret_was_typed() -> None:
    fields = {
        "keys.new": CAROL,
        "keys.0.value": "",
        "account.0.access_token": "planted",
        "account.0.email": "a@example.com",
        "proxy": "http://u:planted@h:1, http://h:2",
        "account.1.proxy": "u:planted@h",
    }
    shown = public(fields)
    assert "planted" not in repr(shown)
    assert shown == {
        "keys.new.kept": "1",
        "keys.0.value.kept": "",
        "account.0.access_token.kept": "1",
        "account.0.email": "a@example.com",
        "proxy": "http://***@h:1, http://h:2",
        "account.1.proxy": "***@h",
    }


def test_what_was_typed_before_counts_on() -> None:
    kept = {
        "keys.new": CAROL,
        "proxy": "http://u:planted@h:1",
        "setting.tz": "UTC",
        "keys.0.remove": "1",
    }
    sent = {"keys.new": " ", "proxy": "http://***@h:1"}
    assert with_kept(sent, kept) == {"keys.new": CAROL, "proxy": "http://u:planted@h:1"}
    assert with_kept({"keys.new": "sk-other"}, kept)["keys.new"] == "sk-other"
    assert with_kept({"keys.new": "", "keys.new.forget": "1"}, kept)["keys.new"] == ""
    assert with_kept({"proxy": "http://***@other:1"}, kept)["proxy"] == "http://***@other:1"


# --- somebody else saved first

OTHERS = FILE.replace("retry_times: 3", "retry_times: 4").replace("sk-alice-planted-2222, ", "")


def test_what_changed_meanwhile_is_told() -> None:
    assert changed_since(seen(view_of()), view_of(OTHERS)) == [
        ("keys", "sk-ali...2222, sk-bob...3333", "sk-bob...3333"),
        ("retry_times", "3", "4"),
    ]
    assert changed_since(seen(view_of()), view_of()) == []
    without = view_of(
        FILE.replace("  - {access_token: eyJ-planted-aaaa-1111, email: a@example.com}\n", "")
    )
    assert changed_since(seen(view_of()), without) == [("chatgpts", "2", "1")]
    assert "planted" not in seen(view_of())


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"proxy": 1}'])
def test_a_damaged_memory_tells_nothing(text: str) -> None:
    assert changed_since(text, view_of()) == []


def test_edits_follow_what_they_were_made_of() -> None:
    before = view_of()
    fields = untouched(before) | {
        "keys.1.value": CAROL,
        "keys.0.remove": "1",
        "account.1.mark": _mark(before, 1),
        "account.1.email": "new@example.com",
        "account.0.mark": "gone",
        "account.0.email": "lost@example.com",
    }
    now = view_of(OTHERS)
    found, lost = moved(fields, now)
    assert found["keys.0.value"] == CAROL
    assert "keys.1.value" not in found
    assert "keys.0.remove" not in found
    assert found["account.1.email"] == "new@example.com"
    assert "lost@example.com" not in found.values()
    assert lost == 2
    assert found["seen"] == seen(now)
    # What nobody touched in the form is not put back over what others made of it.
    assert "setting.retry_times" not in found
    assert moved({"setting.retry_times": "9", "seen": "{"}, now)[0]["setting.retry_times"] == "9"


def test_a_replacement_of_what_is_gone_is_a_new_key() -> None:
    fields = untouched(view_of()) | {"keys.0.value": CAROL}
    found, lost = moved(fields, view_of(OTHERS))
    assert (found["keys.new"], lost) == (CAROL, 0)


def _mark(view: dict[str, Any], index: int) -> str:
    return mark_of(view["chatgpts"][index])
