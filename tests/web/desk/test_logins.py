"""Logging in on the pages: begin, wait, paste back, cancel, and one account after another."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chat2api.pool.values import NewAccount
from chat2api.providers.oauth.signing_in import SignInOptions
from chat2api.secret import Secret
from chat2api.service.egress import Egress
from chat2api.service.logins import Logins, LoginStores
from chat2api.store.account_book import AccountBook
from chat2api.store.audit import Audit
from chat2api.store.intake import Intake
from chat2api.store.logins import LoginBook
from chat2api.store.relogins import Relogins

from ...login_server import LoginServer

PASSWORD = "the admin password of the suite"
HTML = {"Accept": "text/html"}
HOSTILE = "<img src=x onerror=alert(1)>\u202etxt"


class Person:
    """Somebody signed in, and a login server that they use in another window."""

    def __init__(self, site: Any) -> None:
        self.site = site
        self.store = site.store
        self.server = LoginServer(site.store.now)
        self.logins = self._logins()
        object.__setattr__(site.runtime.desk, "logins", self.logins)
        sent = {"headers": HTML, "data": {"password": PASSWORD}}
        assert site.send("POST", "/admin/sign-in", key=None, **sent).status_code == 303

    def _logins(self) -> Logins:
        store, audit = self.store, Audit(self.store)
        transport: Any = self.server
        nothing: Any = None
        return Logins(
            LoginStores(LoginBook(store, "w"), Relogins(store), Intake(store), AccountBook(store)),
            Egress(transport, nothing),
            SignInOptions(issuer="http://localhost"),
            store.now,
            lambda actor, action, target, facts: audit.note(actor, "", action, target, facts),
        )

    @property
    def csrf(self) -> str:
        return str(self.site.runtime.administration.sessions.list()[0].csrf)

    def post(self, path: str, headers: Any = HTML, **fields: Any) -> Any:
        data = {"csrf": self.csrf, **fields}
        return self.site.send("POST", path, key=None, headers=headers, data=data)

    def get(self, path: str, headers: Any = HTML) -> Any:
        return self.site.send("GET", path, key=None, headers=headers)

    def page(self, path: str, status: int = 200) -> str:
        answer = self.get(path)
        assert answer.status_code == status, answer.get_data(as_text=True)
        text: str = answer.get_data(as_text=True)
        assert "style=" not in text
        return text

    def begin(self, **fields: str) -> str:
        """The path of a new login's page."""
        answer = self.post("/admin/logins", **fields)
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return str(answer.headers["Location"])

    def login(self, path: str) -> Any:
        return self.logins.get(path.partition("?")[0].rsplit("/", 1)[1])

    def later(self, seconds: float = 5.0) -> None:
        self.store.clock.at += seconds
        while self.logins.go_on():
            pass

    def wanting(self, name: str, **more: Any) -> str:
        made = self.server.control("accounts", {"name": name, "refresh": "rt"})
        new = NewAccount(
            access_token=Secret(made["access_token"]),
            refresh_token=Secret(made["refresh_token"]),
            refused="the renewal was refused",
            **more,
        )
        return Intake(self.store).add([new], "test")[0].account_id

    def audited(self) -> list[str]:
        return [entry.action for entry in Audit(self.store).recent()]


@pytest.fixture
def person(site: Any) -> Person:
    return Person(site)


