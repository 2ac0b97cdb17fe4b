"""The home page: what is read from it, and how often it is fetched."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.errors import (
    Chat2ApiError,
    ClientGone,
    InternalError,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamTimeout,
)
from chat2api.lifetime.call import Call
from chat2api.providers.chatgpt.home import (
    DEFAULT_SCRIPT,
    HomePage,
    HomePages,
    parse_home_page,
)
from chat2api.providers.chatgpt.persona import Persona
from chat2api.providers.protocol import Io
from chat2api.secret import Secret
from chat2api.settings.model import Settings
from chat2api.transport.protocol import Outgoing

BASE = "https://upstream.test"
BUILD = "prod-" + "0123456789abcdef" * 2 + "01234567"
PAGE = f"""<!DOCTYPE html>
<html lang="en-US" data-build="{BUILD}" data-seq='6549031' dir="ltr" class="light">
<head><meta charset="utf-8"/><script>window.__x = "<scripts are here>";</script>
<script nonce="a1b2" src="https://cdn.test/assets/manifest-1a2b.js" async=""></script>
<SCRIPT type="module" SRC='https://cdn.test/c/9f8e7d/_/boot.js?a=1&amp;b=2'></SCRIPT>
<script defer
        src = "/backend-api/sentinel/sdk.js"></script></head>
