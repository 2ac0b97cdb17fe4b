"""Checks of the way out, over a transport that answers from memory, and over sockets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chat2api.cli.checks.finding import Finding, ok, warn
from chat2api.cli.checks.upstream import check_upstream
from chat2api.cli.workshop import opened_egress
from chat2api.errors import UpstreamConnectionError
from chat2api.secret import Secret
from chat2api.settings.model import Settings
from chat2api.transport.protocol import Outgoing
from tests.cli.conftest import Upstream

DATE = "Thu, 01 Jan 1970 00:00:50 GMT"
TOKENS = ("http://login.example/oauth/token",)


class Answering:
    """A transport. `answers`: by the beginning of a URL, a status, or what is raised."""

    def __init__(self, answers: Mapping[str, int | Exception], date: str | None = DATE) -> None:
        self.answers = answers
        self.headers = {} if date is None else {"date": date}
        self.asked: list[tuple[str, str | None]] = []

    def open(self, request: Outgoing, call: Any) -> Any:
        self.asked.append((request.url, request.proxy.reveal() if request.proxy else None))
        answer = next(
            found for start, found in self.answers.items() if request.url.startswith(start)
        )
        if isinstance(answer, Exception):
            raise answer
        return _Answer(answer, self.headers)


class _Answer:
    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status, self.headers = status, headers

    def read(self, limit_bytes: int) -> bytes:
        return b""


def checked(transport: Any, now: float = 50.0, **settings: Any) -> list[Finding]:
    made = Settings(chatgpt_base_url=("http://up.example",), **settings)
    return check_upstream(made, transport, TOKENS, lambda: now)


def test_all_is_well() -> None:
    transport = Answering({"http://up": 200, "http://login": 405})
    assert checked(transport) == [
        ok("upstream", "http://up.example/ directly: 200 in 0.0 s"),
        ok("token endpoint", f"{TOKENS[0]} directly: answers (405)"),
        ok("clock", "differs from the upstream's by 0 s"),
    ]


@pytest.mark.parametrize(
    ("status", "grade"), [(200, "ok"), (403, "warn"), (429, "warn"), (302, "warn"), (500, "warn")]
)
def test_statuses(status: int, grade: str) -> None:
    home, _, _ = checked(Answering({"http://up": status, "http://login": 404}))
    assert home.grade == grade
    assert ("PROXY_URL" in home.cure) is (status in (403, 429))


@pytest.mark.parametrize("stage", ["dns", "connect", "tls", "proxy"])
def test_the_stage_of_a_failure(stage: str) -> None:
    trouble = UpstreamConnectionError(f"Could not reach the upstream (stage: {stage}).")
    home, login = checked(Answering({"http://up": trouble, "http://login": trouble}))
    assert (home.grade, login.grade) == ("fail", "warn")
    assert f"(stage: {stage})" in home.text
    assert home.cure != "Try again later."


@pytest.mark.parametrize(("now", "grade"), [(79, "ok"), (81, "warn"), (21, "ok"), (19, "warn")])
def test_the_clock(now: float, grade: str) -> None:
    clock = checked(Answering({"http": 200}), now)[-1]
    assert (clock.check, clock.grade) == ("clock", grade)


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_no_time_is_told(date: str | None) -> None:
    found = checked(Answering({"http": 200}, date))
    assert [one.check for one in found] == ["upstream", "token endpoint"]


def test_each_proxy_is_tried_and_no_password_shown() -> None:
    proxies = ("http://u{}:planted@one:1", "socks5://two:2")
    transport = Answering({"http": 200})
    found = checked(transport, proxy_url=tuple(map(Secret, proxies)))
    assert [one.text.partition(": ")[0] for one in found[:4]] == [
        "http://up.example/ through http://***@one:1",
        "http://up.example/ through socks5://two:2",
        f"{TOKENS[0]} through http://***@one:1",
        f"{TOKENS[0]} through socks5://two:2",
    ]
    assert "planted" not in repr(found)
    used = {proxy for _, proxy in transport.asked}
    assert used == {f"http://u{'0' * 32}:planted@one:1", "socks5://two:2"}


def test_over_sockets(upstream: Upstream) -> None:
    settings = Settings(
        chatgpt_base_url=(upstream.url,),
        proxy_url=(Secret("http://u:planted@127.0.0.1:1"), Secret(upstream.url)),
    )
    with opened_egress(settings) as egress:
        found = check_upstream(settings, egress.transport, (f"{upstream.url}/oauth/token",))
    assert [(one.check, one.grade) for one in found] == [
        ("upstream", "fail"),
        ("upstream", "ok"),
        ("token endpoint", "warn"),
        ("token endpoint", "ok"),
        ("clock", "ok"),
    ]
    assert "(stage: proxy)" in found[0].text
    assert "planted" not in repr(found)


def test_a_warning_names_the_cure() -> None:
    assert checked(Answering({"http": 403}))[0] == warn(
        "upstream",
        "http://up.example/ directly: 403 in 0.0 s",
        "It refuses this address, or asks for a browser: set PROXY_URL to another way out.",
    )