def shown(text: str) -> str:
    """The words of a page."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)))


# --- a code


def test_a_code_and_what_to_do_with_it(person: Person) -> None:
    path = person.begin(kind="device")
    text = person.page(path)
    login = person.login(path)
    assert login.user_code in text
    assert "http://localhost/codex/device" in text
    assert "Never enter a code you did not ask for." in text
    assert '<svg class="qr"' in text
    assert "15:00 left" in text
    assert "dash" in text  # for ears
    assert f'data-watch="/admin/logins/{login.login_id}/state"' in text
    assert "begin login" in person.audited()


def test_it_ends_well(person: Person) -> None:
    path = person.begin()
    person.server.approve(person.login(path))
    person.later()
    assert "Signed in as ann@example.com. The account is new here." in shown(person.page(path))
    assert person.audited()[:1] == ["account logged in"]
    path = person.begin()
    person.server.approve(person.login(path))
    person.later()
    assert "The account has new tokens." in shown(person.page(path))


def test_nobody_elses_login(person: Person) -> None:
    account_id = person.wanting("ann")
    path = person.begin(account_id=account_id)
    assert "For ann@example.com; nobody else's login is taken." in shown(person.page(path))
    person.server.approve(person.login(path), "bob")
    person.later()
    text = shown(person.page(path))
    assert "This login is that of bob@example.com, and not of this account." in text
    assert "login refused" in person.audited()
    assert person.site.runtime.book.find(account_id).state == "needs_login"


@pytest.mark.parametrize(
    ("what", "words", "button"),
    [
        ("deny", "The login server refused it. Nothing was changed. access_denied", "New code"),
        ("expire", "It was not finished in time. Nothing was changed.", "New code"),
    ],
)
def test_it_comes_to_nothing(person: Person, what: str, words: str, button: str) -> None:
    path = person.begin()
    person.server.control(f"device/{person.login(path).user_code}", {"do": what})
    person.later()
    text = shown(person.page(path))
    assert words in text
    assert button in text


def test_no_codes_here_opens_the_other_door_by_itself(person: Person) -> None:
    person.server.control("config", {"device_login": "not_offered"})
    text = shown(person.page(person.begin(kind="device")))
    assert "The login server offers no codes, or not to this place." in text
    assert "Bring its address here" in text


def test_a_login_server_that_refuses_us(person: Person) -> None:
    fault = {"endpoint": "device_usercode", "fault": "status", "params": {"status": 403}}
    person.server.control("next", fault)
    answer = person.post("/admin/logins", account_id="", again="1")
    assert answer.status_code == 502
    text = shown(answer.get_data(as_text=True))
    assert "The login server gave no code." in text
    assert "answered 403" in text
    assert "Paste a link instead" in text


def test_trouble_is_told_and_goes(person: Person) -> None:
    path = person.begin()
    fault = {"endpoint": "device_token", "fault": "status", "params": {"status": 503}}
    person.server.control("next", fault)
    person.later()
    assert "could not be asked just now" in shown(person.page(path))
    person.later()
    assert "could not be asked just now" not in shown(person.page(path))


def test_giving_up(person: Person) -> None:
    path = person.begin()
    answer = person.post(f"{path}/cancel")
    assert answer.status_code == 303
    assert "Nothing was changed." in shown(person.page(path))
    assert person.audited()[0] == "cancel login"
    assert person.post(f"{path}/cancel").status_code == 303
    assert person.audited().count("cancel login") == 1


# --- a link


def test_a_link_and_its_address_brought_back(person: Person) -> None:
    path = person.begin(kind="browser")
    text = person.page(path)
    assert "At the end a page does not load" in text
    address = person.server.browse(person.login(path))
    answer = person.post(f"{path}/callback", callback=address)
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert "Signed in as demo-free@example.com" in shown(person.page(path))
    again = person.post(f"{path}/callback", callback=address)
    assert again.status_code == 409


def test_a_wrong_address_is_told_and_not_shown_again(person: Person) -> None:
    path, other = person.begin(kind="browser"), person.begin(kind="browser")
    address = person.server.browse(person.login(other))
    code = parse_qs(urlsplit(address).query)["code"][0]
    for pasted, words in (
        (address, "That address belongs to another login."),
        ("hello", "That is not it."),
        ("", "That is not it."),
    ):
        answer = person.post(f"{path}/callback", callback=pasted)
        text = answer.get_data(as_text=True)
        assert answer.status_code == 400
        assert words in shown(text)
        assert code not in text
        assert 'aria-invalid="true"' in text
    assert person.login(path).state == "waiting"


def test_what_a_login_server_says_is_only_text(person: Person) -> None:
    path = person.begin(kind="browser")
    state = parse_qs(urlsplit(person.login(path).address).query)["state"][0]
    pasted = (
        f"http://localhost:1455/auth/callback?error=x&error_description={HOSTILE}&state={state}"
    )
    assert person.post(f"{path}/callback", callback=pasted).status_code == 303
    text = person.page(path)
    assert "<img" not in text
    assert "\u202e" not in text
    assert "onerror=alert" in shown(text)


# --- a way out of its own


def test_a_proxy_of_its_own(person: Person) -> None:
    path = person.begin(kind="device", proxy="socks5://u:planted@h.test:1")
    assert "planted" not in person.page(path)
    assert person.server.requests[0].proxy == Secret("socks5://u:planted@h.test:1")
    (entry,) = [one for one in Audit(person.store).recent() if one.action == "begin login"]
    assert "planted" not in repr(entry)
    assert "h.test" in repr(entry)
    for wrong in ("ftp://h", "socks5://***@h.test:1", "socks5://u:planted@"):
        answer = person.post("/admin/logins", proxy=wrong)
        assert answer.status_code == 400
        assert "planted" not in answer.get_data(as_text=True)


# --- one after another


def test_exactly_those_that_want_one(person: Person) -> None:
    assert "No account wants a login." in shown(person.page("/admin/logins/again"))
    person.wanting("ann")
    person.wanting("bob", note="x")
    text = shown(person.page("/admin/logins/again"))
    assert "2 accounts want a login." in text
    assert "ann@example.com" in text
    assert "the renewal was refused" in text
    assert person.get("/admin/logins").headers["Location"] == "/admin/logins/again"


def test_the_next_opens_after_one_that_is_done(person: Person) -> None:
    for name in ("ann", "bob"):
        person.wanting(name)
    first, second = (one.account for one in person.logins.wanted.page())
    path = person.begin(account_id=first.account_id, again="1")
    assert path.endswith("?again=1")
    name = first.label.partition("@")[0]
    person.server.approve(person.login(path), name)
    person.later()
    text = person.page(path)
    assert f"Next: {second.label}" in shown(text)
    assert "1 account is left." in shown(text)
    assert 'data-next-in="5"' in text
    assert f'name="account_id" value="{second.account_id}"' in text
    path = person.begin(account_id=second.account_id, again="1")
    person.server.approve(person.login(path), second.label.partition("@")[0])
    person.later()
    assert "No other account wants a login." in shown(person.page(path))


def test_page_by_page(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat2api.web.desk.logins._ROWS", 2)
    ids = sorted(person.wanting(f"user-{number}") for number in range(3))
    text = person.page("/admin/logins/again")
    (link,) = re.findall(r'href="(/admin/logins/again\?[^"]+)"', text)
    rest = person.page(html.unescape(link))
    assert ids[0] in text
    assert ids[2] not in text
    assert ids[2] in rest
    assert person.get("/admin/logins/again?after=x&ends=y").status_code == 400


def test_foreign_names_are_only_text(person: Person) -> None:
    person.wanting("ann", email=HOSTILE)
    text = person.page("/admin/logins/again")
    assert "<img" not in text
    assert "\u202e" not in text


# --- scripts, strangers


def test_scripts_get_json(person: Person) -> None:
    bearer = {"Authorization": f"Bearer {PASSWORD}"}
    site = person.site
    begun = site.send("POST", "/admin/logins", key=PASSWORD, json={"kind": "device"})
    assert begun.status_code == 201
    document = begun.get_json()
    assert (document["state"], document["seconds_left"], document["interval"]) == (
        "waiting",
        900,
        5.0,
    )
    assert document["user_code"]
    url = f"/admin/logins/{document['id']}"
    for path in (url, f"{url}/state"):
        assert site.send("GET", path, key=PASSWORD).get_json() == document
    assert site.send("POST", f"{url}/cancel", key=PASSWORD).get_json() == {"cancelled": True}
    link = site.send("POST", "/admin/logins", key=PASSWORD, json={"kind": "browser"}).get_json()
    path = f"/admin/logins/{link['id']}/callback"
    wrong = site.send("POST", path, key=PASSWORD, json={"callback": "no"})
    assert (wrong.status_code, wrong.get_json()["error"]["code"]) == (400, "login_link_unreadable")
    address = person.server.browse(person.logins.get(link["id"]))
    done = site.send("POST", path, key=PASSWORD, json={"callback": address}).get_json()
    assert (done["state"], done["result"]["verdict"]) == ("done", "added")
    listed = site.send("GET", "/admin/logins/again", key=PASSWORD).get_json()
    assert listed == {"accounts": [], "count": 0}
    fault = {"endpoint": "device_usercode", "fault": "status", "params": {"status": 503}}
    person.server.control("next", fault)
    failed = site.send("POST", "/admin/logins", headers=bearer, key=None, json={})
    assert failed.status_code == 502
    gone = site.send("POST", "/admin/logins", key=PASSWORD, json={"account_id": "acc_x"})
    assert gone.status_code == 404


def test_looking_changes_nothing_but_that_somebody_looked(person: Person) -> None:
    path = person.begin()
    person.store.clock.at += 400
    assert person.login(path).rests(person.store.clock.at)
    person.page(path)
    assert not person.login(path).rests(person.store.clock.at)
    assert person.get("/admin/logins/login_none").status_code == 404


def test_strangers_and_other_sites_get_nothing(person: Person, site: Any) -> None:
    path = person.begin()
    before = len(person.server.requests)
    for url in ("/admin/logins", f"{path}/cancel", f"{path}/callback"):
        assert site.send("POST", url, key=None, headers=HTML, data={}).status_code == 403
    client = site.app.test_client()
    for url in (path, f"{path}/state", "/admin/logins/again"):
        answer = client.get(url, headers=HTML)
        assert answer.status_code == 401
        assert person.login(path).user_code not in answer.get_data(as_text=True)
    assert client.post("/admin/logins", json={}).status_code == 401
    assert len(person.server.requests) == before
    assert person.login(path).state == "waiting"


def test_no_secret_stands_in_a_page(person: Person) -> None:
    device, link = person.begin(), person.begin(kind="browser")
    address = person.server.browse(person.login(link))
    pages = person.page(device) + person.page(link)
    person.post(f"{link}/callback", callback=address)
    pages += person.page(link)
    exported = person.site.runtime.book.export()[0]
    (first,) = person.server.simulator.signing_in.all()
    secrets = [first.device_auth_id, parse_qs(urlsplit(address).query)["code"][0]]
    secrets += [exported.access_token.reveal(), exported.refresh_token.reveal()]
    assert all(secret not in pages for secret in secrets)
