"""Languages and times as people read them; every text has its translation, and none is left over."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from chat2api.web import languages
from chat2api.web.languages import (
    FOLDER,
    LANGUAGES,
    catalogue,
    day,
    gettext,
    language,
    moment,
    ngettext,
    plural_forms,
    time_zone,
)

WEB = Path(languages.__file__).parent
KEYWORDS = {"gettext": None, "ngettext": (1, 2), "plural_forms": (1, 2)}
FILES = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
OPTIONS = {"**.html": {"newstyle_gettext": "true"}}
OTHERS = sorted(set(LANGUAGES) - {"en"})
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


@cache
def texts() -> frozenset[Any]:
    """What the pages say: ids, and pairs of ids where there is a plural."""
    found = extract_from_dir(WEB, FILES, OPTIONS, KEYWORDS)
    return frozenset(message for _, _, message, _, _ in found)


def messages(name: str) -> list[Message]:
    with (FOLDER / f"{name}.po").open("rb") as file:
        return [message for message in read_po(file, locale=name) if message.id]


@pytest.mark.parametrize("name", OTHERS)
def test_every_text_is_translated_and_no_translation_is_left_over(name: str) -> None:
    known = {message.id for message in messages(name)}
    assert texts() - known == set()
    assert known - texts() == set()


@pytest.mark.parametrize("name", OTHERS)
def test_translations_are_whole_and_keep_their_blanks(name: str) -> None:
    for message in messages(name):
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(strings)
        assert not message.fuzzy
        wanted = set(PLACEHOLDER.findall(ids[-1]))
        assert [set(PLACEHOLDER.findall(text)) for text in strings] == [wanted] * len(strings)


def test_no_text_shouts() -> None:
    for name in OTHERS:
        for message in messages(name):
            assert "!" not in f"{message.id}{message.string}".replace("%!", "")
            assert "您" not in f"{message.string}"


def within(site: Any, path: str = "/", **headers: str) -> Any:
    return site.app.test_request_context(
        path, headers={n.replace("_", "-"): v for n, v in headers.items()}
    )


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/", {}, "en"),
        ("/", {"Accept_Language": "de, zh-HK;q=0.9, en;q=0.5"}, "zh"),
        ("/", {"Accept_Language": "zh;q=0, en"}, "en"),
        ("/", {"Accept_Language": "en", "Cookie": "lang=zh"}, "zh"),
        ("/?lang=zh-Hant", {"Cookie": "lang=en"}, "zh"),
        ("/?lang=../x", {"Cookie": "lang=%00"}, "en"),
    ],
)
def test_which_language(site: Any, path: str, headers: dict[str, str], expected: str) -> None:
    with within(site, path, **headers):
        assert language() == expected


def test_texts(site: Any) -> None:
    with within(site, "/?lang=zh"):
        assert gettext("Tokens") == "Token"
        assert ngettext("%(num)d line", "%(num)d lines", 2) == "2 行"
        assert plural_forms("%(num)d line", "%(num)d lines") == ["%(num)d 行"] * 2
    with within(site):
        assert ngettext("%(num)d line", "%(num)d lines", 1) == "1 line"
        assert plural_forms("%(num)d line", "%(num)d lines") == ["%(num)d line", "%(num)d lines"]
    assert catalogue("xx").ugettext("Tokens") == "Tokens"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("setting", "cookie", "expected"),
    [
        ("", "", "UTC"),
        ("", "Asia/Shanghai", "Asia/Shanghai"),
        ("", "../../etc/passwd", "UTC"),
        ("Europe/Berlin", "Asia/Shanghai", "Europe/Berlin"),
    ],
)
def test_which_zone(site: Any, setting: str, cookie: str, expected: str) -> None:
    site.given["tz"] = setting
    with within(site, Cookie=f"tz={cookie}"):
        assert time_zone() == expected


def test_times(site: Any) -> None:
    at = 1_763_570_000.0
    with within(site, Cookie="tz=Asia/Shanghai"):
        assert (day(at), moment(at)) == ("Nov 20", "Nov 20, 2025, 12:33:20\u202fAM")
    with within(site, "/?lang=zh"):
        assert (day(at), moment(at)) == ("11月19日", "2025年11月19日 16:33:20")
