"""Logging in as people do it: a code on one screen and the page on another, by link, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Page, expect

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store.engine import database_url
from chat2api.store.intake import Intake
from chat2api.store.opening import StoreOptions, open_store

from ..e2e.processes import OwnSimulator, Server
from .conftest import PASSWORD, Site

PHONE, DESK = 360, 1280
EN = {
    "begin": "Begin a login",
    "waiting": "Waiting for you…",
    "done": "The account is new here.",
    "left": "left",
    "again": "Log in again now",
    "next": "Next:",
    "all": "No other account wants a login.",
}
ZH = {
    "begin": "开始登录",
    "waiting": "等待你操作…",
    "done": "这是新账号。",
    "left": "剩余",
    "again": "重新登录",
    "next": "下一个：",
    "all": "没有其他账号需要登录了。",
}


@pytest.fixture(scope="module")
def login_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnSimulator]:
    running = OwnSimulator(tmp_path_factory.mktemp("login-server"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def running(login_server: OwnSimulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = {"ADMIN_PASSWORD": PASSWORD, "OPENAI_AUTH_ISSUER": login_server.url}
    server = Server(tmp_path_factory.mktemp("logins"), login_server.url, [], settings).start()
    site = Site(server)
    yield site
    site.http.close()
    server.stop()


@pytest.fixture(autouse=True)
def _quick(login_server: OwnSimulator) -> None:
    login_server.reset()
    login_server.control("config", {"device_interval": 1})


@pytest.fixture
def enter(login_server: OwnSimulator) -> Callable[[Page, str], None]:
    """What the person does with the code on their phone."""

    def on_the_phone(page: Page, account: str) -> None:
        code = page.inner_text("#code")
        fields = {"user_code": code, "new_account": account}
        answer = requests.post(f"{login_server.url}/codex/device", data=fields, timeout=10)
        assert answer.status_code == 200

    return on_the_phone


def want_a_login(site: Site, login_server: OwnSimulator, *names: str) -> None:
    """Accounts in the pool whose renewal was refused."""
    directory = site.server.data_dir
    store = open_store(StoreOptions(database_url(None, directory), directory))
    try:
        for name in names:
            made = login_server.control("accounts", {"name": name, "refresh": "rt"})
            new = NewAccount(
                access_token=Secret(made["access_token"]),
                refresh_token=Secret(made["refresh_token"]),
                refused="invalid_grant",
            )
            Intake(store).add([new], "suite")
    finally:
        store.close()


@pytest.mark.parametrize(
    ("width", "theme", "lang", "words"),
    [(DESK, "light", "en", EN), (PHONE, "dark", "zh", ZH), (768, "dark", "en", EN)],
)
def test_a_code(
    tab: Callable[..., Any], enter: Any, width: int, theme: str, lang: str, words: dict[str, str]
) -> None:
    it = tab(width, lang, theme)
    page = it.page
    it.open("/admin/add")
    it.sign_in()
    page.get_by_role("button", name=words["begin"]).click()
    expect(page.get_by_role("heading", name=words["waiting"])).to_be_visible()
    assert words["left"] in page.inner_text(".countdown")
    before = page.inner_text(".countdown")
    expect(page.locator(".countdown")).not_to_have_text(before)
    page.locator("summary", has=page.locator(":scope + .qr")).click()
    expect(page.locator(".qr")).to_be_visible()
    it.check()
    it.shoot(f"login-{width}-{lang}-{theme}")
    enter(page, f"anna-{width}")
    expect(page.get_by_text(words["done"])).to_be_visible()
    it.check()


@pytest.mark.parametrize(
    ("width", "theme", "lang", "words"), [(DESK, "dark", "en", EN), (PHONE, "light", "zh", ZH)]
)
def test_one_after_another(
    tab: Callable[..., Any],
    site: Any,
    login_server: OwnSimulator,
    enter: Any,
    width: int,
    theme: str,
    lang: str,
    words: dict[str, str],
) -> None:
    names = [f"{name}-{width}" for name in ("berta", "carla")]
    want_a_login(site, login_server, *names)
    it = tab(width, lang, theme)
    page = it.page
    it.open("/admin/logins/again")
    it.sign_in()
    assert page.locator("tbody tr").count() == 2
    it.check()
    it.shoot(f"logins-again-{width}-{lang}-{theme}")
    first = page.locator("tbody tr").first.locator("th").inner_text().partition("@")[0]
    page.get_by_role("button", name=words["again"]).first.click()
    enter(page, first)
    expect(page.get_by_role("heading", name=words["next"])).to_be_visible()
    it.check()
    # Nobody does anything: the next begins by itself.
    expect(page.locator("#code")).to_be_visible(timeout=15_000)
    (second,) = set(names) - {first}
    enter(page, second)
    expect(page.get_by_text(words["all"])).to_be_visible()
    it.check()


def test_by_a_link_and_without_script(tab: Callable[..., Any], login_server: OwnSimulator) -> None:
    it = tab(PHONE, "en", "light", script=False)
    page = it.page
    it.open("/admin/add")
    it.sign_in()
    page.get_by_role("button", name="Begin a login").click()
    expect(page.get_by_role("link", name="Check now")).to_be_visible()
    page.get_by_role("button", name="Paste a link instead").click()
    it.check()
    page.fill("[name=callback]", "https://example.com/")
    page.get_by_role("button", name="Finish the login").click()
    expect(page.get_by_role("alert")).to_contain_text("That is not it.")
    it.check()
    page.get_by_text("Show the address").click()
    address = urlsplit(page.inner_text("#address"))
    fields = {name: values[0] for name, values in parse_qs(address.query).items()}
    answer = requests.post(
        f"{login_server.url}/oauth/authorize",
        data={**fields, "new_account": "dora"},
        allow_redirects=False,
        timeout=10,
    )
    page.fill("[name=callback]", answer.headers["Location"])
    page.get_by_role("button", name="Finish the login").click()
    expect(page.get_by_text("Signed in as dora@example.com.")).to_be_visible()
    it.check()


def test_a_login_goes_on_without_its_page(tab: Callable[..., Any], enter: Any) -> None:
    """Closed half-way: the line in the header leads back to it."""
    it = tab()
    page = it.page
    it.open("/admin/add")
    it.sign_in()
    page.get_by_role("button", name="Begin a login").click()
    code = page.inner_text("#code")
    it.open("/admin/add")
    page.locator("#running a").click()
    assert page.inner_text("#code") == code
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#told")).to_contain_text("The login was cancelled. Nothing was changed.")
    it.check()
