"""The pages of keys: made and shown once, changed, ended on purpose, tried; never told in full again."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest

from chat2api.errors import UpstreamConnectionError
from chat2api.secret import Secret
from chat2api.store.api_keys import FIRST, SCOPES
from chat2api.store.request_records import RequestFilter
from chat2api.store.usage_hours import UsagePoint
from chat2api.web.desk.keys import scope_names

PASSWORD = "the admin password of the suite"
KEY = "sk-key-of-the-suite"
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
KEY_TEXT = re.compile(r"sk-[A-Za-z0-9_-]{43}")


class Browser:
    """Somebody signed in, whose forms carry the session's token."""

    def __init__(self, site: Any) -> None:
        self.site = site
        site.send("POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD})
        self.csrf = site.runtime.administration.sessions.list()[0].csrf

    def page(self, path: str, status: int = 200) -> str:
        answer = self.site.send("GET", path, key=None, headers=HTML)
        assert answer.status_code == status, answer.get_data(as_text=True)
        return html.unescape(answer.get_data(as_text=True))

    def post(self, path: str, headers: Any = HTML, **fields: Any) -> Any:
        data = {"csrf": self.csrf, **fields}
        return self.site.send("POST", path, key=None, headers=headers, data=data)


@pytest.fixture
def browser(site: Any) -> Browser:
    return Browser(site)


def script(site: Any, path: str, **body: Any) -> Any:
    return site.send("POST", path, key=PASSWORD, json=body)


def audited(site: Any) -> list[Any]:
    return [(entry.action, entry.target) for entry in site.runtime.audit.recent()]


def form_id(page: str) -> str:
    found = re.search(r'name="key_id" value="(key_[0-9a-f]{12})"', page)
    assert found
    return found[1]


# --- making one


def test_a_key_is_shown_once(site: Any, browser: Browser) -> None:
    key_id = form_id(browser.page("/admin/keys/new"))
    wish = {"form": "whole", "key_id": key_id, "label": "phone", "scope": ["chat", "models"],
            "models": "gpt-*\r\no3", "requests_per_minute": "20", "daily_tokens": "1,000"}  # fmt: skip
    answer = browser.post("/admin/keys/new", **wish)
    made = answer.get_data(as_text=True)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    [text] = set(KEY_TEXT.findall(made))
    held = site.keys.get(key_id)
    assert site.keys.find(site.store.vault.hash(text)) == held
    assert (held.label, held.scopes, held.models) == (
        "phone",
        frozenset({"chat", "models"}),
        ("gpt-*", "o3"),
    )
    assert (held.requests_per_minute, held.daily_tokens, held.expires_at) == (20, 1000, None)
    assert "Location" not in answer.headers

    again = browser.post("/admin/keys/new", **wish)
    assert (again.status_code, again.headers["Location"]) == (303, f"/admin/keys/{key_id}")
    shown = browser.page(f"/admin/keys/{key_id}")
    assert "cannot be shown again" in shown
    assert held.hint in shown
    assert text not in shown + browser.page("/admin/keys")
    assert len(site.keys.list()) == 1
    assert audited(site)[0] == ("create key", key_id)
    assert text not in repr(site.runtime.audit.recent())


def test_the_recipes_carry_the_key_and_a_model_it_may_use(site: Any) -> None:
    site.given["public_base_url"] = "https://chat.test"
    answer = Browser(site).post("/admin/keys/new", label="o", models="gpt-4*")
    made = html.unescape(answer.get_data(as_text=True))
    [text] = set(KEY_TEXT.findall(made))
    assert f"Authorization: Bearer {text}" in made
    assert '"model": "gpt-4o"' in made
    assert "export ANTHROPIC_BASE_URL=https://chat.test\n" in made
    assert 'base_url="https://chat.test/v1"' in made
    assert not re.search(r'(href|action|src)="[^"]*' + re.escape(text), made)
    assert re.search(r'href="cherrystudio://providers/api-keys\?v=1&data=', made)


def test_what_is_wrong_stands_beside_the_field_and_nothing_is_lost(
    site: Any, browser: Browser
) -> None:
    key_id = form_id(browser.page("/admin/keys/new"))
    wish = {"form": "whole", "key_id": key_id, "label": "<b>phone", "scope": "chat",
            "models": "gpt-*", "daily_tokens": "-5"}  # fmt: skip
    answer = browser.post("/admin/keys/new", **wish)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert "A whole number from 1 on" in page
    assert 'value="&lt;b&gt;phone"' in page
    assert 'value="-5"' in page
    assert form_id(page) == key_id
    assert 'value="chat" checked' in page
    assert 'value="images" checked' not in page
    assert site.keys.list() == ()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"label": ""}, "Give it a name"),
        ({"label": "x", "form": "whole"}, "Tick at least one."),
        ({"label": "x", "models": "y" * 201}, "One a line, 100 at most"),
        ({"label": "x", "expires": "2001-01-01"}, "still to come"),
        ({"label": "x", "requests_per_minute": "0"}, "A whole number from 1 on"),
    ],
)
def test_each_mistake_has_its_words(browser: Browser, fields: dict[str, str], text: str) -> None:
    answer = browser.post("/admin/keys/new", **fields)
    assert (answer.status_code, text in answer.get_data(as_text=True)) == (400, True)


