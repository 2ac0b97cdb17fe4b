"""Who is calling, by the key they sent (decisions 2 to 4)."""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.errors import (
    ErrorInfo,
    KeyScope,
    LoginRequired,
    ModelNotAllowed,
    RequestError,
    StorageUnavailable,
    Unauthorized,
)
from chat2api.pool.identity import direct_credential
from chat2api.secret import Secret
from chat2api.service.access import (
    Access,
    Anonymous,
    Direct,
    DirectRefresh,
    PoolKey,
    Principal,
    bearer_of,
    check_model,
    check_scope,
    check_workspace,
    login_required_for,
    may_use_model,
)
from chat2api.store.api_keys import ApiKey
from chat2api.store.vault import keyed_hash

NOW = 1000.0
KEYS = ("sk-one", "sk-two", "sk-three", "clé")
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.sig"
REFRESH = "rt_" + "r" * 60
OLD_REFRESH = "r" * 45
STORED = "sk-" + "s" * 43
REFUSAL = (
    "Incorrect API key provided, or none. Send a key of this server as `Authorization: Bearer KEY`"
    " or `x-api-key: KEY`."
)


def hash_key(key: str) -> str:
    return keyed_hash(key, b"p" * 32)


class Shelf:
    """Stored keys that a test puts there; `is_away` takes them away, `jammed` takes no writes."""

    def __init__(self, *keys: ApiKey) -> None:
        self.keys = {key.key_hash: key for key in keys}
        self.is_away = self.jammed = False
        self.asked: list[str] = []
        self.uses: list[Mapping[str, float]] = []

    def find(self, key_hash: str) -> ApiKey | None:
        self.asked.append(key_hash)
        if self.is_away:
            raise StorageUnavailable("The database does not answer.")
        return self.keys.get(key_hash)

    def note_use(self, uses: Mapping[str, float]) -> None:
        if self.jammed:
            raise StorageUnavailable("The database takes no writes.")
        self.uses.append(dict(uses))


def named(**facts: Any) -> ApiKey:
    return ApiKey("key_1", "Bob", "named", "sk-…ssss", hash_key(STORED), **facts)


def access(
    *prefixes: str,
    direct: Literal["auto", "prefix", "off"] = "auto",
    anonymous: bool = False,
    keys: tuple[str, ...] = KEYS,
    stored: Shelf | None = None,
    now: Callable[[], float] = lambda: NOW,
) -> Access:
    return Access(
        hash_key=hash_key,
        configured=[Secret(key) for key in keys],
        direct_tokens=direct,
        prefixes=[Secret(prefix) for prefix in prefixes],
        allow_anonymous=anonymous,
        now=now,
        stored=stored,
        uses=stored,
    )


def key(name: str, workspace: str | None = None) -> PoolKey:
    return PoolKey(hash_key(name)[:12], workspace)


def direct(token: str, workspace: str | None = None) -> Direct:
    return Direct(direct_credential(Secret(token), workspace))


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
        ("Bearer clé", key("clé")),
        (f"Bearer {TOKEN}", direct(TOKEN)),
        (TOKEN, direct(TOKEN)),
        (f"Bearer {TOKEN},team", direct(TOKEN, "team")),
        ("Bearer fk-relay-1", direct("fk-relay-1")),
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
        "Bearer clè",
        "Bearer \udcff\udcfe",
        "Bearer " + "x" * 100_000,
        hash_key("sk-one"),
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


@pytest.mark.parametrize("rest", ["", "sk-one", "rt_short", "anything"])
def test_after_a_prefix_only_a_token_will_do(rest: str) -> None:
    assert refused(lambda: access("my-").identify(f"my-{rest}")).message == REFUSAL


