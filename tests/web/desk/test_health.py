"""Health where the database does not answer; its sentences are tested with the overview."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.errors import StorageUnavailable
from chat2api.web.desk.health import health


def test_without_the_database_it_says_so(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*given: Any) -> None:
        raise StorageUnavailable("away")

    monkeypatch.setattr(type(site.runtime.desk.summary), "counts", away)
    with site.app.test_request_context("/"):
        found = health()
    assert (found.role, found.sentence, found.counts) == (
        "bad",
        "The database does not answer.",
        None,
    )
