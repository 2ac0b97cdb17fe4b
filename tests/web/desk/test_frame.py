"""The frame of the operator's pages: closed to strangers, safe against other sites, and what was just done."""

from __future__ import annotations

import re
from typing import Any

import pytest
from werkzeug.routing import Rule

from chat2api.errors import StorageUnavailable
from chat2api.web.desk.frame import desk_blueprint, render_desk, said
from chat2api.web.forms import read_admin_form
from chat2api.web.pages import see_other

HTML = {"Accept": "text/html"}
PASSWORD = "the admin password of the suite"
OPEN = {"/admin/sign-in"}
"""What strangers may ask for: the form itself."""


def sign_in(site: Any) -> str:
    """The session's CSRF token."""
    answer = site.send(
        "POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD}
    )
    assert answer.status_code == 303
    return str(site.runtime.administration.sessions.list()[0].csrf)


def closed_rules(site: Any) -> list[tuple[str, str]]:
    """Every way into administration: method and a path of its kind."""
    found = []
    for rule in site.app.url_map.iter_rules():
        if rule.rule.startswith(("/admin", "/tokens")) and rule.rule not in OPEN:
            path = filled(rule)
            found += [(method, path) for method in sorted(rule.methods - {"OPTIONS", "HEAD"})]
    return found


def filled(rule: Rule) -> str:
    return re.sub(r"<(?:int:)?[a-z_]+>", "1", re.sub(r"<path:[a-z_]+>", "x", rule.rule))


def test_strangers_get_no_further_than_the_sign_in(site: Any) -> None:
    before = site.runtime.audit.recent()
    rules = [rule for rule in closed_rules(site) if not rule[1].startswith("/tokens/add/")]
    assert len(rules) > 30
    for method, path in rules:
        for headers in (HTML, {}):
            answer = site.send(method, path, key=None, headers=headers)
            assert answer.status_code == 401, (method, path)
            assert "Set-Cookie" not in answer.headers, path
            assert answer.headers["Cache-Control"] == "no-store", path
            assert answer.headers["Content-Security-Policy"], path
            assert "Access-Control-Allow-Origin" not in answer.headers, path
    assert site.runtime.audit.recent() == before


def test_no_change_without_the_pages_own_token(site: Any) -> None:
    """With a session, but without its token, or from another site, in every spelling (H01)."""
    csrf = sign_in(site)
    before = site.runtime.audit.recent()
    changes = [rule for rule in closed_rules(site) if rule[0] != "GET"]
    for method, path in changes:
        if path.startswith("/tokens/add/"):
            continue
        for request in (
            {"data": {}},
            {"data": {"csrf": "wrong"}},
            {"json": {"csrf": "wrong"}},
            {"data": {"csrf": csrf}, "headers": {"Origin": "https://evil.test"}},
            {"data": {"csrf": csrf}, "headers": {"Origin": "null"}},
            {"data": {"csrf": csrf}, "headers": {"Sec-Fetch-Site": "same-site"}},
            {"json": {"csrf": csrf}, "headers": {"Sec-Fetch-Site": "cross-site"}},
        ):
            answer = site.send(method, path, key=None, **request)
            assert answer.status_code == 403, (method, path, request)
            assert answer.get_json()["code" if "/api/" in path else "error"], path
    assert site.runtime.audit.recent() == before


def test_looking_sets_nothing_but_takes_back_what_was_told(site: Any) -> None:
    sign_in(site)
    for method, path in closed_rules(site):
        if method == "GET" and "stream" not in path and "/add/x" not in path:
            answer = site.send("GET", path, key=None, headers=HTML)
            assert answer.status_code in (200, 303, 404, 503), path
            assert "Set-Cookie" not in answer.headers, path


@pytest.fixture
def room(site: Any) -> Any:
    """A page of the desk on which something can be done."""
    blueprint = desk_blueprint("room", __name__)

    @blueprint.get("/admin/room")
    def look() -> Any:
        return render_desk("desk/frame.html", nav="keys")

    @blueprint.post("/admin/room")
    def act() -> Any:
        form = read_admin_form()
        many = [str(number) for number in range(int(form.first("many") or 2))]
        said("Paused <b>2</b>", ("/admin/undo", {"id": many, "why": "x"}))
        return see_other("/admin/room")

    site.own_app().register_blueprint(blueprint)
    site.csrf = sign_in(site)
    return site


def page(site: Any) -> str:
    answer = site.send("GET", "/admin/room", key=None, headers=HTML)
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


def act(site: Any, **fields: str) -> Any:
    data = {"csrf": site.csrf, **fields}
    return site.send("POST", "/admin/room", key=None, headers=HTML, data=data)


def test_what_was_done_is_told_once_with_a_way_back(room: Any) -> None:
    cookie = act(room).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Paused" not in cookie
    text = page(room)
    assert "Paused &lt;b&gt;2&lt;/b&gt;" in text
    form = text[text.index('action="/admin/undo"') :].split("</form>", 1)[0]
    assert re.findall(r'name="(id|why)" value="([^"]+)"', form) == [
        ("id", "0"), ("id", "1"), ("why", "x"),
    ]  # fmt: skip
    assert "Paused" not in page(room)


def test_what_is_too_much_to_undo_offers_none(room: Any) -> None:
    act(room, many="501")
    text = page(room)
    assert "Paused" in text
    assert "/admin/undo" not in text


def test_another_session_is_not_told(room: Any) -> None:
    act(room)
    told = room.client.get_cookie("told").value
    room.client.delete_cookie("admin")
    sign_in(room)
    room.client.set_cookie("told", told)
    assert "Paused" not in page(room)


def test_without_the_database_it_is_done_all_the_same(
    room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*given: Any, **more: Any) -> None:
        raise StorageUnavailable("away")

    monkeypatch.setattr(type(room.runtime.desk.parcels), "keep", away)
    answer = act(room)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/room")


def test_the_place_among_the_pages_is_marked(room: Any) -> None:
    text = page(room)
    assert len(re.findall(r'aria-current="page"', text)) == 2  # in the rail and in a phone's bar
    assert re.search(r'href="/admin/keys" aria-current="page"', text)
    keys = re.findall(r'data-go="(.)"', text.split('class="bar"', 1)[0])
    assert len(keys) == len(set(keys))


def test_rows_may_be_compact(room: Any) -> None:
    assert 'class="desk"' in page(room)
    choice = {"rows": "compact", "next": "/admin/room"}
    assert room.send("POST", "/_ui/preferences", key=None, data=choice).status_code == 303
    assert 'class="desk compact"' in page(room)
