"""The shape of every setting, read off the model: what kind of value, whether secret, what is allowed."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from chat2api.secret import Secret
from chat2api.settings.compatible_entry import CompatibleEntry
from chat2api.settings.entry import ChatGptEntry
from chat2api.settings.model import Settings

TRUE_WORDS = ("true", "1", "t", "y", "yes", "on")
FALSE_WORDS = ("false", "0", "f", "n", "no", "off")

# Kept off the plain environment name: seed deployments use ACCESS_TOKEN_PREFIX in serverless mode
# only, and a stray variable must not change who may call.
_PREFIXED_ONLY = frozenset({"access_token_prefix"})
_ENTRIES = {ChatGptEntry: "a list of accounts", CompatibleEntry: "a list of upstreams"}


class Kind(Enum):
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    CHOICE = "choice"
    TEXT = "text"
    PATH = "path"
    LIST = "list"
    MAPPING = "mapping"
    ENTRIES = "entries"


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting. `allowed` completes the sentence "must be …"."""

    name: str
    kind: Kind
    secret: bool
    allowed: str
    plain_name_counts: bool = True

    @property
    def in_environment(self) -> bool:
        """Whether one text can say it; otherwise it is for the YAML file only."""
        return self.kind is not Kind.ENTRIES

    @property
    def variable(self) -> str:
        """Its environment name without the CHAT2API_ prefix."""
        return self.name.upper()


def setting_fields() -> Mapping[str, SettingField]:
    """Every setting by its field name, in the order of the model."""
    return {name: _field(name, info) for name, info in Settings.model_fields.items()}


def _field(name: str, info: FieldInfo) -> SettingField:
    kind, leaf = _kind(info.annotation)
    return SettingField(
        name=name,
        kind=kind,
        secret=leaf is Secret,
        allowed=_allowed(kind, leaf, info.metadata),
        plain_name_counts=name not in _PREFIXED_ONLY,
    )


def _kind(annotation: Any) -> tuple[Kind, Any]:
    """The kind, and the innermost type (of a list: of its items)."""
    annotation = _bare(annotation)
    origin = get_origin(annotation)
    if origin is tuple:
        item = _bare(get_args(annotation)[0])
        return (Kind.ENTRIES if item in _ENTRIES else Kind.LIST), item
    if origin is dict:
        return Kind.MAPPING, str
    if origin is Literal:
        return Kind.CHOICE, annotation
    simple = {bool: Kind.BOOL, int: Kind.INT, float: Kind.FLOAT, Path: Kind.PATH}
    return simple.get(annotation, Kind.TEXT), annotation


def _bare(annotation: Any) -> Any:
    """The type without `Annotated` and without `| None`."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
        else:
            return annotation


def _allowed(kind: Kind, leaf: Any, metadata: list[Any]) -> str:
    match kind:
        case Kind.BOOL:
            return f"{', '.join(TRUE_WORDS)} or {', '.join(FALSE_WORDS)}"
        case Kind.INT:
            return f"a whole number {_range(metadata)}".rstrip()
        case Kind.FLOAT:
            return f"a number {_range(metadata)}".rstrip()
        case Kind.CHOICE:
            *most, last = get_args(leaf)
            return f"{', '.join(most)} or {last}"
        case Kind.LIST:
            return "a list, separated by commas"
        case Kind.MAPPING:
            return "a JSON object whose values are text"
        case Kind.PATH:
            return "a path"
        case Kind.TEXT:
            return "text"
        case Kind.ENTRIES:
            return _ENTRIES[leaf]


def _range(metadata: list[Any]) -> str:
    low = high = ""
    for rule in metadata:
        match rule:
            case annotated_types.Ge(ge=bound):
                low = f"from {bound}"
            case annotated_types.Gt(gt=bound):
                low = f"above {bound}"
            case annotated_types.Le(le=bound):
                high = f"to {bound}" if low.startswith("from") else f"up to {bound}"
    return " ".join(filter(None, (low, high)))
