"""What a text offers to fill in a form."""

from __future__ import annotations

import pytest

from chat2api.simulator.mind.muse import Muse, telling, words


def test_words_of_names_and_of_sentences() -> None:
    assert words("get_weatherForecasts now") == ["get", "weather", "forecast", "now"]
    assert telling("What's the weather like in San Francisco?") == ["weather", "san", "francisco"]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("What's the weather like in San Francisco?", ["San Francisco"]),
        ("Weather in Paris, Tokyo, and New York, NY please", ["Paris", "Tokyo", "New York, NY"]),
        ("from Oslo to Rome", ["Oslo", "Rome"]),
        ("is it raining in london now", ["london"]),
        ("北京今天天气怎么样", ["北京"]),
        ("Nothing here", []),
    ],
)
def test_places(text: str, places: list[str]) -> None:
    assert Muse(text).places == places


def test_names_do_not_merely_begin_a_sentence() -> None:
    assert Muse("What do Alice and Bob Dylan do on Friday? They sing.").names == [
        "Alice",
        "Bob Dylan",
    ]


def test_numbers_and_quotations_come_in_turn() -> None:
    muse = Muse("add -2.5 and 7 to \"x y\" or 'z', it's v1")
    assert [muse.number() for _ in range(3)] == [-2.5, 7, -2.5]
    assert [muse.words_for("query"), muse.words_for("anything")] == ["x y", "z"]
    muse.rewind()
    assert muse.number() == -2.5
    assert Muse("none").number() is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("location", "Rome"),
        ("query", "Does Alice live in Rome"),
        ("full_name", "Alice"),
        ("whatever", "Rome"),
    ],
)
def test_words_for_a_property(name: str, words: str) -> None:
    assert Muse("Does Alice live  in\nRome").words_for(name) == words


def test_a_text_without_anything() -> None:
    assert Muse("").words_for("location") == "something"
    assert Muse("").words_for("query") == "nothing"


def test_what_is_mentioned() -> None:
    muse = Muse("in degrees Celsius")
    assert muse.mentions("celsius")
    assert muse.mentions("degree_celsius")
    assert not muse.mentions("fahrenheit")
    assert not muse.mentions("")
