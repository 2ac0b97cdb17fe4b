"""Settings from a YAML file: one flat mapping of lower-case setting names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from chat2api.settings.fields import SettingField
from chat2api.settings.problems import Problem
from chat2api.settings.variables import Found, unknown_message


def read_yaml(
    path: Path, fields: Mapping[str, SettingField], problems: list[Problem]
) -> dict[str, Found]:
    """What the file sets. Unknown keys and an unreadable file become problems; null is "not set"."""
    label = path.name
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        problems.append(Problem(str(path), "the configuration file does not exist"))
        return {}
    except (OSError, UnicodeDecodeError):
        problems.append(Problem(str(path), "cannot be read as UTF-8 text"))
        return {}
    except (YAMLError, ValueError, RecursionError) as error:
        problems.append(Problem(label, f"is not valid YAML{_position(error)}"))
        return {}
    if document is None:
        return {}
    if not isinstance(document, dict):
        problems.append(Problem(label, "must hold `name: value` lines"))
        return {}
    found: dict[str, Found] = {}
    for key, value in document.items():
        if key not in fields:
            message = unknown_message(str(key), fields)
            problems.append(Problem(f"{key} ({label})", message))
        elif value is not None and value != "":
            found[key] = Found(value, f"{label} {key}", f"{key} ({label})")
    return found


def _position(error: Exception) -> str:
    # Only the place: the parser's own words quote the line, and the line may hold a secret.
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f" (line {mark.line + 1}, column {mark.column + 1})"
    return ""
