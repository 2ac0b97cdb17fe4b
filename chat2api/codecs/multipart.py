"""One text field of a form with files, read or changed where it stands. No I/O.

The files themselves are neither parsed nor copied piece by piece.
"""

from __future__ import annotations

import re
from email.message import Message

from chat2api.codecs.errors import CodecError

_HEAD_END = b"\r\n\r\n"
_LONGEST_HEAD = 16_384
_LONGEST_BOUNDARY = 200


def boundary_of(content_type: str) -> bytes | None:
    """The boundary that a Content-Type names; None where it is no form with files."""
    if not content_type.lower().startswith("multipart/form-data"):
        return None
    message = Message()
    message["Content-Type"] = content_type
    found = message.get_param("boundary")
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_BOUNDARY:
        return None
    try:
        return found.encode("ascii")
    except UnicodeEncodeError:
        return None


def field_of(body: bytes, boundary: bytes, name: str) -> str | None:
    """The text of the first field of that name. Raises CodecError for what is no such form."""
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
    mark = b"--" + boundary
    # A boundary begins a line; the first may begin the body.
    at = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    if at == 1:
        raise CodecError("the form does not begin")
    wanted = re.compile(rb';\s*name="?%b"?\s*(?:;|\r|$)' % re.escape(name.encode()), re.IGNORECASE)
    while not body.startswith(b"--", at + len(mark)):
        begin = at + len(mark)
        head_end = body.find(_HEAD_END, begin, begin + _LONGEST_HEAD)
        end = body.find(b"\r\n" + mark, begin)
        if head_end < 0 or end < 0:
            raise CodecError("the form is cut short")
        # A field may be empty: then the head's end is also the beginning of the boundary's line.
        content = head_end + len(_HEAD_END)
        head = body[begin:head_end]
        is_file = b"filename" in head.lower()
        if not is_file and wanted.search(head):
            return content, max(content, end)
        at = body.find(b"\r\n" + mark, max(begin, content - 2)) + 2
        if at == 1:
            raise CodecError("the form is cut short")
    return None
