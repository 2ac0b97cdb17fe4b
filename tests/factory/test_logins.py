"""What the settings say about logging in, and where it is written down."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.factory.logins import make_logins, renewal_url, sign_in_options
from chat2api.providers.oauth.signing_in import SignInOptions
from chat2api.service.logins import LOGGED_IN
from chat2api.settings.model import Settings
from chat2api.settings.version import version
from chat2api.store.account_events import AccountEvents
from chat2api.store.audit import Audit
from chat2api.store.intake import Intake


def test_nothing_set() -> None:
    assert sign_in_options(Settings()) == SignInOptions(user_agent=f"chat2api/{version()}")
    assert renewal_url(Settings()) == ""


@pytest.mark.parametrize(
    ("given", "issuer", "token", "renewal"),
    [
        (
            {"openai_auth_issuer": "https://a.test/"},
            "https://a.test",
            "https://a.test/oauth/token",
            "https://a.test/oauth/token",
        ),
        (
            {"openai_auth_token_url": "https://b.test/oauth/token"},
            "https://b.test",
            "https://b.test/oauth/token",
            "https://b.test/oauth/token",
        ),
        (
            {"openai_auth_issuer": "https://a.test", "openai_auth_token_url": "https://b.test/t"},
            "https://a.test",
            "https://b.test/t",
            "https://b.test/t",
        ),
        (
            {"openai_auth_token_url": "https://b.test/t"},
            "https://auth.openai.com",
            "https://b.test/t",
            "https://b.test/t",
        ),
    ],
)
def test_where_it_goes(given: Any, issuer: str, token: str, renewal: str) -> None:
    options = sign_in_options(Settings(**given))
    assert (options.issuer, options.token_address) == (issuer, token)
    assert renewal_url(Settings(**given)) == renewal


def test_the_other_settings() -> None:
    options = sign_in_options(
        Settings(
            openai_auth_authorize_url="https://c.test/authorize",
            openai_auth_client_id="app_1",
            openai_auth_redirect_uri="http://localhost:9/cb",
            openai_auth_scope="openid",
        )
    )
    told = (options.authorize_address, options.client_id, options.redirect_uri, options.scope)
    assert told == ("https://c.test/authorize", "app_1", "http://localhost:9/cb", "openid")


def test_what_came_of_a_login_is_written_down(key_store: Any) -> None:
    nothing: Any = None
    logins = make_logins(key_store, "worker", nothing, Settings(), Intake(key_store))
    facts = {"result": "added", "as": "ann@example.com"}
    logins._tell("session 1", LOGGED_IN, "acc_1", facts)
    logins._tell("session 1", "login refused", "acc_1", facts)
    assert [one.action for one in Audit(key_store).recent()] == ["login refused", LOGGED_IN]
    (event,) = AccountEvents(key_store).of("acc_1")
    assert (event.kind, event.actor, event.detail) == ("login", "session 1", {"result": "added"})
