"""The verifier and its challenge (RFC 7636, appendix B)."""

from __future__ import annotations

import re

from chat2api.providers.oauth.pkce import challenge_of, new_state, new_verifier
from chat2api.secret import Secret


def test_the_example_of_the_standard() -> None:
    verifier = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_each_is_new_and_may_be_sent() -> None:
    made = [new().reveal() for new in (new_verifier, new_state) for _ in range(20)]
    assert len(set(made)) == 40
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43,128}", one) for one in made)