<body data-build="not-this"><img src="x.png"/></body></html>"""

READ = HomePage(
    (
        "https://cdn.test/assets/manifest-1a2b.js",
        "https://cdn.test/c/9f8e7d/_/boot.js?a=1&b=2",
        "/backend-api/sentinel/sdk.js",
    ),
    "c/9f8e7d/_",
    BUILD,
    "6549031",
)
UNSEEN = HomePage((DEFAULT_SCRIPT,), None, None, None)


# --- reading


def test_a_page_as_it_is() -> None:
    assert parse_home_page(PAGE) == READ


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("", UNSEEN),
        ("plain words", UNSEEN),
        ("<html><script>inline()</script></html>", UNSEEN),
        (
            f'<html data-build="{BUILD}"><script src="/a.js"></script>',
            HomePage(("/a.js",), BUILD, BUILD, None),
        ),
        ('<HTML DATA-SEQ="5955942">', HomePage((DEFAULT_SCRIPT,), None, None, "5955942")),
        (
            '<html data-build="a b\r\nc" data-seq="é">',
            HomePage((DEFAULT_SCRIPT,), "a b\r\nc", None, None),
        ),
        ("<html data-build=''>", UNSEEN),
        ('<html data-build="' + "x" * 201 + '">', UNSEEN),
        ('<script src="c/a/b/_"></script>', HomePage(("c/a/b/_",), None, None, None)),
        ("<script data-src=/x.js></script>", UNSEEN),
    ],
)
def test_other_pages(text: str, page: HomePage) -> None:
    assert parse_home_page(text) == page


def test_a_hundred_scripts_are_enough() -> None:
    page = parse_home_page("".join(f'<script src="/{n}.js"></script>' for n in range(5000)))
    assert page.scripts == tuple(f"/{n}.js" for n in range(100))


@given(
    st.text()
    | st.lists(
        st.sampled_from(["<html ", "<script ", "src=", '"', "'", ">", "c/", "/_", "data-build"])
    ).map("".join)
)
def test_no_page_is_an_error(text: str) -> None:
    page = parse_home_page(text)
    assert page.scripts
    for value in (page.client_version, page.build_number):
        assert value is None or (value.isascii() and value.isprintable())


PIECES = [
    "<script",
    "<script ",
    "<html",
    "<html ",
    "<html data-build",
    "<script src",
    "<script src=",
    '<script src="',
    "<script " + "src " * 400,
    "<script " + "a" * 1990,
    "<script src" + " " * 1990,
    "<html " + "a" * 3990,
    "<" + " " * 100,
    'src="x"',
]


@pytest.mark.parametrize("piece", PIECES)
def test_a_hostile_page_takes_no_longer_than_its_size(piece: str) -> None:
    page = piece * (4 * 1024 * 1024 // len(piece))
    began = time.thread_time()
    parse_home_page(page)
    assert time.thread_time() - began < 1.0


# --- fetching


class FakeResponse:
    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers = headers
        self.closed = False
        self._body = body

    def read(self, limit_bytes: int) -> bytes:
        self.closed = True
        if len(self._body) > limit_bytes:
            raise UpstreamBadResponse("The upstream's answer is too large.")
        return self._body

    def close(self) -> None:
        self.closed = True


class FakeTransport:
    """Answers with `answer`, or raises it."""

    def __init__(self) -> None:
        self.asked: list[Outgoing] = []
        self.answer: FakeResponse | Exception = self.page()
        self.meanwhile: Callable[[], object] = lambda: None

    @staticmethod
    def page(text: str = PAGE, status: int = 200) -> FakeResponse:
        return FakeResponse(status, text.encode(), {"set-cookie": "__cf_bm=x; path=/"})

    def open(self, request: Outgoing, call: Call) -> Any:
        self.asked.append(request)
        self.meanwhile()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Fetching:
    def __init__(self) -> None:
        self.transport = FakeTransport()
        self.clock = Clock()
        self.pages = HomePages(self.clock)
        self.call = Call(math.inf)
        self.persona = Persona("subject")
        self.agent = "agent/1"
        self.extra: dict[str, str] = {}

    def of(self, base: str = BASE, call: Call | None = None) -> HomePage:
        nothing: Any = None
        io = Io(self.transport, nothing, call or self.call, Secret("http://proxy.test:1"))
        return self.pages.of(base, self.persona, self.agent, io, self.extra)

    def in_background(self, call: Call | None = None) -> tuple[threading.Thread, list[Any]]:
        """A call of its own, and what becomes of it."""
        found: list[Any] = []

        def run() -> None:
            try:
                found.append(self.of(call=call or Call(math.inf)))
            except Chat2ApiError as error:
                found.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread, found


@pytest.fixture
def fetching() -> Fetching:
    return Fetching()


def test_it_is_asked_for_as_a_browser_asks(fetching: Fetching) -> None:
    cookie = fetching.persona.cookie_header()
    assert fetching.of() == READ
    assert fetching.transport.asked == [
        Outgoing(
            "GET",
            f"{BASE}/",
            {
                "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                "Accept-Encoding": "gzip",
                "Accept-Language": "en-US,en;q=0.9",
                "Cookie": cookie,
                "Sec-Fetch-Dest": "document",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Site": "none",
                "Sec-Fetch-User": "?1",
                "Upgrade-Insecure-Requests": "1",
                "User-Agent": "agent/1",
            },
            None,
            Secret("http://proxy.test:1"),
            first_byte_seconds=5.0,
            idle_seconds=5.0,
            repeatable=True,
        )
    ]
    assert fetching.persona.cookie_header() == f"{cookie}; __cf_bm=x"


def test_it_is_fetched_every_quarter_of_an_hour_from_each_address(fetching: Fetching) -> None:
    counts = []
    for moved in (0, 899, 2, 0):
        fetching.clock.now += moved
        assert fetching.of() == READ
        counts.append(len(fetching.transport.asked))
    assert counts == [1, 1, 2, 2]
    fetching.of("https://other.test")
    assert len(fetching.transport.asked) == 3


def test_it_is_fetched_anew_once_forgotten(fetching: Fetching) -> None:
    fetching.of()
    fetching.pages.forget(BASE)
    fetching.pages.forget("https://unknown.test")
    fetching.transport.answer = fetching.transport.page("<html data-seq='1'>")
    assert fetching.of().build_number == "1"


TROUBLES = [
    UpstreamConnectionError("No connection (stage: connect)."),
    UpstreamTimeout("Silent."),
    FakeTransport.page("x" * (4 * 1024 * 1024 + 1)),
    FakeTransport.page("Just a moment", 403),
    FakeTransport.page("", 302),
    FakeTransport.page("Down", 503),
]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_is_never_fatal_and_soon_over(
    fetching: Fetching, trouble: FakeResponse | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    fetching.transport.answer = trouble
    with caplog.at_level(logging.INFO):
        assert fetching.of() == UNSEEN
    assert len(caplog.messages) == 1
    assert isinstance(trouble, Exception) or trouble.closed
    fetching.clock.now += 59
    fetching.of()
    assert len(fetching.transport.asked) == 1
    fetching.transport.answer = fetching.transport.page()
    fetching.clock.now += 2
    assert fetching.of() == READ


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_page_of_before_is_better_than_none(
    fetching: Fetching, trouble: FakeResponse | Exception
) -> None:
    fetching.of()
    fetching.transport.answer = trouble
    fetching.clock.now += 901
    assert fetching.of() == READ


@pytest.mark.parametrize("error", [ClientGone("Gone."), UpstreamTimeout("The deadline.")])
def test_a_call_that_ends_says_nothing_about_the_page(
    fetching: Fetching, error: Chat2ApiError
) -> None:
    fetching.transport.answer = error
    fetching.transport.meanwhile = lambda: fetching.call.cancel(error)
    with pytest.raises(type(error)):
        fetching.of()
    fetching.call = Call(math.inf)
    fetching.transport.meanwhile = lambda: None
    fetching.transport.answer = fetching.transport.page()
    fetching.clock.now += 11
    assert fetching.of() == READ


def test_what_is_our_own_fault_is_told(fetching: Fetching) -> None:
    fetching.transport.answer = InternalError("The upstream's address is not usable.")
    with pytest.raises(InternalError):
        fetching.of()


def test_the_operators_headers_go_along(fetching: Fetching) -> None:
    fetching.extra = {"authkey": "relay", "Accept-Language": "de", "Accept": "nothing"}
    fetching.of()
    headers = fetching.transport.asked[0].headers
    assert (headers["authkey"], headers["Accept-Language"]) == ("relay", "de")
    assert headers["Accept"].startswith("text/html")


def test_a_browser_gives_its_hints(fetching: Fetching) -> None:
    fetching.agent = Settings.model_validate({}).user_agent
    fetching.of()
    assert fetching.transport.asked[0].headers["Sec-Ch-Ua-Platform"] == '"Windows"'


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_page_that_was_forgotten_is_still_better_than_none(
    fetching: Fetching, trouble: FakeResponse | Exception
) -> None:
    fetching.of()
    fetching.pages.forget(BASE)
    fetching.transport.answer = trouble
    assert fetching.of() == READ
    assert len(fetching.transport.asked) == 2


@pytest.mark.parametrize("forgotten", [False, True])
def test_others_go_on_with_the_page_of_before_while_one_fetches(
    fetching: Fetching, forgotten: bool
) -> None:
    fetching.of()
    if forgotten:
        fetching.pages.forget(BASE)
    else:
        fetching.clock.now += 901
    seen: list[HomePage] = []
    fetching.transport.meanwhile = lambda: seen.append(fetching.of())
    fetching.transport.answer = fetching.transport.page("<html data-seq='1'>")
    assert fetching.of().build_number == "1"
    assert (seen, len(fetching.transport.asked)) == ([READ], 2)


# --- the first page of all


def waiting(fetching: Fetching, number: int) -> bool:
    """Whether so many calls wait for the page; looked at for a while."""
    for _ in range(500):
        if len(fetching.pages._entries[BASE].waiting) == number:
            return True
        time.sleep(0.002)
    return False


@pytest.mark.parametrize(
    ("answer", "page"),
    [(FakeTransport.page(), READ), (UpstreamTimeout("Silent."), UNSEEN)],
)
def test_all_wait_for_the_first_page_or_go_on_without(
    fetching: Fetching, answer: FakeResponse | Exception, page: HomePage
) -> None:
    others: list[tuple[threading.Thread, list[Any]]] = []

    def meanwhile() -> None:
        others.extend(fetching.in_background() for _ in range(3))
        assert waiting(fetching, 3)

    fetching.transport.meanwhile = meanwhile
    fetching.transport.answer = answer
    assert fetching.of() == page
    for thread, found in others:
        thread.join(5)
        assert found == [page]
    assert len(fetching.transport.asked) == 1


def test_when_the_one_that_fetches_leaves_another_does(fetching: Fetching) -> None:
    others: list[tuple[threading.Thread, list[Any]]] = []

    def meanwhile() -> None:
        fetching.transport.meanwhile = lambda: None
        others.append(fetching.in_background())
        assert waiting(fetching, 1)
        raise ClientGone("Gone.")

    fetching.transport.meanwhile = meanwhile
    with pytest.raises(ClientGone):
        fetching.of()
    for thread, found in others:
        thread.join(5)
        assert found == [READ]
    assert len(fetching.transport.asked) == 2


def test_who_leaves_waits_no_more(fetching: Fetching) -> None:
    call = Call(math.inf)

    def meanwhile() -> None:
        thread, found = fetching.in_background(call)
        assert waiting(fetching, 1)
        call.cancel(ClientGone("Gone."))
        thread.join(5)
        assert [type(one) for one in found] == [ClientGone]

    fetching.transport.meanwhile = meanwhile
    assert fetching.of() == READ


def test_nobody_waits_for_ever(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    """After one full wait in vain the next do not wait at all, until the page comes after all."""
    monkeypatch.setattr("chat2api.providers.chatgpt.home._LONGEST_WAIT_SECONDS", 0.02)
    seen: list[HomePage] = []

    def meanwhile() -> None:
        seen.append(fetching.of())
        monkeypatch.setattr("chat2api.providers.chatgpt.home._LONGEST_WAIT_SECONDS", 60.0)
        seen.append(fetching.of())

    fetching.transport.meanwhile = meanwhile
    assert fetching.of() == READ
    assert seen == [UNSEEN, UNSEEN]
    assert fetching.of() == READ
    assert len(fetching.transport.asked) == 1
