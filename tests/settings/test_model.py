import pytest
from pydantic import ValidationError

from chat2api.secret import Secret
from chat2api.settings.model import Settings


def test_the_defaults_are_allowed_values():
    assert Settings() == Settings.model_validate(Settings().model_dump())


def test_unknown_fields_are_refused():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Settings.model_validate({"prot": 1})


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("api_prefix", "/a/b/", "a/b"),
        ("api_prefix", "/", ""),
        ("public_base_url", "https://x.example/base/", "https://x.example/base"),
        ("pow_difficulty", "00FF", "00ff"),
        ("proxy_url", (Secret("host:3128"),), (Secret("http://host:3128"),)),
        ("trusted_proxies", ("10.1.2.3/8", "::1"), ("10.1.2.3/8", "::1")),
    ],
)
def test_what_is_kept(name, given, kept):
    assert getattr(Settings.model_validate({name: given}), name) == kept


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("api_prefix", "a//b"),
        ("api_prefix", "a b"),
        ("api_prefix", "a\n"),
        ("public_base_url", "ftp://x"),
        ("public_base_url", "https://x?y"),
        ("public_base_url", "x.example"),
        ("pow_difficulty", ""),
        ("pow_difficulty", "0g"),
        ("pow_difficulty", "00ff\n"),
        ("proxy_url", (Secret("ftp://x"),)),
        ("proxy_url", (Secret("http://x:99999"),)),
        ("proxy_url", (Secret("http://:80"),)),
        ("trusted_proxies", ("10.0.0.0/33",)),
        ("chatgpt_base_url", ()),
        ("port", 65_536),
        ("drain_seconds", 0),
        ("drain_seconds", float("inf")),
        ("drain_seconds", float("nan")),
    ],
)
def test_what_is_refused(name, given):
    with pytest.raises(ValidationError):
        Settings.model_validate({name: given})


def test_a_dump_shows_no_secret():
    settings = Settings(auth_key=Secret("planted"), authorization=(Secret("planted"),))
    assert "planted" not in f"{settings!r} {settings} {settings.model_dump()}"
