"""Every page of the operator, in both languages and themes, at every width: what holds for all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page

from chat2api.settings.model import Settings
from chat2api.web.languages import FOLDER
from chat2api.web.routes import register_routes

from . import furnished
from .conftest import PASSWORD, SCREENSHOTS, Site, watch
from .furnished import Furnished

INSPECT = (Path(__file__).parent / "inspect.js").read_text()
WIDTHS = (1280, 360)
THEMES = ("light", "dark")
PICTURES = {
    "overview-1280-en-light",
    "overview-360-zh-dark",
    "accounts-1280-en-dark",
    "accounts-360-zh-light",
    "account-1280-zh-light",
    "account-360-en-dark",
    "review-1280-en-light",
    "key-made-1280-en-dark",
    "key-made-360-zh-light",
    "usage-24h-1280-zh-dark",
    "usage-7d-1280-en-light",
    "request-1280-en-light",
    "request-360-zh-dark",
    "settings-1280-zh-light",
}
PLANTED = ("[onerror]", "main script", "[src=x]", "a[href^='javascript:']")
SEES_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
window.alert = (what) => { window.ran = String(what); };
"""
# What GET routes give that is no page: files, streams, and what scripts ask for.
NO_PAGES = re.compile(
    r"\.csv$|/stream$|/cells$|/pulse$|/state$|^/v1|^/api|^/admin/api|^/_ui|^/favicon|^/(healthz|readyz|ping)$"
    r"|^/tokens/add/|^/static/"
)

Step = Callable[[Page, Furnished, Site], None]


@dataclass(frozen=True)
class Sight:
    """A page: the rule it belongs to, and how one gets there. `guest`: who is not signed in sees it."""

    name: str
    rule: str
    path: str = ""
    step: Step | None = None
    guest: bool = False


def _look_at_hostile_files(page: Page, made: Furnished, site: Site) -> None:
    page.goto(site.url("/admin/add"))
    account = furnished.made_accounts(made.simulator, [{"name": "newcomer"}])[0]
    text = f"{account['access_token']}\nnot a token\n".encode()
    name = "<img src=x onerror=alert(1)>.txt"
    files: list[Any] = [{"name": name, "mimeType": "text/plain", "buffer": text}]
    files.append({"name": f"{'L' * 200}.txt", "mimeType": "text/plain", "buffer": b"rubbish"})
    page.set_input_files("#files", files)
    page.click("#hand-in .primary")


def _make_a_key(page: Page, made: Furnished, site: Site) -> None:
    page.goto(site.url("/admin/keys/new"))
    page.fill("[name=label]", "for the friend")
    page.click(".key-form .primary")


def _begin_a_login(page: Page, made: Furnished, site: Site) -> None:
    page.goto(site.url("/admin/add"))
    page.click("button[value=device]")
    page.wait_for_url("**/admin/logins/*")


def _cancel_the_login(page: Page, made: Furnished, site: Site) -> None:
    _begin_a_login(page, made, site)
    page.click("form[action$='/cancel'] button")


def _look_at_changes(page: Page, made: Furnished, site: Site) -> None:
    page.goto(site.url("/admin/settings"))
    page.fill("[name='keys.new']", "sk-a-new-one-of-the-suite-01234")
    page.fill("[name='setting.retry_times']", "2")
    page.click("#settings-form .bulk .primary")


def _be_asked_before_removal(page: Page, made: Furnished, site: Site) -> None:
    page.goto(site.url("/admin/accounts"))
    page.check("#pick-all")
    page.click(".bulk [value=remove]")


def _make_an_export(page: Page, made: Furnished, site: Site) -> None:
    page.goto(site.url("/admin/export"))
    page.fill("[name=password]", PASSWORD)
    page.click("form .danger")


def _mistake_in_a_key(page: Page, made: Furnished, site: Site) -> None:
    page.goto(site.url("/admin/keys/new"))
    page.fill("[name=label]", "x")
    page.fill("[name=requests_per_minute]", "many")
    page.click(".key-form .primary")


def _preview_tokens(page: Page, made: Furnished, site: Site) -> None:
    page.goto(site.url("/tokens"))
    page.fill("[name=text]", "eyJhbGciOiJub25lIn0.e30.x\nrubbish <img src=x onerror=alert(1)>")
    page.click("button[formaction$='/preview']")


