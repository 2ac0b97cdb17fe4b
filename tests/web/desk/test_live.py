"""The live log: the newest lines, filtered, without a script."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from chat2api.live_log import LiveLogHandler
from chat2api.logs import bind_request_id

PASSWORD = "the admin password of the suite"
HTML = {"Accept": "text/html"}
HOSTILE = "<img src=x onerror=alert(1)>"
REQUEST = "req_" + "0a" * 16

log = logging.getLogger("chat2api.suite")


@pytest.fixture
def written(site: Any) -> Iterator[None]:
    """What this suite's logger is given goes into the live log."""
    handler = LiveLogHandler(site.runtime.desk.live)
    log.addHandler(handler)
    level = log.level
    log.setLevel("DEBUG")
    with bind_request_id("-"):
        yield
    log.removeHandler(handler)
    log.setLevel(level)
    handler.close()


def sign_in(site: Any) -> None:
    answer = site.send(
        "POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD}
    )
    assert answer.status_code == 303


def text(site: Any, path: str = "/admin/log") -> str:
    answer = site.send("GET", path, key=None, headers=HTML)
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


def test_before_anything_was_written(site: Any) -> None:
    sign_in(site)
    assert "Nothing was written yet." in text(site)


@pytest.mark.usefixtures("written")
def test_the_newest_lines_without_a_script(site: Any) -> None:
    sign_in(site)
    for number in range(210):
        log.info("line %d.", number)
    page = text(site)
    assert "line 209." in page
    assert "line 10." in page
    assert "line 9." not in page
    assert 'role="log" aria-live="off"' in page
    assert "Load again" in page


@pytest.mark.usefixtures("written")
def test_level_and_words_of_any_script(site: Any) -> None:
    sign_in(site)
    log.debug("quiet one")
    log.warning("限额已用完", extra={"model": "gpt-5"})
    log.error("loud one")
    warnings = text(site, "/admin/log?level=warning")
    assert "quiet one" not in warnings
    assert "loud one" in warnings
    found = text(site, "/admin/log?q=%E9%99%90%E9%A2%9D%20GPT-5")
    assert "限额已用完" in found
    assert "loud one" not in found
    assert "No line matches yet." in text(site, "/admin/log?q=nothing")
    assert "loud one" in text(site, "/admin/log?level=odd")


@pytest.mark.usefixtures("written")
def test_request_ids_lead_to_their_explanation(site: Any) -> None:
    sign_in(site)
    with bind_request_id(REQUEST):
        log.info("ours")
    with bind_request_id("req_../../evil"):
        log.info("not ours")
    page = text(site)
    assert f'/admin/requests/{REQUEST}"' in page
    assert "/admin/requests/req_.." not in page


@pytest.mark.usefixtures("written")
def test_what_is_logged_is_shown_as_text(site: Any) -> None:
    sign_in(site)
    log.warning(HOSTILE, extra={"field": HOSTILE})
    log.warning("Bearer planted-secret")
    page = text(site)
    assert "<img" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") == 2
    assert "planted" not in page


@pytest.mark.parametrize("path", ["/admin/log", "/admin/log/stream"])
def test_nobody_else(site: Any, path: str) -> None:
    assert site.send("GET", path, key=None).status_code == 401


@pytest.mark.usefixtures("written")
def test_scripts_get_json(site: Any) -> None:
    log.warning("slow", extra={"seconds": 3})
    (line,) = site.send("GET", "/admin/log?q=slow", key=PASSWORD).get_json()["lines"]
    assert (line["level"], line["text"], line["facts"]) == ("warning", "slow", "seconds=3")
