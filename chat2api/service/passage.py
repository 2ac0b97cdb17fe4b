"""Requests of other kinds, such as pictures and speech: on their way to an upstream that has the model,
and back, as they are."""

from __future__ import annotations

from collections.abc import Callable

from chat2api.errors import Unsupported
from chat2api.lifetime.call import Call
from chat2api.service.access import Principal
from chat2api.service.entry_backend import Passing
from chat2api.service.routing import Router
from chat2api.service.tracing import TurnTrace

Body = Callable[[str], bytes]
"""The request's body with the model called by this name."""


class Passage:
    """Made once per worker."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def open(
        self,
        path: str,
        model: str,
        body: Body,
        content_type: str,
        principal: Principal,
        call: Call,
        trace: TurnTrace,
    ) -> Passing:
        """Ask for it and wait for the answer's beginning. Raises Unsupported where no upstream has the
        model, and what the upstream's refusal means."""
        found = self._router.entry_of(model, principal)
        if found is None:
            raise Unsupported(
                f"No upstream of this server can do this with the model {model[:80]!r}.",
                param="model",
            )
        backend, name = found
        return backend.forward(path, body(name), content_type, call, trace, name)
