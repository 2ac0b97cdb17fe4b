"""Logging in with real processes: the server, the simulator as login server, and a person between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from .processes import KEY, OwnSimulator, Server

Ask = Callable[..., Any]


class Person:
    """Talks to the server's pages as a script does, and to the login server as a browser."""

    def __init__(self, server: Server, upstream: OwnSimulator) -> None:
        self.server = server
        self.upstream = upstream
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Bearer {KEY}"

    def begin(self, **fields: str) -> dict[str, Any]:
        answer = self.http.post(f"{self.server.url}/admin/logins", json=fields, timeout=20)
        assert answer.status_code == 201, answer.text
        begun: dict[str, Any] = answer.json()
        return begun

    def state(self, login: dict[str, Any]) -> dict[str, Any]:
        url = f"{self.server.url}/admin/logins/{login['id']}/state"
        found: dict[str, Any] = self.http.get(url, timeout=10).json()
        return found

    def enter(self, login: dict[str, Any], account: str, do: str = "allow") -> None:
        """On the simulator's own page, which is where the address leads."""
        fields = {"user_code": login["user_code"], "new_account": account, "do": do}
        answer = requests.post(login["address"], data=fields, timeout=10)
        assert answer.status_code == 200, answer.text

    def browse(self, login: dict[str, Any], account: str) -> str:
        parts = urlsplit(login["address"])
        fields = {name: values[0] for name, values in parse_qs(parts.query).items()}
        answer = requests.post(
            f"{parts.scheme}://{parts.netloc}{parts.path}",
            data={**fields, "new_account": account},
            allow_redirects=False,
            timeout=10,
        )
        return answer.headers["Location"]

    def paste(self, login: dict[str, Any], text: str) -> requests.Response:
        url = f"{self.server.url}/admin/logins/{login['id']}/callback"
        return self.http.post(url, json={"callback": text}, timeout=20)

    def wanted(self) -> list[str]:
        url = f"{self.server.url}/admin/logins/again"
        ids: list[str] = self.http.get(url, timeout=10).json()["accounts"]
        return ids


@pytest.fixture(scope="module")
def upstream_of_logins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnSimulator]:
    running = OwnSimulator(tmp_path_factory.mktemp("login-server"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def server_of_logins(
    start_server: Callable[..., Server], upstream_of_logins: OwnSimulator
) -> Server:
    url = upstream_of_logins.url
    return start_server(tokens=[], upstream=url, OPENAI_AUTH_ISSUER=url, WORKERS="2")


@pytest.fixture
def person(server_of_logins: Server, upstream_of_logins: OwnSimulator) -> Person:
    upstream_of_logins.reset()
    upstream_of_logins.control("config", {"device_interval": 1, "pacing": 0})
    return Person(server_of_logins, upstream_of_logins)


def ended(person: Person, login: dict[str, Any], eventually: Ask) -> dict[str, Any]:
    """How it is once it is over."""
    found: dict[str, Any] = eventually(
        lambda: (now := person.state(login))["state"] not in ("waiting", "exchanging") and now, 15
    )
    return found


def test_a_code_becomes_an_account_that_answers(person: Person, eventually: Ask, ask: Ask) -> None:
    login = person.begin(kind="device")
    assert person.state(login)["state"] == "waiting"
    person.enter(login, "anna")
    done = ended(person, login, eventually)
    assert (done["state"], done["result"]["verdict"], done["result"]["label"]) == (
        "done",
        "added",
        "anna@example.com",
    )
    answer = ask(person.server, "/sim text")
    assert answer.status == 200
    (redeemed,) = [
        one
        for one in person.upstream.control("requests?endpoint=oauth_token")["requests"]
        if one["account"] == "anna"
    ]
    assert redeemed["status"] == 200


def test_the_pace_is_kept_over_all_workers(person: Person, eventually: Ask) -> None:
    person.upstream.control("config", {"device_interval": 2, "device_slow_down": True})
    login = person.begin()
    code = login["user_code"]

    def asked() -> dict[str, Any]:
        codes = person.upstream.control("device")["codes"]
        return next(one for one in codes if one["user_code"] == code)

    eventually(lambda: asked()["polls"] >= 3, 15)
    assert asked()["too_fast"] == 0


def test_an_account_is_logged_in_again_and_by_nobody_else(person: Person, eventually: Ask) -> None:
    first = person.begin()
    person.enter(first, "berta")
    account_id = ended(person, first, eventually)["result"]["account_id"]
    wrong = person.begin(account_id=account_id)
    person.enter(wrong, "carla")
    refused = ended(person, wrong, eventually)
    assert (refused["state"], refused["result"]["why"]) == ("refused", "other_account")
    right = person.begin(account_id=account_id)
    person.enter(right, "berta")
    done = ended(person, right, eventually)
    assert (done["state"], done["result"]["account_id"]) == ("done", account_id)
    assert person.wanted() == []


def test_a_code_that_is_over(person: Person, eventually: Ask) -> None:
    person.upstream.control("config", {"device_seconds": 2, "device_expiry": "expires_in"})
    login = person.begin()
    assert login["seconds_left"] <= 2
    assert ended(person, login, eventually)["state"] == "expired"


def test_a_person_who_says_no(person: Person, eventually: Ask) -> None:
    login = person.begin()
    person.enter(login, "anna", do="deny")
    refused = ended(person, login, eventually)
    assert (refused["state"], refused["result"]["detail"]) == ("refused", "access_denied")


def test_no_codes_here_and_a_link_instead(person: Person) -> None:
    person.upstream.control("config", {"device_login": "not_offered"})
    login = person.begin(kind="device")
    assert (login["kind"], login["user_code"]) == ("browser", None)
    assert person.paste(login, "https://example.com/").status_code == 400
    done = person.paste(login, person.browse(login, "dora")).json()
    assert (done["state"], done["result"]["label"]) == ("done", "dora@example.com")
    assert person.paste(login, "ac_0123456789abcdef").status_code == 409


def test_a_login_outlives_the_server(
    brief_server: Callable[..., Server], own_upstream: OwnSimulator, eventually: Ask
) -> None:
    """The page is closed half-way, and the server restarted; the person enters the code meanwhile."""
    own_upstream.control("config", {"device_interval": 1})
    server = brief_server(tokens=[], upstream=own_upstream.url, OPENAI_AUTH_ISSUER=own_upstream.url)
    person = Person(server, own_upstream)
    login, link = person.begin(), person.begin(kind="browser")
    assert server.stop() == 0
    person.enter(login, "emil")
    server.start()
    done = ended(person, login, eventually)
    assert (done["state"], done["result"]["label"]) == ("done", "emil@example.com")
    pasted = person.paste(link, person.browse(link, "franz")).json()
    assert (pasted["state"], pasted["result"]["label"]) == ("done", "franz@example.com")
    for token in own_upstream.control("accounts")["accounts"]:
        assert token["access_token"] not in server.log
        assert not token["refresh_token"] or token["refresh_token"] not in server.log
