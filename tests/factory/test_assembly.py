"""Settings find their way; what did not change is kept."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from chat2api.factory.assembly import chatgpt_options, oauth_options
from chat2api.providers.chatgpt.provider import ChatGptOptions
from chat2api.providers.oauth.endpoint import OAuthOptions
from chat2api.secret import Secret
from chat2api.settings.model import Settings
from chat2api.settings.version import version

Site = Any

OTHER_NAMES = {
    "bases": "chatgpt_base_url",
    "extra_headers": "upstream_headers",
    "aliases": "model_aliases",
}


def test_every_option_has_its_setting() -> None:
    """Values that differ from each other and from the defaults find their way."""
    seconds = iter(range(11, 99))
    settings = Settings(
        chatgpt_base_url=("https://one.test",),
        user_agent="Agent/1.0",
        auth_key=Secret("relay"),
        upstream_headers={"X-One": "1"},
        model_aliases={"mine": "gpt-5-5"},
        conversation_only=True,
        pow_difficulty="0000ff",
        pow_variant="fnv",
        sentinel_flow="single",
        conversation_endpoint="classic",
        turnstile="fail",
        code_output="hide",
        event_limit_bytes=4096,
        **{name: next(seconds) for name in Settings.model_fields if name.endswith("_seconds")},
    )
    options = dataclasses.asdict(chatgpt_options(settings))
    assert options == {name: getattr(settings, OTHER_NAMES.get(name, name)) for name in options}
    assert "relay" not in repr(chatgpt_options(settings))


def test_options_left_out_mean_what_the_settings_say() -> None:
    told = dataclasses.asdict(chatgpt_options(Settings()))
    plain = dataclasses.asdict(ChatGptOptions(told["bases"], told["user_agent"]))
    assert {**plain, "extra_headers": {}, "aliases": {}} == told


def test_the_options_of_the_login() -> None:
    agent = f"chat2api/{version()}"
    assert oauth_options(Settings()) == OAuthOptions(user_agent=agent)
    settings = Settings(
        openai_auth_token_url="https://login.test/token",
        openai_auth_client_id="app_own",
        openai_auth_redirect_uri="https://login.test/back",
        openai_auth_scope="openid",
        openai_auth_encoding="json",
    )
    assert oauth_options(settings) == OAuthOptions(
        "https://login.test/token", "app_own", "https://login.test/back", "openid", "json", agent
    )


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("retry_times: 2\n", True),
        ("user_agent: Other/1.0\n", False),
        ("openai_auth_client_id: app_own\n", False),
    ],
)
def test_a_provider_is_kept_with_what_it_remembers(site: Site, text: str, kept: bool) -> None:
    before = site.worker._assembled
    site.write(text)
    site.worker.reload()
    after = site.worker._assembled
    assert after is not before
    assert (after.provider is before.provider) is kept
    assert after.renewals._unsaved is before.renewals._unsaved
