"""One field of a form with files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.filepost import encode_multipart_formdata

from chat2api.codecs.errors import CodecError
from chat2api.codecs.multipart import boundary_of, field_of, with_field

MARK = b"xyz"


def form(*fields: tuple[str, object]) -> bytes:
    return encode_multipart_formdata(list(fields), MARK.decode())[0]


PICTURE = b"\x89PNG\r\n\r\n--xy\r\n--xy--model"
FORM = form(
    ("image[]", ("a.png", PICTURE, "image/png")),
    ("prompt", "A 猫\r\n\r\nand so on"),
    ("model", "painter"),
    ("empty", ""),
)


@pytest.mark.parametrize(
    ("name", "text"),
    [("model", "painter"), ("prompt", "A 猫\r\n\r\nand so on"), ("empty", ""), ("image[]", None), ("mode", None)],
)  # fmt: skip
def test_fields_are_found(name: str, text: str | None) -> None:
    assert field_of(FORM, MARK, name) == text
    assert field_of(b"preamble\r\n" + FORM + b"epilogue", MARK, name) == text


@pytest.mark.parametrize("name", ["model", "empty", "prompt"])
def test_a_field_is_changed_and_nothing_else(name: str) -> None:
    changed = with_field(FORM, MARK, name, "größer")
    assert field_of(changed, MARK, name) == "größer"
    before = field_of(FORM, MARK, name)
    assert before is not None
    assert with_field(changed, MARK, name, before) == FORM
    assert PICTURE in changed


def test_a_field_that_is_not_there_cannot_be_changed() -> None:
    with pytest.raises(CodecError):
        with_field(FORM, MARK, "size", "1")


def test_other_spellings_of_a_head() -> None:
    body = b"--xyz\r\ncontent-disposition: form-data; name=model\r\nX: y\r\n\r\na\r\n--xyz--"
    assert field_of(body, MARK, "model") == "a"


@pytest.mark.parametrize(
    "body",
    [b"", b"model=x", FORM[:80], b"--xyz\r\nno head", b"--xyz\r\nA: b\r\n\r\nno end", FORM[:-6]],
)
def test_what_is_no_form(body: bytes) -> None:
    with pytest.raises(CodecError):
        field_of(body, MARK, "size")


@given(st.binary(max_size=80))
def test_no_bytes_break_the_reader(noise: bytes) -> None:
    for body in (noise, b"--xyz" + noise, FORM[:100] + noise):
        try:
            found = field_of(body, MARK, "model")
        except CodecError:
            continue
        assert found is None or isinstance(found, str)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz-\r\n ", max_size=12)), max_size=4))
def test_what_is_read_is_all_there_is(fields: list[tuple[str, str]]) -> None:
    body = form(*fields, ("model", "m"))
    for name in "abc":
        texts = [text for key, text in fields if key == name]
        try:
            assert [field_of(body, MARK, name)] == (texts or [None])
        except CodecError:
            assert len(texts) > 1
    try:
        assert field_of(with_field(body, MARK, "model", "other"), MARK, "model") == "other"
    except CodecError:
        assert any("--xyz" in text for _, text in fields)


SAFE = '--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\nsafe\r\n'
DEAR = 'Content-Disposition: form-data; name="model"'


@pytest.mark.parametrize(
    "other",
    [
        f"--xyz\r\n{DEAR}\r\n\r\ndear\r\n",
        f'--xyz\r\n{DEAR}; filename="a"\r\n\r\ndear\r\n',
        f'--xyz\r\nContent-Disposition: form-data; name="a"\r\n{DEAR}\r\n\r\ndear\r\n',
        f'--xyz\r\n{DEAR}; name="a"\r\n\r\ndear\r\n',
        "--xyz\r\nContent-Disposition: form-data; name*=utf-8''model\r\n\r\ndear\r\n",
        '--xyz\r\nContent-Disposition: form-data; name="mod\\el"\r\n\r\ndear\r\n',
        '--xyz\r\nContent-Disposition: form-data;\r\n name="model"\r\n\r\ndear\r\n',
        f'--xyz\r\nContent-Disposition: form-data; name="a"\n{DEAR}\r\n\r\ndear\r\n',
        f'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\n--xyz\n{DEAR}\n\ndear\r\n',
        f'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n--xyz \r\n{DEAR}\r\n\r\ndear\r\n',
    ],
)
def test_forms_that_others_might_read_in_another_way_are_refused(other: str) -> None:
    for body in (f"{SAFE}{other}--xyz--\r\n", f"{other}{SAFE}--xyz--\r\n"):
        with pytest.raises(CodecError):
            field_of(body.encode(), MARK, "model")


def test_nothing_follows_the_end() -> None:
    with pytest.raises(CodecError):
        field_of(f"{SAFE}--xyz--\r\n{SAFE}--xyz--".encode(), MARK, "model")


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=xyz", b"xyz"),
        ('Multipart/Form-Data; charset=utf-8; boundary="x y"', b"x y"),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=a; Boundary=b", None),
        ("multipart/form-data; boundary*=utf-8''a", None),
        ("multipart/form-data; boundary=" + "x" * 201, None),
        ("application/json", None),
        ("", None),
    ],
)
def test_boundaries(content_type: str, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary
