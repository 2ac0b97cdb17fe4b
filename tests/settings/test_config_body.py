import pytest

from chat2api.errors import Conflict, RequestError
from chat2api.settings.config_body import (
    Wanted,
    as_index,
    as_list,
    as_object,
    as_text,
    as_wanted,
)
from chat2api.settings.mask import mask_secret

STORED = "sk-0123456789abcdef"


def refused(call, *arguments, **options):
    with pytest.raises(RequestError) as caught:
        call(*arguments, **options)
    info = caught.value.info
    assert info.status == 400
    return info.param, info.message


def refuse(text):
    raise ValueError("must be small")


@pytest.mark.parametrize(
    ("call", "arguments", "param", "message"),
    [
        (as_object, ([], "a", ()), "a", "a: must be an object."),
        (as_object, ({"x": 1}, "a", ("y",)), "a.x", "a.x: is not a known field."),
        (as_object, ({"x": 1}, "body", ("y",)), "x", "x: is not a known field."),
        (as_list, (None, "a"), "a", "a: must be a list."),
        (as_text, (None, "a"), "a", "a: must be text."),
        (
            as_text,
            ("planted\nb", "a"),
            "a",
            "a: must not contain line breaks or control characters.",
        ),
        (
            as_text,
            ("planted\u2028b", "a"),
            "a",
            "a: must not contain line breaks or control characters.",
        ),
        (as_text, ("planted", "a", refuse), "a", "a: must be small."),
        (as_index, (True, "a", 3), "a", "a: must be a whole number."),
        (as_index, (1.0, "a", 3), "a", "a: must be a whole number."),
        (as_index, (3, "a", 3), "a", "a: is no item of the stored list; use -1 for a new one."),
        (as_index, (-2, "a", 3), "a", "a: is no item of the stored list; use -1 for a new one."),
    ],
)
def test_wrong_types_are_told_with_their_place(call, arguments, param, message):
    assert refused(call, *arguments) == (param, message)


def test_right_ones_pass():
    assert as_text("  a b ", "a") == "a b"
    assert as_text(" ", "a", refuse) == ""
    assert [as_index(index, "a", 2) for index in (-1, 0, 1)] == [-1, 0, 1]


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ("text", "t"),
        ({"index": "0"}, "t.index"),
        ({"set": 1}, "t.set"),
        ({"value": 7}, "t.value"),
        ({"masked": 7}, "t.masked"),
        ({"secret": "x"}, "t.secret"),
        ({"value": mask_secret(STORED)}, "t.value"),
        ({"value": "***"}, "t.value"),
    ],
)
def test_a_secret_has_its_form(value, param):
    assert refused(as_wanted, value, "t", count=1, strip=str.strip)[0] == param


def wanted(index=0, keep=False, value="", masked=""):
    return Wanted(index, keep, value, masked, "t")


def test_what_becomes_of_a_secret():
    assert wanted(value="new", keep=True).resolve(STORED) == "new"
    assert wanted(keep=True).resolve(STORED) == STORED
    assert wanted(keep=True, masked=mask_secret(STORED)).resolve(STORED) == STORED
    assert wanted().resolve(STORED) == ""
    assert refused(wanted(keep=True).resolve, None)[0] == "t"
    assert refused(wanted(keep=True).resolve, "")[0] == "t"


def test_a_kept_secret_must_be_the_one_seen():
    with pytest.raises(Conflict) as caught:
        wanted(keep=True, masked="sk-zzz...zzzz").resolve(STORED)
    info = caught.value.info
    assert (info.status, info.type, info.code) == (409, "conflict_error", "version_conflict")
    assert info.retry_after == 1
