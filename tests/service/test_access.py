"""Who is calling, by the key they sent (decisions 2 to 4)."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.errors import ErrorInfo, LoginRequired, RequestError, Unauthorized
from chat2api.secret import Secret
from chat2api.service.access import (
    Access,
    Anonymous,
    Direct,
    PoolKey,
    Principal,
    check_workspace,
    hash_key,
    login_required_for,
)
from chat2api.store.token_file import credential_of

PEPPER = b"p" * 32
KEYS = ("sk-one", "sk-two", "sk-three")
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.sig"
REFUSAL = (
    "Incorrect API key provided, or none. Send a key of this server as `Authorization: Bearer KEY`."
)


def access(
    *prefixes: str,
    direct: Literal["auto", "prefix", "off"] = "auto",
    anonymous: bool = False,
    keys: tuple[str, ...] = KEYS,
) -> Access:
    return Access(
        pepper=PEPPER,
        key_hashes=[hash_key(key, PEPPER) for key in keys],
        direct_tokens=direct,
        prefixes=[Secret(prefix) for prefix in prefixes],
        allow_anonymous=anonymous,
    )


def key(name: str, workspace: str | None = None) -> PoolKey:
    return PoolKey(hash_key(name, PEPPER)[:12], workspace)


def direct(token: str, workspace: str | None = None) -> Direct:
    return Direct(credential_of(token, workspace))


def refused(identify: Callable[[], Principal]) -> ErrorInfo:
    with pytest.raises(Unauthorized) as caught:
        identify()
    return caught.value.info


@pytest.mark.parametrize(
    ("sent", "caller"),
    [
        ("Bearer sk-one", key("sk-one")),
        ("bearer sk-two", key("sk-two")),
        ("BEARER   sk-three  ", key("sk-three")),
        ("sk-one", key("sk-one")),
        ("  sk-one  ", key("sk-one")),
        ("Bearer sk-one,team-1", key("sk-one", "team-1")),
        ("Bearer sk-one , team_1", key("sk-one", "team_1")),
        ("sk-one,team", key("sk-one", "team")),
        ("sk-one,", key("sk-one")),
        (f"Bearer {TOKEN}", direct(TOKEN)),
        (TOKEN, direct(TOKEN)),
        (f"Bearer {TOKEN},team", direct(TOKEN, "team")),
        ("Bearer fk-relay", direct("fk-relay")),
    ],
)
def test_keys_and_tokens_in_every_spelling(sent: str, caller: Principal) -> None:
    assert access().identify(sent) == caller


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "   ",
        "Bearer",
        "Bearer ",
        "Bearer ,team",
        "Basic c2stb25lOg==",
        "Basic sk-one",
        "Digest sk-one",
        "Token sk-one",
        "sk-one sk-two",
        "Bearer sk-on",
        "Bearer sk-onee",
        "Bearer SK-ONE",
        "Bearer Bearer sk-one",
        "Bearer sk-unknown,team",
        "Bearer sk-one\x00",
        "Bearer eyJhbGciOi",
        f"Bearer {TOKEN} {TOKEN}",
        "Bearer clé",
        "Bearer \udcff\udcfe",
        "Bearer " + "x" * 100_000,
        hash_key("sk-one", PEPPER),
    ],
)
def test_every_refusal_is_the_same(sent: str | None) -> None:
    assert refused(lambda: access().identify(sent)) == ErrorInfo(
        401, "invalid_request_error", "invalid_api_key", REFUSAL
    )


@given(st.text(), st.booleans())
def test_no_key_is_more_than_refused(sent: str, anonymous: bool) -> None:
    with contextlib.suppress(Unauthorized, RequestError):
        access(anonymous=anonymous).identify(sent)


# --- decision 2


@pytest.mark.parametrize("sent", [None, "", "Bearer", " Bearer "])
def test_without_a_key_one_is_nobody_where_that_is_allowed(sent: str | None) -> None:
    assert access(anonymous=True).identify(sent) == Anonymous()


@pytest.mark.parametrize("sent", ["Bearer sk-wrong", "Basic eDp5", "Bearer ,team", "x y"])
def test_a_wrong_key_is_not_no_key(sent: str) -> None:
    assert refused(lambda: access(anonymous=True).identify(sent)).status == 401


def test_where_no_key_was_configured_none_is_right() -> None:
    assert refused(lambda: access(keys=()).identify("Bearer sk-one")).status == 401
    assert refused(lambda: access(keys=()).identify(None)).status == 401


# --- decision 4


@pytest.mark.parametrize(
    ("modes", "bare", "prefixed"),
    [
        (access(), True, False),
        (access("my-"), False, True),
        (access(direct="prefix"), False, False),
        (access("my-", direct="prefix"), False, True),
        (access(direct="off"), False, False),
        (access("my-", direct="off"), False, False),
        (access(" my- ", ""), False, True),
        (access("  "), True, False),
    ],
)
def test_which_tokens_are_taken(modes: Access, bare: bool, prefixed: bool) -> None:
    for sent, taken in ((TOKEN, bare), (f"my-{TOKEN}", prefixed), (f"no-{TOKEN}", False)):
        if taken:
            assert modes.identify(f"Bearer {sent},team") == direct(TOKEN, "team")
        else:
            with pytest.raises(Unauthorized):
                modes.identify(f"Bearer {sent}")


def test_the_longest_prefix_wins() -> None:
    modes = access("my", "my-own-")
    assert modes.identify(f"my-own-{TOKEN}") == direct(TOKEN)
    assert modes.identify(f"my{TOKEN}") == direct(TOKEN)


@pytest.mark.parametrize("rest", ["", "sk-one", "rt_refresh", "anything"])
def test_after_a_prefix_only_an_access_token_will_do(rest: str) -> None:
    assert refused(lambda: access("my-").identify(f"my-{rest}")).message == REFUSAL


def test_a_key_that_looks_like_a_token_is_a_key() -> None:
    assert access(keys=("fk-mine",)).identify("Bearer fk-mine") == key("fk-mine")


@pytest.mark.parametrize(
    ("sent", "header", "caller"),
    [
        ("sk-one", "head", key("sk-one", "head")),
        ("sk-one,comma", "head", key("sk-one", "head")),
        ("sk-one,comma", None, key("sk-one", "comma")),
        ("sk-one,comma", "  ", key("sk-one", "comma")),
        (f"{TOKEN},comma", " head ", direct(TOKEN, "head")),
    ],
)
def test_the_header_names_the_workspace_before_the_comma(
    sent: str, header: str | None, caller: Principal
) -> None:
    assert access().identify(sent, header) == caller


@pytest.mark.parametrize(
    "workspace", ["a b", "a,b", "a/b", "a\r\nX: 1", "a\x00", "é", "x" * 65, "a.b", "{}"]
)
def test_workspaces_are_checked(workspace: str) -> None:
    for sent, header, param in (
        ("Bearer sk-one", workspace, "ChatGPT-Account-ID"),
        (f"Bearer sk-one,{workspace}", None, "Authorization"),
    ):
        with pytest.raises(RequestError) as caught:
            access().identify(sent, header)
        assert (caught.value.status, caught.value.code) == (400, "invalid_value")
        assert caught.value.param == param
        assert workspace not in caught.value.message


def test_a_stranger_learns_nothing_of_his_workspace() -> None:
    assert refused(lambda: access().identify("Bearer sk-wrong,a/b")).message == REFUSAL
    assert refused(lambda: access().identify(None, "a/b")).message == REFUSAL


def test_a_bad_workspace_without_a_key_is_told() -> None:
    with pytest.raises(RequestError) as caught:
        access(anonymous=True).identify(None, "a/b")
    assert caught.value.status == 400


@pytest.mark.parametrize("value", [None, "", " \t"])
def test_no_workspace(value: str | None) -> None:
    assert check_workspace(value, "x") is None


# --- how keys are compared


@pytest.mark.parametrize("sent", ["sk-one", "sk-three", "sk-wrong", "sk-", TOKEN])
def test_every_known_key_is_compared_in_constant_time(
    sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[Any, Any]] = []
    real = hmac.compare_digest

    def counting(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return real(one, other)

    modes = access()
    monkeypatch.setattr(hmac, "compare_digest", counting)
    with contextlib.suppress(Unauthorized):
        modes.identify(f"Bearer {sent}")
    assert compared == [(hash_key(sent, PEPPER), hash_key(known, PEPPER)) for known in KEYS]


def test_keys_are_held_as_keyed_hashes() -> None:
    assert hash_key("sk-one", PEPPER) == hmac.new(PEPPER, b"sk-one", hashlib.sha256).hexdigest()
    assert hash_key("sk-one", PEPPER) != hash_key("sk-one", b"q" * 32)
    assert not any(known in str(vars(access())) for known in KEYS)


def test_a_non_ascii_key_works() -> None:
    assert access(keys=("clé",)).identify("Bearer clé") == key("clé")


def test_what_is_logged_of_a_caller_tells_no_key() -> None:
    shown = repr([access().identify("sk-one"), access().identify(TOKEN)])
    assert "sk-one" not in shown
    assert TOKEN not in shown


# --- decision 21


def test_a_forced_login_concerns_the_keyless() -> None:
    told = login_required_for(Anonymous(), "Log in.")
    assert isinstance(told, LoginRequired)
    assert (told.status, told.code, told.message) == (401, "login_required", "Log in.")
    assert login_required_for(key("sk-one"), "Log in.") is None
    assert login_required_for(direct(TOKEN), "Log in.") is None