SIGHTS = [
    Sight("start", "/", "/"),
    Sight("overview", "/admin", "/admin"),
    Sight("accounts", "/admin/accounts", "/admin/accounts"),
    Sight("accounts-none", "/admin/accounts", "/admin/accounts?q=nobody"),
    Sight("remove", "/admin/accounts", step=_be_asked_before_removal),
    Sight("account", "/admin/accounts/<account_id>", "/admin/accounts/{account}"),
    Sight("account-hostile", "/admin/accounts/<account_id>", "/admin/accounts/{hostile}"),
    Sight("account-long", "/admin/accounts/<account_id>", "/admin/accounts/{long}"),
    Sight("add", "/admin/add", "/admin/add"),
    Sight("review", "/admin/add/review", step=_look_at_hostile_files),
    Sight("add-done", "/admin/add/done", "/admin/add/done"),
    Sight("export", "/admin/export", "/admin/export"),
    Sight("export-ready", "/admin/export/ready", step=_make_an_export),
    Sight("keys", "/admin/keys", "/admin/keys"),
    Sight("key-new", "/admin/keys/new", "/admin/keys/new"),
    Sight("key-mistake", "/admin/keys/new", step=_mistake_in_a_key),
    Sight("key-made", "/admin/keys/<key_id>", step=_make_a_key),
    Sight("key", "/admin/keys/<key_id>", "/admin/keys/{key}"),
    Sight("key-hostile", "/admin/keys/<key_id>", "/admin/keys/{hostile_key}"),
    Sight("try", "/admin/try", "/admin/try"),
    Sight("requests", "/admin/requests", "/admin/requests"),
    Sight("requests-failed", "/admin/requests", "/admin/requests?failed=1"),
    Sight("request", "/admin/requests/<request_id>", "/admin/requests/rotated-0001"),
    Sight("request-hostile", "/admin/requests/<request_id>", "/admin/requests/hostile-0001"),
    Sight("request-unknown", "/admin/requests/<request_id>", "/admin/requests/nothing-here"),
    Sight("why-signed-in", "/why/<request_id>", "/why/hostile-0001"),
    Sight("usage-24h", "/admin/usage", "/admin/usage?range=24h"),
    Sight("usage-7d", "/admin/usage", "/admin/usage?range=7d&by=key"),
    Sight("usage-30d", "/admin/usage", "/admin/usage?range=30d&by=account"),
    Sight("jobs", "/admin/jobs", "/admin/jobs"),
    Sight("job", "/admin/jobs/<job_id>", "/admin/jobs/{job}"),
    Sight("log", "/admin/log", "/admin/log"),
    Sight("audit", "/admin/audit", "/admin/audit"),
    Sight("settings", "/admin/settings", "/admin/settings"),
    Sight("settings-review", "/admin/settings", step=_look_at_changes),
    Sight("settings-raw", "/admin/settings/raw", "/admin/settings/raw"),
    Sight("sessions", "/admin/sessions", "/admin/sessions"),
    Sight("logins", "/admin/logins", "/admin/logins"),
    Sight("logins-again", "/admin/logins/again", "/admin/logins/again"),
    Sight("login", "/admin/logins/<login_id>", step=_begin_a_login),
    Sight("login-cancelled", "/admin/logins/<login_id>", step=_cancel_the_login),
    Sight("tokens", "/tokens", "/tokens"),
    Sight("tokens-clear", "/tokens/clear", "/tokens/clear"),
    Sight("tokens-preview", "/tokens", step=_preview_tokens),
    Sight("lost", "/admin", "/admin/nowhere"),
    Sight("lost-account", "/admin/accounts/<account_id>", "/admin/accounts/acc_nobody"),
    Sight("bad-request", "/admin/requests", "/admin/requests?since=yesterday"),
    Sight("start-guest", "/", "/", guest=True),
    Sight("sign-in", "/admin/sign-in", "/admin/sign-in", guest=True),
    Sight("why", "/why/<request_id>", "/why/hostile-0001", guest=True),
    Sight("lost-guest", "/admin", "/nowhere", guest=True),
    Sight("refused", "/admin/accounts", "/admin/accounts", guest=True),
]
BY_NAME = {sight.name: sight for sight in SIGHTS}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    running = furnished.start(tmp_path_factory.mktemp("desk"), {"ADMIN_PASSWORD": PASSWORD})
    try:
        yield furnished.furnish(running, hostile=not os.environ.get("SCREENSHOTS"))
    finally:
        furnished.stop(running)


@pytest.fixture(scope="module")
def place(made: Furnished) -> Iterator[Site]:
    site = Site(made.server)
    yield site
    site.http.close()


@pytest.fixture(scope="module")
def session(browser: Browser, place: Site) -> list[Any]:
    """The cookies of one session for all contexts: signing in is looked at elsewhere."""
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(place.url("/admin/sign-in"))
    page.fill("[name=password]", PASSWORD)
    page.click(".card .primary")
    page.wait_for_url("**/admin")
    cookies = [one for one in context.cookies() if one.get("name") not in ("lang", "theme")]
    context.close()
    return cookies


