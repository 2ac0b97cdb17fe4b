"""The start page tells strangers that it lives, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

HTML = {"Accept": "text/html"}


def test_scripts_get_json(site: Any) -> None:
    answer = site.send("GET", "/", key=None)
    assert (answer.status_code, answer.get_json()) == (
        200,
        {"status": "ok", "message": "This server is running."},
    )
    assert site.send("HEAD", "/", key=None).get_data() == b""


def test_people_get_the_address(site: Any) -> None:
    page = site.send("GET", "/", key=None, headers=HTML, base_url="http://chat.test:5005")
    text = page.get_data(as_text=True)
    assert "This server is running." in text
    assert "http://chat.test:5005/v1</code>" in text
    assert 'href="/admin/sign-in"' in text


def test_the_configured_address_wins(site: Any) -> None:
    site.given["public_base_url"] = "https://api.test"
    page = site.send("GET", "/", key=None, headers=HTML, base_url="http://evil.test")
    assert "https://api.test/v1</code>" in page.get_data(as_text=True)
    assert "evil" not in page.get_data(as_text=True)


def test_a_host_that_is_none_is_not_shown(site: Any) -> None:
    page = site.send("GET", "/", key=None, headers={**HTML, "Host": "a<b>c"})
    assert "a&lt;b" not in page.get_data(as_text=True)
    assert "a<b" not in page.get_data(as_text=True)


@pytest.mark.parametrize("headers", [{}, HTML])
def test_a_prefix_stays_a_secret(site: Any, headers: dict[str, str]) -> None:
    site.given["api_prefix"] = "s3cret"
    text = site.send("GET", "/", key=None, headers=headers).get_data(as_text=True)
    assert "s3cret" not in text
    assert "/v1" not in text
    assert "sign-in" not in text


@pytest.mark.parametrize("name", ["ico", "png"])
def test_no_icon(site: Any, name: str) -> None:
    answer = site.send("GET", f"/favicon.{name}", key=None)
    assert (answer.status_code, answer.get_data()) == (204, b"")
