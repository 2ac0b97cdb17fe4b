"""The browser an account appears as."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from chat2api.providers.chatgpt.persona import Persona, Personas

JAR = "oai-did=device"


@pytest.fixture
def persona() -> Persona:
    return Persona("subject")


def cookies(persona: Persona) -> str:
    """The Cookie header, with the device id made short."""
    return persona.cookie_header().replace(persona.device_id, "device")


def absorb(persona: Persona, *lines: str) -> str:
    """As a transport hands several header lines on: joined by commas."""
    persona.absorb(CaseInsensitiveDict({"Set-Cookie": ", ".join(lines)}))
    return cookies(persona)


# --- ids


def test_the_device_stays_and_the_session_does_not() -> None:
    first, again, other = Persona("a"), Persona("a"), Persona("b")
    assert first.device_id == again.device_id != other.device_id
    assert first.session_id != again.session_id
    assert first.device_id == str(uuid.UUID(first.device_id))
    assert "a" not in first.device_id.split("-")


def test_the_clock_is_that_of_its_zone(persona: Persona, monkeypatch: pytest.MonkeyPatch) -> None:
    january, july = 1_736_942_400.0, 1_752_580_800.0
    offsets = []
    for now in (january, july):
        monkeypatch.setattr("chat2api.providers.chatgpt.persona.time.time", lambda now=now: now)
        offsets.append(persona.timezone_offset_min)
    assert (persona.timezone, offsets) == ("America/New_York", [300, 240])


def test_an_opening_token_is_made_once_for_a_page_and_a_while(
    persona: Persona, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("chat2api.providers.chatgpt.persona.time.monotonic", lambda: now)
    made: list[str] = []

    def make() -> str:
        made.append(f"token-{len(made)}")
        return made[-1]

    page, other_page = object(), object()
    assert [persona.opening_token("sha3", page, make) for _ in range(2)] == ["token-0"] * 2
    assert persona.opening_token("fnv", page, make) == "token-1"
    assert persona.opening_token("sha3", other_page, make) == "token-2"
    now += 539
    assert persona.opening_token("sha3", other_page, make) == "token-2"
    now += 2
    assert persona.opening_token("sha3", other_page, make) == "token-3"


# --- cookies

CF = "__cf_bm=v1.abc-123; path=/; expires=Wed, 21-Oct-26 07:28:00 GMT; domain=.test; HttpOnly; Secure"


@pytest.mark.parametrize(
    ("lines", "jar"),
    [
        (["a=1"], f"{JAR}; a=1"),
        (["a=1; Path=/; Secure"], f"{JAR}; a=1"),
        (["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Path=/"], f"{JAR}; a=1"),
        ([CF, "_cfuvid=x; SameSite=None; Partitioned"], f"{JAR}; __cf_bm=v1.abc-123; _cfuvid=x"),
        (["a=1; HttpOnly", CF, "b=2"], f"{JAR}; a=1; __cf_bm=v1.abc-123; b=2"),
        (["a=x=y=="], f"{JAR}; a=x=y=="),
        (['a="quoted"'], f'{JAR}; a="quoted"'),
        (['a={"k":1}'], f'{JAR}; a={{"k":1}}'),
        (["a=1", "a=2"], f"{JAR}; a=2"),
        (["oai-did=theirs"], "oai-did=theirs"),
        (["a=1; max-age=3600"], f"{JAR}; a=1"),
        (["a=1; max-age=01"], f"{JAR}; a=1"),
    ],
)
def test_what_is_set_is_kept(persona: Persona, lines: list[str], jar: str) -> None:
    assert absorb(persona, *lines) == jar


@pytest.mark.parametrize(
    "line",
    [
        "a=",
        "a=; Path=/",
        "a=x; Max-Age=0",
        "a=x; max-age=-1; Path=/",
        'a=x;Max-Age="0"',
        "a=deleted; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "a=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Path=/",
    ],
)
def test_what_is_removed_is_gone(persona: Persona, line: str) -> None:
    absorb(persona, "a=1", "b=2")
    assert absorb(persona, line) == f"{JAR}; b=2"


@pytest.mark.parametrize(
    "line",
    ["", "Secure", "=x", "a b=1", "a=x y", "a=é", "a=x\ty", "a=\x00", "a=" + "x" * 4097, "ü=1"],
)
def test_what_is_no_cookie_is_left_out(persona: Persona, line: str) -> None:
    assert absorb(persona, line, "b=2") in (f"{JAR}; b=2", JAR)
    assert absorb(persona, "b=2") == f"{JAR}; b=2"


def test_no_header_changes_nothing(persona: Persona) -> None:
    persona.absorb({})
    assert cookies(persona) == JAR


def test_forty_cookies_and_no_more_but_those_may_change(persona: Persona) -> None:
    for number in range(60):
        absorb(persona, f"c{number}=1")
    assert cookies(persona).count("=") == 40
    assert "c38=2" in absorb(persona, "c38=2")
    absorb(persona, *(f"d{number}=1" for number in range(5000)))
    assert cookies(persona).count("=") == 40


@given(st.text(max_size=200))
def test_no_header_makes_a_cookie_line_that_cannot_be_sent(text: str) -> None:
    persona = Persona("subject")
    persona.absorb({"set-cookie": text})
    sent = persona.cookie_header()
    assert sent.isascii()
    assert sent.isprintable()


def test_many_threads_may_set_and_send(persona: Persona) -> None:
    def work(number: int) -> Callable[[], None]:
        def run() -> None:
            for turn in range(100):
                absorb(persona, f"c{number}={turn}")

        return run

    threads = [threading.Thread(target=work(number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(cookies(persona).split("; ")) == [*(f"c{n}=99" for n in range(8)), JAR]


# --- all of them


def test_an_account_has_one_persona_at_each_upstream() -> None:
    personas = Personas()
    mine = personas.of("https://one.test", "a")
    assert personas.of("https://one.test", "a") is mine
    assert personas.of("https://two.test", "a") is not mine
    assert personas.of("https://two.test", "a").device_id == mine.device_id
    assert personas.of("https://one.test", "b").subject == "b"


def test_the_least_recently_used_is_forgotten() -> None:
    personas = Personas(most=2)
    a, b = personas.of("base", "a"), personas.of("base", "b")
    personas.of("base", "a")
    personas.of("base", "c")
    assert personas.of("base", "a") is a
    assert personas.of("base", "b") is not b


def test_an_account_may_bring_its_device() -> None:
    own = Persona("subject", "device-of-old")
    assert own.device_id == "device-of-old"
    assert own.cookie_header() == "oai-did=device-of-old"
    personas = Personas()
    first = personas.of("https://a.test", "subject", "device-of-old")
    assert personas.of("https://a.test", "subject", "device-of-old") is first
    assert personas.of("https://a.test", "subject").device_id == Persona("subject").device_id
