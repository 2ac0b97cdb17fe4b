"""The file as text: every line is there, and no secret is (G11)."""

import pytest

from chat2api.logs import redact
from chat2api.settings.config_file import ConfigFileError
from chat2api.settings.config_raw import masked_text


def shown_text(text, label):
    return masked_text(text, label, redact)


FILE = """\
# made by hand: keep it short
host: 127.0.0.1
proxy: "http://me:planted1@proxy:3128"  # the office's
proxy_url: [socks5://u:planted2@h:1]
admin_password: planted3-planted3-planted3
secret_key: [planted4-planted4-planted4]
database_url: postgresql://u:planted5@h/x
api_prefix: planted6
upstream_headers: {cookie: planted7, x: planted8}
auth_key: planted9
log_level: info
auth:
  access_tokens:
    # alice
    - sk-alice-planted-2222
    # - sk-old-planted-key
    - "Bearer sk-bob-planted-3333"  # was sk-planted-bob-1
  access_token_prefix: [pl, planted-prefix-1234]
chatgpts:
  - email: a@example.com
    access_token: eyJ-planted-0123456789
    refresh_token: planted
    proxy: http://u:planted@h:1
    note: planted
    # refresh_token: planted
#  - planted-commented-out
# admin_password: planted
# proxy: http://u:planted@h:2
# model_aliases: {a: planted}
# retry_times: 3
# planted_name: planted
"""


def test_no_secret_is_shown():
    shown = shown_text(FILE.replace("# planted_name: planted\n", ""), "x")
    assert "planted" not in shown
    assert "pl," not in shown


def test_an_unknown_name_is_hidden_too():
    assert shown_text("who_knows: planted\n# who_knows: planted\n", "x") == (
        "who_knows: '***'\n# who_knows: ***\n"
    )


def test_what_is_harmless_is_shown():
    shown = shown_text(FILE, "x")
    plain = [" ".join(line.replace('"', "").split()) for line in shown.splitlines()]
    for line in (
        "# made by hand: keep it short",
        "host: 127.0.0.1",
        "proxy: http://***@proxy:3128 # the office's",
        "log_level: info",
        "# alice",
        "- email: a@example.com",
        "# retry_times: 3",
    ):
        assert line in plain
    assert "sk-ali...2222" in shown


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "a: b: c\n"])
def test_what_is_not_yaml_is_not_shown(text):
    with pytest.raises(ConfigFileError):
        shown_text(text, "x")


@pytest.mark.parametrize(
    "text", ["chatgpts: planted\n", "auth: planted\n", "chatgpts: [planted]\n"]
)
def test_odd_shapes_are_hidden(text):
    assert "planted" not in shown_text(text, "x")


def test_where_a_comment_begins_is_not_always_clear():
    shown = shown_text("tz: o'clock # planted: planted\n", "x")
    assert shown == "tz: o'clock # ***\n"


@pytest.mark.parametrize(
    "text",
    [
        "admin_password: 20261128\n",
        "site_password: 2026.1128\n",
        "secret_key: [2026112820261128]\n",
        "who_knows: 20261128\n",
        "upstream_headers: {x: 20261128}\n",
        "auth:\n  access_tokens: [20261128]\n",
        "auth:\n  who_knows: 20261128\n",
        "chatgpts:\n  - note: 20261128\n    refresh_token: 20261128\n",
    ],
)
def test_a_number_may_be_a_password(text):
    shown = shown_text(text, "x")
    assert "0261128" not in shown.replace("...1128", "...")
    assert "2026.1128" not in shown


def test_numbers_that_are_none_are_shown():
    text = "port: 5005\nretry_times: 3\nhistory_disabled: true\n"
    assert shown_text(text, "x") == text


@pytest.mark.parametrize(
    "comment",
    [
        "# access_tokens: [planted-one, planted-two]",
        '# access_tokens: "planted one"',
        "#   planted-three,",
        '#   "planted-four"',
        "# planted5ecret",
        "# password: two planted words",
        "# model_list: {a: planted-six }",
    ],
)
def test_lists_and_passwords_that_were_commented_out_are_hidden(comment):
    assert "planted" not in shown_text(f"port: 1\n{comment}\n", "x")
