from hypothesis import given
from hypothesis import strategies as st

from chat2api.settings.mask import mask_text, mask_userinfo

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
