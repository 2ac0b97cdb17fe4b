"""Who is believed about where a request came from."""

from __future__ import annotations

import pytest

from chat2api.web.client_address import client_address, networks, told_by_proxy

TRUSTED = networks(["10.0.0.0/8", "192.0.2.7", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "header", "address"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # nobody asked this one
        ("10.1.2.3", "", "10.1.2.3"),
        ("10.1.2.3", "198.51.100.1", "198.51.100.1"),
        (
            "10.1.2.3",
            "1.2.3.4, 198.51.100.1",
            "198.51.100.1",
        ),  # the first is the client's own claim
        ("10.1.2.3", "198.51.100.1, 192.0.2.7", "198.51.100.1"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("10.1.2.3", "unknown", "10.1.2.3"),
        ("10.1.2.3", "198.51.100.1\tGET /", "10.1.2.3"),
        ("", "198.51.100.1", ""),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, header: str, address: str) -> None:
    assert client_address(peer, header, TRUSTED) == address


def test_nobody_is_trusted_by_default() -> None:
    assert client_address("127.0.0.1", "198.51.100.1", networks([])) == "127.0.0.1"


@pytest.mark.parametrize(
    ("peer", "header", "told"),
    [
        ("10.1.2.3", "https", "https"),
        ("10.1.2.3", "HTTPS , http", "https"),
        ("10.1.2.3", "", "http"),
        ("203.0.113.9", "https", "http"),
        ("", "https", "http"),
    ],
)
def test_only_trusted_proxies_tell_how_they_were_asked(peer: str, header: str, told: str) -> None:
    """F16."""
    assert told_by_proxy("http", peer, header, TRUSTED) == told
