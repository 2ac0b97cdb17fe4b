"""providers.chatgpt.headers: hints that agree with the User-Agent, and texts that fit into a header."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.providers.chatgpt.headers import client_hints, header_text
from chat2api.settings.model import Settings

WINDOWS = "Windows NT 10.0; Win64; x64"
MAC = "Macintosh; Intel Mac OS X 10_15_7"


def agent(system: str, rest: str = "Chrome/131.0.0.0 Safari/537.36") -> str:
    return f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) {rest}"


def hints(engine: str, brand: str, platform: str, mobile: str = "?0") -> dict[str, str]:
    return {
        "Sec-Ch-Ua": f'"Chromium";v="{engine}", {brand}, "Not-A.Brand";v="99"',
        "Sec-Ch-Ua-Mobile": mobile,
        "Sec-Ch-Ua-Platform": f'"{platform}"',
    }


def test_the_agent_of_the_settings() -> None:
    expected = hints("124", '"Google Chrome";v="124"', "Windows")
    assert client_hints(Settings.model_validate({}).user_agent) == expected


@pytest.mark.parametrize(
    ("user_agent", "engine", "brand", "platform", "mobile"),
    [
        (agent(WINDOWS), "131", '"Google Chrome";v="131"', "Windows", "?0"),
        (agent(MAC), "131", '"Google Chrome";v="131"', "macOS", "?0"),
        (agent("X11; Linux x86_64"), "131", '"Google Chrome";v="131"', "Linux", "?0"),
        (agent("X11; CrOS x86_64 14541.0.0"), "131", '"Google Chrome";v="131"', "Chrome OS", "?0"),
        (agent("Linux; Android 10; K", "Chrome/130.0.0.0 Mobile Safari/537.36"),
         "130", '"Google Chrome";v="130"', "Android", "?1"),
        (agent("Linux; Android 10; K"), "131", '"Google Chrome";v="131"', "Android", "?0"),
        (agent(WINDOWS, "Chrome/131.0.0.0 Safari/537.36 Edg/131.0.2903.86"),
         "131", '"Microsoft Edge";v="131"', "Windows", "?0"),
        (agent(MAC, "Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0"), "130", '"Opera";v="115"', "macOS", "?0"),
    ],
)  # fmt: skip
def test_hints_say_what_the_agent_says(
    user_agent: str, engine: str, brand: str, platform: str, mobile: str
) -> None:
    assert client_hints(user_agent) == hints(engine, brand, platform, mobile)


@pytest.mark.parametrize(
    "user_agent",
    [
        "",
        "curl/8.5.0",
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        agent(MAC, "Version/17.4 Safari/605.1.15"),
        agent("iPhone; CPU iPhone OS 17_4 like Mac OS X", "CriOS/124.0 Mobile/15E148 Safari/604.1"),
        agent(WINDOWS, "HeadlessChrome/124.0.0.0 Safari/537.36"),
        agent(WINDOWS, "Chrome/124.0.0.0 Safari/537.36 Vivaldi/6.7"),
        agent("Linux; Android 13", "SamsungBrowser/24.0 Chrome/117.0.0.0 Mobile Safari/537.36 X/1"),
        agent("Fuchsia"),
        "Agent/1.0 Chrome/124",
    ],
)
def test_who_would_send_none_or_others_sends_none(user_agent: str) -> None:
    assert client_hints(user_agent) == {}


@given(st.text())
def test_no_agent_is_an_error(user_agent: str) -> None:
    assert len(client_hints(user_agent)) in (0, 3)


@pytest.mark.parametrize("value", ["a", "gAAAAAB~S", "a b", 'quoted "text"'])
def test_texts_that_fit(value: str) -> None:
    assert header_text(value) == value


@pytest.mark.parametrize("value", ["", None, 7, ["a"], "a\r\nb", "a\x00", "ü", "\x7f"])
def test_what_does_not_fit(value: Any) -> None:
    assert header_text(value) is None
