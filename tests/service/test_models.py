"""The list of models: kept a while, and never missing for the upstream's sake."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from chat2api.errors import (
    ClientGone,
    UnknownModel,
    UpstreamAuthFailed,
    UpstreamConnectionError,
    UpstreamRenewalFailed,
)
from chat2api.pool.values import Account, Credential, Need
from chat2api.providers.protocol import Model
from chat2api.secret import Secret
from chat2api.service.access import Anonymous, Direct, DirectRefresh, PoolKey, Principal
from chat2api.service.models import ModelCatalog

Stage = Any
KEY = PoolKey("key-id")
OWN = Direct(Credential("own", Secret("fk-own")))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalog(stage: Stage, clock: Clock) -> ModelCatalog:
    stage.provider.listed = [Model("gpt-5-6", created=7), Model("gpt-4o")]
    return ModelCatalog(
        stage.provider,
        stage.pool,
        stage.egress(),
        stage.tokens,
        fallback=("gpt-built-in",),
        aliases=("house-model", "gpt-4o"),
        clock=clock,
    )


def names(catalog: ModelCatalog, stage: Stage, caller: Principal = KEY) -> list[str]:
    return [model.name for model in catalog.available(caller, stage.call)]


THEIRS = ["auto", "gpt-4o", "gpt-5-6", "house-model"]
OURS = ["auto", "gpt-4o", "gpt-built-in", "house-model"]


def test_the_upstreams_list_with_our_names_sorted_and_each_once(
    catalog: ModelCatalog, stage: Stage
) -> None:
    assert catalog.available(KEY, stage.call) == [
        Model("auto"),
        Model("gpt-4o"),
        Model("gpt-5-6", created=7),
        Model("house-model"),
    ]
    assert stage.pool.books == []  # a question takes no slot from the chats
    assert stage.pool.needs == [Need("fake", "auto")]


def test_it_is_asked_for_every_five_minutes(
    catalog: ModelCatalog, stage: Stage, clock: Clock
) -> None:
    for moved, asked in ((0, 1), (299, 1), (2, 2)):
        clock.now += moved
        assert names(catalog, stage) == THEIRS
        assert len(stage.provider.asked) == asked


def test_callers_of_different_kinds_have_lists_of_their_own(
    catalog: ModelCatalog, stage: Stage
) -> None:
    other = Direct(Credential("other", Secret("fk-other")))
    for caller in (KEY, OWN, other, Anonymous(), PoolKey("another"), OWN, Anonymous()):
        names(catalog, stage, caller)
    assert [credential.subject for credential, _ in stage.provider.asked] == [
        "subject-a",
        "own",
        "other",
        "anonymous",
    ]
    assert len(stage.pool.needs) == 1


@pytest.mark.parametrize(
    "error", [UpstreamConnectionError("Down."), UpstreamAuthFailed("Expired.")]
)
def test_the_built_in_list_stands_in(
    catalog: ModelCatalog,
    stage: Stage,
    clock: Clock,
    error: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage.provider.listed = error
    with caplog.at_level(logging.INFO):
        assert names(catalog, stage) == OURS
    assert caplog.messages == [f"model list not available: {error.code} ({error})"]  # type: ignore[attr-defined]
    names(catalog, stage)
    assert len(stage.provider.asked) == 1  # not asked again at once
    clock.now += 31
    stage.provider.listed = [Model("gpt-5-6")]
    assert names(catalog, stage) == THEIRS


def test_the_list_of_before_is_better_than_none(
    catalog: ModelCatalog, stage: Stage, clock: Clock
) -> None:
    names(catalog, stage)
    nothing: list[Model] = []
    for worse in (UpstreamConnectionError("Down."), nothing):
        stage.provider.listed = worse
        clock.now += 301
        assert names(catalog, stage) == THEIRS


def test_an_empty_pool_is_no_trouble(catalog: ModelCatalog, stage: Stage) -> None:
    stage.pool.accounts = []
    assert names(catalog, stage) == OURS
    assert stage.provider.asked == []


def test_a_caller_who_left_is_told_so(catalog: ModelCatalog, stage: Stage) -> None:
    gone = ClientGone("The caller hung up.")
    stage.call.cancel(gone)
    with pytest.raises(ClientGone):
        names(catalog, stage)


def test_others_are_not_kept_waiting_while_one_asks(
    catalog: ModelCatalog, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking, answer = threading.Event(), threading.Event()

    def slowly(*_: object) -> list[Model]:
        asking.set()
        assert answer.wait(2)
        return [Model("gpt-5-6")]

    monkeypatch.setattr(stage.provider, "models", slowly)
    first: list[str] = []
    asker = threading.Thread(target=lambda: first.extend(names(catalog, stage)))
    asker.start()
    assert asking.wait(2)
    assert names(catalog, stage) == OURS
    answer.set()
    asker.join(2)
    assert first == names(catalog, stage) == THEIRS


def test_the_way_out_is_the_credentials(stage: Stage, catalog: ModelCatalog) -> None:
    names(catalog, stage, OWN)
    ((credential, io),) = stage.provider.asked
    assert (credential, io.call, io.compute, io.proxy) == (
        OWN.credential,
        stage.call,
        stage.compute,
        None,
    )


def test_find(catalog: ModelCatalog, stage: Stage) -> None:
    assert catalog.find("gpt-5-6", KEY, stage.call) == Model("gpt-5-6", created=7)
    assert catalog.find("house-model", KEY, stage.call) == Model("house-model")
    with pytest.raises(UnknownModel) as caught:
        catalog.find("x" * 500, KEY, stage.call)
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")
    assert len(caught.value.message) < 200


def test_lists_of_passing_tokens_do_not_pile_up(catalog: ModelCatalog, stage: Stage) -> None:
    for number in range(1100):
        names(catalog, stage, Direct(Credential(f"own-{number}", Secret("fk-own"))))
    assert len(catalog._kept) == 1000


def test_a_brought_refresh_token_has_a_list_of_its_own(catalog: ModelCatalog, stage: Stage) -> None:
    brought = Credential("bearer", Secret("fk-brought"), "team")
    stage.tokens.brought = Account("bearer", "", brought)
    token = Secret("rt_brought000000000000000")
    for caller in (DirectRefresh(token), DirectRefresh(token, "team"), DirectRefresh(token)):
        assert names(catalog, stage, caller) == THEIRS
    assert [credential for credential, _ in stage.provider.asked] == [brought, brought]
    assert stage.tokens.asked == [("bearer", token.reveal())] * 2
    assert token.reveal() not in repr(catalog._kept)


def test_a_brought_token_that_cannot_be_renewed_is_no_trouble(
    catalog: ModelCatalog, stage: Stage
) -> None:
    stage.tokens.brought = UpstreamRenewalFailed("Later.")
    assert names(catalog, stage, DirectRefresh(Secret("rt_brought000000000000000"))) == OURS
    assert stage.provider.asked == []


def test_what_is_known_without_asking(catalog: ModelCatalog, stage: Stage) -> None:
    assert catalog.known() == OURS
    names(catalog, stage)
    assert catalog.known() == THEIRS
