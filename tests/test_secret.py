"""A secret shows itself only when asked to."""

from __future__ import annotations

import logging
import traceback

import pytest

from chat2api.secret import Secret

TOKEN = "eyJ-very-private"


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret(TOKEN)),
        str(Secret(TOKEN)),
        f"{Secret(TOKEN)}",
        f"{Secret(TOKEN)!r:>40}",
        f"{Secret(TOKEN):>40}",
        "%s" % Secret(TOKEN),  # noqa: UP031 — the old spelling is what is tested
        repr({"key": [Secret(TOKEN)]}),
    ],
)
def test_no_way_of_printing_shows_it(shown: str) -> None:
    assert "***" in shown
    assert TOKEN not in shown


def test_it_does_not_show_in_logs_and_tracebacks(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("using %s", Secret(TOKEN))
    try:
        raise ValueError(Secret(TOKEN))
    except ValueError:
        assert TOKEN not in caplog.text + traceback.format_exc()


def test_reveal_is_the_only_way() -> None:
    assert Secret(TOKEN).reveal() == TOKEN
    assert not hasattr(Secret(TOKEN), "__dict__")


def test_equal_texts_are_equal_secrets() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_empty_secret_counts_as_none() -> None:
    assert not Secret("")
    assert Secret("x")
