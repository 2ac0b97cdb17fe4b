"""Checks of the way out: whether the upstream and the login server answer, through each proxy, and what
time it is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import product

from chat2api.cli.checks.finding import Finding, fail, ok, warn
from chat2api.errors import Chat2ApiError
from chat2api.lifetime.call import Call
from chat2api.secret import Secret
from chat2api.settings.mask import mask_userinfo
from chat2api.settings.model import Settings
from chat2api.transport.protocol import Outgoing, Transport

_ASK_SECONDS = 10.0
_PARALLEL = 4
_MOST_SKEW_SECONDS = 30.0
_LIMIT_BYTES = 8 * 1024 * 1024
_ANY_ACCOUNT = "0" * 32
_REFUSING = (403, 429, 503)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking: a status, or why there is none. `skew` is our time minus theirs, in seconds."""

    url: str
    way: str
    seconds: float
    status: int | None = None
    trouble: str = ""
    skew: float | None = None


def check_upstream(
    settings: Settings,
    transport: Transport,
    token_urls: Iterable[str],
    now: Callable[[], float] = time.time,
) -> list[Finding]:
    """`token_urls`: where refresh tokens are exchanged."""
    proxies: list[Secret | None] = [*settings.proxy_url] or [None]
    homes = [
        (f"{base.rstrip('/')}/", proxy) for base in settings.chatgpt_base_url for proxy in proxies
    ]
    logins = list(product(token_urls, proxies))

    def asked(target: tuple[str, Secret | None]) -> Answer:
        return _ask(transport, *target, settings.user_agent, now)

    with ThreadPoolExecutor(_PARALLEL, "doctor") as threads:
        answers = list(threads.map(asked, [*homes, *logins]))
    at_home, at_login = answers[: len(homes)], answers[len(homes) :]
    return [*map(_home, at_home), *map(_login, at_login), *_clock(at_home)]


def _ask(
    transport: Transport, url: str, proxy: Secret | None, user_agent: str, now: Callable[[], float]
) -> Answer:
    way = "directly" if proxy is None else f"through {mask_userinfo(proxy.reveal())}"
    request = Outgoing(
        "GET",
        url,
        {"User-Agent": user_agent, "Accept": "*/*"},
        proxy=None if proxy is None else Secret(proxy.reveal().replace("{}", _ANY_ACCOUNT)),
        first_byte_seconds=_ASK_SECONDS,
        idle_seconds=_ASK_SECONDS,
    )
    began = now()
    try:
        response = transport.open(request, Call(time.monotonic() + 2 * _ASK_SECONDS))
        skew = _skew(response.headers.get("date"), now())
        response.read(_LIMIT_BYTES)
    except Chat2ApiError as error:
        return Answer(url, way, now() - began, trouble=error.message)
    return Answer(url, way, now() - began, response.status, skew=skew)


def _skew(date: str | None, now: float) -> float | None:
    try:
        return None if date is None else now - parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


# --- what it means


def _home(answer: Answer) -> Finding:
    check, text = "upstream", f"{answer.url} {answer.way}"
    if answer.status is None:
        return fail(check, f"{text}: {answer.trouble}", _cure_of(answer.trouble))
    text = f"{text}: {answer.status} in {answer.seconds:.1f} s"
    if answer.status == 200:
        return ok(check, text)
    if answer.status in _REFUSING:
        cure = "It refuses this address, or asks for a browser: set PROXY_URL to another way out."
        return warn(check, text, cure)
    return warn(check, text, "Look at CHATGPT_BASE_URL: its home page is expected to answer 200.")


def _login(answer: Answer) -> Finding:
    """Any status will do: without a token it has nothing to grant."""
    check, text = "token endpoint", f"{answer.url} {answer.way}"
    if answer.status is None:
        return warn(check, f"{text}: {answer.trouble}", _cure_of(answer.trouble))
    return ok(check, f"{text}: answers ({answer.status})")


def _cure_of(trouble: str) -> str:
    cures = {
        "stage: dns": "Look at the name, and at this machine's resolver.",
        "stage: proxy": "Look at PROXY_URL: its address, user and password.",
        "stage: tls": "Look at this machine's certificates and time, and at what stands in between.",
        "stage: connect": "Look at the network and the firewall, or set PROXY_URL.",
    }
    return next((cure for stage, cure in cures.items() if stage in trouble), "Try again later.")


def _clock(answers: Iterable[Answer]) -> Iterator[Finding]:
    """One finding, of the first answer that told its time."""
    skew = next((one.skew for one in answers if one.skew is not None), None)
    if skew is None:
        return
    check, text = "clock", f"differs from the upstream's by {abs(skew):,.0f} s"
    if abs(skew) > _MOST_SKEW_SECONDS:
        yield warn(check, text, "Set this machine's time (NTP): the ends of tokens go by it.")
    else:
        yield ok(check, text)
