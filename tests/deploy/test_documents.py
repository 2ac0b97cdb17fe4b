"""The reader of YAML deployment files: schemas that refuse, and Compose's variables."""

from __future__ import annotations

import copy

import jsonschema
import pytest

from .documents import filled_in, load, seconds, validate


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("${SET}", "value"),
        ("${UNSET}", ""),
        ("a${SET:-x}b", "avalueb"),
        ("${EMPTY:-x y}", "x y"),
        ("${SET:?told}", "value"),
        ("^warp=on$$", "^warp=on$"),
        ("$${SET}", "${SET}"),
    ],
)
def test_variables_are_filled_in(text: str, result: str) -> None:
    assert filled_in(text, {"SET": "value", "EMPTY": ""}) == result


@pytest.mark.parametrize("variables", [{}, {"KEY": ""}])
def test_a_variable_may_be_demanded(variables: dict[str, str]) -> None:
    with pytest.raises(LookupError, match="set it"):
        filled_in("${KEY:?set it}", variables)


@pytest.mark.parametrize("text", ["a$", "$KEY", "$ x", "${KEY"])
def test_a_lone_dollar_is_a_mistake(text: str) -> None:
    with pytest.raises(ValueError, match="lone"):
        filled_in(text, {})


@pytest.mark.parametrize(("text", "value"), [("45s", 45), ("1m", 60), ("1m30s", 90)])
def test_durations(text: str, value: int) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("privileged", True),
        ("network_mode", "host"),
        ("ports", [5005]),
        ("environment", {"PORT": 5005}),
        ("volumes", ["/var/run/docker.sock:/var/run/docker.sock"]),
        ("image", "chat2api:latest"),  # beside `build`
        ("stop_grace_period", 45),
        ("depends_on", {"warp": {"condition": "healthy"}}),
    ],
)
def test_the_compose_schema_refuses(key: str, value: object) -> None:
    document = copy.deepcopy(load("docker-compose.yml"))
    document["services"]["chat2api"][key] = value
    with pytest.raises(jsonschema.ValidationError):
        validate(document, "compose")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "services", 0, "template"), "PREBUILT"),
        (("spec", "services", 0, "spec", "ports", 0, "type"), "WEB"),
        (("spec", "services", 0, "spec", "env", "PORT", "default"), 5005),
        (("spec", "services", 0, "spec", "dependencies"), ["x"]),
        (("spec", "localization"), {}),
        (("localization", "zh"), {}),
        (("spec", "variables", 0, "type"), "PASSWORD"),
    ],
)
def test_the_zeabur_schema_refuses(path: tuple[str | int, ...], value: object) -> None:
    document = copy.deepcopy(load("zeabur.yaml"))
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        validate(document, "zeabur")
