import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.settings.mask import is_masked, mask_address, mask_secret, mask_text, mask_userinfo

userinfo = st.text(
    st.characters(exclude_characters="/?#", exclude_categories=["Z", "C"]), min_size=1
)


@given(userinfo)
def test_user_and_password_are_hidden_whatever_they_are(secret):
    assert mask_userinfo(f"http://{secret}@host:1/x") == "http://***@host:1/x"


def test_addresses_without_password_stay():
    assert mask_userinfo("https://host/a@b, http://x") == "https://host/a@b, http://x"


def test_private_settings_are_hidden_when_set():
    assert mask_text("api_prefix", "s3cret") == "***"
    assert mask_text("api_prefix", "") == ""


def test_texts_stay_on_one_line_and_short():
    assert (
        mask_text("host", "a\nb\x1b[31m")
        == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m"
    )
    assert mask_text("host", "x" * 500) == "x" * 200 + "…"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("sk-abcdefghijklmnopwxyz", "sk-abc...wxyz"),
        ("your-prefix-", "your-p...fix-"),
        ("0123456789", "***"),
        ("", "***"),
    ],
)
def test_a_secret_is_known_by_its_ends(text, masked):
    assert mask_secret(text) == masked
    assert is_masked(masked)
    assert not text or not is_masked(text)


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("http://u:p@h:1", "http://***@h:1"),
        ("u:p@h:1", "***@h:1"),
        ("socks5://u:p/a#b?c@d@h:1", "socks5://***@h:1"),
        ("http://h:1", "http://h:1"),
        ("", ""),
    ],
)
def test_an_address_shows_no_password_even_when_malformed(address, masked):
    assert mask_address(address) == masked
