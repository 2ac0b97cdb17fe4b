"""People at the token page: every width, language and theme; without script; hostile pastes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

AT = "eyJhbGciOiJSUzI1NiJ9.{}.sig"
RT = "rt_" + "a1B2c3D4" * 5 + "{:03d}"
MARKUP = "<img src=x onerror=alert(1)>"
PHONE, DESK = 360, 1280


def access(number: int) -> str:
    return AT.format(f"account{number}")


EN = {
    "wrong": "That is not right. Try again.",
    "seen": "4 lines: 2 access tokens, 1 refresh token, 1 unreadable",
    "added": "2 new, 1 was already there, line 3 is unreadable.",
    "again": "Nothing to import: all 2 are already here.",
    "usable": "2 usable of 3",
    "failed": "1 failed",
    "clear": "Clear all 3 tokens? Type 3 to go on.",
    "not_cleared": "That is not the count. Nothing was cleared.",
    "cleared": "3 tokens were cleared.",
    "html_lang": "en",
}
ZH = {
    "wrong": "不正确，请重试。",
    "seen": "4 行：2 个 Access Token，1 个 Refresh Token，1 行无法识别",
    "added": "新增 2 个，已存在 1 个，第 3 行无法识别。",
    "again": "没有需要导入的内容，2 个账号都已存在。",
    "usable": "2 个可用，共 3 个",
    "failed": "1 个失效",
    "clear": "确定清空全部 3 个 Token？请输入 3 确认。",
    "not_cleared": "数量不符，未清空任何 Token。",
    "cleared": "已清空 3 个 Token。",
    "html_lang": "zh-Hans",
}


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("lang", "words"), [("en", EN), ("zh", ZH)])
def test_a_whole_visit(
    tab: Callable[..., Any], site: Any, width: int, theme: str, lang: str, words: dict[str, str]
) -> None:
    site.fail(RT.format(1))
    it = tab(width, lang, theme)
    page = it.page
    it.open("/tokens")
    assert page.get_attribute("html", "lang") == words["html_lang"]
    it.check()
    it.sign_in("wrong")
    expect(page.locator("[role=alert]")).to_have_text(words["wrong"])
    it.check()
    it.shoot(f"sign-in-{width}-{lang}-{theme}")
    it.sign_in()
    expect(page.locator("#failed h2")).to_have_text(words["failed"])
    it.check()

    page.fill("#text", "\n".join([access(1), RT.format(2), MARKUP, access(1)]))
    expect(page.locator("#seen")).to_have_text(words["seen"])
    it.check()
    page.fill("#text", "\n".join([access(1), access(2), MARKUP, access(1)]))
    page.click("#add .primary")
    expect(page.locator(".notice.ok")).to_have_text(words["added"])
    it.check()
    page.fill("#text", f"{access(1)}\n{access(2)}")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".notice.ok")).to_have_text(words["again"])
    expect(page.locator(".count")).to_have_text(words["usable"])
    it.shoot(f"tokens-{width}-{lang}-{theme}")
    it.check()

    page.click("#clear-link")
    expect(page.locator("#clear-title")).to_have_text(words["clear"])
    expect(page.locator("[data-close]")).to_be_focused()
    it.check()
    it.shoot(f"clear-{width}-{lang}-{theme}")
    page.fill("[name=count]", "2")
    page.click("dialog .danger")
    expect(page.locator("[role=alert]")).to_have_text(words["not_cleared"])
    it.check()
    page.fill("[name=count]", "3")
    page.click(".danger")
    expect(page.locator(".notice.ok")).to_have_text(words["cleared"])
    it.check()
    page.click("form[action$='sign-out'] button")
    expect(page.locator("[name=password]")).to_be_visible()
    it.open("/tokens")
    expect(page.locator("[name=password]")).to_be_visible()
    it.check()


def test_without_script(
    tab: Callable[..., Any], site: Any, pasted_file: Callable[[str, bytes], Path]
) -> None:
    site.fail(RT.format(1))
    it = tab(PHONE, script=False)
    page = it.page
    it.open("/tokens")
    it.sign_in()
    page.fill("#text", access(1))
    page.set_input_files(
        "[name=file]", pasted_file("more.txt", f"# mine\n{access(2)}\nno".encode())
    )
    page.click("#add .primary")
    expect(page.locator(".notice.ok")).to_have_text("2 new, line more.txt:3 is unreadable.")
    page.locator("#failed .rows button").click()
    expect(page.locator(".notice.ok > div")).to_have_text("Removed.")
    page.click(".notice.ok button")
    expect(page.locator(".notice.ok")).to_have_text("Put back.")
    page.fill("#text", access(3))
    with page.context.expect_page() as other:
        page.click("#add [formaction]")
    expect(other.value.locator(".notice")).to_have_text("1 new.")
    other.value.close()
    assert page.input_value("#text") == access(3)
    page.click("#clear-link")
    page.fill("[name=count]", "3")
    page.click(".danger")
    expect(page.locator(".notice.ok")).to_have_text("3 tokens were cleared.")
    page.click("form[action$='sign-out'] button")
    expect(page.locator("[name=password]")).to_be_visible()


@pytest.mark.parametrize("junk", ["hello", MARKUP, "sk-" + "x" * 42])
def test_junk_is_named_by_its_line_and_not_shown(
    tab: Callable[..., Any], site: Any, junk: str
) -> None:
    it = tab()
    it.open("/tokens")
    it.sign_in()
    it.page.fill("#text", f"\n{junk}")
    it.page.click("#add .primary")
    said = it.page.locator(".notice.bad")
    expect(said).to_have_text("Nothing was stored: line 2 is unreadable.")
    assert junk not in it.page.content()
    assert it.page.locator("main img").count() == 0
    it.check()


def test_a_file_is_read_into_the_field(
    tab: Callable[..., Any], site: Any, pasted_file: Callable[[str, bytes], Path]
) -> None:
    it = tab()
    it.open("/tokens")
    it.sign_in()
    tokens = "\r\n".join(access(number) for number in range(1000))
    it.page.set_input_files("[name=file]", pasted_file("all.txt", tokens.encode()))
    expect(it.page.locator("#seen")).to_have_text("1000 lines: 1000 access tokens")
    expect(it.page.locator("#add .primary")).to_have_text("Add 1000")
    it.page.click("#add [formaction]")
    expect(it.page.locator("#seen")).to_have_text("1000 new.")
    it.page.set_input_files("[name=file]", pasted_file("junk.bin", b"\x00\xff\x01" * 9))
    expect(it.page.locator("#seen")).to_have_text("That file is no plain text.")
    it.page.click("#add .primary")
    expect(it.page.locator(".notice.ok")).to_have_text("1000 new.")
    it.check()
    assert site.script("/tokens/upload", text=access(1)) == {
        "status": "success",
        "tokens_count": 1000,
    }


DROP = """text => {
  const carried = new DataTransfer();
  carried.items.add(new File([text], "dropped.txt"));
  const event = new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true});
  document.querySelector("#text").dispatchEvent(event);
}"""


def test_a_file_is_dropped(tab: Callable[..., Any], site: Any) -> None:
    it = tab()
    it.open("/tokens")
    it.sign_in()
    it.page.fill("#text", access(1))
    it.page.evaluate(DROP, f"# more\n{access(2)}\n")
    expect(it.page.locator("#seen")).to_have_text("2 lines: 2 access tokens")
    assert it.page.input_value("#text") == f"{access(1)}\n# more\n{access(2)}\n"
    it.check()


def test_everything_is_reached_by_keyboard_and_named(tab: Callable[..., Any], site: Any) -> None:
    site.fail(RT.format(1))
    it = tab()
    it.open("/tokens")
    it.sign_in()
    seen = []
    it.page.bring_to_front()
    it.page.wait_for_function("document.hasFocus()")
    for _ in range(20):
        it.page.keyboard.press("Tab")
        seen.append(it.page.evaluate(FOCUSED))
        if seen[-1]["name"].startswith("Clear all") or seen[-1]["name"].startswith("Clear the"):
            break
    assert [one["name"] for one in seen] == [
        "Skip to the content",
        "中文",
        "Theme: automatic. Change to light.",
        "Sign out",
        "Access or refresh tokens, one per line",
        "Add",
        "Preview",
        "or a text file",
        "1 failed",
        "Remove rt_a1B...4001",
        "Export failed ones in full",
        "Clear the only token…",
    ]
    assert {one["outline"] for one in seen} == {"2px solid"}


FOCUSED = """() => {
  const it = document.activeElement;
  const label = it.labels && it.labels[0];
  const name = it.getAttribute("aria-label") || (label || it).textContent;
  const style = getComputedStyle(it);
  return {name: name.trim(), outline: `${style.outlineWidth} ${style.outlineStyle}`};
}"""


def test_failed_tokens_are_masked_and_exported_with_the_password(
    tab: Callable[..., Any], site: Any
) -> None:
    site.fail(RT.format(1), RT.format(2))
    it = tab()
    it.open("/tokens")
    it.sign_in()
    content = it.page.content()
    assert RT.format(1) not in content
    assert "rt_a1B...8001" not in content
    assert content.count("rt_a1B...") >= 2
    it.page.click("details.inner summary")
    it.page.fill("details.inner [name=password]", "wrong")
    it.page.click("details.inner .button")
    expect(it.page.locator(".notice.bad")).to_contain_text("That password is wrong.")
    it.page.click("details.inner summary")
    it.page.fill("details.inner [name=password]", "an admin password, + & # 中文")
    with it.page.expect_download() as download:
        it.page.click("details.inner .button")
    assert Path(download.value.path()).read_text() == f"{RT.format(1)}\n{RT.format(2)}\n"
    it.check()


def test_dark_is_dark_from_the_first_frame_and_language_keeps_the_page(
    tab: Callable[..., Any], site: Any
) -> None:
    it = tab()
    it.open("/tokens")
    background = "getComputedStyle(document.documentElement).backgroundColor"
    assert it.page.evaluate(background) == "rgb(247, 248, 247)"
    for expected in ("light", "dark"):
        it.page.click("[name=theme]")
        expect(it.page.locator("html")).to_have_attribute("data-theme", expected)
    assert it.page.evaluate(background) == "rgb(16, 20, 18)"
    it.page.click("[name=lang]")
    expect(it.page.locator("h1")).to_have_text("登录")
    assert re.search(r"/tokens$", it.page.url)
    it.check()


def test_too_many_tries_are_counted_down(tab: Callable[..., Any], site: Any) -> None:
    it = tab()
    it.open("/tokens")
    for _ in range(4):
        it.sign_in("wrong")
    waiting = it.page.locator("[data-wait]")
    expect(waiting).to_have_text(re.compile(r"^Too many tries\. Try again in 0:5\d\.$"))
    it.sign_in()
    expect(waiting).to_have_text(re.compile(r"^Too many tries\. Try again in [01]:\d\d\.$"))
    it.check()
