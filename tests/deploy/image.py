"""Reads a Dockerfile and a .dockerignore as far as ours go, and lays out what a build would copy."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
WORKDIR = PurePosixPath("/app")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its name in capitals, its --flags, and the rest of it."""

    name: str
    flags: dict[str, str]
    rest: str

    @property
    def exec_form(self) -> list[str] | None:
        """The words of `["a", "b"]`; None for the shell form."""
        if not self.rest.startswith("["):
            return None
        words = json.loads(self.rest)
        assert all(isinstance(word, str) for word in words)
        return list(words)

    @property
    def words(self) -> list[str]:
        return self.exec_form or shlex.split(self.rest)


def parse_dockerfile(text: str) -> list[Instruction]:
    """The instructions in order. Raises ValueError for a line that is none."""
    return [_instruction(line) for line in _joined(text)]


def _joined(text: str) -> Iterator[str]:
    """Lines without comments, continued ones as one; comments within them are dropped as Docker does."""
    pending = ""
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.endswith("\\"):
            pending += stripped.removesuffix("\\")
            continue
        yield pending + stripped
        pending = ""
    if pending:
        raise ValueError("the last line is continued by nothing")


def _instruction(line: str) -> Instruction:
    found = re.fullmatch(r"([A-Za-z]+)\s+((?:--[a-z-]+(?:=\S+)?\s+)*)(.+)", line)
    if found is None:
        raise ValueError(f"no instruction: {line}")
    flags = (flag.removeprefix("--").partition("=") for flag in found[2].split())
    return Instruction(found[1].upper(), {name: value for name, _, value in flags}, found[3])


def environment(instructions: list[Instruction]) -> dict[str, str]:
    """What the ENV instructions set."""
    pairs = (word for one in instructions if one.name == "ENV" for word in shlex.split(one.rest))
    return dict(pair.split("=", 1) for pair in pairs)


def copies(instructions: list[Instruction]) -> list[tuple[list[str], str]]:
    """Sources and destination of each COPY."""
    return [(one.words[:-1], one.words[-1]) for one in instructions if one.name == "COPY"]


# --- what a build is given


@dataclass(frozen=True, slots=True)
class Ignore:
    """A .dockerignore: the last pattern that fits a path, or a folder above it, decides."""

    patterns: tuple[tuple[re.Pattern[str], bool], ...]

    def hides(self, path: str) -> bool:
        steps = PurePosixPath(path).parts
        heads = ["/".join(steps[: end + 1]) for end in range(len(steps))]
        hidden = False
        for pattern, hiding in self.patterns:
            if any(pattern.fullmatch(head) for head in heads):
                hidden = hiding
        return hidden


def parse_ignore(text: str) -> Ignore:
    lines = [line.strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not line.startswith("#")]
    return Ignore(tuple((_glob(line.removeprefix("!")), not line.startswith("!")) for line in kept))


def _glob(pattern: str) -> re.Pattern[str]:
    """Docker's wildcards: `**/` any folders, `*` and `?` within one name, `[…]` as in a regex."""
    out = ""
    for piece in re.findall(r"\*\*/|\*\*|\*|\?|\[[^]]+]|.", pattern.strip("/")):
        wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece)
        out += wild or (piece if piece.startswith("[") and len(piece) > 1 else re.escape(piece))
    return re.compile(out)


def context(root: Path, ignore: Ignore) -> list[str]:
    """The files below `root` that a build is given; folders it may not enter are not read."""
    found: list[str] = []
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or (ignore.hides(path.name) and not _may_hold(path, ignore)):
            continue
        files = [path] if path.is_file() else (file for file in path.rglob("*") if file.is_file())
        found += [file.relative_to(root).as_posix() for file in files]
    return sorted(name for name in found if not ignore.hides(name))


def _may_hold(path: Path, ignore: Ignore) -> bool:
    """Only `!folder/file` lets something out of a hidden folder."""
    return path.is_dir() and any(
        not hiding and pattern.pattern.startswith(re.escape(path.name) + "/")
        for pattern, hiding in ignore.patterns
    )


def lay_out(instructions: list[Instruction], root: Path, ignore: Ignore, app: Path) -> None:
    """Do the COPY instructions: /app of the image becomes `app`. Raises FileNotFoundError."""
    given = context(root, ignore)
    for sources, destination in copies(instructions):
        for source in sources:
            name = source.rstrip("/")
            matching = [one for one in given if one == name or one.startswith(name + "/")]
            if not matching:
                raise FileNotFoundError(f"COPY {source}: the build is not given that")
            for one in matching:
                inside = one.removeprefix(name).lstrip("/") or PurePosixPath(one).name
                target = app / destination / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / one, target)
