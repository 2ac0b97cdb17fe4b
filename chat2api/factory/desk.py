"""The desk: what the operator's pages are made of, on a foundation."""

from __future__ import annotations

from chat2api.runtime import Desk


def make_desk() -> Desk:
    return Desk()
