"""The token routes: who may, what scripts and browsers get, and that no token ever comes back."""

from __future__ import annotations

import logging
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret

PASSWORD = "the admin password of the suite"
AT = "eyJhbGciOiJSUzI1NiJ9.e30.signature-of-one"
AT2 = "eyJhbGciOiJSUzI1NiJ9.e30.signature-of-two"
RT = "rt_" + "a1B2c3D4" * 5
DEAD = "rt_" + "deadDEAD" * 5
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}

CHANGES = ["upload", "clear", "error", "add", "preview", "remove", "restore"]


def post(site: Any, action: str, key: str | None = PASSWORD, **request: Any) -> Any:
    return site.send("POST", f"/tokens/{action}", key=key, **request)


class Browser:
    """Somebody signed in, whose forms carry the session's token."""

    def __init__(self, site: Any) -> None:
        self.site = site
        answer = self.send("POST", "/admin/sign-in", csrf=False, data={"password": PASSWORD})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/admin")

    @property
    def csrf(self) -> str:
        return str(self.site.runtime.administration.sessions.list()[0].csrf)

    def send(self, method: str, path: str, csrf: bool = True, **request: Any) -> Any:
        if csrf:
            request["data"] = {"csrf": self.csrf, **request.get("data", {})}
        return self.site.send(method, path, key=None, headers=HTML, **request)

    def post(self, action: str, **fields: Any) -> Any:
        return self.send("POST", f"/tokens/{action}", data=fields)

    def page(self) -> str:
        answer = self.send("GET", "/tokens", csrf=False)
        assert answer.status_code == 200
        return str(answer.get_data(as_text=True))


@pytest.fixture
def browser(site: Any) -> Browser:
    return Browser(site)


def tokens_of(site: Any) -> list[str]:
    exported = site.runtime.book.export()
    return [(one.refresh_token or one.access_token).reveal() for one in exported]


def fail(site: Any, *tokens: str) -> None:
    refused = [NewAccount(refresh_token=Secret(token), refused="refused") for token in tokens]
    site.runtime.intake.add(refused, "suite")


# --- who may


@pytest.mark.parametrize("key", [None, "wrong", "sk-key-of-the-suite"])
@pytest.mark.parametrize("action", CHANGES)
def test_nobody_without_the_secret_changes_anything(
    site: Any, action: str, key: str | None
) -> None:
    site.runtime.intake.add([NewAccount(access_token=Secret(AT))], "suite")
    refused = post(site, action, key, data={"text": AT2, "token": AT2})
    assert refused.status_code == 401
    assert tokens_of(site) == [AT]


def test_without_any_secret_all_is_closed_and_says_how_to_open(site: Any) -> None:
    site.given["admin_password"] = None
    for action in CHANGES:
        refused = post(site, action, None, data={"text": AT})
        assert (refused.status_code, refused.get_json()["error"]["code"]) == (403, "admin_closed")
    page = site.send("GET", "/tokens", key=None, headers=HTML)
    assert page.status_code == 403
    assert "ADMIN_PASSWORD" in page.get_data(as_text=True)
    assert "AUTHORIZATION" in page.get_data(as_text=True)


@pytest.mark.parametrize("action", CHANGES)
def test_a_form_of_another_site_changes_nothing(site: Any, browser: Browser, action: str) -> None:
    fields = {"text": AT, "token": AT, "count": "0"}
    for sent in (
        {"data": fields},
        {"data": {**fields, "csrf": "guess"}},
        {"json": {**fields, "csrf": "guess"}},
        {"data": AT, "content_type": "text/plain"},
    ):
        answer = site.send("POST", f"/tokens/{action}", key=None, **sent)
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "csrf_failed")
    origin = {**HTML, "Origin": "https://evil.test"}
    data = {**fields, "csrf": browser.csrf}
    answer = site.send("POST", f"/tokens/{action}", key=None, headers=origin, data=data)
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.get_data(as_text=True)
    assert tokens_of(site) == []


def test_signed_out_browsers_get_the_sign_in_page(site: Any) -> None:
    for method, path in (("GET", "/tokens"), ("POST", "/tokens/upload")):
        answer = site.send(method, path, key=None, headers=HTML)
        assert answer.status_code == 401
        assert 'name="next" value="/tokens"' in answer.get_data(as_text=True)


