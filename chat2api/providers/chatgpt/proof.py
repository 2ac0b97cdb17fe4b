"""What the proof of work says and how its tokens are spelled (sheet 3.5). Pure: time and chance are given.

A token is a prefix and the base64 of a JSON array that describes a browser. Finding the nonce in it is
`compute.pow`'s work; this module says what to search (`job`) and what the result is worth (`Job.token`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal, TypeVar

from chat2api.compute import pow
from chat2api.compute.pow import Variant
from chat2api.errors import UpstreamBadResponse

Flow = Literal["single", "two_step"]
Length = Literal[15, 18, 25]
_T = TypeVar("_T")

TASK = "search_proof"
"""The compute task for which `Job.args` are the arguments."""

_REQUIREMENTS_PREFIX = "gAAAAAC"
_ANSWER_PREFIX = "gAAAAAB"
_REQUIREMENTS_DIFFICULTY = "0fffff"
_NONCES = 500_000  # where the web client gives up
_BROWSER_HASHES_PER_MS = 150
_HEX_DIGITS = frozenset(string.hexdigits)

_LENGTHS: Mapping[Variant, Length] = {"sha3": 18, "fnv": 25}
_SUFFIXES: Mapping[Variant, str] = {"sha3": "", "fnv": "~S"}

# --- who asks ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The browser an account appears as. Always the same for the same account, and free of contradiction.

    `screen` is width plus height in pixels, `heap_limit` in bytes (None outside Chrome).
    """

    user_agent: str
    device_id: str
    language: str
    languages: str
    screen: int
    heap_limit: int | None
    cores: int
    navigator_item: str
    document_key: str
    window_key: str
    script_number: int


def fingerprint(
    subject: str, user_agent: str, device_id: str, language: str = "en-US"
) -> Fingerprint:
    """The browser of the account named `subject`."""
    is_chrome = "Chrome/" in user_agent
    cores = _pick(subject, "cores", (4, 8, 12, 16))
    items = [
        ("webdriver", "false"),
        ("onLine", "true"),
        ("cookieEnabled", "true"),
        ("product", "Gecko"),
        ("appCodeName", "Mozilla"),
        ("language", language),
        ("hardwareConcurrency", str(cores)),
    ]
    if is_chrome:
        items.append(("vendor", "Google Inc."))
    name, value = _pick(subject, "navigator", items)
    general = language.partition("-")[0]
    return Fingerprint(
        user_agent=user_agent,
        device_id=device_id,
        language=language,
        languages=language if general == language else f"{language},{general}",
        screen=_pick(subject, "screen", (1920 + 1080, 2560 + 1440, 1536 + 864)),
        heap_limit=_pick(subject, "heap", (4294705152, 4294967296)) if is_chrome else None,
        cores=cores,
        navigator_item=f"{name}\N{MINUS SIGN}{value}",
        document_key="location",
        window_key=_pick(subject, "window", ("window", "self", "document", "innerWidth", "name")),
        script_number=_number(subject, "script"),
    )


def _number(subject: str, about: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{about}:{subject}".encode()).digest()[:8])


def _pick(subject: str, about: str, choices: Sequence[_T]) -> _T:
    return choices[_number(subject, about) % len(choices)]


# --- what is said --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scene:
    """A browser on a page at a moment. `now` and `opened` (when the page was) in epoch seconds."""

    fingerprint: Fingerprint
    scripts: tuple[str, ...]
    build_id: str | None
    now: float
    opened: float


def array(scene: Scene, length: Length, *, nonce: int, elapsed_ms: int) -> list[Any]:
    """The array of 15, 18 or 25 items, by the generation of the web client."""
    who = scene.fingerprint
    items = [
        who.screen,
        javascript_date(scene.now),
        who.heap_limit,
        nonce,
        who.user_agent,
        scene.scripts[who.script_number % len(scene.scripts)] if scene.scripts else None,
        scene.build_id,
        who.language,
        who.languages,
        elapsed_ms,
        who.navigator_item,
        who.document_key,
        who.window_key,
        round(max(scene.now - scene.opened, 0.0) * 1000, 1),
        who.device_id,
        "",
        who.cores,
        round(scene.opened * 1000),
        *(0,) * 7,
    ]
    return items[:length]


def javascript_date(now: float) -> str:
    """`now` (epoch seconds) as a browser in New York words it."""
    minutes = timezone_offset_minutes(now)
    local = datetime.fromtimestamp(now, timezone(timedelta(minutes=-minutes)))
    name = "Eastern Daylight Time" if minutes == 240 else "Eastern Standard Time"
    weekday = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[local.weekday()]
    month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][
        local.month - 1
    ]
    return f"{weekday} {month} {local:%d %Y %H:%M:%S} GMT-{minutes // 60:02}00 ({name})"