@pytest.mark.parametrize("token", [REFRESH, OLD_REFRESH, "rt.1." + "r" * 60])
def test_a_refresh_token_is_brought_to_be_exchanged(token: str) -> None:
    assert access().identify(f"Bearer {token}") == DirectRefresh(Secret(token))
    assert access().identify(f"{token},team") == DirectRefresh(Secret(token), "team")
    assert access().identify(token, "head") == DirectRefresh(Secret(token), "head")
    assert access("my-").identify(f"my-{token}") == DirectRefresh(Secret(token))
    for closed in (access("my-"), access(direct="off"), access(direct="prefix")):
        assert refused(lambda closed=closed: closed.identify(token)).message == REFUSAL


@pytest.mark.parametrize("mine", ["fk-mine-own-key", TOKEN, REFRESH, OLD_REFRESH])
def test_a_key_that_looks_like_a_token_is_a_key(mine: str) -> None:
    """C22: neither is ever taken for the other."""
    assert access(keys=(mine,)).identify(f"Bearer {mine}") == key(mine)
    assert access("fk-", keys=(mine,)).identify(f"Bearer {mine}") == key(mine)


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
    for sent, header in ("Bearer sk-wrong,a/b", None), (None, "a/b"):
        assert (
            refused(lambda sent=sent, header=header: access().identify(sent, header)).message
            == REFUSAL
        )


def test_a_bad_workspace_without_a_key_is_told() -> None:
    with pytest.raises(RequestError) as caught:
        access(anonymous=True).identify(None, "a/b")
    assert caught.value.status == 400


def test_no_workspace() -> None:
    assert [check_workspace(value, "x") for value in (None, "", " \t")] == [None] * 3


# --- stored keys


def test_a_stored_key_is_known() -> None:
    shelf = Shelf(named())
    caller = access(stored=shelf).identify(f"Bearer {STORED},team")
    assert caller == PoolKey("key_1", "team", named())


@pytest.mark.parametrize("facts", [{"expires_at": NOW}, {"revoked_at": 5.0}])
def test_an_expired_or_revoked_key_is_a_wrong_key(facts: dict[str, float]) -> None:
    shelf = Shelf(named(**facts))
    assert refused(lambda: access(stored=shelf).identify(STORED)) == ErrorInfo(
        401, "invalid_request_error", "invalid_api_key", REFUSAL
    )
    assert shelf.uses == []


def test_the_first_key_steps_back_for_configured_ones() -> None:
    first = replace(named(), kind="first")
    assert access(stored=Shelf(first), keys=()).identify(STORED) == PoolKey("key_1", None, first)
    assert refused(lambda: access(stored=Shelf(first)).identify(STORED)).status == 401


def test_while_the_database_is_away_a_key_that_may_be_valid_is_not_refused() -> None:
    """E04: 503, which clients try again; those that need no look into it go on."""
    shelf = Shelf(named())
    shelf.is_away = True
    door = access(stored=shelf)
    with pytest.raises(StorageUnavailable):
        door.identify(STORED)
    assert door.identify("sk-one") == key("sk-one")
    assert door.identify(TOKEN) == direct(TOKEN)
    assert door.identify(REFRESH) == DirectRefresh(Secret(REFRESH))
    assert refused(lambda: door.identify("Bearer nonsense")).status == 401


@pytest.mark.parametrize(
    "sent", ["sk-one", "sk-short", "x" * 46, "sk-" + "s" * 90, "sk-" + "." * 43, TOKEN, ""]
)
def test_only_what_may_be_stored_is_looked_up(sent: str) -> None:
    shelf = Shelf()
    with contextlib.suppress(Unauthorized):
        access(stored=shelf).identify(sent)
    assert shelf.asked == []


def test_uses_are_stored_now_and_then() -> None:
    shelf, time = Shelf(named()), [NOW]
    door = access(stored=shelf, now=lambda: time[0])
    for at in (0, 10, 29, 30, 45, 61):
        time[0] = NOW + at
        door.identify(STORED)
    assert shelf.uses == [{"key_1": NOW}, {"key_1": NOW + 30}, {"key_1": NOW + 61}]