def test_an_address_of_ours_hides_behind_the_prefix(site: Any) -> None:
    site.given["api_prefix"] = "hidden"
    assert site.send("GET", "/tokens", key=PASSWORD).status_code == 404
    assert post(site, "upload", data={"text": AT}).status_code == 404
    answer = site.send("POST", "/hidden/tokens/upload", key=PASSWORD, data={"text": AT})
    assert answer.get_json() == {"status": "success", "tokens_count": 1}


# --- scripts


@pytest.mark.parametrize(
    "request_",
    [
        {"data": {"text": f"{AT}\n# mine\n\n{RT}\r\n{AT}"}},
        {"data": {"text": f"{AT}\n{RT}"}, "content_type": "multipart/form-data"},
        {"data": {"text": AT, "f": (BytesIO(RT.encode()), "a.txt")}},
        {"json": {"text": f"{AT}\n{RT}"}},
        {"data": f"{AT}\n{RT}", "content_type": "text/plain"},
    ],
)
def test_upload(site: Any, request_: dict[str, Any]) -> None:
    answer = post(site, "upload", **request_)
    assert (answer.status_code, answer.get_json()) == (
        200,
        {"status": "success", "tokens_count": 2},
    )
    assert sorted(tokens_of(site)) == [AT, RT]
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_same_twice_is_there_once(site: Any) -> None:
    for _ in range(2):
        answer = post(site, "add", data={"token": f"{AT},workspace-1"})
        assert answer.get_json() == {"status": "success", "tokens_count": 1}


def test_a_missing_field_is_422_in_both_spellings(site: Any) -> None:
    answer = post(site, "upload", data={"tokens": AT})
    assert (answer.status_code, answer.get_json()) == (
        422,
        {
            "error": {
                "message": "The field 'text' is missing.",
                "type": "invalid_request_error",
                "param": "text",
                "code": "missing_required_parameter",
            },
            "detail": [
                {"type": "missing", "loc": ["body", "text"], "msg": "Field required", "input": None}
            ],
        },
    )
    assert post(site, "add", data={"text": AT}).status_code == 422
    assert post(site, "preview").status_code == 422


def test_bad_lines_are_named_and_not_stored(site: Any) -> None:
    text = f"{AT}\n<img src=x onerror=alert(1)>\nhello\n{RT}"
    answer = post(site, "upload", data={"text": text})
    assert answer.get_json() == {
        "status": "success",
        "tokens_count": 2,
        "unreadable_lines": [2, 3],
    }
    nothing = post(site, "upload", data={"text": "<script>"})
    assert nothing.status_code == 400
    assert "script" not in nothing.get_data(as_text=True)
    assert sorted(tokens_of(site)) == [AT, RT]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"data": b"\x00\xff" * 500, "content_type": "text/plain"}, 400),
        ({"data": {"text": f"{AT}\x00\n{RT}"}}, 400),
        ({"data": {"text": AT, "f": (BytesIO(b"\xff\x00"), "a.bin")}}, 400),
        ({"data": {"text": f"{RT}\n" * 200_000}}, 413),
    ],
)
def test_junk_and_too_much_store_nothing(site: Any, request_: dict[str, Any], status: int) -> None:
    assert post(site, "upload", **request_).status_code == status
    assert tokens_of(site) == []


def test_clear_takes_the_failed_ones_along(site: Any) -> None:
    fail(site, DEAD)
    post(site, "upload", data={"text": AT})
    assert post(site, "clear").get_json() == {"status": "success", "tokens_count": 0}
    assert tokens_of(site) == []
    assert post(site, "error").get_json() == {"status": "success", "error_tokens": []}
    wrong = post(site, "clear", data={"count": "1"})
    assert (wrong.status_code, wrong.get_json()["error"]["param"]) == (400, "count")


def test_failed_tokens_are_masked_unless_exported(site: Any) -> None:
    fail(site, DEAD, DEAD.lower())
    masked = ["rt_dea...DEAD", "rt_dea...dead"]
    assert post(site, "error").get_json() == {"status": "success", "error_tokens": masked}
    whole = post(site, "error?full=1").get_json()
    assert whole == {"status": "success", "error_tokens": [DEAD, DEAD.lower()]}


