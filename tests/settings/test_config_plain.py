"""Settings of one plain value in the file: as text, of the right kind, and no comment is lost."""

import pytest

from chat2api.errors import RequestError
from chat2api.settings.config_file import parse_document
from chat2api.settings.config_merge import merge
from chat2api.settings.config_plain import NAMES, plain_fields, shown_plain
from chat2api.settings.load import yaml_problems

FILE = """\
# mine
retry_times: 3  # enough
# about accounts
random_token: false
log_level: "info"
auth:
  access_tokens: [sk-0123456789ab]
"""


def put(settings, *, text=FILE, fixed=frozenset()):
    document = parse_document(text, "r1", "app.dev.yaml")
    merged = merge(document, {"settings": settings}, None, fixed)
    return document.dump(), merged


def test_what_the_file_says():
    shown = shown_plain(parse_document(FILE, "r1", "x").data)
    assert {name: text for name, text in shown.items() if text} == {
        "retry_times": "3",
        "random_token": "false",
        "log_level": "info",
    }
    assert tuple(shown) == NAMES


def test_none_of_them_is_secret():
    assert not any(field.secret for field in plain_fields().values())


def test_values_are_written_as_what_they_are():
    text, merged = put(
        {"retry_times": "5", "random_token": "yes", "log_level": "DEBUG", "queue_seconds": "1.5"}
    )
    assert text == (
        FILE.replace("retry_times: 3", "retry_times: 5")
        .replace("random_token: false", "random_token: true")
        .replace('"info"', '"debug"')
        + "queue_seconds: 1.5\n"
    )
    assert yaml_problems(text, "x") == []
    assert merged.changes == [
        "retry_times: 3 -> 5",
        "random_token: false -> yes",
        "log_level: info -> DEBUG",
        "queue_seconds: default -> 1.5",
    ]


def test_nothing_makes_the_default_hold_and_keeps_comments():
    text, merged = put({"retry_times": "", "random_token": ""})
    assert "# enough" in text
    assert "# about accounts" in text
    assert yaml_problems(text, "x") == []
    assert shown_plain(parse_document(text, "r1", "x").data)["retry_times"] == ""
    assert merged.changes == ["retry_times: 3 -> default", "random_token: false -> default"]


def test_the_same_is_no_change():
    text, merged = put({"retry_times": " 3 ", "log_level": "info", "tz": ""})
    assert (text, merged.changes) == (FILE, [])


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"retry_times": "many"}, "settings.retry_times"),
        ({"retry_times": "21"}, "settings.retry_times"),
        ({"log_level": "loud"}, "settings.log_level"),
        ({"random_token": "maybe"}, "settings.random_token"),
        ({"tz": "Mars/Olympus"}, "settings.tz"),
        ({"tz": "a\nb"}, "settings.tz"),
        ({"retry_times": 5}, "settings.retry_times"),
        ({"admin_password": "x"}, "settings.admin_password"),
        ([], "settings"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(settings, param):
    with pytest.raises(RequestError) as caught:
        put(settings)
    assert caught.value.param == param


def test_what_the_environment_decides_is_told():
    _, merged = put({"retry_times": "5"}, fixed=frozenset({"retry_times"}))
    assert merged.warnings == [
        "retry_times is set by the environment or the command line; what the file says counts when it is not."
    ]
