"""From a foundation and settings to a runtime; again, on the same foundation, when the settings change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chat2api.factory.accounts import make_actions
from chat2api.factory.desk import make_desk
from chat2api.factory.foundation import Foundation, pick_options, pool_limits
from chat2api.factory.logins import make_logins, renewal_url
from chat2api.factory.upstreams import make_entries
from chat2api.providers.chatgpt.models import FALLBACK
from chat2api.providers.chatgpt.provider import ChatGptOptions, ChatGptProvider
from chat2api.providers.oauth.endpoint import OAuthOptions, TokenEndpoint
from chat2api.runtime import Runtime
from chat2api.service.access import Access
from chat2api.service.admin_access import AdminAccess, Administration
from chat2api.service.arrivals import Arrivals
from chat2api.service.catalog import UnitedCatalog
from chat2api.service.completion import Completions, TurnLimits
from chat2api.service.config_desk import ConfigDesk
from chat2api.service.egress import Egress
from chat2api.service.emulation import Emulator
from chat2api.service.entries import Entries
from chat2api.service.fresh import FreshTokens
from chat2api.service.json_checks import JsonChecks
from chat2api.service.key_limits import KeyLimits, day_in
from chat2api.service.model_names import CLAUDE_MODELS, ModelNames
from chat2api.service.models import ModelCatalog
from chat2api.service.passage import Passage
from chat2api.service.pool_backend import PoolBackend
from chat2api.service.renewal import Renewals
from chat2api.service.routing import Router
from chat2api.service.seating import Seating
from chat2api.service.threads import Threads
from chat2api.settings.model import Settings
from chat2api.settings.version import version
from chat2api.store.api_keys import announce_first_key
from chat2api.store.attempts import Attempts
from chat2api.store.census import Census
from chat2api.store.intake import Intake
from chat2api.store.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Assembled:
    """The runtime, and what only jobs need of what it was made from."""

    runtime: Runtime
    provider: ChatGptProvider
    renewals: Renewals
    arrivals: Arrivals


def assemble(
    base: Foundation,
    settings: Settings,
    desk: ConfigDesk,
    close: Callable[[], None],
    earlier: Assembled | None = None,
) -> Assembled:
    """`earlier`: what the settings before had; what did not change is kept, with what it remembers."""
    base.pool.adopt(pick_options(settings), pool_limits(settings))
    egress = Egress(base.transport, base.compute, settings.proxy_url)
    provider = _provider(settings, earlier)
    intake = Intake(base.store, settings.refresh_window_seconds, provider.name)
    renewals = _renewals(base, provider, egress, earlier)
    tokens = FreshTokens(renewals, base.credentials, base.store.now)
    base.known_keys.grace_seconds = settings.key_grace_seconds
    accounts = _models(base, settings, provider, egress, tokens)
    entries = make_entries(settings, egress)
    pool = _pool_backend(base, settings, provider, egress, tokens)
    router = _router(settings, pool, entries, accounts)
    runtime = Runtime(
        settings=settings,
        lifecycle=base.lifecycle,
        watchdog=base.watchdog,
        bodies=base.bodies,
        access=_access(base, settings),
        guesses=base.guesses,
        limits=_limits(base, settings, earlier),
        administration=_administration(base, settings),
        completions=_completions(base, settings, router),
        passage=Passage(router),
        threads=Threads(base.responses, base.store.vault, settings.responses_kept_days),
        catalog=UnitedCatalog(
            accounts, entries, lambda: settings.allow_anonymous or not base.pool.is_empty()
        ),
        book=base.book,
        intake=intake,
        config=desk,
        desk=make_desk(
            base.desk,
            make_logins(base.store, base.workers.worker_id, egress, settings, intake),
            make_actions(base.desk, provider, egress, tokens, renewals),
        ),
        degraded=lambda: base.pool.is_degraded,
        close=close,
    )
    arrivals = Arrivals(settings.data_dir, intake, base.book, base.arrivals)
    return Assembled(runtime, provider, renewals, arrivals)


def _renewals(
    base: Foundation, provider: ChatGptProvider, egress: Egress, earlier: Assembled | None
) -> Renewals:
    renewals = Renewals(
        base.credentials,
        base.escrow,
        provider,
        egress,
        base.store.now,
        lambda action, facts: base.audit.note("system", "", action, detail=facts),
        base.desk.recorder.renewal,
    )
    if earlier is not None:
        renewals.take_over(earlier.renewals)
    return renewals


def _models(
    base: Foundation,
    settings: Settings,
    provider: ChatGptProvider,
    egress: Egress,
    tokens: FreshTokens,
) -> ModelCatalog:
    return ModelCatalog(
        provider,
        base.pool,
        egress,
        tokens,
        fallback=FALLBACK,
        aliases=tuple(settings.model_aliases),
    )


def _limits(base: Foundation, settings: Settings, earlier: Assembled | None) -> KeyLimits:
    """Kept where it can be: it may hold what is not settled yet."""
    if earlier is not None and earlier.runtime.settings.tz == settings.tz:
        return earlier.runtime.limits
    return KeyLimits(base.key_usage, day_in(settings.tz))


def _provider(settings: Settings, earlier: Assembled | None) -> ChatGptProvider:
    options, oauth = chatgpt_options(settings), oauth_options(settings)
    if earlier is not None:
        before = earlier.runtime.settings
        if (chatgpt_options(before), oauth_options(before)) == (options, oauth):
            return earlier.provider
    return ChatGptProvider(options, TokenEndpoint(oauth))


def _pool_backend(
    base: Foundation,
    settings: Settings,
    provider: ChatGptProvider,
    egress: Egress,
    tokens: FreshTokens,
) -> PoolBackend:
    seating = Seating(
        base.pool,
        egress,
        tokens,
        base.conversations,
        allow_anonymous=settings.allow_anonymous,
        direct_concurrency=settings.direct_concurrency,
    )
    most_running = pick_options(settings).most_running
    census = Census(base.store, most_running, is_away=lambda: base.pool.is_degraded)
    return PoolBackend(
        provider, base.pool, egress, base.usage, seating, settings.retry_times, census.of
    )


def _completions(base: Foundation, settings: Settings, router: Router) -> Completions:
    limits = TurnLimits(
        history_disabled=settings.history_disabled,
        request_seconds=settings.request_seconds,
        slow_request_seconds=settings.slow_request_seconds,
    )
    return Completions(router, Emulator(JsonChecks(base.compute), base.usage), base.usage, limits)


def _router(
    settings: Settings, pool: PoolBackend, entries: Entries, accounts: ModelCatalog
) -> Router:
    return Router(
        pool,
        _names(settings),
        entries,
        accounts.known,
        lambda caller, call: {model.name for model in accounts.available(caller, call)},
    )


def _names(settings: Settings) -> ModelNames:
    return ModelNames(
        {**CLAUDE_MODELS, **settings.claude_models},
        frozenset(settings.model_aliases),
        frozenset(settings.claude_models),
    )


def _access(base: Foundation, settings: Settings) -> Access:
    if not settings.authorization:
        base.keys.first_key(announce_first_key)
    return Access(
        hash_key=base.store.vault.hash,
        configured=settings.authorization,
        direct_tokens=settings.direct_tokens,
        prefixes=settings.access_token_prefix,
        allow_anonymous=settings.allow_anonymous,
        now=base.store.now,
        stored=base.known_keys,
        uses=base.keys,
    )


def _administration(base: Foundation, settings: Settings) -> Administration:
    access = AdminAccess(
        hash_key=base.store.vault.hash,
        password=settings.admin_password,
        configured=settings.authorization,
        now=base.store.now,
        stored=base.known_keys,
        first=base.keys,
    )
    access.warn_if_weak()
    attempts = Attempts(base.store, free=settings.login_attempts)
    return Administration(access, Sessions(base.store), attempts, base.audit)


def oauth_options(settings: Settings) -> OAuthOptions:
    return OAuthOptions(
        token_url=renewal_url(settings),
        client_id=settings.openai_auth_client_id,
        redirect_uri=settings.openai_auth_redirect_uri,
        scope=settings.openai_auth_scope,
        encoding=settings.openai_auth_encoding,
        user_agent=f"chat2api/{version()}",
    )


def chatgpt_options(settings: Settings) -> ChatGptOptions:
    return ChatGptOptions(
        bases=settings.chatgpt_base_url,
        user_agent=settings.user_agent,
        auth_key=settings.auth_key,
        extra_headers=settings.upstream_headers,
        aliases=settings.model_aliases,
        conversation_only=settings.conversation_only,
        pow_difficulty=settings.pow_difficulty,
        pow_variant=settings.pow_variant,
        sentinel_flow=settings.sentinel_flow,
        conversation_endpoint=settings.conversation_endpoint,
        turnstile=settings.turnstile,
        code_output=settings.code_output,
        history_form=settings.history_form,
        first_byte_seconds=settings.first_byte_seconds,
        slow_first_byte_seconds=settings.slow_first_byte_seconds,
        idle_seconds=settings.idle_seconds,
        slow_idle_seconds=settings.slow_idle_seconds,
        resume_after_seconds=settings.resume_after_seconds,
        event_limit_bytes=settings.event_limit_bytes,
        proof_seconds=settings.proof_seconds,
    )