def test_a_failed_token_handed_in_again_gets_another_try(site: Any) -> None:
    fail(site, DEAD)
    assert site.runtime.book.counts().failed == 1
    answer = post(site, "upload", data={"text": DEAD})
    assert answer.get_json() == {"status": "success", "tokens_count": 1}
    assert post(site, "error").get_json() == {"status": "success", "error_tokens": []}
    assert [entry.detail for entry in site.runtime.audit.recent()] == [{"retried": 1}]


def test_preview_stores_nothing(site: Any) -> None:
    answer = post(site, "preview", data={"text": f"{AT}\n{AT}\n{RT}\nno"})
    assert answer.get_json() == {
        "status": "success",
        "tokens_count": 0,
        "access_tokens": 2,
        "refresh_tokens": 1,
        "added": 2,
        "updated": 0,
        "unchanged": 1,
        "unreadable_lines": [4],
        "said": "2 new, 1 was already there, line 4 is unreadable.",
    }
    assert tokens_of(site) == []
    assert site.runtime.audit.recent() == []


def test_remove_and_restore(site: Any) -> None:
    post(site, "upload", data={"text": f"{AT}\n{RT}"})
    ids = [row.account_id for row in site.runtime.book.everything()]
    assert post(site, "remove", json={"account_id": ids}).get_json()["tokens_count"] == 0
    assert post(site, "restore", json={"account_id": ids}).get_json()["tokens_count"] == 2
    assert post(site, "remove").status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("prefix", ["", "hidden"])
def test_a_token_in_an_address_is_neither_taken_nor_told(
    site: Any, caplog: pytest.LogCaptureFixture, method: str, prefix: str
) -> None:
    site.given["api_prefix"] = prefix
    caplog.set_level(logging.DEBUG)
    token = "A" * 20 + "/" + "B" * 24
    for base in {"", f"/{prefix}".rstrip("/")}:
        for headers in ({}, HTML):
            answer = site.send(method, f"{base}/tokens/add/{token}", key=PASSWORD, headers=headers)
            assert answer.status_code == (404 if base == "" and prefix else 405)
            assert "AAAA" not in f"{answer.headers}{answer.get_data(as_text=True)}"
            answer.close()
    assert "AAAA" not in caplog.text
    assert "BBBB" not in caplog.text
    assert {
        vars(record).get("path") for record in caplog.records if record.name == "chat2api.request"
    } == {"/tokens/add/***"}
    assert tokens_of(site) == []


def test_every_change_is_noted_with_counts_only(site: Any) -> None:
    fail(site, DEAD)
    post(site, "upload", data={"text": f"{AT}\n<b>"})
    post(site, "error?full=1")
    ids = [row.account_id for row in site.runtime.book.everything()]
    post(site, "remove", data={"account_id": ids[0]})
    post(site, "restore", data={"account_id": ids[0]})
    post(site, "clear")
    noted = [
        (entry.actor, entry.action, entry.target, entry.detail)
        for entry in reversed(site.runtime.audit.recent())
    ]
    assert noted == [
        ("bearer", "add tokens", "", {"added": 1, "unreadable": 1, "places": ["2"]}),
        ("bearer", "export failed tokens", "", {"count": 1}),
        ("bearer", "remove tokens", ids[0], {"count": 1}),
        ("bearer", "restore tokens", ids[0], {"count": 1}),
        ("bearer", "clear tokens", "", {"count": 2}),
    ]


# --- browsers


def test_the_result_is_on_the_next_page_and_only_there(site: Any, browser: Browser) -> None:
    answer = browser.post("upload", text=f"{AT}\n{AT2}\nno")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/tokens")
    page = browser.page()
    assert "2 new, line 3 is unreadable." in page
    assert "<strong>2 usable</strong> of 2" in page
    assert AT not in page
    assert "2 new" not in browser.page()


def test_nothing_pasted(browser: Browser) -> None:
    for text in ("", "\n# only a comment\n"):
        answer = browser.post("upload", text=text)
        assert answer.status_code == 400
        assert "Nothing was pasted." in answer.get_data(as_text=True)
    assert browser.post("upload").status_code == 422


