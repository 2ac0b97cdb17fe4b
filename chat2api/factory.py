"""Settings -> Runtime -> Flask application. The only place that knows every room."""

from __future__ import annotations

from flask import Flask

from chat2api.compute.pool import ComputePool
from chat2api.lifetime.budget import ByteBudget
from chat2api.lifetime.watchdog import Watchdog
from chat2api.providers.chatgpt.models import FALLBACK
from chat2api.providers.chatgpt.provider import ChatGptOptions, ChatGptProvider
from chat2api.runtime import Lifecycle, Runtime
from chat2api.service.access import Access, hash_key
from chat2api.service.completion import Completions, TurnLimits
from chat2api.service.conversations import ThreadBook
from chat2api.service.egress import Egress
from chat2api.service.models import ModelCatalog
from chat2api.service.usage import UsageCounter
from chat2api.settings.model import Settings
from chat2api.store.keys import first_key_hash, read_pepper
from chat2api.store.memory_pool import MemoryPool, PoolLimits
from chat2api.store.token_file import read_accounts
from chat2api.transport.http import HttpTransport
from chat2api.web.routes import register_routes
from chat2api.web.state import attach_runtime


def create_app(settings: Settings) -> Flask:
    """The WSGI application of one worker process. Call after the fork."""
    app = Flask("chat2api", static_folder=None)
    attach_runtime(app, build_runtime(settings))
    register_routes(app, settings)
    return app


def build_runtime(settings: Settings) -> Runtime:
    watchdog = Watchdog()
    transport = HttpTransport(
        watchdog,
        connect_seconds=settings.connect_seconds,
        connections=settings.worker_connections,
    )
    compute = ComputePool(processes=settings.compute_processes)
    compute.warm()  # a child costs the first caller 100 ms otherwise
    egress = Egress(transport, compute, settings.proxy_url)
    provider = ChatGptProvider(chatgpt_options(settings))
    pool = _pool(settings, provider.name)
    completions = Completions(
        provider,
        pool,
        egress,
        UsageCounter(compute),
        ThreadBook(),
        TurnLimits(
            retry_times=settings.retry_times,
            history_disabled=settings.history_disabled,
            request_seconds=settings.request_seconds,
            slow_request_seconds=settings.slow_request_seconds,
            allow_anonymous=settings.allow_anonymous,
            direct_concurrency=settings.direct_concurrency,
        ),
    )
    catalog = ModelCatalog(
        provider, pool, egress, fallback=FALLBACK, aliases=tuple(settings.model_aliases)
    )

    def close() -> None:
        watchdog.stop()
        compute.close()
        transport.close()

    return Runtime(
        settings=settings,
        lifecycle=Lifecycle(settings.drain_seconds),
        watchdog=watchdog,
        bodies=ByteBudget(settings.bodies_limit_bytes),
        access=_access(settings),
        completions=completions,
        catalog=catalog,
        close=close,
    )


def _pool(settings: Settings, provider: str) -> MemoryPool:
    token_file = settings.data_dir / "token.txt"
    limits = PoolLimits(
        concurrency=settings.account_concurrency,
        queue_seconds=settings.queue_seconds,
        queue_length=settings.queue_length,
        enable_limit=settings.enable_limit,
    )
    return MemoryPool(lambda: read_accounts(token_file, provider), limits, watch=token_file)


def _access(settings: Settings) -> Access:
    pepper = read_pepper(settings.data_dir)
    if settings.authorization:
        hashes = [hash_key(key.reveal(), pepper) for key in settings.authorization]
    else:
        hashes = [first_key_hash(settings.data_dir, lambda key: hash_key(key, pepper))]
    return Access(
        pepper=pepper,
        key_hashes=hashes,
        direct_tokens=settings.direct_tokens,
        prefixes=settings.access_token_prefix,
        allow_anonymous=settings.allow_anonymous,
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
