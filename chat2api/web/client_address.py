"""Where a request came from and how, believing only the proxies the operator trusts. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """TRUSTED_PROXIES, checked by the settings already."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def client_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """The address nearest to us that is no trusted proxy.

    `peer` is who connected, `forwarded_for` the X-Forwarded-For header: each proxy adds whom it saw at
    its end, so what stands there counts only as far as the chain of trusted ones reaches.
    """
    address = peer
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    while hops and _is_trusted(address, trusted):
        claimed = _parsed(hops.pop())
        if claimed is None:
            break
        address = str(claimed)
    return address


def told_by_proxy(own: str, peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """What X-Forwarded-Proto or X-Forwarded-Host says, when a trusted peer sends it; else `own`.

    Of several, the first is what the outermost proxy saw.
    """
    claimed = forwarded.partition(",")[0].strip().lower()
    return claimed if claimed and _is_trusted(peer, trusted) else own


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(
        parsed.version == network.version and parsed in network for network in trusted
    )


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
