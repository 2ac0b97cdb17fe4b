import pytest

from chat2api.settings.fields import Kind, setting_fields
from chat2api.settings.model import Settings

FIELDS = setting_fields()


def test_every_setting_is_described_in_the_models_order():
    assert list(FIELDS) == list(Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "kind", "secret", "allowed"),
    [
        ("port", Kind.INT, False, "a whole number from 0 to 65535"),
        ("body_limit_bytes", Kind.INT, False, "a whole number from 1024"),
        ("drain_seconds", Kind.FLOAT, False, "a number above 0 up to 86400"),
        ("turnstile", Kind.CHOICE, False, "continue or fail"),
        ("direct_tokens", Kind.CHOICE, False, "auto, prefix or off"),
        ("authorization", Kind.LIST, True, "a list, separated by commas"),
        ("proxy_url", Kind.LIST, True, "a list, separated by commas"),
        ("chatgpt_base_url", Kind.LIST, False, "a list, separated by commas"),
        ("auth_key", Kind.TEXT, True, "text"),
        ("public_base_url", Kind.TEXT, False, "text"),
        ("data_dir", Kind.PATH, False, "a path"),
        ("database_url", Kind.TEXT, True, "text"),
        ("secret_key", Kind.LIST, True, "a list, separated by commas"),
        ("key_grace_seconds", Kind.FLOAT, False, "a number from 0 to 86400"),
        ("refresh_per_second", Kind.FLOAT, False, "a number above 0 up to 1000"),
        ("log_level", Kind.CHOICE, False, "debug, info, warning or error"),
        ("log_path", Kind.PATH, False, "a path"),
        ("chatgpts", Kind.ENTRIES, False, "a list of accounts"),
        ("model_aliases", Kind.MAPPING, False, "a JSON object whose values are text"),
    ],
)
def test_shapes(name, kind, secret, allowed):
    field = FIELDS[name]
    assert (field.kind, field.secret, field.allowed) == (kind, secret, allowed)


def test_a_switch_lists_its_words():
    assert FIELDS["history_disabled"].allowed == (
        "true, 1, t, y, yes, on or false, 0, f, n, no, off"
    )


def test_one_plain_name_does_not_count():
    assert [f.name for f in FIELDS.values() if not f.plain_name_counts] == ["access_token_prefix"]


def test_accounts_are_not_said_in_a_variable():
    only_in_the_file = [f.name for f in FIELDS.values() if not f.in_environment]
    assert only_in_the_file == ["chatgpts", "openai_compatible"]
