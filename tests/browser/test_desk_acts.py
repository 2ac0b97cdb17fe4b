"""What a person does at the desk: without script, in the dark, with two sessions, while things change by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect
from playwright.sync_api import Error as PlaywrightError

from chat2api.store import desk_tables, tables

from . import furnished
from .behind import (
    add_renewable,
    config_of,
    dump,
    first_pixel,
    now,
    numbers,
    pill,
    set_account,
)
from .conftest import PASSWORD, Site, watch
from .furnished import Furnished, made_accounts

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    running = furnished.start(tmp_path_factory.mktemp("acts"), {"ADMIN_PASSWORD": PASSWORD})
    try:
        yield furnished.furnish(running)
    finally:
        furnished.stop(running)


@pytest.fixture(scope="module")
def place(made: Furnished) -> Iterator[Site]:
    site = Site(made.server)
    yield site
    site.http.close()


@pytest.fixture
def start(browser: Browser, place: Site) -> Iterator[Open]:
    """start(...): a page of a browser of its own, signed in; what it did wrong fails the test."""
    opened_here: list[tuple[BrowserContext, list[str]]] = []

    def new(url: str = "", sign_in: bool = True, **wishes: Any) -> Page:
        context = (
            browser.new_context(
                locale="en-GB", timezone_id="Asia/Shanghai", viewport={"width": 1280, "height": 800}
            )
            if not wishes
            else browser.new_context(
                **{"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **wishes}
            )
        )
        context.set_default_timeout(15_000)
        page, faults = context.new_page(), []
        watch(page, place, faults)
        opened_here.append((context, faults))
        if sign_in:
            page.goto((url or place.server.url) + "/admin/sign-in")
            page.fill("[name=password]", PASSWORD)
            page.click(".card .primary")
            page.wait_for_url("**/admin")
        return page

    yield new
    for context, faults in opened_here:
        context.close()
        assert faults == []


# --- without script


def test_without_script(start: Open, place: Site, made: Furnished) -> None:
    page = start(java_script_enabled=False)
    (account,) = made_accounts(made.simulator, [{"name": "zoe"}])
    page.goto(place.url("/admin/add"))
    page.fill("#text", account["access_token"])
    page.click("#hand-in .primary")
    page.click(".import-bar .primary")
    expect(page.locator(".result")).to_contain_text("1 new")
    page.goto(place.url("/admin/accounts?q=zoe"))
    page.check("[name=id]")
    page.click(".bulk [value=pause]")
    expect(page.locator("#told")).to_contain_text("Paused 1 account")
    expect(page.locator("tbody .pill")).to_contain_text("Paused by you")
    page.click("#told button")
    page.goto(place.url("/admin/accounts?q=zoe"))
    expect(page.locator("tbody .pill")).not_to_contain_text("Paused")
    page.goto(place.url("/admin/keys/new"))
    page.fill("[name=label]", "by hand")
    page.click(".key-form .primary")
    assert page.inner_text("#new-key").startswith("sk-")
    page.click("text=I stored it")
    page.goto(place.url("/admin/requests/rotated-0001"))
    expect(page.locator("#verdict")).to_contain_text("second account")
    page.goto(place.url("/admin/settings"))
    page.fill("[name='setting.retry_times']", "4")
    page.click("#settings-form .bulk .primary")
    page.click("#settings-form .primary")
    page.wait_for_url("**/admin/settings*")
    assert "retry_times: 4" in config_of(made).read_text()
    page.click("[aria-label='Sign out']")
    page.goto(place.url("/admin/accounts"))
    assert page.locator("[name=password]").count() == 1


# --- theme and language


def test_the_first_frame_is_dark(start: Open, place: Site) -> None:
    page = start()
    page.goto(place.url("/admin/keys"))
    for _ in range(3):
        if page.get_attribute("html", "data-theme") != "dark":
            page.click("[name=theme]")
    assert page.get_attribute("html", "data-theme") == "dark"
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    slow = {
        "offline": False,
        "latency": 150,
        "downloadThroughput": 60_000,
        "uploadThroughput": 60_000,
    }
    for _ in range(3):
        client.send("Network.setCacheDisabled", {"cacheDisabled": True})
        client.send("Network.emulateNetworkConditions", slow)
        frames: list[bytes] = []
        page.goto(place.url("/admin/keys"), wait_until="commit")
        for _ in range(4):
            frames.append(
                page.screenshot(
                    clip={"x": 1272, "y": 700, "width": 4, "height": 4}, animations="allow"
                )
            )
        page.wait_for_load_state()
        assert all(sum(first_pixel(frame)) < 150 for frame in frames), [
            first_pixel(one) for one in frames
        ]


def test_the_language_keeps_the_page_and_its_filters(start: Open, place: Site) -> None:
    page = start()
    page.goto(place.url("/admin/accounts?state=ready&q=example&sort=name"))
    shown = page.locator("tbody tr").count()
    page.click("button[name=lang][value=zh]")
    page.wait_for_load_state()
    assert "q=example" in page.url
    assert "state=ready" in page.url
    assert page.locator("tbody tr").count() == shown
    assert page.get_attribute("html", "lang") == "zh-Hans"
    assert page.input_value("#search") == "example"


# --- accounts that change while somebody looks


def test_accounts_live(start: Open, place: Site, made: Furnished) -> None:
    page = start()
    page.goto(place.url("/admin/accounts?sort=state"))
    order = page.locator("tbody th").all_inner_texts()
    page.hover("tr:has-text('nina@')")
    expect(pill(page, "nina")).to_contain_text("Ready")
    ends = now(made) + 9
    rests = {"selectable": False, "cooling_until": ends, "wake_at": ends, "limited": True}
    set_account(made, "nina", reason="rate_limit_exceeded", **rests)
    expect(pill(page, "nina")).to_contain_text("Resting", timeout=12_000)
    assert page.locator("tbody th").all_inner_texts() == order
    expect(page.locator("#moved")).to_contain_text(re.compile(r"\d+ change"))
    # The time comes, and nobody does anything.
    expect(pill(page, "nina")).to_contain_text("Ready", timeout=25_000)
    assert page.locator("tbody th").all_inner_texts() == order


def test_looking_changes_nothing(start: Open, place: Site, made: Furnished) -> None:
    assert desk_tables.requests.name in tables.metadata.tables
    page = start()
    cookies = {one["name"]: one["value"] for one in page.context.cookies()}  # type: ignore[typeddict-item]
    page.goto("about:blank")
    paths = [
        "/",
        "/admin",
        "/admin/accounts",
        "/admin/accounts/ALICE",
        "/admin/add",
        "/admin/export",
        "/admin/keys",
        "/admin/keys/new",
        "/admin/keys/PHONE",
        "/admin/try",
        "/admin/requests",
        "/admin/requests/rotated-0001",
        "/admin/usage",
        "/admin/jobs",
        "/admin/jobs/JOB",
        "/admin/jobs/JOB/result.csv",
        "/admin/log",
        "/admin/audit",
        "/admin/audit.csv",
        "/admin/requests.csv",
        "/admin/usage.csv",
        "/admin/settings",
        "/admin/settings/raw",
        "/admin/sessions",
        "/admin/logins",
        "/admin/logins/again",
        "/admin/pulse",
        "/admin/accounts/cells",
        "/tokens",
        "/tokens/clear",
        "/why/rotated-0001",
    ]
    ids = {"ALICE": made.accounts["alice"], "PHONE": made.keys["phone"], "JOB": made.jobs["over"]}
    before = dump(made)
    for path in paths * 2:
        for word, meant in ids.items():
            path = path.replace(word, meant)
        answer = requests.get(
            place.url(path), cookies=cookies, headers={"Accept": "text/html"}, timeout=10
        )
        assert answer.status_code == 200, path
    after = dump(made)
    for name in before:
        assert after[name] == before[name], name


# --- jobs


def test_a_job_of_many(start: Open, place: Site, made: Furnished) -> None:
    add_renewable(made, 55, 3)
    page = start()
    page.goto(place.url("/admin/accounts?q=crew-"))
    expect(page.locator("tbody tr")).to_have_count(50)
    page.check("#pick-all")
    page.check("[name=all]")
    expect(page.locator("[data-count]")).to_contain_text("55")
    page.click(".bulk [value=renew]")
    page.wait_for_url("**/admin/jobs/*")
    address = page.url
    bar = page.locator("#job-progress")
    seen = int(bar.get_attribute("value") or 0)
    expect(bar).not_to_have_attribute("value", str(seen))
    page.goto(place.url("/admin/keys"))
    page.click("#running a")
    assert page.url == address
    page.click("details.confirm summary")
    page.click("details.confirm .danger")
    expect(page.locator("#job-state")).to_contain_text("Stopped", timeout=20_000)
    page.reload()
    told = numbers(page)
    job = told.get("job", told)
    assert 0 < job["done"] < job["total"] == 55
    assert job["ok"] + job["failed"] + job["skipped"] == job["done"]
    assert job["failed"] == 3
    page.get_by_role("button", name="Retry the 3 that failed").click()
    page.wait_for_url(lambda url: url != address)
    assert numbers(page).get("job", numbers(page))["total"] == 3
    page.goto(address)
    expect(page.get_by_role("link", name="They are tried again here")).to_be_visible()


# --- a key is seen once


def test_a_key_is_shown_once(start: Open, place: Site) -> None:
    page = start()
    page.goto(place.url("/admin/keys/new"))
    page.fill("[name=label]", "once")
    page.click(".key-form .primary")
    key = page.inner_text("#new-key")
    page.keyboard.press("Escape")
    assert page.inner_text("#new-key") == key
    page.click("text=I stored it")
    page.wait_for_url("**/admin/keys/*")
    assert key not in page.content()
    page.reload()
    assert key not in page.content()
    with suppress(PlaywrightError):  # the browser keeps nothing of it, and says so
        page.go_back()
    page.wait_for_timeout(500)
    assert key not in page.inner_text("body")


def test_copying_on_plain_http(browser: Browser, place: Site, made: Furnished) -> None:
    """By a host name that is no loopback to the browser, there is no clipboard."""
    launched = browser.browser_type.launch(
        executable_path="/usr/bin/chromium",
        args=["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP desk.example 127.0.0.1"],
    )
    page = launched.new_page()
    base = f"http://desk.example:{made.server.port}"
    page.goto(f"{base}/admin/sign-in")
    page.fill("[name=password]", PASSWORD)
    page.click(".card .primary")
    page.wait_for_url("**/admin")
    page.goto(f"{base}/admin/keys/new")
    page.fill("[name=label]", "plain http")
    page.click(".key-form .primary")
    assert page.evaluate("window.isSecureContext") is False
    key = page.inner_text("#new-key")
    button = page.locator("[data-copy=new-key]")
    button.click()
    expect(button).to_contain_text("Copied")
    page.click("text=I stored it")
    page.goto(f"{base}/admin/keys/new")
    page.click("[name=label]")
    page.keyboard.press("Control+V")
    assert page.input_value("[name=label]") == key
    launched.close()


# --- settings


def test_two_who_save(start: Open, place: Site, made: Furnished) -> None:
    one, other = start(), start()
    one.goto(place.url("/admin/settings"))
    other.goto(place.url("/admin/settings"))
    for page, field, value in ((one, "retry_times", "5"), (other, "account_concurrency", "7")):
        found = page.locator(f"[name='setting.{field}']")
        if not found.count():
            found = page.locator("[name='setting.retry_times']")
        found.fill(value)
    one.click("#settings-form .bulk .primary")
    one.click("#settings-form .primary")
    one.wait_for_url("**/admin/settings*")
    other.click("#settings-form .bulk .primary")
    if not other.locator("text=Someone else saved first").count():
        other.click("#settings-form .primary")
    expect(other.locator("main")).to_contain_text("Someone else saved first")
    assert "7" in [box.input_value() for box in other.locator("input[name^='setting.']").all()]
    text = config_of(made).read_text()
    assert text.startswith("# mine, and it stays\n")
    assert "retry_times: 5" in text


def test_a_masked_value_is_refused(start: Open, place: Site, made: Furnished) -> None:
    before = config_of(made).read_text()
    page = start()
    page.goto(place.url("/admin/settings"))
    masked = page.locator(".secret-field code").first.inner_text()
    page.locator(".secret-field summary").first.click()
    page.locator(".secret-field textarea").first.fill(masked)
    page.click("#settings-form .bulk .primary")
    expect(page.locator("[role=alert]").first).to_contain_text(re.compile("masked"))
    assert config_of(made).read_text() == before


def test_a_broken_file(start: Open, place: Site, made: Furnished) -> None:
    path = config_of(made)
    good = path.read_text()
    page = start()
    try:
        saved = path.with_name("saved")  # whole at once, as editors save
        saved.write_text(good + "\nbroken: [\n")
        saved.replace(path)
        for _ in range(40):
            page.goto(place.url("/admin/settings"))
            if page.locator(".notice.bad").count():
                break
            page.wait_for_timeout(250)
        expect(page.locator("main")).to_contain_text(
            re.compile(r"The file has an error in line \d+")
        )
        page.goto(place.url("/admin/keys"))
        expect(page.locator(".notice.bad")).to_contain_text("configuration file has an error")
    finally:
        path.write_text(good)


# --- what it weighs


def test_what_pages_weigh(start: Open, place: Site, made: Furnished) -> None:
    import gzip

    page = start()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path, most in (
        ("/", 12),
        ("/admin", 30),
        ("/admin/accounts", 30),
        ("/admin/requests", 30),
        ("/admin/audit", 30),
        ("/admin/usage", 30),
        ("/admin/keys", 30),
        (f"/admin/accounts/{made.accounts['alice']}", 30),
        ("/admin/nowhere", 12),
    ):
        asked.clear()
        answer = page.goto(place.url(path))
        assert answer is not None
        size = len(gzip.compress(answer.body())) / 1024
        assert size <= most, f"{path} weighs {size:.1f} kB"
        loads = [url for url in asked if not url.startswith("data:")]
        assert len(loads) <= 4, loads
    script = place.http.get(
        page.evaluate("document.scripts[0].src"), headers={"Accept-Encoding": "gzip"}, stream=True
    )
    assert int(script.headers["Content-Length"]) <= 15 * 1024
    script.close()


# --- by keyboard, in high contrast, on paper


def test_by_keyboard(start: Open, place: Site, made: Furnished) -> None:
    page = start()
    for path in ("/admin", "/admin/accounts", "/admin/settings", "/admin/keys/new", "/admin/audit"):
        page.goto(place.url(path))
        faults = []
        last = -1
        for _ in range(45):
            page.keyboard.press("Tab")
            index, ring, what = page.evaluate(
                """() => {
                  const node = document.activeElement;
                  const style = getComputedStyle(node);
                  const touch = node.querySelector && node.querySelector(".touch");
                  const ring = parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== "none"
                    || Boolean(touch && getComputedStyle(touch).stroke !== "none");
                  return [[...document.querySelectorAll("*")].indexOf(node), ring, node.outerHTML.slice(0, 80)];
                }"""
            )
            if what.startswith("<body"):
                break
            if not ring:
                faults.append(f"{path}: no ring on {what}")
            if index < last:
                faults.append(f"{path}: the order jumps back to {what}")
            last = index
        assert not faults, "\n".join(faults)


def test_on_paper_and_in_high_contrast(start: Open, place: Site, made: Furnished) -> None:
    page = start()
    for path in ("/admin", "/admin/accounts", "/admin/requests/rotated-0001"):
        page.goto(place.url(path))
        page.emulate_media(media="print")
        assert not page.locator(".rail").is_visible()
        assert not page.locator(".bar").is_visible()
        page.emulate_media(media="screen", forced_colors="active")
        bordered = page.evaluate(
            "[...document.querySelectorAll('.pill, .card, .button.primary')].filter(n => n.checkVisibility())"
            ".every(n => parseFloat(getComputedStyle(n).borderTopWidth) >= 1)"
        )
        assert bordered
        page.emulate_media(media="screen", forced_colors="none")


def test_motion_only_for_those_who_like_it(start: Open, place: Site) -> None:
    page = start(reduced_motion="reduce")
    for path in ("/admin", "/admin/accounts", "/admin/jobs"):
        page.goto(place.url(path))
        assert page.evaluate("document.getAnimations().length") == 0
        moving = "[...document.querySelectorAll('*')].filter(n => !/^(0s,? ?)+$/.test(getComputedStyle(n).transitionDuration)).length"
        assert page.evaluate(moving) == 0
