"""One turn on an upstream of the operator's configuration: one key, no accounts, few attempts."""

from __future__ import annotations

import ipaddress
import logging
import random
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import EventStream, Finish
from chat2api.errors import (
    Chat2ApiError,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamTruncated,
)
from chat2api.lifetime.call import Call
from chat2api.pool.values import Credential, Need
from chat2api.providers.openai_compatible.provider import CompatibleProvider
from chat2api.providers.protocol import Io
from chat2api.secret import Secret
from chat2api.service.access import Principal
from chat2api.service.egress import Egress
from chat2api.service.retry import attempts_allowed, for_the_log, pause_seconds
from chat2api.service.tracing import AttemptTrace, TurnTrace
from chat2api.settings.compatible_entry import DIRECT, CompatibleEntry
from chat2api.transport.protocol import Response

log = logging.getLogger(__name__)

_PASSING = (UpstreamConnectionError, UpstreamBadResponse, UpstreamTruncated)
"""What may be over at the next try. A limit or a refused key is not, and a server that was silent for a
minute will be silent for another."""


def _may_pass(error: Chat2ApiError) -> bool:
    """A redirect, or an address that is not known, is the same at the next try."""
    refused_with = error.upstream_status
    is_definite = refused_with is not None and 300 <= refused_with < 500
    return isinstance(error, _PASSING) and not is_definite


@dataclass(frozen=True, slots=True)
class Passing:
    """An answer of another kind as it comes; whoever reads it says how it `ended`."""

    provider: str
    response: Response
    _attempt: AttemptTrace
    _trace: TurnTrace

    def ended(self, error: Chat2ApiError | None) -> None:
        self._attempt.ended(error)
        self._trace.error = error


class EntryBackend:
    """Made once per worker; every method may be called from many threads at once."""

    def __init__(
        self,
        entry: CompatibleEntry,
        provider: CompatibleProvider,
        egress: Egress,
        retry_times: int,
    ) -> None:
        self.entry = entry
        self.provider = provider
        self._egress = egress
        self._retry_times = retry_times
        self._credential = Credential(f"entry:{entry.name}", None)

    def io(self, call: Call, trace: AttemptTrace | None = None) -> Io:
        """The way to the upstream."""
        compute = self._egress.compute
        return Io(
            self._egress.transport,
            compute if trace is None else trace.timed(compute),
            call,
            self._proxy(),
        )

    def events(
        self, conversation: Conversation, principal: Principal, call: Call, trace: TurnTrace
    ) -> EventStream:
        """The turn's events, ending with `Finish`. Raises Chat2ApiError. Closing it ends the turn."""
        most = attempts_allowed("entry", self._retry_times)
        need = Need(self.provider.name, self.provider.limit_key(conversation))
        trace.begins("entry", need, set())
        for number in range(1, most + 1):
            told = False
            this = trace.attempt()
            this.seated()
            try:
                with closing(self._attempt(conversation, call, this)) as events:
                    for event in events:
                        told = True
                        this.heard(event)
                        yield event
                this.ended(None)
                return
            except GeneratorExit:
                if call.error is None:  # read as far as it was wanted, which is no failure
                    this.ended(None)
                raise
            except Chat2ApiError as error:
                this.ended(error)
                call.check()
                if told or number == most or not _may_pass(error):
                    raise
                log.info("attempt %d of %d failed: %s", number, most, for_the_log(error))
                call.pause(pause_seconds(number, random.random()))

    def forward(
        self, path: str, body: bytes, content_type: str, call: Call, trace: TurnTrace, model: str
    ) -> Passing:
        """A request of another kind, asked once: what it makes may cost much. Raises Chat2ApiError."""
        trace.begins("entry", Need(self.provider.name, model), set())
        this = trace.attempt()
        this.seated()
        try:
            response = self.provider.forward(path, body, content_type, self.io(call, this))
        except Chat2ApiError as error:
            this.ended(error)
            trace.error = error
            raise
        this.begun()
        return Passing(self.provider.name, response, this, trace)

    def _attempt(self, conversation: Conversation, call: Call, trace: AttemptTrace) -> EventStream:
        finished = False
        io = self.io(call, trace)
        with closing(self.provider.stream(conversation, self._credential, io)) as events:
            for event in events:
                finished = finished or isinstance(event, Finish)
                yield event
        if not finished:  # the law of streams, whoever wrote the provider
            raise UpstreamTruncated("The upstream stopped without ending its answer.")

    def _proxy(self) -> Secret | None:
        own = self.entry.proxy
        if own is None:
            # No proxy can reach what listens on this machine only.
            is_here = _is_here(self.entry.base_url)
            return None if is_here else self._egress.proxy_for(self._credential)
        return None if own.reveal() == DIRECT else own


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
