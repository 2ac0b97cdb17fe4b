"""What all pages share: headers, cookies of language and theme, files, and where forms lead back to."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.web import pages
from chat2api.web.pages import CONTENT_SECURITY_POLICY, asset, own_path

WEB = Path(pages.__file__).parent
HTML = {"Accept": "text/html"}
PASSWORD = "the admin password of the suite"


@pytest.mark.parametrize("path", ["/", "/tokens", "/admin", "/admin/sign-in", "/admin/api/config"])
@pytest.mark.parametrize("headers", [{}, HTML])
def test_nothing_is_framed_kept_or_sniffed(site: Any, path: str, headers: dict[str, str]) -> None:
    answer = site.send("GET", path, key=None, headers=headers)
    found = {name: answer.headers[name] for name in pages._HEADERS}
    assert found == {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-store",
    }
    assert "'unsafe" not in CONTENT_SECURITY_POLICY
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_templates_hold_no_style_script_or_foreign_address() -> None:
    for path in sorted((WEB / "templates").rglob("*.html")):
        text = path.read_text("utf-8")
        assert not re.search(r"\sstyle=|\son\w+=|<style|\|\s*safe\b", text), path.name
        # Addresses may be told, never loaded.
        assert not re.search(r"(?:href|src|srcset|action|poster|data)=[\"']?(?:https?:)?//", text)
        assert not re.search(r"<script(?! src=\"{{ asset_url)", text), path.name
    for path in sorted(one for one in (WEB / "static").rglob("*") if one.is_file()):
        text = path.read_text("utf-8")
        assert not re.search(r"(?i)url\(|https?://|innerHTML|\beval\b|@import", text), path.name


def test_files_are_small_and_kept_for_ever(site: Any) -> None:
    page = site.send("GET", "/", key=None, headers=HTML).get_data(as_text=True)
    addresses = re.findall(r'"(/_ui/static/[^"]+)"', page)
    assert len(addresses) == 2
    for address in addresses:
        plain = site.send("GET", address, key=None)
        packed = site.send("GET", address, key=None, headers={"Accept-Encoding": "gzip"})
        assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert gzip.decompress(packed.get_data()) == plain.get_data()
        assert packed.headers["Vary"] == "Accept-Encoding"
        assert len(packed.get_data()) < 15_000
    assert [site.send("GET", one, key=None).mimetype for one in addresses] == [
        "text/css",
        "text/javascript",
    ]


def test_an_old_address_of_a_file_gets_what_there_is_now(site: Any) -> None:
    answer = site.send("GET", "/_ui/static/0123/page.css", key=None)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")
    assert answer.get_data() == asset("page.css").content
    for name in ("nothing.css", "..%2fpages.py", "pages.py"):
        assert site.send("GET", f"/_ui/static/0123/{name}", key=None).status_code == 404


def choose(site: Any, headers: dict[str, str] | None = None, **fields: str) -> Any:
    return site.send("POST", "/_ui/preferences", key=None, headers=headers or {}, data=fields)


def test_language_and_theme_are_remembered(site: Any) -> None:
    answer = choose(site, lang="zh", next="/tokens?after=3")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/tokens?after=3")
    [cookie] = answer.headers.getlist("Set-Cookie")
    assert re.fullmatch(
        r"lang=zh; Expires=[^;]+; Max-Age=31536000; HttpOnly; Path=/; SameSite=Lax", cookie
    )
    choose(site, theme="dark")
    page = site.send("GET", "/", key=None, headers=HTML).get_data(as_text=True)
    assert '<html lang="zh-Hans" data-theme="dark">' in page
    assert 'content="dark"' in page
    assert 'name="theme" value="auto"' in page


def test_nothing_else_is_remembered(site: Any) -> None:
    for fields in ({"lang": "xx"}, {"theme": "<b>"}, {"other": "1"}, {}):
        answer = choose(site, **fields)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)  # fmt: skip
def test_other_sites_choose_nothing(site: Any, headers: dict[str, str]) -> None:
    answer = choose(site, headers, theme="dark")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "csrf_failed")
    assert "Set-Cookie" not in answer.headers


def test_a_language_in_the_address_does_not_stick(site: Any) -> None:
    page = site.send("GET", "/admin/sign-in?next=%2Ftokens&lang=zh", key=None, headers=HTML)
    assert 'name="next" value="/admin/sign-in?next=%2Ftokens"' in page.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/", "/tokens", "/p/tokens", "/tokens?after=3&x=%2F", "/a/b/"])
def test_own_paths(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.parametrize(
    "wish",
    [
        None, "", "//evil", "///evil", "https:evil", "https://evil.test", "/\\evil", "\\\\evil",
        "javascript:alert(1)", "/%2f%2fevil", "%2f%2fevil", "/\tevil", "/\n/evil", "/a//evil",
        "/ok\r\nSet-Cookie: x=1", "/@evil", "tokens", "/?next=//evil\\", "/" + "a" * 500,
    ],
)  # fmt: skip
def test_everything_else_leads_nowhere(wish: str | None) -> None:
    assert own_path(wish) == ""


@given(st.text(alphabet="/\\:.%?#@aevil\t\n\r ", max_size=12))
def test_no_wish_leaves_this_server(wish: str) -> None:
    path = own_path(wish)
    assert path in ("", wish)
    assert not path or re.match(r"/(?![/\\])", path)
    assert not set(path) & set("\\:@#\t\n\r ")


def test_it_all_works_under_a_prefix(site: Any) -> None:
    site.given["api_prefix"] = "hidden"
    page = site.send("GET", "/hidden/tokens", key=None, headers=HTML).get_data(as_text=True)
    assert 'action="/hidden/admin/sign-in"' in page
    assert 'name="next" value="/hidden/tokens"' in page
    answer = site.send(
        "POST", "/hidden/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD}
    )
    assert answer.headers["Location"] == "/hidden/admin"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize(
    "path",
    [
        "/", "/nothing", "/admin", "/admin/sign-in", "/tokens", "/why/req_1", "/v1/models", "/healthz",
        "/favicon.ico", "/_ui/preferences", "/_ui/static/x/page.css", "/_ui/static/x/nothing",
    ],
)  # fmt: skip
def test_no_stranger_learns_the_prefix(site: Any, method: str, path: str) -> None:
    site.given["api_prefix"] = "s3cret-way"
    answer = site.send(method, path, key=None, headers=HTML)
    told = f"{answer.headers}{answer.get_data(as_text=True)}"
    assert "s3cret-way" not in told.replace(asset("page.css").content.decode(), "")


def test_a_filter_with_blanks_comes_back(site: Any) -> None:
    page = site.send("GET", "/?q=a+b&zone=%2B8", key=None, headers=HTML).get_data(as_text=True)
    assert 'name="next" value="/?q=a+b&amp;zone=%2B8"' in page
    assert own_path("/?q=a+b") == "/?q=a+b"


def test_who_asks_why_comes_back_there(site: Any) -> None:
    answer = site.send("POST", "/why/req_1", key=None, headers=HTML, data={"key": "sk-wrong"})
    assert 'name="next" value="/why/req_1"' in answer.get_data(as_text=True)
