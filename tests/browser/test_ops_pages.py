"""Settings, jobs and the live log in a browser: what moves by itself, and the same without a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, expect

from chat2api.store.engine import database_url
from chat2api.store.jobs import JobBook
from chat2api.store.opening import StoreOptions, open_store

from ..e2e.processes import Server
from .conftest import PASSWORD, Site, Tab

YAML = """\
# made by hand
retry_times: 2  # enough
auth:
  access_tokens:
    - sk-planted-first-0000
"""
LOOKS = [(1280, "en", "light"), (360, "zh", "dark")]


@pytest.fixture(scope="module")
def with_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("ops")
    file = folder / "app.yaml"
    file.write_text(YAML)
    settings = {"ADMIN_PASSWORD": PASSWORD, "CHAT2API_CONFIG": str(file)}
    server = Server(folder, "http://127.0.0.1:9", [], settings).start()
    yield Site(server, http=requests.Session())
    server.stop()


@pytest.fixture
def site(with_file: Site) -> Site:
    return with_file


@pytest.fixture
def desk(browser: Browser, tab: Callable[..., Tab]) -> Callable[..., Tab]:
    """desk(width, lang, theme, script): somebody signed in."""

    def start(*given: Any, **more: Any) -> Tab:
        made = tab(*given, **more)
        made.open("/admin")
        made.sign_in()
        made.page.wait_for_selector("nav.rail", state="attached")
        return made

    return start


def begin_job(site: Site, number: int) -> str:
    """Of accounts that are not there: each is skipped."""
    directory = site.server.data_dir
    store = open_store(StoreOptions(database_url(None, directory), directory))
    try:
        items = [(f"acc_{each}", f"gone {each}") for each in range(number)]
        return JobBook(store, "suite").create("renew", "suite", items)
    finally:
        store.close()


@pytest.mark.parametrize("script", [True, False])
def test_a_setting_is_looked_at_saved_and_live(
    desk: Callable[..., Tab], site: Site, script: bool
) -> None:
    tab = desk(script=script)
    page = tab.page
    wanted = "4" if script else "5"
    tab.open("/admin/settings")
    page.fill("[name='setting.retry_times']", wanted)
    page.click("#settings-form .primary")
    expect(page.locator(".changes")).to_contain_text(f"→ {wanted}")
    tab.check()
    page.click("#settings-form .primary")
    expect(page.locator("[name='setting.retry_times']")).to_have_value(wanted)
    assert (
        f"retry_times: {wanted}  # enough"
        in page.context.request.get(
            site.url("/admin/settings/raw"), headers={"Accept": "text/html"}
        ).text()
    )
    tab.open("/admin/audit")
    expect(page.locator("table")).to_contain_text(
        f"retry_times: {int(wanted) - 2 if script else 4}"
    )
    tab.check()


def test_a_job_moves_and_ends_in_its_result(desk: Callable[..., Tab], site: Site) -> None:
    tab = desk()
    job_id = begin_job(site, 8)
    tab.open(f"/admin/jobs/{job_id}")
    expect(tab.page.locator("#job-text")).to_contain_text("8 of 8 · 8 skipped", timeout=30_000)
    expect(tab.page.locator("#job-state")).to_contain_text("Done")
    tab.check()


def test_a_job_is_stopped_in_place(desk: Callable[..., Tab], site: Site) -> None:
    tab = desk()
    job_id = begin_job(site, 400)
    tab.open(f"/admin/jobs/{job_id}")
    tab.page.click("details.confirm > summary")
    # The question that is open keeps the page as it is: the chips move all the same.
    expect(tab.page.locator("[data-count=skipped] .number")).not_to_have_text("0", timeout=30_000)
    expect(tab.page.locator("[data-count=skipped]")).to_be_visible()
    expect(tab.page.locator("[data-keep]")).to_be_focused()
    tab.page.click("details.confirm .danger")
    expect(tab.page.locator("#job-text")).to_contain_text("not begun", timeout=30_000)
    tab.check()


def test_the_log_follows_pauses_and_goes_on(desk: Callable[..., Tab], site: Site) -> None:
    tab = desk()
    page = tab.page
    tab.open("/admin/log")
    expect(page.locator("#log-state")).to_have_text("Live")

    def ask(times: int) -> None:
        for _ in range(times):
            site.http.get(site.url("/v1/models"), timeout=10)

    ask(40)
    expect(page.locator("#log .line").last).to_contain_text("/v1/models")
    at_end = "(() => { const log = document.querySelector('#log'); return log.scrollHeight - log.scrollTop - log.clientHeight < 32; })()"
    assert page.evaluate(at_end)
    page.evaluate("document.querySelector('#log').scrollTop = 0")
    page.wait_for_timeout(300)
    ask(1)
    expect(page.locator("#log-new")).to_have_text("1 new line ↓")
    assert page.evaluate("document.querySelector('#log').scrollTop") == 0
    page.click("#log-new")
    assert page.evaluate(at_end)
    tab.check()


@pytest.mark.parametrize("look", LOOKS)
def test_the_pages_in_every_look(desk: Callable[..., Tab], look: tuple[int, str, str]) -> None:
    tab = desk(*look)
    for path in ("/settings", "/settings/raw", "/audit", "/log", "/jobs"):
        tab.open(f"/admin{path}")
        tab.page.wait_for_selector("h1")
        tab.check()
        assert "planted-first" not in tab.page.content()
