"""Files keyed by token."""

from __future__ import annotations

from typing import Any

from chat2api.pool.values import Look, NewAccount
from chat2api.secret import Secret
from chat2api.service.importing.found import Found, FoundAccount, Skipped, TokenTrait
from chat2api.service.importing.json_maps import read_looks, read_refresh_map, read_routing

from .samples import TEAM, access, legacy, refresh, written

AT, RT, OLD = access("anna"), refresh("anna"), legacy("anna")
PROXY = "socks5://user:password@one.example:1080"


def account(entry: int, **fields: Any) -> FoundAccount:
    return FoundAccount(NewAccount(pooled=False, **fields), f"m entry {entry}", hint=True)


def test_renewals() -> None:
    content = written(
        {
            RT: {"token": AT, "timestamp": 1_751_360_000},
            f"{OLD},{TEAM}": {"last_error": "invalid_grant", "timestamp": 1_751_360_000},
            refresh("odd"): {"token": "garbage", "timestamp": 1},
            refresh("workspace"): {"token": f"{AT},{TEAM}", "timestamp": "soon"},
            AT: {"token": AT, "timestamp": 1},
            "garbage": {"token": AT},
            refresh("flat"): AT,
        }
    )
    assert read_refresh_map(content, "m") == Found(
        accounts=(
            account(
                1, access_token=Secret(AT), refresh_token=Secret(RT), refreshed_at=1_751_360_000.0
            ),
            account(2, refresh_token=Secret(OLD), workspace_id=TEAM),
            account(3, refresh_token=Secret(refresh("odd"))),
            account(
                4,
                access_token=Secret(AT),
                refresh_token=Secret(refresh("workspace")),
                workspace_id=TEAM,
            ),
        ),
        skipped=(
            Skipped("m entry 3", "its access token is none and was left out"),
            Skipped("m entry 5", "not a refresh token"),
            Skipped("m entry 6", "not a token"),
            Skipped("m entry 7", "is not an entry of this kind of file"),
        ),
    )


def test_looks() -> None:
    content = written(
        {
            AT: {"User-Agent": "Browser/1", "proxy_url": PROXY, "impersonate": "chrome123"},
            f"{OLD},{TEAM}": {"oai-device-id": TEAM, "proxy_url": None},
            RT: {"impersonate": "chrome123", "proxy_url": "gopher://x"},
            "": {"user-agent": "Nobody/1"},
            "garbage": {"user-agent": "Nobody/1"},
            legacy("other"): 5,
        }
    )
    assert read_looks(content, "m") == Found(
        traits=(
            TokenTrait(Secret(AT), None, Look("Browser/1"), Secret(PROXY), "m entry 1"),
            TokenTrait(Secret(OLD), TEAM, Look("", TEAM), None, "m entry 2"),
        ),
        skipped=(
            Skipped("m entry 3", "its proxy is no http, https or socks5 address and was left out"),
            Skipped("m entry 5", "not a token"),
            Skipped("m entry 6", "is not an entry of this kind of file"),
        ),
    )


def test_looks_that_were_appended_object_by_object() -> None:
    content = written({AT: {"user-agent": "Old/1"}}) + written({RT: "Text/1"})
    content += b"\n" + written({AT: {"user-agent": "New/1"}})
    assert read_looks(content, "m") == Found(
        traits=(
            TokenTrait(Secret(AT), None, Look("New/1"), None, "m entry 1"),
            TokenTrait(Secret(RT), None, Look("Text/1"), None, "m entry 2"),
        )
    )
    assert read_looks(content[:-5], "m") == Found(skipped=(Skipped("m", "is damaged (line 11)"),))


def test_routing() -> None:
    bindings = {RT: {"proxy_url": PROXY, "note": "mine", "user-agent": "no"}, AT: {"group": "g"}}
    assert read_routing(written({"proxies": [], "bindings": bindings}), "m") == Found(
        traits=(TokenTrait(Secret(RT), None, Look(), Secret(PROXY), "m entry 1"),)
    )
    assert read_routing(written({"proxies": []}), "m") == Found()
    assert read_routing(written({"bindings": [RT]}), "m") == Found(
        skipped=(Skipped("m", "has bindings that are not a JSON object"),)
    )
