import pytest

from chat2api.secret import Secret
from chat2api.settings.checks import (
    as_log_level,
    is_base_url,
    is_claude_table,
    is_database_url,
    is_file_name,
    is_postgresql,
    is_proxy,
    is_secret_key,
    is_zone,
)


@pytest.mark.parametrize(
    ("check", "given", "kept"),
    [
        (is_base_url, "https://x.example/base/", "https://x.example/base"),
        (is_claude_table, {"opus": "gpt-5-6"}, {"opus": "gpt-5-6"}),
        (is_proxy, Secret("u:p@h:1"), Secret("http://u:p@h:1")),
        (is_proxy, Secret("socks5h://h"), Secret("socks5h://h")),
        (is_secret_key, Secret("x" * 16), Secret("x" * 16)),
        (is_database_url, Secret("postgres://u:p@h/d"), Secret("postgres://u:p@h/d")),
        (is_database_url, Secret("postgresql://h/d"), Secret("postgresql://h/d")),
        (is_database_url, Secret("postgresql+psycopg:///d"), Secret("postgresql+psycopg:///d")),
        (is_database_url, Secret("sqlite:///x.db"), Secret("sqlite:///x.db")),
        (is_zone, "Asia/Shanghai", "Asia/Shanghai"),
        (is_zone, ":Europe/Berlin", "Europe/Berlin"),
        (is_zone, ":/etc/localtime", ""),
        (is_zone, "", ""),
        (is_file_name, "app.log", "app.log"),
        (is_file_name, "", ""),
        (as_log_level, "warn", "warning"),
        (as_log_level, "info", "info"),
        (as_log_level, 3, 3),
    ],
)
def test_what_is_kept(check, given, kept):
    assert check(given) == kept


@pytest.mark.parametrize(
    ("check", "given"),
    [
        (is_claude_table, {"claude-opus": "gpt-5-6"}),
        (is_claude_table, {"opus": ""}),
        (is_proxy, Secret("http://h:0")),
        (is_proxy, Secret("http://[h")),
        (is_secret_key, Secret("x" * 15)),
        (is_database_url, Secret("mysql://h/d")),
        (is_database_url, Secret("sqlite://")),
        (is_database_url, Secret("sqlite:///")),
        (is_database_url, Secret("x.db")),
        (is_zone, "Mars/Base"),
        (is_zone, "Europe"),
        (is_zone, "../etc/passwd"),
        (is_zone, "/usr/share/zoneinfo/UTC"),
        (is_zone, "CST-8"),
        (is_file_name, "a/b"),
        (is_file_name, "a\\b"),
        (is_file_name, ".."),
    ],
)
def test_what_is_refused(check, given):
    with pytest.raises(ValueError, match=r"^(must|every) "):
        check(given)


def test_a_refusal_does_not_repeat_the_value():
    for check in (is_proxy, is_secret_key, is_database_url):
        with pytest.raises(ValueError, match=r"^(must|every) ") as caught:
            check(Secret("x://planted"))
        assert "planted" not in str(caught.value)


def test_which_addresses_are_postgresql():
    assert is_postgresql(Secret("postgres://h"))
    assert not is_postgresql(Secret("sqlite:///postgresql://"))
