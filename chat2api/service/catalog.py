"""The models of the accounts and of the other upstreams in one list."""

from __future__ import annotations

from collections.abc import Callable

from chat2api.lifetime.call import Call
from chat2api.providers.protocol import Model
from chat2api.service.access import PoolKey, Principal
from chat2api.service.entries import Entries
from chat2api.service.models import Catalog, no_such_model


class UnitedCatalog:
    """`accounts` is the list of before; `accounts_serve` tells whether any of them can answer at all.

    Callers without a key of this server do not see the operator's upstreams.
    """

    def __init__(
        self, accounts: Catalog, entries: Entries, accounts_serve: Callable[[], bool]
    ) -> None:
        self._accounts = accounts
        self._entries = entries
        self._accounts_serve = accounts_serve

    def available(self, principal: Principal, call: Call) -> list[Model]:
        """Each name once: as an upstream's own where only that has it."""
        if not self._entries or not isinstance(principal, PoolKey):
            return self._accounts.available(principal, call)
        by_name = {model.name: model for model in self._entries.models()}
        if not by_name or self._accounts_serve():
            by_name |= {model.name: model for model in self._accounts.available(principal, call)}
        return [by_name[name] for name in sorted(by_name)]

    def known(self) -> list[str]:
        others = {model.name for model in self._entries.known()}
        return sorted({*self._accounts.known(), *others})

    def find(self, name: str, principal: Principal, call: Call) -> Model:
        """NAME/MODEL is never listed and always there."""
        prefixed = self._entries.prefixed(name) if isinstance(principal, PoolKey) else None
        if prefixed is not None:
            return Model(name, prefixed[0].name)
        for model in self.available(principal, call):
            if model.name == name:
                return model
        raise no_such_model(name)