def test_a_script_gets_the_key_once(site: Any) -> None:
    answer = script(site, "/admin/keys/new", label="ci", scope=["chat"], daily_tokens=5)
    made = answer.get_json()
    assert answer.status_code == 201
    assert site.ask(key=made["key"]).status_code == 200
    assert made["id"] == site.keys.list()[0].key_id
    assert (made["scopes"], made["daily_tokens"], made["masked"]) == (
        ["chat"],
        5,
        site.keys.list()[0].hint,
    )
    again = script(site, "/admin/keys/new", label="ci", key_id=made["id"])
    assert (again.status_code, again.get_json()["error"]["code"]) == (409, "key_already_made")
    odd = script(site, "/admin/keys/new", label="ci", key_id="first")
    assert odd.status_code == 400
    assert script(site, "/admin/keys/new", label="").get_json()["error"]["param"] == "label"


def test_another_with_the_same_settings(site: Any, browser: Browser) -> None:
    key, _ = site.keys.create("<i>phone", scopes=["chat"], models=["o3"], requests_per_minute=7)
    page = browser.page(f"/admin/keys/new?like={key.key_id}")
    assert 'value="<i>phone"' in page
    assert ">o3</textarea>" in page
    assert 'name="requests_per_minute" type="text" value="7"' in page
    assert form_id(page) != key.key_id
    assert "New key" in browser.page("/admin/keys/new?like=unknown")


# --- the list


def test_an_empty_list_says_what_to_do(browser: Browser) -> None:
    assert "There is no valid key." in browser.page("/admin/keys")
    assert "No key has been revoked" in browser.page("/admin/keys?state=ended")


