"""Settings and their changes in words."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.settings.config_plain import NAMES, plain_fields
from chat2api.settings.fields import Kind
from chat2api.web.desk.settings_words import (
    default_words,
    in_words,
    label_of,
    mistake_words,
    rows_of,
    source_words,
    trouble_words,
)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (
            "must be a number above 0 up to 86400.",
            "It must be a number. More than 0, at most 86400.",
        ),
        ("must be a whole number from 0 to 9", "It must be a whole number. From 0 to 9."),
        ("must be a whole number from 1", "It must be a whole number. At least 1."),
        ("must be a number above 0", "It must be a number. More than 0."),
        ("must be a number up to 9", "It must be a number. At most 9."),
        ("must be auto, prefix or off", "It must be one of: auto, prefix or off."),
        ("must not be empty", "It must not be empty."),
        ("is not valid YAML (line 3, column 1)", "It is not valid YAML."),
        ("is odd\u202e", "is odd\ufffd"),
    ],
)
def test_a_mistake(site: Any, reason: str, words: str) -> None:
    with site.app.test_request_context("/"):
        assert mistake_words(reason) == words


def test_what_can_go_wrong_with_a_form_is_told_in_chinese(site: Any) -> None:
    fields = [plain_fields()[name] for name in NAMES]
    fields = [field for field in fields if field.kind is not Kind.TEXT]
    checks = ["must be a time zone such as Europe/Berlin or Asia/Shanghai"]
    checks += ["must be an http:// or https:// address"]
    checks += ["must look like http://, https:// or socks5://[user:password@]host:port"]
    with site.app.test_request_context("/?lang=zh"):
        for reason in [*(f"must be {field.allowed}" for field in fields), *checks]:
            assert not mistake_words(reason).isascii(), reason


def test_trouble_with_the_file(site: Any) -> None:
    with site.app.test_request_context("/"):
        told = trouble_words("retry_times (app.dev.yaml line 3)=x: must be a whole number")
        assert told == "Further attempts after the first: It must be a whole number."
        assert trouble_words("app.dev.yaml: is not valid YAML (line 1, column 2)") == (
            "app.dev.yaml: It is not valid YAML."
        )
        odd = "app.dev.yaml, line 3: is odd"
        assert trouble_words(odd) == odd
        assert trouble_words("app.dev.yaml is empty") == "app.dev.yaml is empty"


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
