"""People who add and export accounts: by paste, by files, on phones, without script."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD
from tests.store.handed import DAY, access, refresh

PHONE, DESK = 360, 1280
PASTE = """text => {
  const data = new DataTransfer();
  data.setData("text/plain", text);
  const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""
DROP = """([name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  for (const kind of ["dragenter", "drop"]) {
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}"""
EN = {
    "seen": "3 lines: 1 access token, 1 refresh token, 1 unreadable",
    "file": "The content of a file; the server reads it.",
    "diff": ["+ 4 new", "! 1 expired", "? 1 unreadable"],
    "import": "Import 4",
    "more": "Import 5",
    "done": "4 new",
    "again": "Nothing to import: it is already here.",
}
ZH = {
    "seen": "3 行：1 个 Access Token，1 个 Refresh Token，1 行无法识别",
    "file": "这是文件内容，将由服务器解析。",
    "diff": ["+ 新增 4 个", "! 已过期 1 个", "? 1 行无法识别"],
    "import": "导入 4 个",
    "more": "导入 5 个",
    "done": "新增 4 个",
    "again": "没有需要导入的内容，1 个账号都已存在。",
}


def token(name: str, days: float = 5) -> str:
    return access(name, ends=time.time() + days * DAY).reveal()


def login(name: str) -> str:
    tokens = {"access_token": token(name), "refresh_token": refresh().reveal()}
    return json.dumps({"tokens": tokens})


@pytest.mark.parametrize(
    ("width", "theme", "lang", "words"),
    [(DESK, "light", "en", EN), (PHONE, "dark", "zh", ZH), (768, "light", "en", EN)],
)
def test_what_is_shown_is_taken(
    tab: Callable[..., Any], pasted_file: Callable[[str, bytes], Path], width: int, theme: str,
    lang: str, words: dict[str, Any],
) -> None:  # fmt: skip
    it = tab(width, lang, theme)
    page = it.page
    it.open("/admin/add")
    it.sign_in()
    expect(page.locator("#hand-in")).to_be_visible()
    it.check()
    page.evaluate(PASTE, login("x"))
    expect(page.locator("#seen")).to_have_text(words["file"])
    page.fill("#text", "")
    mine = token("pasted")
    page.evaluate(PASTE, f"{mine}\n{refresh().reveal()}\n<img src=x onerror=alert(1)>")
    expect(page.locator("#seen")).to_have_text(words["seen"])
    page.set_input_files("#files", pasted_file("auth.json", login("picked").encode()))
    page.evaluate(DROP, ["token.txt", f"{token('dropped')}\n{token('over', -1)}"])
    expect(page.locator("#chosen-files li")).to_have_count(2)
    it.check()
    page.keyboard.press("Control+Enter")

    expect(page.locator(".diff li")).to_have_text(words["diff"])
    assert mine not in page.content()
    button = page.locator(".import-bar .primary")
    expect(button).to_have_text(words["import"])
    page.check("#take-ended")
    expect(button).to_have_text(words["more"])
    page.uncheck("#take-ended")
    it.check()
    button.click()
    expect(page.locator(".result a").first).to_have_text(words["done"])
    it.check()
    page.locator(".result a").first.click()
    expect(page.locator("tbody tr[data-row]")).to_have_count(4)

    it.open("/admin/add")
    page.fill("#text", mine)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".page-head .lead")).to_have_text(words["again"])
    expect(page.locator(".import-bar .primary")).to_have_count(0)
    it.check()


@pytest.mark.parametrize("script", [True, False])
def test_an_export_is_fetched_once(tab: Callable[..., Any], site: Any, script: bool) -> None:
    mine = token("exported")
    site.script("/tokens/add", token=mine)
    it = tab(PHONE, script=script)
    page = it.page
    it.open("/admin/export")
    it.sign_in()
    page.fill("#password", "wrong")
    page.press("#password", "Enter")
    expect(page.locator("[role=alert]")).to_contain_text("Nothing was exported.")
    page.check("#format-tokens")
    page.fill("#password", PASSWORD)
    page.click(".button.danger")
    fetch = page.locator("button[name=ticket]")
    with page.expect_download() as download:
        fetch.click()
    assert Path(download.value.path()).read_text().startswith(mine)
    if script:
        page.wait_for_timeout(100)
        page.evaluate("for (const form of document.forms) delete form.dataset.sent")
    fetch.click()
    expect(page).to_have_url(site.url("/admin/export"))
    with page.expect_download() as download:
        page.click("button[value=csv]")
    assert mine not in Path(download.value.path()).read_text()


def test_an_import_without_script(tab: Callable[..., Any]) -> None:
    it = tab(PHONE, script=False)
    page = it.page
    it.open("/admin/add")
    it.sign_in()
    page.fill("#text", f"{token('plain')}\njunk")
    page.click("#hand-in .primary")
    expect(page.locator(".diff li")).to_have_text(["+ 1 new", "? 1 unreadable"])
    page.click(".import-bar .primary")
    expect(page.locator(".result a").first).to_have_text("1 new")
    it.open("/admin/add/review")
    expect(page.locator("#hand-in")).to_be_visible()