def test_what_the_list_tells(site: Any) -> None:
    site.given["authorization"] = (Secret(KEY),)
    Browser(site)
    named, _ = site.keys.create("phone<script>", models=["gpt-*"], daily_tokens=1000)
    site.keys.first_key(lambda secret: None)
    hour = int(site.store.now() // 3600)
    point = UsagePoint(hour, "gpt-5", named.key_id, "a", "", False, 5, 5, False, None)
    site.runtime.desk.usage.add([point, point])
    answer = site.send("GET", "/admin/keys", key=None, headers=HTML)
    raw = answer.get_data(as_text=True)
    page = html.unescape(raw)
    assert "phone&lt;script&gt;" in raw
    assert "<bdi>" in raw
    assert named.hint in page
    assert "2 requests" in page
    assert "0 of 1" in page
    assert "sk-key...uite" in page
    assert KEY not in page
    assert "not in force: keys are configured in AUTHORIZATION" in page
    assert f"/admin/keys/{FIRST}/revoke" in page
    assert "read-only" in page


def test_looking_changes_nothing(site: Any, browser: Browser) -> None:
    key, _ = site.keys.create("phone")
    before = site.keys.list()
    for path in ("", "/new", f"/{key.key_id}", f"/new?like={key.key_id}", "?state=ended"):
        browser.page(f"/admin/keys{path}")
    browser.page("/admin/try")
    assert site.keys.list() == before
    assert site.provider.turns == []


def test_long_lists_come_in_parts(site: Any, browser: Browser) -> None:
    for number in range(103):
        site.store.clock.at += 1
        site.keys.create(f"key number {number}.")
    first = browser.page("/admin/keys")
    assert "key number 102." in first
    assert "key number 2." not in first
    [following] = re.findall(r'rel="next" href="([^"]+)"', first)
    rest = browser.page(following)
    assert "key number 2." in rest
    assert "key number 3." not in rest


@pytest.mark.parametrize("path", ["", "/new", "/key_0123456789ab", "/first"])
def test_strangers_see_the_sign_in(site: Any, path: str) -> None:
    site.keys.create("phone of Bob")
    answer = site.send("GET", f"/admin/keys{path}", key=None, headers=HTML)
    assert answer.status_code == 401
    assert "Bob" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/new", "/{id}", "/{id}/revoke", "/{id}/test"])
def test_changes_need_the_token_of_the_page(site: Any, browser: Browser, path: str) -> None:
    key, _ = site.keys.create("phone")
    before = site.keys.list()
    where = "/admin/keys" + path.format(id=key.key_id)
    answer = site.send("POST", where, key=None, headers=HTML, data={"label": "x", "last": "yes"})
    assert answer.status_code == 403
    assert site.send("POST", where, key=KEY, json={"label": "x"}).status_code == 401
    assert (site.keys.list(), site.provider.turns) == (before, [])


# --- changing and ending


def test_a_change_counts_and_is_noted(site: Any, browser: Browser) -> None:
    key, secret = site.keys.create("phone", scopes=["chat"], models=["gpt-*"])
    answer = browser.post(
        f"/admin/keys/{key.key_id}", label="laptop", requests_per_minute="1", **{"from": "list"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/keys")
    changed = site.keys.get(key.key_id)
    assert (changed.label, changed.requests_per_minute) == ("laptop", 1)
    assert (changed.scopes, changed.models) == (key.scopes, key.models)
    assert "Saved." in browser.page("/admin/keys")
    entry = site.runtime.audit.recent()[0]
    assert entry.detail["changes"] == {
        "label": ["phone", "laptop"],
        "requests_per_minute": [None, 1],
    }
    assert site.ask(key=secret.reveal(), model="gpt-5").status_code == 200
    assert site.ask(key=secret.reveal(), model="gpt-5").status_code == 429  # G06

    assert browser.post(f"/admin/keys/{key.key_id}").status_code == 303
    assert "Nothing changed." in browser.page(f"/admin/keys/{key.key_id}")
    assert len([action for action, _ in audited(site) if action == "change key"]) == 1


def test_a_wrong_change_shows_the_form_again(site: Any, browser: Browser) -> None:
    key, _ = site.keys.create("phone")
    answer = browser.post(f"/admin/keys/{key.key_id}", label="x" * 101)
    assert (answer.status_code, "Give it a name" in answer.get_data(as_text=True)) == (400, True)
    refused = script(site, f"/admin/keys/{key.key_id}", daily_tokens="none")
    assert (refused.status_code, refused.get_json()["error"]["param"]) == (400, "daily_tokens")
    assert script(site, "/admin/keys/key_unknown", label="x").status_code == 404
    assert site.keys.get(key.key_id) == key


def test_revoking_names_what_stays_valid(site: Any, browser: Browser) -> None:
    kept, _ = site.keys.create("kept")
    gone, secret = site.keys.create("gone")
    assert site.ask(key=secret.reveal()).status_code == 200
    page = browser.page("/admin/keys")
    assert "Apps with this key stop at once." in page
    answer = browser.post(f"/admin/keys/{gone.key_id}/revoke")
    assert answer.status_code == 303
    assert f"One key stays valid: {kept.hint}." in browser.page("/admin/keys")
    assert site.keys.get(gone.key_id).revoked_at is not None
    assert "gone" in browser.page("/admin/keys?state=ended")
    assert "Revoked" in browser.page(f"/admin/keys/{gone.key_id}")
    assert audited(site)[0] == ("revoke key", gone.key_id)
    late = script(site, f"/admin/keys/{gone.key_id}", label="back")
    assert late.status_code == 409
    assert browser.post(f"/admin/keys/{gone.key_id}/test").status_code == 409


def test_the_last_key_is_asked_for_plainly(site: Any, browser: Browser) -> None:
    key, _ = site.keys.create("only")
    path = f"/admin/keys/{key.key_id}/revoke"
    page = browser.page("/admin/keys")
    assert "This is the last valid key." in page
    assert 'name="last" value="yes"' in page
    refused = script(site, path)
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (409, "last_key")
    assert browser.post(path).status_code == 303  # a page of before it became the last
    assert "so it stays" in browser.page("/admin/keys")
    assert site.keys.get(key.key_id).revoked_at is None
    assert browser.post(path, last="yes").status_code == 303
    assert "No key is valid now" in browser.page("/admin/keys")
    assert site.keys.get(key.key_id).revoked_at is not None


def test_with_configured_keys_none_is_the_last(site: Any) -> None:
    site.given["authorization"] = (Secret(KEY),)
    key, _ = site.keys.create("only")
    answer = script(site, f"/admin/keys/{key.key_id}/revoke")
    assert answer.status_code == 200
    assert answer.get_json()["still_valid"] == ["sk-key...uite"]


def test_the_first_key_cannot_lock_the_operator_out(site: Any) -> None:
    site.given["admin_password"] = None
    first: list[Secret] = []
    site.keys.first_key(first.append)
    site.keys.create("other")
    path = f"/admin/keys/{FIRST}/revoke"
    answer = site.send("POST", path, key=first[0].reveal(), json={})
    assert answer.status_code == 409
    assert site.keys.first().revoked_at is None
    page = site.send("GET", "/admin/keys", key=first[0].reveal()).get_data(as_text=True)
    assert "Opens administration too" in page
    assert path not in page
    changed = site.send("POST", f"/admin/keys/{FIRST}", key=first[0].reveal(), json={"label": "x"})
    assert changed.status_code == 400


# --- trying


def test_a_key_is_tested_with_its_own_limits(site: Any, browser: Browser) -> None:
    key, _ = site.keys.create("phone", models=["gpt-*"], requests_per_minute=1)
    page = browser.post(f"/admin/keys/{key.key_id}/test").get_data(as_text=True)
    assert "It works: answered in" in page
    assert "<blockquote" in page
    assert "Hello!" in page
    assert site.provider.turns[0][0].model == "gpt-4o"
    second = script(site, f"/admin/keys/{key.key_id}/test").get_json()
    assert (second["status"], second["code"]) == (429, "rate_limit_exceeded")
    assert len(site.provider.turns) == 1
    assert audited(site)[0] == ("try a request", key.key_id)

    pictures, _ = site.keys.create("pictures", scopes=["images"])
    told = script(site, f"/admin/keys/{pictures.key_id}/test").get_json()
    assert (told["status"], told["code"]) == (403, "key_scope")


def test_the_operator_tries_a_request(site: Any, browser: Browser) -> None:
    assert "Send it" in browser.page("/admin/try")
    site.plays([UpstreamConnectionError("Down <b>today</b>.")])
    answer = browser.post("/admin/try", model="gpt-4o")
    page = answer.get_data(as_text=True)
    assert "It failed after" in page
    assert "Down &lt;b&gt;today" in page
    assert "fk-token" not in page
    assert site.is_idle()


def test_a_try_stands_among_the_requests(site: Any, browser: Browser) -> None:
    key, _ = site.keys.create("phone", scopes=["images"])
    browser.post("/admin/try", {"Accept": "application/x-ndjson"}, model="gpt-4o").close()
    browser.post(f"/admin/keys/{key.key_id}/test").close()
    recorder = site.runtime.desk.recorder
    recorder.flush()
    refused, tried = site.runtime.desk.records.page(RequestFilter())
    assert (tried.key_id, tried.model, tried.status, tried.failed) == ("desk", "gpt-4o", 200, False)
    assert (refused.key_id, refused.status, refused.code) == (key.key_id, 403, "key_scope")


def test_a_script_of_the_page_reads_along(site: Any, browser: Browser) -> None:
    answer = browser.post("/admin/try", {"Accept": "application/x-ndjson"}, model="auto")
    lines = [json.loads(line) for line in answer.get_data().splitlines()]
    assert answer.content_type == "application/x-ndjson"
    assert "".join(line.get("text", "") for line in lines) == "Hello!"
    assert lines[-1]["trial"]["status"] == 200
    assert site.is_idle()


def test_every_scope_has_a_name(site: Any) -> None:
    with site.app.test_request_context("/"):
        assert set(scope_names()) == set(SCOPES)


def test_ids_of_nobody(browser: Browser) -> None:
    browser.page("/admin/keys/key_0123456789ab", 404)
    assert "There is no valid key." in browser.page("/admin/keys?before=unknown")
