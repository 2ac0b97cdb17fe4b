"""The ways out: the transport, the compute pool, and which proxy a credential uses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from chat2api.compute.protocol import Compute
from chat2api.pool.values import Credential
from chat2api.secret import Secret
from chat2api.transport.protocol import Transport


@dataclass(frozen=True, slots=True)
class Egress:
    transport: Transport
    compute: Compute
    proxies: tuple[Secret, ...] = ()

    def proxy_for(self, credential: Credential, own: Secret | None = None) -> Secret | None:
        """The account's own proxy, else one of PROXY_URL, always the same for an account: an address that
        jumps looks stolen.

        `{}` in a proxy is replaced by a hash of the account, for providers of sticky sessions.
        """
        if own is None and not self.proxies:
            return None
        digest = hashlib.md5(credential.subject.encode(), usedforsecurity=False).hexdigest()
        chosen = own or self.proxies[int(digest[:8], 16) % len(self.proxies)]
        return Secret(chosen.reveal().replace("{}", digest))
