"""Logging in from the first question to the account, against the simulator and a store that is real."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chat2api.errors import (
    Conflict,
    NotFound,
    RequestError,
    UpstreamBadResponse,
    UpstreamConnectionError,
)
from chat2api.pool.values import NewAccount
from chat2api.providers.oauth.signing_in import SignInOptions
from chat2api.secret import Secret
from chat2api.service.egress import Egress
from chat2api.service.logins import ASK_SECONDS, Logins, LoginStores
from chat2api.store.account_book import AccountBook
from chat2api.store.intake import Intake
from chat2api.store.logins import LEASE_SECONDS, LoginBook, LoginResult
from chat2api.store.relogins import Relogins

from ..login_server import LoginServer

ISSUER = "http://localhost"


class Desk:
    """What a process has; another one on the same store by `again`."""

    def __init__(self, store: Any, server: LoginServer) -> None:
        self.store = store
        self.server = server
        self.clock = store.clock
        self.told: list[tuple[str, str, str, dict[str, Any]]] = []
        self.proxies: tuple[Secret, ...] = ()
        self.book = AccountBook(store)
        self.logins = self.again()

    def again(self) -> Logins:
        stores = LoginStores(
            LoginBook(self.store, "worker"),
            Relogins(self.store),
            Intake(self.store),
            AccountBook(self.store),
        )
        transport: Any = self.server
        nothing: Any = None
        return Logins(
            stores,
            Egress(transport, nothing, self.proxies),
            SignInOptions(issuer=ISSUER),
            self.store.now,
            lambda *told: self.told.append((*told[:3], dict(told[3]))),
        )

    def wait(self, seconds: float = 5.0) -> bool:
        """Time goes by, and whoever is due is gone on with."""
        self.clock.at += seconds
        return self.logins.go_on()

    def add(self, name: str, **more: Any) -> str:
        """An account of the simulator's in the pool, that wants a login; its id."""
        made = self.server.control("accounts", {"name": name, "refresh": "rt"})
        new = NewAccount(
            access_token=Secret(made["access_token"]),
            refresh_token=Secret(made["refresh_token"]),
            refused="the renewal was refused",
            **more,
        )
        return Intake(self.store).add([new], "test")[0].account_id

    def rows(self) -> list[Any]:
        return self.book.everything()


@pytest.fixture
def desk(key_store: Any) -> Desk:
    return Desk(key_store, LoginServer(key_store.now))


# --- device codes


def test_a_new_account_by_a_code(desk: Desk) -> None:
    login = desk.logins.start_device("session 1")
    assert (login.kind, login.state, login.address) == (
        "device",
        "waiting",
        "http://localhost/codex/device",
    )
    assert not desk.logins.go_on()  # not before its time
    assert desk.wait()
    assert desk.logins.get(login.login_id).state == "waiting"
    desk.server.approve(login)
    assert desk.wait()
    done = desk.logins.get(login.login_id)
    (row,) = desk.rows()
    expected = LoginResult(verdict="added", account_id=row.account_id, label="ann@example.com")
    assert (done.state, done.result) == ("done", expected)
    assert (row.kind, row.state, row.renewable, row.source) == ("codex", "active", True, "login")
    assert desk.told == [
        (
            "session 1",
            "account logged in",
            row.account_id,
            {
                "login": login.login_id,
                "kind": "device",
                "as": "ann@example.com",
                "result": "added",
            },
        )
    ]
    assert not desk.wait()
    assert desk.logins.running() == []


def test_the_refresh_token_is_known_with_its_client(desk: Desk) -> None:
    desk.server.approve(desk.logins.start_device("cli"))
    desk.wait()
    exported = desk.book.export()[0]
    grant = desk.server.simulator.grants.find("ann")
    assert exported.refresh_token == Secret(grant.newest)
    assert grant.client_id == "app_EMoamEEZ73f0CkXaXp7hrann"


def test_logging_in_twice_renews_the_same_account(desk: Desk) -> None:
    for verdict in ("added", "updated"):
        login = desk.logins.start_device("cli")
        desk.server.approve(login)
        desk.wait()
        assert desk.logins.get(login.login_id).result.verdict == verdict
    assert len(desk.rows()) == 1


def test_an_account_that_wants_a_login_is_well_again(desk: Desk) -> None:
    account_id = desk.add("ann")
    assert [one.account.account_id for one in desk.logins.wanted.page()] == [account_id]
    login = desk.logins.start_device("session 1", account_id)
    desk.server.approve(login)
    desk.wait()
    result = desk.logins.get(login.login_id).result
    assert (result.verdict, result.account_id) == ("updated", account_id)
    (row,) = desk.rows()
    assert (row.state, row.reason, row.renewable) == ("active", "", True)
    assert desk.logins.wanted.page() == []


