"""What every provider offers. A provider is handed a credential and never sees the pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import EventStream
from chat2api.compute.protocol import Compute
from chat2api.lifetime.call import Call
from chat2api.pool.values import Credential, Grant, Quota, StoredCredential
from chat2api.secret import Secret
from chat2api.transport.protocol import Transport


@dataclass(frozen=True, slots=True)
class Io:
    """The outside world for one turn. `proxy` is the account's, else the global one."""

    transport: Transport
    compute: Compute
    call: Call
    proxy: Secret | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an upstream does itself. The rest is done for it, by us, where it can be.

    `builtins` are the kinds of `Builtin` it has.
    """

    native_tools: bool = False
    native_json: bool = False
    native_limits: bool = False
    sampling: bool = False
    builtins: frozenset[str] = frozenset()
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """A model as the upstream lists it. `created` in epoch seconds, 0 when unknown."""

    name: str
    owned_by: str = "openai"
    created: int = 0


@dataclass(frozen=True, slots=True)
class AccountCheck:
    """What the upstream says of an account when asked how it is. Empty where it says nothing.

    `limits` are the models it will not serve now and until when (epoch seconds); None when it did not tell,
    which is not the same as none. `closed`: it has put the account, or its workspace, out of use.
    """

    email: str = ""
    plan: str = ""
    quota: Quota = field(default_factory=Quota)
    limits: Mapping[str, float] | None = None
    closed: bool = False


class RefreshRefused(Exception):
    """The refresh token is of no use any more: somebody has to log in again. `reason` names the code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RefreshFailed(Exception):
    """The exchange failed for now, through no fault of the token.

    `after_dispatch`: it was sent, and may have been carried out although no answer came.
    """

    def __init__(self, reason: str, *, after_dispatch: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_dispatch = after_dispatch


class Provider(Protocol):
    name: str
    capabilities: Capabilities

    def is_slow(self, conversation: Conversation) -> bool:
        """Whether long silences are normal for it; such turns get the longer limits."""

    def limit_key(self, conversation: Conversation) -> str:
        """What the upstream counts this turn under, beside the account itself."""

    def refresh(self, stored: StoredCredential, io: Io) -> Grant:
        """Exchange the refresh token. Raises RefreshRefused, RefreshFailed."""

    def models(self, credential: Credential, io: Io) -> list[Model]:
        """What this credential may use. Raises UpstreamError."""

    def check(self, credential: Credential, io: Io) -> AccountCheck:
        """How this credential's account is, by questions that cost it nothing. Raises UpstreamError."""

    def stream(self, conversation: Conversation, credential: Credential, io: Io) -> EventStream:
        """One turn. Yields events that end with one `Finish`, or raises Chat2ApiError.

        Closing the iterator early closes the upstream.
        """
