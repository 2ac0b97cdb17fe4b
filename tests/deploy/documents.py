"""Deployment files as their tools read them: YAML, checked against a schema, with variables filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
from ruamel.yaml import YAML

from .image import ROOT

SCHEMAS = Path(__file__).with_name("schemas")

_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)(?::([?-])([^}]*))?}|(.?))")


def load(name: str) -> Any:
    """The document of a YAML file in the repository's root."""
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text("utf-8"))


def validate(document: Any, schema: str) -> None:
    """Raises jsonschema.ValidationError."""
    rules = json.loads((SCHEMAS / f"{schema}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(rules)
    jsonschema.Draft202012Validator(rules).validate(document)


def filled_in(text: str, variables: Mapping[str, str]) -> str:
    """`$$`, `${NAME}`, `${NAME:-default}` and `${NAME:?message}` as Compose replaces them.

    Raises LookupError with the message of a variable that must be set, ValueError for a lone `$`.
    """

    def value(found: re.Match[str]) -> str:
        dollar, name, rule, more, lone = found.groups()
        if lone is not None:
            raise ValueError(f"a lone $ in {text}")
        if dollar:
            return "$"
        given = variables.get(name, "")
        if not given and rule == "?":
            raise LookupError(more)
        return given or (more if rule == "-" else "")

    return _REFERENCE.sub(value, text)


def seconds(duration: str) -> int:
    """The seconds of `1m30s`."""
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", duration)
    assert found is not None
    return 60 * int(found[1] or 0) + int(found[2] or 0)
