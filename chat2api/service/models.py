"""The list of models a caller may choose from: the upstream's, kept a while, with a built-in fallback."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from chat2api.errors import Chat2ApiError, UnknownModel
from chat2api.lifetime.call import Call
from chat2api.pool.protocol import AccountPool
from chat2api.pool.values import Credential, Need
from chat2api.providers.protocol import Io, Model, Provider
from chat2api.secret import Secret
from chat2api.service.access import Anonymous, Direct, DirectRefresh, Principal
from chat2api.service.egress import Egress
from chat2api.service.fresh import FreshTokens

log = logging.getLogger(__name__)

_KEEP_SECONDS = 300.0
_RETRY_SECONDS = 30.0


class Catalog(Protocol):
    """What may be asked for by name."""

    def available(self, principal: Principal, call: Call) -> list[Model]:
        """Sorted by name, each once."""

    def known(self) -> list[str]:
        """Names as far as they are known now: nobody is asked."""

    def find(self, name: str, principal: Principal, call: Call) -> Model:
        """Raises UnknownModel."""


class ModelCatalog:
    """`auto` and the configured aliases are always in the list."""

    def __init__(
        self,
        provider: Provider,
        pool: AccountPool,
        egress: Egress,
        tokens: FreshTokens,
        *,
        fallback: tuple[str, ...],
        aliases: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._pool = pool
        self._egress = egress
        self._tokens = tokens
        self._fallback = [Model(name) for name in fallback]
        self._always = [Model("auto"), *(Model(name) for name in aliases)]
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, list[Model]]] = {}

    def available(self, principal: Principal, call: Call) -> list[Model]:
        """Sorted by name, each once. Never empty and never fails for the upstream's sake (I09)."""
        kind = "anonymous" if isinstance(principal, Anonymous) else "pool"
        if isinstance(principal, Direct):
            kind = principal.credential.subject
        if isinstance(principal, DirectRefresh):
            kind = f"refresh:{hash((principal.token, principal.workspace_id))}"
        models = self._kept_or_fetched(kind, principal, call)
        by_name = {model.name: model for model in [*models, *self._always]}
        return [by_name[name] for name in sorted(by_name)]

    def known(self) -> list[str]:
        """Names that the pool's accounts offer, as far as they are known now: nobody is asked."""
        with self._lock:
            _, models = self._kept.get("pool", (0.0, self._fallback))
        return sorted({model.name for model in [*models, *self._always]})

    def find(self, name: str, principal: Principal, call: Call) -> Model:
        for model in self.available(principal, call):
            if model.name == name:
                return model
        raise no_such_model(name)

    def _kept_or_fetched(self, kind: str, principal: Principal, call: Call) -> list[Model]:
        now = self._clock()
        with self._lock:
            until, models = self._kept.get(kind, (0.0, self._fallback))
            if now < until:
                return models
            # Others are served the list of before while this caller fetches.
            self._kept[kind] = (now + _RETRY_SECONDS, models)
            while len(self._kept) > 1000:
                self._kept.pop(next(iter(self._kept)))
        try:
            fetched = self._fetch(principal, call)
        except Chat2ApiError as error:
            call.check()
            log.info("model list not available: %s (%s)", error.code, error.message)
            return models
        if fetched:
            with self._lock:
                self._kept[kind] = (self._clock() + _KEEP_SECONDS, fetched)
        return fetched or models

    def _fetch(self, principal: Principal, call: Call) -> list[Model]:
        call.check()
        if isinstance(principal, Direct):
            return self._ask(principal.credential, None, call)
        if isinstance(principal, DirectRefresh):
            brought = self._tokens.of_bearer(principal.token, principal.workspace_id, call)
            return self._ask(brought.credential, None, call)
        if isinstance(principal, Anonymous):
            return self._ask(Credential("anonymous", None), None, call)
        account = self._pool.glance(Need(self._provider.name, "auto"))
        return [] if account is None else self._ask(account.credential, account.proxy, call)

    def _ask(self, credential: Credential, proxy: Secret | None, call: Call) -> list[Model]:
        chosen = self._egress.proxy_for(credential, proxy)
        return self._provider.models(
            credential, Io(self._egress.transport, self._egress.compute, call, chosen)
        )


def no_such_model(name: str) -> UnknownModel:
    """The same for a model that is not there and one that this caller may not use."""
    return UnknownModel(f"The model {name[:80]!r} does not exist or you do not have access to it.")
