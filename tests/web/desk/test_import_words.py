"""Places and reasons of the importer, in the reader's language."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from chat2api.service import importing
from chat2api.service.handover import PASTED
from chat2api.web.desk.import_words import place_text, reason_text


def reasons() -> list[str]:
    """Every text in capitals of the importer that tells why something was not taken."""
    found = []
    for path in sorted(Path(importing.__path__[0]).glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                    if " " in text and not name.startswith("_"):
                        found.append(text)
    return found


# Of folders and of sizes that a page never meets, and of tokens that are taken all the same.
ELSEWHERE = {
    "is larger than 64 MB",
    "has more than 200,000 entries",
    "holds no file this importer knows",
    "is a link to another folder",
    "listed among the failed tokens",
}


def test_every_reason_has_words(site: Any) -> None:
    known = set(reasons()) - ELSEWHERE
    assert len(known) > 12
    with site.app.test_request_context("/?lang=zh"):
        assert [reason for reason in known if reason_text(reason) == reason] == []


def test_reasons(site: Any) -> None:
    with site.app.test_request_context("/"):
        assert reason_text("is damaged (line 12)") == "Damaged in line 12."
        assert reason_text("something new") == "something new"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("token.txt line 3", "token.txt, line 3"),
        ("auth.json entry 12", "auth.json, entry 12"),
        ("a line 1 line 2", "a line 1, line 2"),
        (f"{PASTED} line 7", "Pasted text, line 7"),
        ("users.json", "users.json"),
        ("x" * 500, "x" * 120),
    ],
)
def test_places(site: Any, where: str, text: str) -> None:
    with site.app.test_request_context("/"):
        assert place_text(where) == text


def test_no_name_of_a_file_turns_the_line_around(site: Any) -> None:
    with site.app.test_request_context("/"):
        assert place_text("a\u202etxt.exe line 3") == "a\ufffdtxt.exe, line 3"
