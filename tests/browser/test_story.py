"""An operator's first evening, from the first sign-in to the audit log, in a browser and with the SDK."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from playwright.sync_api import Browser, Page, expect

from ..e2e.processes import KEY, Server, Simulator
from .conftest import PASSWORD, Site, Tab, watch

SAY = [{"role": "user", "content": "Hello"}]
MODEL = "gpt-5-5"
REST_SECONDS = 12
ADDED_KEY = "sk-added-by-the-story-0123456789"


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    made = Simulator(tmp_path)
    made.start()
    made.reset()
    yield made
    made.stop()


@pytest.fixture
def server(tmp_path: Path, simulator: Simulator) -> Iterator[Server]:
    """In turn through the accounts; its keys and whatever may be changed live stand in a YAML file."""
    settings = {
        "ADMIN_PASSWORD": PASSWORD,
        "AUTHORIZATION": "",
        "RANDOM_TOKEN": "false",
        "CONFIG_POLL_SECONDS": "1",
        "RETRY_TIMES": "1",
    }
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "app.dev.yaml").write_text(f"# mine\nauth:\n  access_tokens:\n    - {KEY}\n")
    made = Server(tmp_path, simulator.url, [], settings).start()
    yield made
    made.stop()


@pytest.fixture
def desk(browser: Browser, server: Server) -> Iterator[Tab]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="Asia/Shanghai"
    )
    context.set_default_timeout(20_000)
    site = Site(server)
    tab = Tab(context.new_page(), site, [])
    watch(tab.page, site, tab.faults)
    yield tab
    context.close()
    site.http.close()


def accounts_of(simulator: Simulator) -> list[dict[str, Any]]:
    """Ann may have one turn, then she rests for a while."""
    wish = [
        {"name": "ann", "quota": 1, "quota_seconds": REST_SECONDS},
        {"name": "bob"},
        {"name": "cy", "refresh": "rt"},
    ]
    answer = simulator.control("accounts", wish)
    return list(answer if isinstance(answer, list) else answer["accounts"])


def drop(page: Page, files: dict[str, str]) -> None:
    """As a hand does: a drag of files that ends on the page."""
    page.evaluate(
        """(files) => {
          const data = new DataTransfer();
          for (const [name, text] of Object.entries(files)) data.items.add(new File([text], name));
          const target = document.querySelector("#hand-in");
          for (const name of ["dragenter", "dragover", "drop"]) {
            target.dispatchEvent(new DragEvent(name, {bubbles: true, cancelable: true, dataTransfer: data}));
          }
        }""",
        files,
    )


def pill(page: Page, name: str) -> Any:
    return page.locator(f"tr:has-text('{name}@') .pill")


def say(client: openai.OpenAI, text: str = "Hello") -> str:
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": text}]
    )
    return answer.choices[0].message.content or ""


def sent(page: Page, tab: Tab) -> int:
    """The number of requests that the usage page tells."""
    tab.open("/admin/usage?range=24h")
    found = re.match(r"([\d,]+) request", page.inner_text(".sums"))
    return int(found[1].replace(",", "")) if found else 0


def test_the_first_evening(desk: Tab, simulator: Simulator, server: Server) -> None:
    page = desk.page
    _sign_in(desk)
    _add_three(desk, accounts_of(simulator))
    key = _make_a_key(desk)
    client = openai.OpenAI(base_url=server.base_url, api_key=key, max_retries=0, timeout=30)
    _one_cools_and_comes_back(desk, client)
    before = sent(page, desk)
    assert before >= 2
    _a_failure_is_explained(desk, client)
    assert sent(page, desk) > before
    bars = page.locator("svg rect, svg path")
    assert bars.count() > 0
    desk.check()
    _a_setting_counts_at_once(desk, server)
    _all_of_it_is_in_the_audit(desk, key)
    client.close()


def _sign_in(desk: Tab) -> None:
    desk.open("/admin")
    desk.sign_in("not the password")
    expect(desk.page.locator(".problem")).to_have_text("That is not right. Try again.")
    desk.sign_in()
    expect(desk.page.locator("h1")).to_have_text("There are no accounts yet.")
    desk.check()


def _add_three(desk: Tab, accounts: list[dict[str, Any]]) -> None:
    page = desk.page
    page.click("text=Add an account")
    ann, bob, cy = accounts
    auth = {"tokens": {"access_token": bob["access_token"], "account_id": ""}}
    drop(
        page,
        {
            "token.txt": f"{ann['access_token']}\n{cy['refresh_token']}\n",
            "auth.json": json.dumps(auth),
        },
    )
    expect(page.locator("#chosen-files li")).to_have_count(2)
    page.click("text=Show what is in it")
    expect(page.locator(".diff")).to_contain_text("3 new")
    for account in accounts:
        assert account["access_token"] not in page.content()
    desk.check()
    page.click(".import-bar .primary")
    expect(page.locator(".result")).to_contain_text("3 new")
    desk.open("/admin/accounts")
    expect(page.locator("tbody tr")).to_have_count(3)


def _make_a_key(desk: Tab) -> str:
    page = desk.page
    page.click(".rail >> text=Keys")
    page.click("text=New key")
    page.fill("[name=label]", "phone")
    page.click("text=Make the key")
    key = page.inner_text("#new-key")
    assert key.startswith("sk-")
    assert key not in page.url
    desk.check()
    page.click("text=I stored it")
    page.wait_for_url("**/admin/keys/*")
    assert key not in page.content()
    return key


def _one_cools_and_comes_back(desk: Tab, client: openai.OpenAI) -> None:
    """The page stays open; its cells change by themselves."""
    page = desk.page
    assert say(client)
    desk.open("/admin/accounts")
    expect(pill(page, "ann")).to_contain_text("Ready")
    for _ in range(4):  # in turn: one of these meets Ann's limit, and another account answers
        assert say(client)
    expect(pill(page, "ann")).to_contain_text(re.compile(r"until \d\d:\d\d"), timeout=12_000)
    desk.check()
    expect(pill(page, "ann")).to_contain_text("Ready", timeout=(REST_SECONDS + 12) * 1000)


def _a_failure_is_explained(desk: Tab, client: openai.OpenAI) -> None:
    page = desk.page
    with pytest.raises(openai.APIStatusError) as caught:
        say(client, "/sim text fault=status status=500")
    _open_until(desk, "/admin", ".failures li")  # records are written in batches, within a second
    row = page.locator(".failures li").first
    expect(row).to_contain_text(MODEL)
    row.locator("a").click()
    expect(page.locator("#verdict")).to_be_visible()
    assert caught.value.response.headers["x-request-id"] in page.content()
    expect(page.locator(".attempts li")).to_have_count(2)
    assert "Hello" not in page.inner_text("main")
    assert "fault=status" not in page.content()
    desk.check()


def _open_until(desk: Tab, path: str, selector: str) -> None:
    for _ in range(20):
        desk.open(path)
        if desk.page.locator(selector).count():
            return
        desk.page.wait_for_timeout(200)


def _a_setting_counts_at_once(desk: Tab, server: Server) -> None:
    with pytest.raises(openai.AuthenticationError):
        say(server.client(ADDED_KEY))
    page = desk.page
    desk.open("/admin/settings")
    page.fill("[name='keys.new']", ADDED_KEY)
    page.click("text=Look at the changes")
    assert ADDED_KEY not in page.content()
    desk.check()
    page.click("#settings-form .primary")
    page.wait_for_url("**/admin/settings*")
    assert ADDED_KEY not in page.content()
    assert say(server.client(ADDED_KEY))
    text = (server.directory / "conf" / "app.dev.yaml").read_text()
    assert text.startswith("# mine\n")
    assert ADDED_KEY in text


def _all_of_it_is_in_the_audit(desk: Tab, key: str) -> None:
    page = desk.page
    desk.open("/admin/audit")
    told = page.inner_text("table")
    for action in ("Signed in", "Accounts imported", "Key created", "Configuration changed"):
        assert action in told, told
    for secret in (key, ADDED_KEY, PASSWORD):
        assert secret not in page.content()
    desk.check()
