"""Logging in with ChatGPT, from settings: for the desk and for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chat2api.providers.oauth.endpoint import CODEX_CLIENT_ID
from chat2api.providers.oauth.signing_in import (
    BROWSER_REDIRECT,
    ISSUER,
    TOKEN_PATH,
    SignInOptions,
    issuer_of,
)
from chat2api.service.egress import Egress
from chat2api.service.logins import LOGGED_IN, Logins, LoginStores
from chat2api.settings.model import Settings
from chat2api.settings.version import version
from chat2api.store.account_book import AccountBook
from chat2api.store.account_events import AccountEvents
from chat2api.store.audit import Audit
from chat2api.store.intake import Intake
from chat2api.store.logins import LoginBook
from chat2api.store.opening import Store
from chat2api.store.relogins import Relogins


def make_logins(
    store: Store, owner: str, egress: Egress, settings: Settings, intake: Intake
) -> Logins:
    """`owner` names this process. Nothing is kept here but what the settings say."""
    audit, events = Audit(store), AccountEvents(store)

    def tell(actor: str, action: str, target: str, facts: Mapping[str, Any]) -> None:
        audit.note(actor, "", action, target, facts)
        if action == LOGGED_IN:
            events.note([target], "login", actor, {"result": facts["result"]})

    stores = LoginStores(LoginBook(store, owner), Relogins(store), intake, AccountBook(store))
    return Logins(stores, egress, sign_in_options(settings), store.now, tell)


def sign_in_options(settings: Settings) -> SignInOptions:
    token_url = settings.openai_auth_token_url or ""
    return SignInOptions(
        issuer=settings.openai_auth_issuer or issuer_of(token_url) or ISSUER,
        token_url=token_url,
        authorize_url=settings.openai_auth_authorize_url or "",
        client_id=settings.openai_auth_client_id or CODEX_CLIENT_ID,
        redirect_uri=settings.openai_auth_redirect_uri or BROWSER_REDIRECT,
        scope=settings.openai_auth_scope,
        user_agent=f"chat2api/{version()}",
    )


def renewal_url(settings: Settings) -> str:
    """Where refresh tokens are exchanged; "" for the address that the kind of token has."""
    if settings.openai_auth_token_url:
        return settings.openai_auth_token_url
    return settings.openai_auth_issuer + TOKEN_PATH if settings.openai_auth_issuer else ""
