"""Templates are compiled once, and anew when they change."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import DictLoader, Environment

from chat2api.web.compiled import compiled_templates


def environment(sources: dict[str, str]) -> Environment:
    return Environment(
        loader=DictLoader(sources), bytecode_cache=compiled_templates(), autoescape=True
    )


def test_another_application_compiles_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {"a-template-of-the-suite": "{{ 1 + 1 }}"}
    assert environment(sources).get_template("a-template-of-the-suite").render() == "2"
    second = environment(sources)

    def compiled(*given: Any, **more: Any) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(second, "compile", compiled)
    assert second.get_template("a-template-of-the-suite").render() == "2"


def test_a_changed_template_is_compiled_anew() -> None:
    assert environment({"changes": "one"}).get_template("changes").render() == "one"
    assert environment({"changes": "two"}).get_template("changes").render() == "two"