def test_a_use_that_cannot_be_stored_stops_nobody() -> None:
    shelf = Shelf(named())
    shelf.jammed = True
    assert access(stored=shelf).identify(STORED) == PoolKey("key_1", None, named())


# --- what a key may be used for


def test_a_key_is_confined_to_its_scopes() -> None:
    confined = PoolKey("key_1", None, named(scopes=frozenset({"chat", "models"})))
    check_scope(confined, "chat")
    with pytest.raises(KeyScope) as caught:
        check_scope(confined, "images")
    message = "This API key may not be used for this; it lacks the scope 'images'."
    assert caught.value.info == ErrorInfo(403, "permission_error", "key_scope", message)
    for free in (key("sk-one"), PoolKey("key_1", None, named()), direct(TOKEN), Anonymous()):
        check_scope(free, "images")


def test_a_key_is_confined_to_its_models() -> None:
    confined = PoolKey("key_1", None, named(models=("gpt-5*", "o?")))
    allowed = [name for name in ("gpt-5", "gpt-5-5", "o3", "gpt-4o", "GPT-5", "auto", "o3-pro")
               if may_use_model(confined, name)]  # fmt: skip
    assert allowed == ["gpt-5", "gpt-5-5", "o3"]
    check_model(confined, "o3")
    with pytest.raises(ModelNotAllowed) as caught:
        check_model(confined, "auto")
    assert caught.value.info == ErrorInfo(
        403, "permission_error", "model_not_allowed", "This API key may not use the model 'auto'.",
        "model",
    )  # fmt: skip
    for free in (key("sk-one"), PoolKey("key_1", None, named()), direct(TOKEN), Anonymous()):
        check_model(free, "anything")


@pytest.mark.parametrize(
    ("header", "bearer"),
    [(None, ""), ("", ""), ("Bearer", ""), ("Bearer a b", "a b"), ("a", "a"), ("Basic a", None)],
)
def test_the_word_bearer(header: str | None, bearer: str | None) -> None:
    assert bearer_of(header) == bearer


# --- how keys are compared


@pytest.mark.parametrize("sent", ["sk-one", "sk-three", "sk-wrong", "sk-", TOKEN, STORED])
def test_keys_are_compared_in_constant_time(sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """G02: every configured key, then the stored one, a hit and a miss alike."""
    compared: list[tuple[Any, Any]] = []
    real = hmac.compare_digest

    def counting(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return real(one, other)

    with monkeypatch.context() as patched:
        patched.setattr(hmac, "compare_digest", counting)
        for shelf in (Shelf(named()), Shelf()):
            with contextlib.suppress(Unauthorized):
                access(stored=shelf).identify(f"Bearer {sent}")
    digest = hash_key(sent)
    configured = [(digest, hash_key(known)) for known in KEYS]
    if sent in KEYS:
        assert compared == configured * 2
    else:
        hit = digest if sent == STORED else "0" * 64
        assert compared == [*configured, (digest, hit), *configured, (digest, "0" * 64)]


def test_keys_are_held_as_keyed_hashes() -> None:
    doors, held = access(), str(vars(access()))
    assert hash_key("sk-one") in held
    assert not any(known in held for known in KEYS)
    assert [doors.identify(key) for key in KEYS] == list(map(PoolKey, doors.configured_ids))


def test_what_is_logged_of_a_caller_tells_no_key() -> None:
    shown = repr([access().identify(sent) for sent in ("sk-one", TOKEN, REFRESH)])
    assert not any(sent in shown for sent in ("sk-one", TOKEN, REFRESH))


# --- decision 21


def test_a_forced_login_concerns_the_keyless() -> None:
    told = login_required_for(Anonymous(), "Log in.")
    assert isinstance(told, LoginRequired)
    assert (told.status, told.code, told.message) == (401, "login_required", "Log in.")
    assert [login_required_for(c, "Log in.") for c in (key("sk-one"), direct(TOKEN))] == [None] * 2
