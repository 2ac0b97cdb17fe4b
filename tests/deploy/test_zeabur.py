"""zeabur.yaml, the template behind a deploy button."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chat2api.settings.fields import setting_fields

from .documents import load, validate
from .image import ROOT, environment, parse_dockerfile


@pytest.fixture
def template() -> Any:
    return load("zeabur.yaml")


@pytest.fixture
def service(template: Any) -> Any:
    (only,) = template["spec"]["services"]
    return only


def test_it_is_a_template(template: Any) -> None:
    validate(template, "zeabur")


def test_editors_are_told_the_schema() -> None:
    first = (ROOT / "zeabur.yaml").read_text("utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=https://schema.zeabur.app/template.json"


def test_the_image_is_of_this_version(service: Any) -> None:
    version = (ROOT / "version.txt").read_text("utf-8").strip()
    assert service["spec"]["source"]["image"] == f"registry.example.com/chat2api:{version}"


def test_port_and_volume_are_those_of_the_image(service: Any) -> None:
    image = environment(parse_dockerfile((ROOT / "Dockerfile").read_text("utf-8")))
    spec = service["spec"]
    assert spec["ports"] == [{"id": "web", "port": int(image["PORT"]), "type": "HTTP"}]
    assert spec["volumes"] == [{"id": "data", "dir": image["DATA_DIR"]}]
    assert spec["env"]["PORT"]["default"] == image["PORT"]
    assert spec["env"]["DATA_DIR"]["default"] == image["DATA_DIR"]


@pytest.mark.parametrize("name", ["AUTHORIZATION", "ADMIN_PASSWORD"])
def test_secrets_are_made_by_the_platform_shown_and_shared_with_nobody(
    service: Any, name: str
) -> None:
    assert service["spec"]["env"][name] == {"default": "${PASSWORD}", "expose": False}
    shown = [one for one in service["spec"]["instructions"] if one["content"] == "${" + name + "}"]
    assert [one["type"] for one in shown] == ["PASSWORD"]


def test_no_other_secret_has_a_value(service: Any) -> None:
    secret = {field.variable for field in setting_fields().values() if field.secret}
    secret -= {"AUTHORIZATION", "ADMIN_PASSWORD"}
    assert secret & set(service["spec"]["env"]) == set()


def test_the_domain_is_asked_for(template: Any, service: Any) -> None:
    asked = {one["key"]: one["type"] for one in template["spec"]["variables"]}
    assert asked == {"PUBLIC_DOMAIN": "DOMAIN"}
    assert service["domainKey"] == "PUBLIC_DOMAIN"


def test_every_reference_is_defined(template: Any, service: Any) -> None:
    used = set(re.findall(r"\$\{(\w+)}", str(template)))
    assert used <= {"PASSWORD", "ZEABUR_WEB_URL", *service["spec"]["env"]}


def test_english_and_chinese_say_the_same_things(template: Any) -> None:
    spec, localized = template["spec"], template["localization"]
    assert sorted(localized) == ["en-US", "zh-CN"]
    assert localized["en-US"] == {
        name: spec[name] for name in ("description", "variables", "readme")
    }
    chinese = localized["zh-CN"]
    assert [(one["key"], one["type"]) for one in chinese["variables"]] == [
        (one["key"], one["type"]) for one in spec["variables"]
    ]
    for text in (chinese["description"], chinese["readme"], chinese["variables"][0]["name"]):
        assert re.search(r"[\u4e00-\u9fff]", text)
    code = re.compile(r"`[^`]+`")
    assert sorted(code.findall(chinese["readme"])) == sorted(code.findall(spec["readme"]))
