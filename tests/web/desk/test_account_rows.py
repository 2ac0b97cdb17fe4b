"""One row, as it is drawn and as a script renews it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat2api.web.desk.account_rows import shown

from .test_accounts import Pool


@pytest.fixture
def pool(site: Any) -> Pool:
    return Pool(site)


def test_what_tells_accounts_of_one_name_apart(pool: Pool) -> None:
    pool.add(email="same@example.org", workspace_id="0f3c-99-ws-and-more")
    pool.add(email="same@example.org", source="app.x.yaml", pooled=False)
    rows = pool.site.runtime.book.everything()
    with pool.site.app.test_request_context("/"):
        first, second = shown(rows)
    assert first.name == second.name == "same@example.org"
    assert first.sub.endswith(" · 0f3c-99-ws-a")
    assert second.sub.endswith(" · from app.x.yaml · for seeds only")


def test_cells_hold_what_changes_and_no_more(pool: Pool) -> None:
    pool.add(note="private", plan="pro")
    with pool.site.app.test_request_context("/"):
        (row,) = shown(pool.site.runtime.book.everything())
    cells = row.cells()
    assert set(cells) == {"id", "pill", "quota", "credential", "used", "plan"}
    assert "private" not in json.dumps(cells)
