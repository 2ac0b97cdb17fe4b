"""Settings from a YAML file: our lower-case setting names, and the keys of seed deployments.

Those are `bind`, `proxy`, `auth.access_tokens`, `auth.access_token_prefix` and `chatgpts`; what else
they have is called as ours. `providers` is a section of ours. Anything unknown is refused, at any depth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from chat2api.settings.bearer import without_bearer
from chat2api.settings.compatible_entry import OPENAI_COMPATIBLE, PROVIDERS
from chat2api.settings.fields import SettingField
from chat2api.settings.gentle_yaml import safe_yaml
from chat2api.settings.problems import Problem
from chat2api.settings.variables import Found, unknown_message
from chat2api.settings.yaml_compatible import read_compatible
from chat2api.settings.yaml_entries import read_entries
from chat2api.settings.yaml_place import Key, Lines, Place

AUTH = "auth"
ACCESS_TOKENS = "access_tokens"
ACCESS_TOKEN_PREFIX = "access_token_prefix"  # noqa: S105 - a key of the file, not a secret
CHATGPTS = "chatgpts"
SEED_NAMES: Mapping[str, str] = {"bind": "host", "proxy": "proxy_url"}
"""Other names of settings at the top of the file."""
AUTH_NAMES: Mapping[str, str] = {
    ACCESS_TOKENS: "authorization",
    ACCESS_TOKEN_PREFIX: "access_token_prefix",
}
"""The same below `auth`."""
_DEEPEST = 4
_REVISION_DIGITS = 16


@dataclass(frozen=True, slots=True)
class YamlSettings:
    """What a file sets, by setting name.

    `revision` stands for its exact bytes; None when they could not be read.
    """

    found: Mapping[str, Found] = field(default_factory=dict)
    has_auth_section: bool = False
    revision: str | None = None


def revision_of(content: bytes) -> str:
    """16 hexadecimal digits that change with the content."""
    return hashlib.sha256(content).hexdigest()[:_REVISION_DIGITS]


def read_yaml(
    path: Path, fields: Mapping[str, SettingField], problems: list[Problem]
) -> YamlSettings:
    """What the file sets. Unknown keys and an unreadable file become problems; null is "not set"."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        problems.append(Problem(str(path), "the configuration file does not exist"))
        return YamlSettings()
    except OSError:
        problems.append(Problem(str(path), "cannot be read"))
        return YamlSettings()
    revision = revision_of(content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        problems.append(Problem(str(path), "cannot be read as UTF-8 text"))
        return YamlSettings(revision=revision)
    found, has_auth_section = parse_yaml(text, path.name, fields, problems)
    return YamlSettings(found, has_auth_section, revision)


def parse_yaml(
    text: str, label: str, fields: Mapping[str, SettingField], problems: list[Problem]
) -> tuple[dict[str, Found], bool]:
    """The settings in a file's text, and whether it has a section `auth`. `label` names the file."""
    try:
        yaml = safe_yaml()
        root = yaml.compose(text)
        document = None if root is None else yaml.constructor.construct_document(root)
        if document is None:
            return {}, False
        place = Place(label, _lines(root))
    except (YAMLError, ValueError, RecursionError) as error:
        problems.append(_not_yaml(label, error))
        return {}, False
    if not isinstance(document, dict):
        problems.append(Problem(label, "must hold `name: value` lines"))
        return {}, False
    return _read_document(document, place, fields, problems), AUTH in document


def _read_document(
    document: Mapping[Any, Any],
    place: Place,
    fields: Mapping[str, SettingField],
    problems: list[Problem],
) -> dict[str, Found]:
    found: dict[str, Found] = {}
    known = [name for name in fields if name != OPENAI_COMPATIBLE]
    known += [*SEED_NAMES, AUTH, PROVIDERS]
    for key, value in document.items():
        here = place.at(key)
        if key == AUTH:
            _read_auth(value, here, found, problems)
        elif key == PROVIDERS:
            _read_providers(value, here, found, problems)
        elif key not in known:
            problems.append(here.problem(unknown_message(str(key), known)))
        elif key == CHATGPTS:
            entries = read_entries(value, here, problems)
            _keep(found, CHATGPTS, entries, here, problems)
        else:
            _keep(found, SEED_NAMES.get(key, key), value, here, problems)
    return found


def _read_auth(
    section: object, place: Place, found: dict[str, Found], problems: list[Problem]
) -> None:
    if section is None:
        return
    if not isinstance(section, dict):
        problems.append(place.problem(f"must hold {ACCESS_TOKENS} and {ACCESS_TOKEN_PREFIX}"))
        return
    known = [f"{AUTH}.{name}" for name in AUTH_NAMES]
    for key, value in section.items():
        here = place.at(key)
        if key not in AUTH_NAMES:
            problems.append(here.problem(unknown_message(f"{AUTH}.{key}", known)))
        elif value == []:
            continue  # as templates have it; the same setting may stand elsewhere
        elif key == ACCESS_TOKENS:
            _keep(found, AUTH_NAMES[key], without_bearer(value), here, problems)
        else:
            _keep(found, AUTH_NAMES[key], value, here, problems)


def _read_providers(
    section: object, place: Place, found: dict[str, Found], problems: list[Problem]
) -> None:
    if section is None:
        return
    if not isinstance(section, dict):
        problems.append(place.problem(f"must hold {OPENAI_COMPATIBLE}"))
        return
    for key, value in section.items():
        here = place.at(key)
        if key == OPENAI_COMPATIBLE:
            _keep(found, OPENAI_COMPATIBLE, read_compatible(value, here, problems), here, problems)
        else:
            known = [f"{PROVIDERS}.{OPENAI_COMPATIBLE}"]
            problems.append(here.problem(unknown_message(f"{PROVIDERS}.{key}", known)))


def _keep(
    found: dict[str, Found], name: str, value: object, place: Place, problems: list[Problem]
) -> None:
    if value is None or value in ("", ()):
        return
    if name in found:
        problems.append(place.problem(f"is set as {found[name].written_as} too; keep one of them"))
        return
    found[name] = Found(value, place.source, place.written_as, place.line)


def _lines(root: Node) -> Lines:
    """The line of each key and item, down to the fields of an entry."""
    return {(): 1, **dict(_walk(root, ()))}


def _walk(node: Node, path: tuple[Key, ...]) -> Iterator[tuple[tuple[Key, ...], int]]:
    if len(path) == _DEEPEST:
        return
    children: list[tuple[Key, Node, Node]] = []
    if isinstance(node, MappingNode):
        children = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, SequenceNode):
        children = [(index, item, item) for index, item in enumerate(node.value)]
    for key, at, child in children:
        yield (*path, key), at.start_mark.line + 1
        yield from _walk(child, (*path, key))


def _not_yaml(label: str, error: Exception) -> Problem:
    # Only the place: the parser's own words quote the line, and the line may hold a secret.
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})"
        return Problem(label, f"is not valid YAML{where}", line=mark.line + 1)
    return Problem(label, "is not valid YAML")
