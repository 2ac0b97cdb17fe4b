import pytest

from chat2api.settings.bearer import strip_bearer, without_bearer


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Bearer sk-a", "sk-a"),
        (" bearer \t sk-a ", "sk-a"),
        ("sk-a", "sk-a"),
        ("bearersk-a", "bearersk-a"),
        ("Bearer", "Bearer"),
        ("", ""),
    ],
)
def test_the_word_is_taken_off_once(text, key):
    assert strip_bearer(text) == key


def test_lists_and_other_values():
    assert without_bearer(["Bearer a", 1, "b"]) == ["a", 1, "b"]
    assert without_bearer("Bearer a") == "a"
    assert without_bearer(7) == 7