class Looker:
    """One browser context a language and kind of visitor; each page is looked at in place at all widths."""

    def __init__(self, browser: Browser, site: Site, made: Furnished, lang: str) -> None:
        self.site, self.made, self.lang = site, made, lang
        self.faults: list[str] = []
        self._browser = browser
        self._contexts: dict[bool, BrowserContext] = {}
        self._pages: dict[bool, Page] = {}

    def page(self, guest: bool, session: list[Any]) -> Page:
        if guest not in self._pages:
            context = self._browser.new_context(
                viewport={"width": 1280, "height": 800},
                locale={"en": "en-GB", "zh": "zh-CN"}[self.lang],
                timezone_id="Asia/Shanghai",
                reduced_motion="reduce",
            )
            context.set_default_timeout(15_000)
            context.add_init_script(SEES_VIOLATIONS)
            if not guest:
                context.add_cookies(session)
            page = context.new_page()
            watch(page, self.site, self.faults)
            self._contexts[guest], self._pages[guest] = context, page
        return self._pages[guest]

    def close(self) -> None:
        for context in self._contexts.values():
            context.close()


@pytest.fixture(scope="module", params=("en", "zh"))
def looker(request: Any, browser: Browser, place: Site, made: Furnished) -> Iterator[Looker]:
    one = Looker(browser, place, made, request.param)
    yield one
    one.close()


def go(page: Page, sight: Sight, made: Furnished, site: Site) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(color_scheme="light")
    if page.locator("[data-stored]").count():
        page.click("[data-stored]")  # a key that was not stored holds whoever leaves
    if sight.step is not None:
        sight.step(page, made, site)
    else:
        ids = {
            "account": made.accounts["alice"],
            "hostile": made.accounts["ivan"],
            "long": made.accounts["judy"],
            "key": made.keys["phone"],
            "hostile_key": made.keys["hostile"],
            "job": made.jobs["over"],
        }
        page.goto(site.url(sight.path.format(**ids)))
    page.wait_for_load_state()


@cache
def sentences(lang: str) -> list[str]:
    """English texts that no Chinese page may hold: whole ones, and the longest piece of those to fill in."""
    if lang == "en":
        return []
    found, chinese = set(), ""
    for path in FOLDER.glob("zh*.po"):
        with path.open("rb") as file:
            for message in read_po(file, locale="zh"):
                chinese += f"\n{message.string}"
                texts = message.id if isinstance(message.id, tuple | list) else [message.id]
                found |= {
                    piece.strip()
                    for text in texts
                    for piece in re.split(r"%\(\w+\)[a-z]|\{\w+\}|\n", text)
                }
    return sorted(
        text
        for text in found
        if len(text) > 12 and re.search("[a-z] [a-z]", text) and text not in chinese
    )


def look(page: Page, narrow: bool, english: list[str]) -> list[str]:
    values = {"narrow": narrow, "marks": list(PLANTED), "english": english}
    found: list[str] = page.evaluate(INSPECT, values)
    return found


def shoot(page: Page, name: str) -> None:
    """For the documents, and (with LOOK=folder) every page for a person to look at; only when asked for."""
    if os.environ.get("SCREENSHOTS") and name in PICTURES:
        page.screenshot(path=SCREENSHOTS / f"{name}.png", caret="initial")
    folder = os.environ.get("LOOK")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True, caret="initial")


@pytest.mark.parametrize("name", BY_NAME)
def test_a_page(looker: Looker, session: list[Any], name: str) -> None:
    sight, lang = BY_NAME[name], looker.lang
    page = looker.page(sight.guest, session)
    go(page, sight, looker.made, looker.site)
    faults = []
    wanted = {"en": "en", "zh": "zh-Hans"}[lang]
    if page.get_attribute("html", "lang") != wanted:
        faults.append("the wrong language is named")
    if not re.fullmatch(r".+ · chat2api", page.title()):
        faults.append(f"the title is {page.title()!r}")
    english = sentences(lang)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800 if width > 500 else 740})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            found = look(page, width < 768, english)
            faults += [f"{width} {theme}: {fault}" for fault in found]
            english = []
            shoot(page, f"{name}-{width}-{lang}-{theme}")
    if lang == "en":
        page.emulate_media(color_scheme="light")
        for width in (640, 768, 900):
            page.set_viewport_size({"width": width, "height": 800})
            faults += [
                f"{width}: {fault}" for fault in look(page, width < 768, []) if "sideways" in fault
            ]
    faults += [f"refused by the policy: {one}" for one in page.evaluate("window.violations")]
    faults += looker.faults
    looker.faults.clear()
    assert not faults, "\n".join(dict.fromkeys(faults))


def test_no_page_is_forgotten() -> None:
    app = Flask(__name__)
    register_routes(app, Settings())
    rules = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not NO_PAGES.search(rule.rule)
    }
    assert rules - {sight.rule for sight in SIGHTS} == set()
