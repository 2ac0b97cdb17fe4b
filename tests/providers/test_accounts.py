"""What a provider does with an account: renews its token, appears as it did, counts under its limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import Finish
from chat2api.pool.values import Credential, Look, StoredCredential
from chat2api.providers.protocol import RefreshFailed, RefreshRefused
from chat2api.secret import Secret
from chat2api.simulator.behaviours import Behaviour


def login(stage: Any, kind: str = "rt") -> StoredCredential:
    """A login of the simulated upstream, as the store holds it."""
    client = stage.upstream.app.test_client()
    found = client.post("/_sim/accounts", json={"name": "ann", "refresh": kind}).get_json()
    token = Secret(found["refresh_token"])
    return StoredCredential("cred_1", 1, None, token, client_id=found["client_id"])


@pytest.mark.parametrize("kind", ["rt", "legacy"])
def test_a_refresh_token_is_exchanged(simulated: Any, kind: str) -> None:
    stage = simulated()
    grant = stage.provider.refresh(login(stage, kind), stage.io)
    assert grant.expires_at > stage.clock.now
    stage.credential = Credential("ann", grant.access_token)
    assert isinstance(stage.turn("/sim text")[-1], Finish)


def test_a_spent_refresh_token_is_refused_for_good(simulated: Any) -> None:
    stage = simulated()
    stored = login(stage)
    first = stage.provider.refresh(stored, stage.io)
    with pytest.raises(RefreshRefused) as refused:
        stage.provider.refresh(stored, stage.io)
    assert refused.value.reason == "refresh_token_reused"
    assert first.refresh_token not in (None, stored.refresh_token)


@pytest.mark.parametrize("fault", ["status", "rate", "page", "reset"])
def test_an_endpoint_that_fails_refuses_nothing(simulated: Any, fault: str) -> None:
    stage = simulated()
    stored = login(stage)
    wish = Behaviour(endpoint="oauth_token", faults=(fault,), times=None)
    stage.simulator.behaviours.set_defaults([wish])
    with pytest.raises(RefreshFailed):
        stage.provider.refresh(stored, stage.io)


def test_an_account_appears_as_it_did_elsewhere(stage: Any) -> None:
    look = Look(user_agent="Mozilla/5.0 (Macintosh) Own/1.0", device_id="device-of-old")
    stage.credential = replace(stage.credential, look=look)
    stage.turn()
    (request,) = stage.upstream.sent("POST /backend-api/f/conversation")
    assert request.headers["User-Agent"] == look.user_agent
    assert CaseInsensitiveDict(request.headers)["oai-device-id"] == look.device_id


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("auto", "auto"),
        ("gpt-5-5", "gpt-5-5"),
        ("gpt-5.5", "gpt-5-5"),
        ("mine", "gpt-5-5"),
        ("gpt-5-5-gizmo-g-abc", "gpt-5-5"),
        ("m" * 256, "m" * 200),
    ],
)
def test_names_that_lead_to_one_model_share_its_limits(stage: Any, name: str, key: str) -> None:
    stage.options["aliases"] = {"mine": "gpt-5.5"}
    assert stage.provider.limit_key(Conversation(name, ())) == key
