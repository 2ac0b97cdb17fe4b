"""Settings and their changes in words."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.settings.config_plain import NAMES
from chat2api.web.desk.settings_words import (
    default_words,
    in_words,
    label_of,
    rows_of,
    source_words,
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("1 account untouched", "1 account untouched"),
        ("3 accounts untouched", "3 accounts untouched"),
        ("order of accounts changed", "The order of the accounts changes"),
        ("account a: b added", "Account: a: b is added"),
        ("account a removed", "Account: a is removed"),
        ("account a: access_token, email changed", "Account a: access_token, email changes"),
        ("auth_tokens: sk-abc...wxyz added", "API keys: sk-abc...wxyz is added"),
        ("access_token_prefixes: *** removed", "Direct prefixes: *** is removed"),
        ("auth_tokens: order changed", "API keys: the order changes"),
        ("proxy: none -> http://h:1", "Proxies: none → http://h:1"),
        ("tz: default -> UTC", "Time zone, such as Asia/Shanghai: default → UTC"),
        ("something else\u202e", "something else\ufffd"),
    ],
)
def test_a_change(site: Any, change: str, words: str) -> None:
    with site.app.test_request_context("/"):
        assert in_words(change) == words


def test_every_setting_has_a_name_of_its_own(site: Any) -> None:
    with site.app.test_request_context("/"):
        labels = [label_of(name) for name in NAMES]
        assert len(set(labels)) == len(NAMES)
        assert not set(labels) & set(NAMES)
        assert label_of("port") == "port"


def test_rows(site: Any) -> None:
    with site.app.test_request_context("/"):
        switch, choice, number = rows_of(
            ("random_token", "log_level", "queue_seconds"),
            {"random_token": "on", "log_level": "info"},
            {"queue_seconds": "environment QUEUE_SECONDS"},
        )
        assert switch.options[0] == ("", "Default: Yes")
        assert ("on", "on") in switch.options
        assert [value for value, _ in choice.options] == ["", "debug", "info", "warning", "error"]
        assert (number.is_number, number.default, number.fixed_by) == (
            True,
            "30",
            "environment QUEUE_SECONDS",
        )
        assert default_words("tz") == "the system's"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("environment PROXY_URL", "environment variable PROXY_URL"),
        (".env TZ", "environment variable TZ"),
        ("command line --port", "command line option --port"),
        ("default", "default"),
        ("my file.yaml", "my file.yaml"),
    ],
)
def test_where_a_value_comes_from(site: Any, source: str, words: str) -> None:
    with site.app.test_request_context("/"):
        assert source_words(source) == words
