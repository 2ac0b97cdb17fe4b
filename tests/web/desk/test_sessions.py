"""Who is signed in: seen, and ended from elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.secret import Secret

PASSWORD = "the admin password of the suite"
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def mine(site: Any) -> Any:
    """The session of this browser."""
    site.send("POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD})
    return site.runtime.administration.sessions.list()[0]


def another(site: Any, address: str = "203.0.113.9") -> tuple[Any, Secret]:
    """Somebody else who is signed in with the same password."""
    sessions = site.runtime.administration.sessions
    digest = site.store.vault.hash(PASSWORD)
    return sessions.begin(digest, address)  # type: ignore[no-any-return]


def page(site: Any) -> str:
    answer = site.send("GET", "/admin/sessions", key=None, headers=HTML)
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


def post(site: Any, path: str, mine: Any) -> Any:
    return site.send("POST", path, key=None, headers=HTML, data={"csrf": mine.csrf})


def test_what_the_list_tells(site: Any, mine: Any) -> None:
    assert "One browser is signed in." in page(site)
    assert "End all others" not in page(site)
    other, ticket = another(site)
    shown = page(site)
    assert "2 browsers are signed in." in shown
    assert "203.0.113.9" in shown
    assert shown.count("this one") == 1
    assert f"/admin/sessions/{other.session_id}/end" in shown
    assert f"/admin/sessions/{mine.session_id}/end" not in shown
    for secret in (ticket.reveal(), other.csrf, other.secret_hash):
        assert secret not in shown


def test_sessions_of_an_older_password_are_over(site: Any, mine: Any) -> None:
    site.runtime.administration.sessions.begin("hash of another password", "203.0.113.7")
    assert "203.0.113.7" not in page(site)


def test_one_is_ended(site: Any, mine: Any) -> None:
    other, ticket = another(site)
    answer = post(site, f"/admin/sessions/{other.session_id}/end", mine)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/sessions")
    assert site.runtime.administration.sessions.find(ticket) is None
    assert "The session is ended." in page(site)
    entry = site.runtime.audit.recent()[0]
    assert (entry.action, entry.target) == ("end session", other.session_id)
    assert post(site, f"/admin/sessions/{other.session_id}/end", mine).status_code == 303
    assert "had ended already" in page(site)


def test_all_others_are_ended(site: Any, mine: Any) -> None:
    tickets = [another(site)[1] for _ in range(2)]
    post(site, "/admin/sessions/end-others", mine)
    assert "2 other sessions are ended." in page(site)
    assert [site.runtime.administration.sessions.find(one) for one in tickets] == [None, None]
    assert site.runtime.audit.recent()[0].action == "sign out others"
    post(site, "/admin/sessions/end-others", mine)
    assert "There was no other session." in page(site)


def test_scripts(site: Any, mine: Any) -> None:
    other, _ = another(site)
    told = site.send("GET", "/admin/sessions", key=PASSWORD).get_json()
    assert [one["id"] for one in told["sessions"]].count(other.session_id) == 1
    path = f"/admin/sessions/{other.session_id}/end"
    assert site.send("POST", path, key=PASSWORD, json={}).get_json() == {"ended": 1}
    assert site.send("POST", path, key=PASSWORD, json={}).status_code == 404
    bearer = {"Authorization": f"Bearer {PASSWORD}"}
    client = site.app.test_client()  # without the cookie of this browser
    ended = client.post("/admin/sessions/end-others", headers=bearer, json={})
    assert ended.get_json() == {"ended": 1}
    assert site.runtime.administration.sessions.list() == ()


@pytest.mark.parametrize("path", ["end-others", "0123456789ab/end"])
def test_not_without_the_token_of_the_page(site: Any, mine: Any, path: str) -> None:
    _, ticket = another(site)
    answer = site.send("POST", f"/admin/sessions/{path}", key=None, headers=HTML, data={})
    assert answer.status_code == 403
    assert site.runtime.administration.sessions.find(ticket) is not None
