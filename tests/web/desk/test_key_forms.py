"""The form of a key: what was typed, what it means, what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.errors import RequestError
from chat2api.store.api_keys import SCOPES, ApiKey
from chat2api.web.desk.key_forms import (
    KeyFields,
    arguments,
    changes_between,
    described,
    fields_of,
    problem_text,
    read_fields,
)
from chat2api.web.forms import Form

END = 1_763_647_200.0  # 2025-11-20 14:00 UTC


def key(**values: Any) -> ApiKey:
    return ApiKey("key_1", "Bob", "named", "sk-…abcd", "hash", **values)


@pytest.fixture
def somewhere(site: Any) -> Any:
    """A request of somebody in a time zone."""

    def within(zone: str = "UTC") -> Any:
        return site.app.test_request_context("/", headers={"Cookie": f"tz={zone}"})

    return within


def test_what_was_not_sent_stays(somewhere: Any) -> None:
    held = key(scopes=frozenset({"chat"}), models=("gpt-*", "o3"), daily_tokens=7, expires_at=END)
    with somewhere():
        before = fields_of(held)
        assert read_fields(Form({}), before) == before
        changed = read_fields(Form({"label": (" Eve ",), "daily_tokens": ("",)}), before)
        assert arguments(changed, held) == {
            "label": "Eve", "scopes": ["chat"], "models": ["gpt-*", "o3"],
            "requests_per_minute": None, "daily_tokens": None, "expires_at": END,
        }  # fmt: skip


def test_all_ticked_is_no_limit_and_none_ticked_is_a_mistake(somewhere: Any) -> None:
    with somewhere():
        assert arguments(read_fields(Form({"label": ("x",)})))["scopes"] == ()
        every = Form({"form": ("whole",), "scope": tuple(SCOPES)})
        assert arguments(read_fields(every))["scopes"] == ()
        some = Form({"form": ("whole",), "scope": ("models", "chat")})
        assert arguments(read_fields(some))["scopes"] == ["chat", "models"]
        with pytest.raises(RequestError) as caught:
            arguments(read_fields(Form({"form": ("whole",)})))
        assert caught.value.param == "scopes"


@pytest.mark.parametrize(
    ("text", "number"), [("", None), ("10", 10), ("1,000", 1000), ("10 000", 10_000)]
)
def test_numbers(somewhere: Any, text: str, number: int | None) -> None:
    with somewhere():
        assert arguments(KeyFields(daily_tokens=text))["daily_tokens"] == number


@pytest.mark.parametrize("text", ["-1", "1.5", "nan", "1e9", "9" * 21, "ten", "١", "²"])
@pytest.mark.parametrize("name", ["requests_per_minute", "daily_tokens"])
def test_what_is_no_number(somewhere: Any, name: str, text: str) -> None:
    with somewhere(), pytest.raises(RequestError) as caught:
        arguments(KeyFields(**{name: text}))
    assert caught.value.param == name


@pytest.mark.parametrize(
    ("zone", "ends"),
    [("UTC", 1_763_683_200.0), ("Asia/Shanghai", 1_763_654_400.0)],
)
def test_a_key_is_valid_through_a_day_of_whoever_chose_it(
    somewhere: Any, zone: str, ends: float
) -> None:
    with somewhere(zone):
        chosen = arguments(KeyFields(expires="2025-11-20"))["expires_at"]
        assert chosen == ends
        assert fields_of(key(expires_at=chosen)).expires == "2025-11-20"
        assert arguments(KeyFields(expires="2025-11-20"), key(expires_at=END))["expires_at"] == END


@pytest.mark.parametrize("text", ["tomorrow", "2025-13-01", "9999-12-31", "2025-11-20T00:00", "0"])
def test_what_is_no_day(somewhere: Any, text: str) -> None:
    with somewhere(), pytest.raises(RequestError) as caught:
        arguments(KeyFields(expires=text))
    assert caught.value.param == "expires_at"


def test_every_field_has_its_own_words(site: Any) -> None:
    with site.app.test_request_context("/"):
        texts = [
            problem_text(name)
            for name in ("label", "scopes", "models", "expires_at", "daily_tokens", "other", None)
        ]
    assert len(set(texts)) == 6


def test_what_differs() -> None:
    before, after = key(daily_tokens=5), key(daily_tokens=9)
    assert changes_between(before, after) == {"daily_tokens": (5, 9)}
    assert changes_between(before, before) == {}
    assert "hash" not in str(described(before))
