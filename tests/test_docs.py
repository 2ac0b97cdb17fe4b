"""What the documents promise: every number cited in a comment is explained, every link leads somewhere."""

from __future__ import annotations

import functools
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat2api.settings.document import settings_table

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
MARKDOWN = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
SOURCES = sorted(
    path
    for folder in ("chat2api", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if path != Path(__file__).resolve()
)

_SECTION = r"(?:T\d|\d{1,2}(?:\.\d{1,2})?)"


def listed(number: str) -> str:
    """A pattern for one or several: "1", "1, 2 and 3", "1 to 3"."""
    return rf"({number}(?:(?:, | and | to ){number}\b)*)"


_SHEET = re.compile(r"\bsheet (?:section )?" + listed(_SECTION))
_DECISION = re.compile(r"\b[Dd]ecisions? " + listed(r"\d{1,2}"))
_GROUND = re.compile(r"\bfault matrix,? (?:section )?(0\.\d)")
_FAULT = re.compile(r"\b([A-J]\d\d(?: to [A-J]\d\d)?)\b")

_LINK = re.compile(r"\]\(\s*<?([^)>\s]+)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_SETTINGS = re.compile(r"<!-- settings -->\n(.*?)\n<!-- /settings -->", re.DOTALL)


# --- what is cited


@functools.cache
def comments_of(path: Path) -> str:
    """The comments and docstrings of a module as one line of text, however they were broken."""
    with tokenize.open(path) as file:
        texts = [
            token.string.removeprefix("#")
            for token in tokenize.generate_tokens(file.readline)
            if token.type == tokenize.COMMENT
            or (token.type == tokenize.STRING and token.string.startswith('"""'))
        ]
    return " ".join(" ".join(texts).split())


def numbers(text: str) -> list[str]:
    """The single numbers of "5.3, 7", "2 to 4" or "B10 to B19 and B22"."""
    found: list[str] = []
    for piece in re.split(r", | and ", text):
        first, _, last = piece.partition(" to ")
        stem, begin = re.fullmatch(r"(.*?)(\d+)", first).groups()  # type: ignore[union-attr]
        end = last.removeprefix(stem) or begin
        found += [f"{stem}{n:0{len(begin)}}" for n in range(int(begin), int(end) + 1)]
    return found


def cited(pattern: re.Pattern[str]) -> Iterator[tuple[str, list[str]]]:
    """File and numbers of each citation."""
    for path in SOURCES:
        for match in pattern.finditer(comments_of(path)):
            yield path.relative_to(ROOT).as_posix(), numbers(match[1])


# --- what is explained


def decisions() -> str:
    return (DOCS / "decisions.md").read_text("utf-8")


def sections() -> dict[str, set[str]]:
    """Each section of the protocol with the numbers of its list items; each transcript counts as one."""
    text = (DOCS / "protocol.md").read_text("utf-8")
    found: dict[str, set[str]] = {name: set() for name in re.findall(r"\*\*(T\d)\*\*", text)}
    pieces = re.split(rf"^##+ ({_SECTION}) ", text, flags=re.MULTILINE)
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        assert name not in found, f"two sections {name}"
        found[name] = set(re.findall(r"^(\d+)\. ", body, re.MULTILINE))
    return found


def explained(pattern: str) -> set[str]:
    """The numbers that decisions.md explains, each once."""
    found = re.findall(pattern, decisions(), re.MULTILINE)
    assert len(found) == len(set(found)), "a number is given twice"
    return set(found)


def test_every_cited_section_of_the_protocol_exists() -> None:
    known = sections()
    unknown = []
    for file, names in cited(_SHEET):
        within: set[str] = set()  # the items of the section named last: "5.3, 7" is item 7 of 5.3
        for name in names:
            if name not in known and name not in within:
                unknown.append(f"{file}: sheet {name}")
            within = known.get(name, within) if name not in within else within
    assert not unknown, f"mend the citation, or add to docs/protocol.md: {', '.join(unknown)}"


@pytest.mark.parametrize(
    ("pattern", "known"),
    [
        pytest.param(_DECISION, r"^- \*\*(\d+) ", id="decisions"),
        pytest.param(_GROUND, r"^### (0\.\d) ", id="ground rules"),
        pytest.param(_FAULT, r"^\| ([A-J]\d\d) \|", id="fault rows"),
    ],
)
def test_every_cited_decision_and_fault_is_explained(pattern: re.Pattern[str], known: str) -> None:
    there = explained(known)
    unknown = [
        f"{file}: {name}" for file, names in cited(pattern) for name in names if name not in there
    ]
    assert not unknown, f"mend the citation, or add to docs/decisions.md: {', '.join(unknown)}"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (_SHEET, "as said (sheet 5.3, 7).", ["5.3", "7"]),
        (_SHEET, "sheet 14, 1 and 4", ["14", "1", "4"]),
        (_SHEET, "sheet 5.6, T1 to T3", ["5.6", "T1", "T2", "T3"]),
        (_SHEET, "sheet section 0", ["0"]),
        (_SHEET, "the sheet words it", []),
        (_DECISION, "decisions 2 to 4", ["2", "3", "4"]),
        (_GROUND, "fault matrix 0.2", ["0.2"]),
        (_GROUND, "fault matrix, section 0.2", ["0.2"]),
        (_FAULT, "B09 to B11, B22", ["B09", "B10", "B11", "B22"]),
        (_FAULT, "H264 and U+E200", []),
    ],
)
def test_citations_are_recognised(pattern: re.Pattern[str], text: str, expected: list[str]) -> None:
    assert [name for match in pattern.finditer(text) for name in numbers(match[1])] == expected


# --- links and tables


def test_every_relative_link_leads_to_a_file() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in MARKDOWN
        for target in _LINK.findall(_CODE.sub("", path.read_text("utf-8")))
        if not re.match(r"[a-z][a-z0-9+.-]*:|#", target)
        and not (path.parent / target.partition("#")[0]).exists()
    ]
    assert broken == []


def test_the_readme_lists_the_settings_as_they_are() -> None:
    found = _SETTINGS.search((ROOT / "README.md").read_text("utf-8"))
    assert found is not None, (
        "README.md has lost its markers <!-- settings --> and <!-- /settings -->"
    )
    assert found[1] == settings_table(), (
        "README.md's table of settings is out of date. Put between its markers what this prints: python -c "
        "'from chat2api.settings.document import settings_table; print(settings_table())'"
    )