def test_the_count_must_be_typed(site: Any, browser: Browser) -> None:
    browser.post("upload", text=f"{AT}\n{AT2}")
    asked = browser.send("GET", "/tokens/clear", csrf=False).get_data(as_text=True)
    assert "Clear all 2 tokens? Type 2 to go on." in asked
    for fields in ({}, {"count": ""}, {"count": "3"}, {"count": "two"}):
        answer = browser.post("clear", **fields)
        assert answer.status_code == 400
        assert "Nothing was cleared." in answer.get_data(as_text=True)
    assert len(tokens_of(site)) == 2
    assert browser.post("clear", count=" 2 ").status_code == 303
    assert "2 tokens were cleared." in browser.page()
    empty = browser.send("GET", "/tokens/clear", csrf=False).get_data(as_text=True)
    assert "There is nothing to clear." in empty


def test_the_failed_list(site: Any, browser: Browser) -> None:
    fail(site, DEAD)
    page = browser.page()
    assert "rt_dea...DEAD" in page
    assert DEAD not in page
    account_id = site.runtime.book.everything("failed")[0].account_id
    assert browser.post("remove", account_id=account_id).status_code == 303
    page = browser.page()
    assert "Removed." in page
    assert f'name="account_id" value="{account_id}"' in page
    browser.post("restore", account_id=account_id)
    assert "Put back." in browser.page()
    shown = browser.post("error")
    assert (shown.status_code, shown.headers["Location"]) == (303, "/tokens#failed")


def test_the_export_asks_for_the_password_again(site: Any, browser: Browser) -> None:
    fail(site, DEAD)
    refused = browser.post("error?full=1", password="wrong")
    assert refused.status_code == 403
    assert "Nothing was exported." in refused.get_data(as_text=True)
    assert DEAD not in refused.get_data(as_text=True)
    answer = browser.post("error?full=1", password=PASSWORD)
    assert answer.get_data(as_text=True) == f"{DEAD}\n"
    assert "attachment" in answer.headers["Content-Disposition"]
    script = {"X-CSRF-Token": browser.csrf}
    asked = site.send("POST", "/tokens/error?full=1", key=None, headers=script)
    assert (asked.status_code, asked.get_json()["error"]["code"]) == (403, "password_required")


def test_preview_is_a_page_of_its_own(browser: Browser) -> None:
    answer = browser.post("preview", text=f"{AT}\nno")
    assert answer.status_code == 200
    assert "1 new, line 2 is unreadable." in answer.get_data(as_text=True)
    assert AT not in answer.get_data(as_text=True)


def test_what_others_wrote_shows_as_text(site: Any, browser: Browser) -> None:
    evil = "<img src=x onerror=alert(1)>"
    refused = NewAccount(refresh_token=Secret(DEAD), refused=evil, email=evil)
    site.runtime.intake.add([refused], "suite")
    page = browser.page()
    assert evil not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") == 2


def test_a_big_form_is_taken_whole_and_still_checked(site: Any, browser: Browser) -> None:
    text = "\n".join(f"# {'x' * 1000}" for _ in range(2000)) + f"\n{AT}"
    assert browser.post("upload", text=text).status_code == 303
    assert tokens_of(site) == [AT]
    refused = site.send("POST", "/tokens/upload", key=None, data={"text": text, "csrf": "guess"})
    assert refused.status_code == 403


def test_the_page_warns_while_api_keys_open_it(site: Any) -> None:
    site.given |= {"admin_password": None, "authorization": (Secret(PASSWORD),)}
    assert "ADMIN_PASSWORD is not set" in Browser(site).page()


def test_the_page_says_when_the_database_takes_no_writes(site: Any) -> None:
    """E02"""
    page = Browser(site).page()
    assert "The database takes no writes." not in page
    site.degraded = True
    assert "The database takes no writes." in Browser(site).page()


def test_a_broken_configuration_file_is_told(site: Any) -> None:
    site.source = SimpleNamespace(problem="app.yaml, line 14: <b> is no number")
    page = Browser(site).page()
    assert "The configuration file has an error." in page
    assert "app.yaml, line 14: &lt;b&gt; is no number" in page


def test_looking_changes_nothing(site: Any, browser: Browser) -> None:
    fail(site, DEAD)
    before = [site.runtime.book.everything(), site.runtime.audit.recent()]
    browser.page()
    browser.send("GET", "/tokens/clear", csrf=False)
    assert [site.runtime.book.everything(), site.runtime.audit.recent()] == before
