import datetime as dt

import pytest

from chat2api.secret import Secret
from chat2api.settings.entry import ENTRY_FIELDS, ChatGptEntry
from chat2api.settings.yaml_entries import entry_text, read_entries
from chat2api.settings.yaml_place import Place

PLACE = Place("a.yaml", {}, ("chatgpts",))


def read(value):
    problems = []
    return read_entries(value, PLACE, problems), [str(problem) for problem in problems]


def test_all_fields():
    item = {name: f"{name}-1" for name in ENTRY_FIELDS} | {"proxy": "u:p@h:1"}
    (entry,), problems = read([item])
    assert problems == []
    assert entry == ChatGptEntry(
        id_token=Secret("id_token-1"),
        access_token=Secret("access_token-1"),
        refresh_token=Secret("refresh_token-1"),
        account_id="account_id-1",
        last_refresh="last_refresh-1",
        email="email-1",
        type="type-1",
        expired="expired-1",
        proxy=Secret("http://u:p@h:1"),
    )
    assert "token-1" not in repr(entry)
    assert "u:p" not in repr(entry)


def test_one_token_is_enough():
    entries, problems = read([{"access_token": " Bearer a "}, {"refresh_token": "r"}])
    assert problems == []
    assert entries == (
        ChatGptEntry(access_token=Secret("a")),
        ChatGptEntry(refresh_token=Secret("r")),
    )


@pytest.mark.parametrize(
    "empty",
    [
        None,
        [],
        [None],
        [{}],
        [{"access_token": "", "email": None, "proxy": " "}],
        [{"email": "x@example.com", "id_token": "i", "type": "plus"}],
    ],
)
def test_what_holds_no_token_is_no_account(empty):
    assert read(empty) == ((), [])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"access_token": "a"}, "chatgpts (a.yaml): must be a list of accounts"),
        (["planted"], "chatgpts[0] (a.yaml): must hold `name: value` lines"),
        (
            [{"access_token": "a"}, {"acess_token": "planted"}],
            "chatgpts[1].acess_token (a.yaml): is not a setting; did you mean access_token?",
        ),
        (
            [{"access_token": 123}],
            "chatgpts[0].access_token (a.yaml): must be text; put the value in quotes",
        ),
        (
            [{"access_token": "a", "account_id": dt.date(2025, 1, 1)}],
            "chatgpts[0].account_id (a.yaml): must be text; put the value in quotes",
        ),
        (
            [{"access_token": "planted\nb"}],
            "chatgpts[0].access_token (a.yaml): must not contain line breaks or control characters",
        ),
        (
            [{"access_token": "a", "proxy": "ftp://u:planted@h"}],
            "chatgpts[0].proxy (a.yaml): must look like http://, https:// or "
            "socks5://[user:password@]host:port",
        ),
    ],
)
def test_mistakes_are_told_without_the_value(value, problem):
    _, problems = read(value)
    assert problems == [problem]
    assert "planted" not in problems[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dt.datetime(2025, 12, 9, 3, 8, 11), "2025-12-09T03:08:11"),
        (dt.datetime(2025, 12, 9, 3, 8, 11, tzinfo=dt.UTC), "2025-12-09T03:08:11+00:00"),
        (dt.date(2025, 12, 9), "2025-12-09"),
        ("2025-12-09", "2025-12-09"),
        (None, ""),
    ],
)
def test_times_may_lack_their_quotes(value, text):
    assert entry_text("expired", value) == text
    assert entry_text("last_refresh", value) == text