def test_somebody_elses_login_changes_nothing(desk: Desk) -> None:
    account_id = desk.add("ann")
    before = desk.rows(), desk.book.export()
    login = desk.logins.start_device("session 1", account_id)
    desk.server.approve(login, "bob")
    desk.wait()
    refused = desk.logins.get(login.login_id)
    assert refused.state == "refused"
    assert refused.result == LoginResult(
        account_id=account_id, why="other_account", label="bob@example.com"
    )
    assert (desk.rows(), desk.book.export()) == before
    assert [told[1] for told in desk.told] == ["login refused"]


@pytest.mark.parametrize(
    ("what", "state", "result"),
    [
        ("deny", "refused", LoginResult(why="refused", detail="access_denied")),
        ("expire", "expired", LoginResult(why="expired")),
    ],
)
def test_what_else_may_come_of_a_code(
    desk: Desk, what: str, state: str, result: LoginResult
) -> None:
    login = desk.logins.start_device("cli")
    desk.server.control(f"device/{login.user_code}", {"do": what})
    desk.wait()
    ended = desk.logins.get(login.login_id)
    assert (ended.state, ended.result) == (state, result)
    assert desk.rows() == []


def test_time_runs_out(desk: Desk) -> None:
    login = desk.logins.start_device("cli")
    assert desk.wait(900)
    assert desk.logins.get(login.login_id).state == "expired"
    assert desk.server.polls == 0
    assert not desk.wait()


def test_where_no_codes_are_offered_a_browser_is_used(desk: Desk) -> None:
    desk.server.control("config", {"device_login": "not_offered"})
    login = desk.logins.start_device("cli")
    assert (login.kind, login.fell_back, login.user_code) == ("browser", True, "")
    assert login.address.startswith("http://localhost/oauth/authorize?")


def test_the_pace_is_the_servers(desk: Desk) -> None:
    desk.server.control(
        "config",
        {"device_interval": 10, "device_interval_form": "number", "device_slow_down": True},
    )
    login = desk.logins.start_device("cli")
    assert not desk.wait(9.9)
    assert desk.wait(0.1)
    desk.server.simulator.signing_in.find(login.user_code).polled_at = desk.clock.at + 5
    assert desk.wait(10)
    assert desk.logins.get(login.login_id).interval_seconds == 15
    assert not desk.wait(14.9)
    assert desk.wait(0.1)
    assert desk.server.polls == 3


def test_asking_rests_while_nobody_looks(desk: Desk) -> None:
    login = desk.logins.start_device("cli")
    desk.server.approve(login)
    assert not desk.wait(300)
    assert desk.logins.get(login.login_id).rests(desk.clock.at)
    assert desk.logins.look(login.login_id).state == "waiting"
    assert desk.wait(1)
    assert desk.logins.get(login.login_id).state == "done"


def test_trouble_on_the_way_is_told_and_survived(desk: Desk) -> None:
    login = desk.logins.start_device("cli")
    desk.server.approve(login)
    lost = UpstreamConnectionError("Could not reach the upstream: no connection (stage: connect).")
    desk.server.fails = [lost]
    desk.wait()
    kept = desk.logins.get(login.login_id)
    assert (kept.state, "stage: connect" in kept.trouble) == ("waiting", True)
    desk.server.control(
        "next", {"endpoint": "oauth_token", "fault": "status", "params": {"status": 502}}
    )
    desk.wait()
    kept = desk.logins.get(login.login_id)
    assert (kept.state, "502" in kept.trouble) == ("exchanging", True)
    assert not desk.logins.cancel(login.login_id)
    desk.wait()
    done = desk.logins.get(login.login_id)
    assert (done.state, done.trouble) == ("done", "")


def test_another_process_goes_on_with_it(desk: Desk) -> None:
    login = desk.logins.start_device("cli")
    desk.server.approve(login)
    LoginBook(desk.store, "dead worker")  # it had claimed it, and is gone
    desk.clock.at += 5
    assert LoginBook(desk.store, "dead worker").claim() is not None
    assert not desk.again().go_on()
    desk.clock.at += LEASE_SECONDS
    assert ASK_SECONDS < LEASE_SECONDS
    assert desk.again().go_on()
    assert desk.logins.get(login.login_id).state == "done"


@pytest.mark.parametrize("status", [403, 500])
def test_a_login_that_cannot_be_begun(desk: Desk, status: int) -> None:
    fault = {"endpoint": "device_usercode", "fault": "status", "params": {"status": status}}
    desk.server.control("next", fault)
    with pytest.raises(UpstreamBadResponse, match=str(status)):
        desk.logins.start_device("cli")
    assert desk.logins.running() == []


def test_only_for_accounts_that_are_there(desk: Desk) -> None:
    account_id = desk.add("ann")
    desk.book.remove([account_id])
    for unknown in ("acc_none", account_id):
        with pytest.raises(NotFound):
            desk.logins.start_device("cli", unknown)
        with pytest.raises(NotFound):
            desk.logins.start_browser("cli", unknown)
    with pytest.raises(NotFound):
        desk.logins.look("login_none")


# --- by browser


