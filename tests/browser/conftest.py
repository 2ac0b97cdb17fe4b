"""Pages in a real browser: Debian's Chromium against chat2api itself, watched for what no page may do."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store.engine import database_url
from chat2api.store.intake import Intake
from chat2api.store.opening import StoreOptions, open_store

from ..e2e.processes import ROOT, Server

PASSWORD = "an admin password, + & # 中文"
CHROMIUM = shutil.which("chromium")
DESK = 1280
_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)
SCREENSHOTS = ROOT / "docs" / "screenshots"
_PICTURES = {
    "tokens-1280-en-light",
    "tokens-1280-zh-dark",
    "tokens-360-en-dark",
    "tokens-360-zh-light",
    "clear-1280-en-light",
    "sign-in-360-zh-light",
}
# The browser reports an answer of ours that is an error page; that is what the page is for.
_REPORTED_STATUS = re.compile(
    r"Failed to load resource: .* status of (400|401|403|404|409|422|429)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A module's: Playwright keeps an event loop running, in which no test of others can start its own."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM, args=_ARGUMENTS.split(), timeout=60_000
        )
        yield running
        running.close()


@dataclass
class Site:
    """chat2api with nobody upstream, and how a script talks to its token routes."""

    server: Server
    prefix: str = ""
    http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.http.trust_env = False

    def url(self, path: str) -> str:
        return f"{self.server.url}{self.prefix}{path}"

    def script(self, path: str, **fields: str) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {PASSWORD}".encode()}
        answer = self.http.post(self.url(path), data=fields, headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def empty(self) -> None:
        self.script("/tokens/clear")

    def fail(self, *tokens: str) -> None:
        """Put tokens into the pool that an earlier program found refused."""
        directory = self.server.data_dir
        store = open_store(StoreOptions(database_url(None, directory), directory))
        try:
            refused = [
                NewAccount(refresh_token=Secret(token), refused="invalid_grant") for token in tokens
            ]
            Intake(store).add(refused, "suite")
        finally:
            store.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = {"ADMIN_PASSWORD": PASSWORD, "LOGIN_ATTEMPTS": "3"}
    server = Server(tmp_path_factory.mktemp("pages"), "http://127.0.0.1:9", [], settings).start()
    site = Site(server)
    yield site
    site.http.close()
    server.stop()


@pytest.fixture
def site(running: Site) -> Site:
    """The one server of the suite, with an empty pool."""
    running.empty()
    return running


@dataclass
class Tab:
    """A page and what it did wrong so far."""

    page: Page
    site: Site
    faults: list[str]

    def open(self, path: str) -> None:
        self.page.goto(self.site.url(path))

    def sign_in(self, password: str = PASSWORD) -> None:
        self.page.fill("[name=password]", password)
        self.page.click(".card .primary")

    def check(self) -> None:
        """What holds for every page, at any time."""
        page = self.page
        page.wait_for_load_state("load")  # its style sheets included
        assert page.locator("[style]").count() == 0
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) == 0, "the page scrolls sideways"
        assert page.title().endswith(" · chat2api")
        small = "[...document.querySelectorAll('.button')].filter(b => b.offsetParent && b.getBoundingClientRect().height < 32).length"
        assert page.evaluate(small) == 0, "a button is too small for a thumb"
        assert self.faults == []

    def shoot(self, name: str) -> None:
        """A picture for the documents; only when it is asked for, so that tests change nothing."""
        if os.environ.get("SCREENSHOTS") and name in _PICTURES:
            self.page.screenshot(path=SCREENSHOTS / f"{name}.png", caret="initial")


def watch(page: Page, site: Site, faults: list[str]) -> None:
    own = urlsplit(site.server.url).netloc

    def on_console(message: object) -> None:
        text = str(getattr(message, "text", message))
        if getattr(message, "type", "") in ("error", "warning") and not _REPORTED_STATUS.match(
            text
        ):
            faults.append(f"console: {text}")

    def on_request(request: object) -> None:
        url = str(getattr(request, "url", ""))
        if urlsplit(url).netloc != own and not url.startswith(("data:", "blob:")):
            faults.append(f"request: {url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("request", on_request)
    page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))


@pytest.fixture
def tab(browser: Browser, site: Site) -> Iterator[Callable[..., Tab]]:
    """tab(width, lang, theme, script): a browser of its own, closed with the test; faults fail it."""
    opened: list[tuple[BrowserContext, Tab]] = []

    def start(
        width: int = DESK, lang: str = "en", theme: str = "light", script: bool = True
    ) -> Tab:
        context = browser.new_context(
            viewport={"width": width, "height": 800 if width > 500 else 740},
            color_scheme="dark" if theme == "dark" else "light",
            locale={"en": "en-GB", "zh": "zh-CN"}[lang],
            timezone_id="Asia/Shanghai",
            java_script_enabled=script,
            has_touch=width <= 500,
        )
        context.set_default_timeout(15_000)
        page = context.new_page()
        made = Tab(page, site, [])
        watch(page, site, made.faults)
        opened.append((context, made))
        return made

    yield start
    for context, made in opened:
        context.close()
        assert made.faults == []


@pytest.fixture
def pasted_file(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write
