"""What a check of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `cure` says what to do about it; empty when all is well. Neither holds a secret."""

    check: str
    grade: Grade
    text: str
    cure: str = ""


def ok(check: str, text: str) -> Finding:
    return Finding(check, "ok", text)


def warn(check: str, text: str, cure: str) -> Finding:
    return Finding(check, "warn", text, cure)


def fail(check: str, text: str, cure: str) -> Finding:
    return Finding(check, "fail", text, cure)
