"""Which proxy a credential uses."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.pool.values import Credential
from chat2api.secret import Secret
from chat2api.service.egress import Egress

NOTHING: Any = None


def egress(*proxies: str) -> Egress:
    return Egress(NOTHING, NOTHING, tuple(map(Secret, proxies)))


def chosen(out: Egress, subject: str) -> str:
    proxy = out.proxy_for(Credential(subject, None))
    assert proxy is not None
    return proxy.reveal()


def test_none_without_proxies() -> None:
    assert egress().proxy_for(Credential("a", None)) is None


def test_an_account_keeps_its_proxy_and_all_are_used() -> None:
    proxies = [f"http://proxy-{number}.test:1" for number in range(3)]
    first, second = egress(*proxies), egress(*proxies)
    choices = [chosen(first, f"account-{number}") for number in range(50)]
    assert choices == [chosen(second, f"account-{number}") for number in range(50)]
    assert set(choices) == set(proxies)


@pytest.mark.parametrize("subject", ["account", "", "名前"])
def test_braces_become_a_name_that_stays(subject: str) -> None:
    out = egress("http://user-session-{}:pw@proxy.test:1")
    proxy = chosen(out, subject)
    assert proxy == chosen(out, subject)
    name = proxy.removeprefix("http://user-session-").removesuffix(":pw@proxy.test:1")
    assert (len(name), name.isalnum()) == (32, True)
    assert chosen(out, subject + "x") != proxy


def test_its_own_proxy_comes_first_and_may_hold_braces() -> None:
    credential = Credential("account", None)
    own = egress("http://global.test:1").proxy_for(credential, Secret("http://{}@own.test:1"))
    assert own is not None
    name = own.reveal().removeprefix("http://").removesuffix("@own.test:1")
    assert (len(name), name.isalnum()) == (32, True)


def test_a_password_does_not_show() -> None:
    out = egress("http://user:pr0xy-p4ss@proxy.test:1")
    assert "pr0xy-p4ss" not in f"{out!r}{out.proxy_for(Credential('a', None))!r}"
