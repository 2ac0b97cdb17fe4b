import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.secret import Secret
from chat2api.settings.convert import convert, split_list
from chat2api.settings.fields import FALSE_WORDS, TRUE_WORDS, setting_fields

FIELDS = setting_fields()
SWITCH = FIELDS["enable_limit"]

words = st.text("abcdefghijklmnopqrstuvwxyzäé中0123456789-_./:", min_size=1, max_size=12)


def cased(word):
    return st.tuples(*(st.sampled_from([c.lower(), c.upper()]) for c in word)).map("".join)


@given(st.sampled_from(TRUE_WORDS).flatmap(cased), st.sampled_from(["", " ", "\t"]))
def test_true_words_in_any_case(word, blank):
    assert convert(SWITCH, blank + word + blank) is True


@given(st.sampled_from(FALSE_WORDS).flatmap(cased))
def test_false_words_in_any_case(word):
    assert convert(SWITCH, word) is False


@given(st.text().filter(lambda t: t.strip().lower() not in {*TRUE_WORDS, *FALSE_WORDS}))
def test_any_other_word_is_refused(text):
    with pytest.raises(ValueError, match="must be true, 1"):
        convert(SWITCH, text)


@pytest.mark.parametrize("value", [1, 0, 1.0, None, ["true"], {}])
def test_a_switch_in_yaml_is_a_switch_or_a_word(value):
    with pytest.raises(ValueError, match="must be true"):
        convert(SWITCH, value)


@given(st.lists(words, min_size=1), st.sampled_from([",", " , ", "\n", ",\r\n"]))
def test_a_list_reads_the_same_in_every_notation(items, separator):
    assert split_list(separator.join(items)) == items
    assert split_list(json.dumps(items)) == items
    assert split_list(json.dumps(items, ensure_ascii=False, indent=1)) == items
    assert split_list(repr(items)) == items
    assert split_list("," + separator.join(items) + ", ,") == items


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a, b]", "neither a JSON array nor"),
        ("[1, 2]", "must be text"),
        ('["a", null]', "must be text"),
        ("[" * 5000 + "]", "neither a JSON array nor"),
        ("[__import__('os')]", "neither a JSON array nor"),
    ],
)
def test_a_broken_list_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        split_list(text)


def test_duplicate_keys_count_once_and_are_secret():
    assert convert(FIELDS["authorization"], "b, a,b") == (Secret("b"), Secret("a"))
    assert convert(FIELDS["authorization"], ["x", " x "]) == (Secret("x"),)


@given(st.integers(-(10**20), 10**20))
def test_whole_numbers(number):
    assert convert(FIELDS["port"], f" {number} ") == number
    assert convert(FIELDS["port"], number) == number


@pytest.mark.parametrize(
    "value", ["5005.0", "5_005", "0x10", "five", "٣", True, 5005.0, "1" * 5000]
)
def test_what_is_no_whole_number(value):
    with pytest.raises(ValueError, match="must be a whole number from 0 to 65535"):
        convert(FIELDS["port"], value)


@pytest.mark.parametrize(("text", "number"), [("2", 2), ("0.5", 0.5), (".5", 0.5), ("1e2", 100)])
def test_numbers(text, number):
    assert convert(FIELDS["drain_seconds"], text) == number


@pytest.mark.parametrize("value", ["inf", "nan", "1_0", "", "1s", False])
def test_what_is_no_number(value):
    with pytest.raises(ValueError, match="must be a number above 0"):
        convert(FIELDS["drain_seconds"], value)


def test_choices_are_read_in_any_case():
    assert convert(FIELDS["log_level"], " WARNING") == "warning"


def test_a_mapping_is_a_json_object_of_texts():
    field = FIELDS["model_aliases"]
    assert convert(field, '{"a": "b"}') == {"a": "b"}
    assert convert(field, {"a": "b"}) == {"a": "b"}
    for wrong in ('["a"]', "a=b", "{" * 100_000, '{"a": 1}', {"a": True}, {1: "b"}):
        with pytest.raises(ValueError, match="must be a JSON object whose values are text"):
            convert(field, wrong)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pow_difficulty", 32),  # what YAML makes of 000032
        ("host", 1.5),
        ("turnstile", False),
        ("data_dir", 1),
        ("authorization", 12345),
    ],
)
def test_yaml_numbers_for_text_ask_for_quotes(name, value):
    with pytest.raises(ValueError, match="put the value in quotes"):
        convert(FIELDS[name], value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auth_key", "a\r\nX-Injected: 1"),
        ("user_agent", "a\x00b"),
        ("authorization", ["a\nb"]),
        ("upstream_headers", {"x": "a\nb"}),
    ],
)
def test_control_characters_are_refused(name, value):
    with pytest.raises(ValueError, match="control characters"):
        convert(FIELDS[name], value)


def test_accounts_are_read_by_the_file_only():
    field = FIELDS["chatgpts"]
    assert convert(field, ()) == ()
    for value in ("eyJ", ["eyJ"], {}):
        with pytest.raises(ValueError, match="must be a list of accounts"):
            convert(field, value)
