"""The proof's arrays and tokens, judged by the verifier's rules as the sheet words them."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import uuid
import zoneinfo
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.compute.pow import Variant
from chat2api.compute.tasks import TASKS
from chat2api.errors import UpstreamBadResponse
from chat2api.providers.chatgpt import proof
from chat2api.providers.chatgpt.proof import Scene, fingerprint

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
DEVICE = "11111111-2222-4333-8444-555555555555"
SCRIPTS = ("https://chatgpt.com/a.js", "https://chatgpt.com/b.js")
NOW = 1776695400.25  # Mon Apr 20 2026 14:30:00 GMT


def scene(subject: str = "account", user_agent: str = CHROME, **changes: Any) -> Scene:
    base = Scene(
        fingerprint(subject, user_agent, DEVICE), SCRIPTS, "prod-test-build", NOW, NOW - 2.5
    )
    return dataclasses.replace(base, **changes)


def decode(token: str, prefix: str, suffix: str = "") -> Any:
    assert token.startswith(prefix)
    assert token.endswith(suffix)
    body = token.removeprefix(prefix).removesuffix(suffix)
    return json.loads(base64.b64decode(body, validate=True))


# --- the browser ---------------------------------------------------------------------------------


@given(st.text())
def test_an_account_is_always_the_same_browser(subject: str) -> None:
    browser = fingerprint(subject, CHROME, DEVICE)

    assert browser == fingerprint(subject, CHROME, DEVICE)
    assert browser.user_agent == CHROME
    assert browser.device_id == DEVICE
    assert (browser.language, browser.languages) == ("en-US", "en-US,en")
    assert browser.heap_limit in (4294705152, 4294967296)


def test_accounts_differ() -> None:
    browsers = {fingerprint(str(uuid.UUID(int=n)), CHROME, DEVICE) for n in range(200)}

    assert len(browsers) > 100


@given(st.text())
def test_a_browser_does_not_contradict_itself(subject: str) -> None:
    browser = fingerprint(subject, FIREFOX, DEVICE, "de")

    name, value = browser.navigator_item.split("−")
    assert name != "vendor"  # Chrome only, as is the heap's size
    assert browser.heap_limit is None
    assert browser.languages == "de"
    if name == "hardwareConcurrency":
        assert value == str(browser.cores)
    if name == "language":
        assert value == "de"


# --- the array -----------------------------------------------------------------------------------


def test_the_arrays_of_the_three_generations() -> None:
    browser = fingerprint("account", CHROME, DEVICE)
    longest = [
        browser.screen,
        "Mon Apr 20 2026 10:30:00 GMT-0400 (Eastern Daylight Time)",
        browser.heap_limit,
        7,
        CHROME,
        SCRIPTS[browser.script_number % 2],
        "prod-test-build",
        "en-US",
        "en-US,en",
        12,
        browser.navigator_item,
        "location",
        browser.window_key,
        2500.0,
        DEVICE,
        "",
        browser.cores,
        1776695397750,
        0, 0, 0, 0, 0, 0, 0,
    ]  # fmt: skip

    for length in (15, 18, 25):
        assert proof.array(scene(), length, nonce=7, elapsed_ms=12) == longest[:length]


def test_what_the_home_page_did_not_tell_is_null() -> None:
    items = proof.array(scene(scripts=(), build_id=None), 15, nonce=0, elapsed_ms=0)

    assert items[5:7] == [None, None]


def test_a_clock_that_was_set_back_does_no_harm() -> None:
    assert proof.array(scene(opened=NOW + 5), 15, nonce=0, elapsed_ms=0)[13] == 0


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (1730808753, "Tue Nov 05 2024 07:12:33 GMT-0500 (Eastern Standard Time)"),
        (1772953199, "Sun Mar 08 2026 01:59:59 GMT-0500 (Eastern Standard Time)"),
        (1772953200, "Sun Mar 08 2026 03:00:00 GMT-0400 (Eastern Daylight Time)"),
        (1793512799, "Sun Nov 01 2026 01:59:59 GMT-0400 (Eastern Daylight Time)"),
        (1793512800, "Sun Nov 01 2026 01:00:00 GMT-0500 (Eastern Standard Time)"),
        (1798779600.5, "Fri Jan 01 2027 00:00:00 GMT-0500 (Eastern Standard Time)"),
    ],
)
def test_dates_as_a_browser_words_them(now: float, expected: str) -> None:
    assert proof.javascript_date(now) == expected


@given(st.integers(1_700_000_000, 2_000_000_000))
def test_summer_time_agrees_with_the_time_zone_database(now: int) -> None:
    try:
        zone = zoneinfo.ZoneInfo("America/New_York")
    except zoneinfo.ZoneInfoNotFoundError:
        pytest.skip("no time zone database here")
    ahead = datetime.fromtimestamp(now, zone).utcoffset()

    assert ahead == timedelta(minutes=-proof.timezone_offset_minutes(now))


# --- requirements --------------------------------------------------------------------------------


def test_the_single_call_asks_with_a_solved_token() -> None:
    token = proof.requirements_token(scene(), "sha3", "0.123")

    items = decode(token, "gAAAAAC")
    expected = proof.array(scene(), 18, nonce=items[3], elapsed_ms=1)
    assert items == expected
    digest = hashlib.sha3_512(b"0.123" + token.removeprefix("gAAAAAC").encode()).hexdigest()
    assert digest[:6] <= "0fffff"


def test_the_two_step_call_asks_with_nonce_1() -> None:
    token = proof.requirements_token(scene(), "fnv", "0.123")

    items = decode(token, "gAAAAAC", "~S")
    assert items == proof.array(scene(), 25, nonce=1, elapsed_ms=1)


@pytest.mark.parametrize(
    ("setting", "flow", "variant"),
    [
        ("auto", "single", "sha3"),
        ("auto", "two_step", "fnv"),
        ("sha3", "two_step", "sha3"),
        ("fnv", "single", "fnv"),
    ],
)
def test_the_variant_follows_the_flow_unless_it_is_set(
    setting: Any, flow: proof.Flow, variant: Variant
) -> None:
    assert proof.variant_for(setting, flow) == variant


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("variant", "length", "suffix"), [("sha3", 18, ""), ("fnv", 25, "~S")])
@pytest.mark.parametrize("difficulty", ["0fffff", "061A80", "00f", "ff", "f"])
def test_an_answer_is_what_the_verifier_wants(
    variant: Variant, length: proof.Length, suffix: str, difficulty: str
) -> None:
    job = proof.job(scene(), variant, "0.4242", difficulty, max_seconds=10.0)

    token = job.token(TASKS[proof.TASK](*job.args))

    items = decode(token, "gAAAAAB", suffix)
    assert items == proof.array(scene(), length, nonce=items[3], elapsed_ms=items[9])
    assert b"\xe2\x88\x92" in base64.b64decode(token.removeprefix("gAAAAAB").removesuffix(suffix))
    text = "0.4242" + token.removeprefix("gAAAAAB").removesuffix(suffix)
    digest = hashlib.sha3_512(text.encode()).hexdigest() if variant == "sha3" else fnv(text)
    assert digest[: len(difficulty)] <= difficulty.lower()


def fnv(text: str) -> str:
    h = 2166136261
    for byte in text.encode():
        h = (h ^ byte) * 16777619 % 2**32
    h = (h ^ h >> 16) * 2246822507 % 2**32
    h = (h ^ h >> 13) * 3266489909 % 2**32
    return f"{h ^ h >> 16:08x}"


@pytest.mark.parametrize(
    ("difficulty", "elapsed_ms"),
    [("0fffff", 1), ("000fff", 27), ("000032", 2193), ("0" * 64, 3333)],
)
def test_item_9_is_about_the_time_a_browser_takes(difficulty: str, elapsed_ms: int) -> None:
    assert proof.job(scene(), "sha3", "seed", difficulty, 1.0).args[4] == elapsed_ms


@pytest.mark.parametrize("difficulty", ["", "0x1", "00 ff", "-1", "汉"])
def test_a_difficulty_that_makes_no_sense(difficulty: str) -> None:
    with pytest.raises(UpstreamBadResponse):
        proof.job(scene(), "sha3", "seed", difficulty, max_seconds=1.0)


@pytest.mark.parametrize(
    ("difficulty", "limit", "too_hard"),
    [
        ("000032", "000032", True),
        ("000031", "000032", True),
        ("000033", "000032", False),
        ("00003A", "00003a", True),
        ("00003a", "00003A", True),
        ("0fffff", "000032", False),
        ("00003", "000032", True),  # as text, a beginning comes first
        ("0000321", "000032", False),
        ("0fffff", "1", True),
        ("000000", "0", False),
        ("0", "0", False),
        ("", "0", False),
        ("000000", "000000", False),
        ("000000", "000001", True),
    ],
)
def test_what_is_too_hard(difficulty: str, limit: str, too_hard: bool) -> None:
    assert proof.is_too_hard(difficulty, limit) is too_hard


@given(st.text("0123456789abcdefABCDEF", max_size=128))
def test_limit_0_refuses_nothing(difficulty: str) -> None:
    assert not proof.is_too_hard(difficulty, "0")


def test_a_required_proof_without_a_seed() -> None:
    assert proof.empty_token("fnv") == "gAAAAAB~S"
    assert proof.empty_token("sha3") == "gAAAAAB"


def test_asking_is_cheap_enough_to_do_in_place() -> None:
    """Some 16 tries on average, so no trip to another process: shown by the nonces that come out."""
    nonces = [
        decode(proof.requirements_token(scene(), "sha3", str(seed)), "gAAAAAC")[3]
        for seed in range(100)
    ]

    assert 5 < sum(nonces) / 100 < 40
