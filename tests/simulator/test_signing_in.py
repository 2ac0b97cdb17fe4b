"""Device codes and authorization codes: who may have them, how often, how long."""

from __future__ import annotations

import pytest

from chat2api.simulator.config import Config
from chat2api.simulator.signing_in import AuthorizationCode, SigningIn, challenge_of, new_verifier

REDIRECT = "http://localhost:1455/auth/callback"


@pytest.fixture
def signing_in(now: list[float]) -> SigningIn:
    return SigningIn(lambda: Config(device_interval=5, device_seconds=60), lambda: now[0])


def test_a_code_is_settled_once(signing_in: SigningIn) -> None:
    login = signing_in.begin("app_1")
    assert signing_in.decide(f" {login.user_code.lower()} ", "ann") is login
    assert (login.decision, login.account) == ("approved", "ann")
    assert signing_in.decide(login.user_code, None) is None
    assert signing_in.decide("NOPE-NOPE", "ann") is None


def test_a_code_ends(signing_in: SigningIn, now: list[float]) -> None:
    early, late = signing_in.begin("app_1"), signing_in.begin("app_1")
    signing_in.expire(early)
    assert (signing_in.is_over(early), signing_in.is_over(late)) == (True, False)
    assert signing_in.decide(early.user_code, "ann") is None
    now[0] += 60
    assert [one.as_json(now[0])["state"] for one in signing_in.all()] == ["expired", "expired"]


def test_questions_are_counted_and_their_pace_is_seen(
    signing_in: SigningIn, now: list[float]
) -> None:
    login = signing_in.begin("app_1")
    in_time = []
    for pause in (0, 5, 2):
        now[0] += pause
        in_time.append(signing_in.polled(login))
    assert (in_time, login.polls, login.too_fast) == ([True, True, False], 3, 1)


def test_an_authorization_code_is_good_once(signing_in: SigningIn) -> None:
    verifier = new_verifier()
    code = signing_in.grant("ann", "app_1", REDIRECT, challenge_of(verifier))
    found = signing_in.redeem(code, "app_1", REDIRECT, verifier)
    assert isinstance(found, AuthorizationCode)
    assert found.account == "ann"
    assert signing_in.redeem(code, "app_1", REDIRECT, verifier) == "used"


@pytest.mark.parametrize(
    ("client", "redirect", "is_right", "pause", "why"),
    [
        ("app_2", REDIRECT, True, 0, "wrong_client"),
        ("app_1", "http://localhost:1457/auth/callback", True, 0, "wrong_redirect"),
        ("app_1", REDIRECT, False, 0, "wrong_verifier"),
        ("app_1", REDIRECT, True, 600, "expired"),
    ],
)
def test_nothing_but_the_right_hands(
    signing_in: SigningIn,
    now: list[float],
    client: str,
    redirect: str,
    is_right: bool,
    pause: float,
    why: str,
) -> None:
    verifier = new_verifier()
    code = signing_in.grant("ann", "app_1", REDIRECT, challenge_of(verifier))
    now[0] += pause
    shown = verifier if is_right else new_verifier()
    assert signing_in.redeem(code, client, redirect, shown) == why
    assert signing_in.redeem(code, "app_1", REDIRECT, verifier) == "used"
    assert signing_in.redeem("ac_none", "app_1", REDIRECT, verifier) == "unknown"
