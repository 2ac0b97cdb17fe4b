"""What a form brings, read within limits: fields and files, however the caller encodes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

from flask import request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from chat2api.errors import RequestError, UnsupportedMediaType
from chat2api.web.admin_auth import CSRF_FIELD, current_session, require_admin
from chat2api.web.body import parse_object, too_large
from chat2api.web.calls import read_bytes

SMALL_FORM_BYTES = 65_536
_MOST_PARTS = 1_000
_NOT_TEXT = "A field holds a NUL, which is no text."
_UNREADABLE = "The form could not be read: it is cut short, damaged, or not UTF-8."


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file out of a form, under the name that the caller's machine gave it."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """Fields hold tokens and passwords, so they do not show."""

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    files: tuple[SentFile, ...] = ()

    def first(self, name: str) -> str | None:
        """None when the form has no such field; "" when it was left empty."""
        values = self.fields.get(name, ())
        return values[0] if values else None

    def all(self, name: str) -> tuple[str, ...]:
        return self.fields.get(name, ())


def read_form(limit_bytes: int = SMALL_FORM_BYTES, plain_field: str = "text") -> Form:
    """The request's form: urlencoded, multipart or JSON; a text/plain body is the field `plain_field`.

    Raises RequestError (400, 413, 415), RequestTimeout.
    """
    form = _read(limit_bytes, plain_field)
    # Not every database can keep it.
    if any("\0" in value for values in form.fields.values() for value in values):
        raise RequestError(_NOT_TEXT, code="not_plain_text")
    return form


def _read(limit_bytes: int, plain_field: str) -> Form:
    body = read_bytes(limit_bytes)
    match request.mimetype:
        case "application/json":
            return Form(_of_json(parse_object(body)))
        case "text/plain":
            return Form({plain_field: (_decoded(body),)})
        case "multipart/form-data":
            return _of_multipart(body, limit_bytes)
        case "application/x-www-form-urlencoded" | "":
            return Form(_of_urlencoded(body))
        case _:
            raise UnsupportedMediaType("Send a form, JSON, or text/plain.")


def read_admin_form(limit_bytes: int = SMALL_FORM_BYTES, plain_field: str = "text") -> Form:
    """The form of somebody who may administer; of nobody else is anything read.

    Raises what `require_admin` and `read_form` do.
    """
    if current_session() is None:
        require_admin()
        return read_form(limit_bytes, plain_field)
    form = read_form(limit_bytes, plain_field)
    require_admin(form.first(CSRF_FIELD) or "")
    return form


def _of_urlencoded(body: bytes) -> dict[str, tuple[str, ...]]:
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PARTS,
        )
    except ValueError:  # also what is not UTF-8
        raise RequestError(_UNREADABLE) from None
    return _grouped(pairs)


def _of_json(document: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    pairs: list[tuple[str, str]] = []
    for name, value in document.items():
        items = value if isinstance(value, list) else [value]
        if len(pairs) + len(items) > _MOST_PARTS:
            raise RequestError(f"The form holds more than {_MOST_PARTS} values.")
        for item in items:
            if isinstance(item, bool) or not isinstance(item, str | int):
                raise RequestError(f"{name[:40]!r} must be text.", param=name[:40])
            pairs.append((name, str(item)))
    return _grouped(pairs)


def _of_multipart(body: bytes, limit_bytes: int) -> Form:
    parser = FormDataParser(
        stream_factory=_in_memory,
        max_form_memory_size=limit_bytes,
        max_form_parts=_MOST_PARTS,
        silent=False,
    )
    try:
        _, fields, files = parser.parse(
            BytesIO(body), "multipart/form-data", len(body), request.mimetype_params
        )
    except RequestEntityTooLarge:
        raise too_large(limit_bytes) from None
    except ValueError:
        raise RequestError(_UNREADABLE) from None
    return Form(_grouped(_pairs(fields)), tuple(_sent(one) for _, one in _pairs(files)))


def _in_memory(
    total_content_length: int | None,
    content_type: str | None,
    filename: str | None,
    content_length: int | None = None,
) -> BytesIO:
    """Nothing of a token file touches the disk unsealed."""
    return BytesIO()


def _pairs(of: MultiDict[str, Any]) -> list[tuple[str, Any]]:
    return list(of.items(multi=True))


def _sent(file: FileStorage) -> SentFile:
    return SentFile(file.filename or "", file.stream.read())


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in fields.items()}


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise RequestError(_UNREADABLE) from None