def test_a_new_account_by_a_browser(desk: Desk) -> None:
    login = desk.logins.start_browser("session 1")
    assert login.address.startswith("http://localhost/oauth/authorize?")
    done = desk.logins.submit_callback(login.login_id, desk.server.browse(login))
    assert (done.state, done.result.label) == ("done", "demo-free@example.com")
    assert desk.rows()[0].kind == "codex"
    with pytest.raises(Conflict):
        desk.logins.submit_callback(login.login_id, "ac_whatever")


def test_the_code_alone_is_enough(desk: Desk) -> None:
    login = desk.logins.start_browser("cli")
    address = desk.server.browse(login)
    code = parse_qs(urlsplit(address).query)["code"][0]
    assert desk.logins.submit_callback(login.login_id, f" {code}\n").state == "done"


def test_an_address_of_another_login_is_not_taken(desk: Desk) -> None:
    first, second = desk.logins.start_browser("cli"), desk.logins.start_browser("cli")
    address = desk.server.browse(first)
    with pytest.raises(RequestError) as raised:
        desk.logins.submit_callback(second.login_id, address)
    assert raised.value.code == "login_link_foreign"
    code = parse_qs(urlsplit(address).query)["code"][0]
    without_state = f"http://localhost:1455/auth/callback?code={code}"
    for text, why in ((without_state, "login_link_foreign"), ("?", "login_link_unreadable")):
        with pytest.raises(RequestError) as raised:
            desk.logins.submit_callback(first.login_id, text)
        assert raised.value.code == why
    assert desk.logins.submit_callback(first.login_id, address).state == "done"
    assert desk.logins.get(second.login_id).state == "waiting"


def test_a_person_may_say_no(desk: Desk) -> None:
    login = desk.logins.start_browser("cli")
    refused = desk.logins.submit_callback(login.login_id, desk.server.browse(login, do="deny"))
    assert (refused.state, refused.result.why) == ("refused", "refused")
    assert refused.result.detail == "The person did not allow it."


def test_a_code_that_is_worth_nothing(desk: Desk) -> None:
    login = desk.logins.start_browser("cli")
    refused = desk.logins.submit_callback(login.login_id, "ac_made_up_by_hand")
    assert (refused.state, refused.result.detail) == ("refused", "invalid_grant")


def test_only_a_browsers_login_takes_an_address(desk: Desk) -> None:
    login = desk.logins.start_device("cli")
    with pytest.raises(Conflict):
        desk.logins.submit_callback(login.login_id, "ac_made_up_by_hand")
    assert desk.logins.cancel(login.login_id)
    assert desk.logins.get(login.login_id).state == "cancelled"


def test_the_address_names_the_workspace_of_the_account(desk: Desk) -> None:
    workspace = "11111111-2222-4333-8444-555555555555"
    account_id = desk.add("ann", workspace_id=workspace)
    login = desk.logins.start_browser("cli", account_id)
    assert f"allowed_workspace_id={workspace}" in login.address
    done = desk.logins.submit_callback(login.login_id, desk.server.browse(login, "ann"))
    assert (done.state, done.result.account_id) == ("done", account_id)


# --- the way out


def test_each_login_has_its_way_out(desk: Desk) -> None:
    desk.proxies = (Secret("http://all.test:1"),)
    logins = desk.again()
    own = desk.add("ann", proxy=Secret("http://own.test:1"))
    chosen = Secret("http://chosen.test:1/{}")
    logins.start_device("cli")
    logins.start_device("cli", own)
    login = logins.start_device("cli", proxy=chosen)
    proxies = [one.proxy.reveal() for one in desk.server.requests if one.proxy is not None]
    assert proxies[:2] == ["http://all.test:1", "http://own.test:1"]
    assert proxies[2].startswith("http://chosen.test:1/")
    assert "{}" not in proxies[2]
    desk.server.approve(login, "bob")
    desk.clock.at += 5
    while logins.go_on():
        pass
    exported = {one.label: one.proxy for one in desk.book.export()}
    assert exported["bob@example.com"] == chosen
    assert {one.proxy.reveal() for one in desk.server.requests[-2:] if one.proxy} == {proxies[2]}


# --- nothing leaks


def test_no_secret_is_shown_told_or_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    login = desk.logins.start_device("cli")
    desk.server.approve(login)
    desk.wait()
    browser = desk.logins.start_browser("cli")
    address = desk.server.browse(browser)
    desk.logins.submit_callback(browser.login_id, address)
    exported = desk.book.export()
    secrets = [
        one.reveal() for row in exported for one in (row.access_token, row.refresh_token) if one
    ]
    secrets += [parse_qs(urlsplit(address).query)["code"][0]]
    shown = repr([desk.logins.get(one.login_id) for one in (login, browser)]) + repr(desk.told)
    shown += repr([(record.msg, record.__dict__) for record in caplog.records])
    assert len(secrets) == 5
    assert all(secret not in shown for secret in secrets)