def timezone_offset_minutes(now: float) -> int:
    """What `Date.getTimezoneOffset` says in New York: 240 in summer, else 300.

    By rule and not from the time zone database, which slim machines do not have.
    """
    year = datetime.fromtimestamp(now, UTC).year
    begins = _sunday(year, 3, 8) + timedelta(hours=7)  # the second in March, 2:00 standard time
    ends = _sunday(year, 11, 1) + timedelta(hours=6)  # the first in November, 2:00 daylight time
    return 240 if begins.timestamp() <= now < ends.timestamp() else 300


def _sunday(year: int, month: int, day: int) -> datetime:
    """The first Sunday on or after that day, at midnight UTC."""
    date = datetime(year, month, day, tzinfo=UTC)
    return date + timedelta(days=(6 - date.weekday()) % 7)


# --- tokens --------------------------------------------------------------------------------------


def variant_for(setting: Literal["auto", "sha3", "fnv"], flow: Flow) -> Variant:
    """Which hash, array and suffix to use; the server's reply does not say."""
    if setting != "auto":
        return setting
    return "sha3" if flow == "single" else "fnv"


def requirements_token(scene: Scene, variant: Variant, seed: str) -> str:
    """The token `p` that asks for requirements. `seed` is a random number as text.

    Clients of the single call solve it for themselves at a difficulty of some 16 tries.
    """
    length, suffix = _LENGTHS[variant], _SUFFIXES[variant]
    if variant == "fnv":
        text = _base64(_dump(array(scene, length, nonce=1, elapsed_ms=1)))
        return _REQUIREMENTS_PREFIX + text + suffix
    found = pow.search(
        variant,
        seed,
        _REQUIREMENTS_DIFFICULTY,
        *_cut(array(scene, length, nonce=0, elapsed_ms=1)),
        index9=1,
        max_tries=_NONCES,
        max_seconds=1.0,
    )
    # One seed in 10**14000 has no solution; nobody checks more than the shape of this token.
    text = found.text if found else _base64(_dump(array(scene, length, nonce=0, elapsed_ms=1)))
    return _REQUIREMENTS_PREFIX + text + suffix


def is_too_hard(difficulty: str, limit: str) -> bool:
    """Whether a proof is beyond POW_DIFFICULTY: at or below it, compared as text. All zeros refuse none."""
    return bool(limit.strip("0")) and difficulty.lower() <= limit.lower()


def empty_token(variant: Variant) -> str:
    """The answer where a proof is required but seed or difficulty are missing."""
    return _ANSWER_PREFIX + _SUFFIXES[variant]


@dataclass(frozen=True, slots=True)
class Job:
    """A proof to be searched: `compute.run(TASK, *job.args, ...)`, then `job.token(result)`."""

    variant: Variant
    args: tuple[Any, ...]

    def token(self, result: tuple[int, str]) -> str:
        """The answer token for what the task found."""
        _, text = result
        return _ANSWER_PREFIX + text + _SUFFIXES[self.variant]


def job(scene: Scene, variant: Variant, seed: str, difficulty: str, max_seconds: float) -> Job:
    """The search for the proof that the upstream asks for. Raises UpstreamBadResponse if it makes no sense.

    Item 9 is the time such a search takes a browser on average; the search itself writes nothing there.
    """
    if not difficulty or not _HEX_DIGITS.issuperset(difficulty):
        raise UpstreamBadResponse("The upstream asked for a proof of work of unknown difficulty.")
    mean_tries = 16 ** len(difficulty) / (int(difficulty, 16) + 1)
    elapsed_ms = max(1, round(min(mean_tries, _NONCES) / _BROWSER_HASHES_PER_MS))
    parts = _cut(array(scene, _LENGTHS[variant], nonce=0, elapsed_ms=0))
    return Job(variant, (variant, seed, difficulty, parts, elapsed_ms, _NONCES, max_seconds))


def _cut(items: list[Any]) -> tuple[bytes, bytes, bytes]:
    """The JSON before item 3, between 3 and 9, and after 9."""
    head, middle, tail = _dump(items[:3]), _dump(items[4:9]), _dump(items[10:])
    return head[:-1] + b",", b"," + middle[1:-1] + b",", b"," + tail[1:]


def _dump(value: Any) -> bytes:
    """JSON as `JSON.stringify` writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
