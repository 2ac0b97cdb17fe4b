"""One text field of a form with files, read or changed where it stands. No I/O.

The files themselves are neither parsed nor copied piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message

from chat2api.codecs.errors import CodecError

_LINE_END = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_LAST = b"--"
_NAME = re.compile(r"[\w.\[\]-]{1,100}")
_LONGEST_HEAD = 16_384
_LONGEST_BOUNDARY = 200


def boundary_of(content_type: str) -> bytes | None:
    """The boundary that a Content-Type names; None where it is no form with files, or names several."""
    if not content_type.lower().startswith("multipart/form-data"):
        return None
    named = [value for key, value in _parameters(content_type) if key == "boundary"]
    if len(named) != 1 or not isinstance(named[0], str) or not named[0].isascii():
        return None
    return named[0].encode() if 0 < len(named[0]) <= _LONGEST_BOUNDARY else None


def field_of(body: bytes, boundary: bytes, name: str) -> str | None:
    """The text of the field of that name; None where there is none. Raises CodecError for what is no such
    form, and for one that others might read in another way: what is read here must be what counts there."""
    span = _span(body, boundary, name)
    return None if span is None else body[slice(*span)].decode("utf-8", "replace")


def with_field(body: bytes, boundary: bytes, name: str, value: str) -> bytes:
    """The same form with another text in a field that is there. Raises CodecError."""
    span = _span(body, boundary, name)
    if span is None:
        raise CodecError(f"the form has no field {name}")
    return body[: span[0]] + value.encode() + body[span[1] :]


def _span(body: bytes, boundary: bytes, name: str) -> tuple[int, int] | None:
    """Where the field's text begins and ends."""
    found: list[tuple[int, int] | None] = []
    for begin, end in _parts(body, b"--" + boundary):
        head_end = body.find(_HEAD_END, begin, min(begin + _LONGEST_HEAD, end))
        content = head_end + len(_HEAD_END)
        if head_end < 0:
            raise CodecError("the form is cut short")
        called, is_file = _named(body[begin:head_end])
        if called == name:
            found.append(None if is_file else (content, end))
    if len(found) > 1:
        raise CodecError(f"the form has several fields {name}")
    return found[0] if found else None


def _parts(body: bytes, mark: bytes) -> Iterator[tuple[int, int]]:
    """From behind the line of a part's boundary to the line end before the next."""
    begin, at = 0, body.find(mark)
    while at >= 0:
        behind = at + len(mark)
        starts_line = at == 0 or body.startswith(_LINE_END, at - len(_LINE_END))
        line_end = body[behind : behind + len(_LINE_END)]
        if starts_line and line_end in (_LINE_END, _LAST):
            if begin:
                yield begin, at - len(_LINE_END)
            if line_end == _LAST:
                if body.find(mark, behind) >= 0:
                    raise CodecError("the form goes on behind its end")
                return
            begin = behind + len(_LINE_END)
        elif starts_line or body[at - 1 : at] in b"\r\n":
            raise CodecError("a line begins like a boundary and is none")
        at = body.find(mark, behind)
    raise CodecError("the form is cut short" if begin else "the form does not begin")


def _named(head: bytes) -> tuple[str, bool]:
    """What a part is called, and whether it is a file."""
    lines = head.decode("utf-8", "replace").split("\r\n")
    told = [text for line in lines for key, _, text in [line.partition(":")] if _is_name_line(key)]
    if len(told) != 1 or any(
        line != line.lstrip() or "\r" in line or "\n" in line for line in lines
    ):
        raise CodecError("a part has no name, or several")
    given = _parameters(told[0].strip())
    names = [value for key, value in given if key == "name"]
    if len(names) != 1 or not isinstance(names[0], str) or not _NAME.fullmatch(names[0]):
        raise CodecError("a part has no name, or several")
    return names[0], any(key.startswith("filename") for key, _ in given)


def _parameters(header: str) -> list[tuple[str, object]]:
    """Names in lower case, also such as stand twice; a value that is no plain text is none here."""
    message = Message()
    message["Content-Type"] = header
    return [(key.lower(), value) for key, value in message.get_params([])]


def _is_name_line(key: str) -> bool:
    return key.strip().lower() == "content-disposition"
