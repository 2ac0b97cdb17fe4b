"""The page of one account: each part stands for itself, and what cannot be told is left out."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.errors import StorageUnavailable
from chat2api.store.account_events import AccountEvent
from chat2api.web.desk.account_one import Given, show_one

from .test_accounts import Pool


@pytest.fixture
def pool(site: Any) -> Pool:
    return Pool(site)


def test_actions_fit_the_state(pool: Pool) -> None:
    ids = pool.add(4)
    pool.rests(ids[1])
    pool.set(ids[2], paused=True)
    pool.site.runtime.book.remove(ids[3:])
    pages = [pool.text(f"/admin/accounts/{one}") for one in ids]
    offered = [
        {action for action in ("check", "pause", "resume", "lift", "remove", "restore", "forget")
         if f'value="{action}"' in page}
        for page in pages
    ]  # fmt: skip
    assert offered == [
        {"check", "pause", "remove"},
        {"check", "pause", "lift", "remove"},
        {"check", "resume", "remove"},
        {"restore", "forget"},
    ]
    assert 'id="edit"' not in pages[3]


def test_a_part_that_cannot_be_told_is_left_out(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = pool.add()

    def away(*given: Any, **named: Any) -> Any:
        raise StorageUnavailable("The database does not answer.")

    desk = pool.site.runtime.desk
    for service, method in ((desk.events, "of"), (desk.heat, "of"), (desk.records, "page")):
        monkeypatch.setattr(service, method, away)
    page = pool.text(f"/admin/accounts/{one}")
    assert "Nothing is known yet." in page
    assert "No request yet." in page
    assert "It was not used in the last 24 hours." in page


def test_what_was_typed_stands_in_the_form(pool: Pool) -> None:
    (one,) = pool.add(note="stored")
    row = pool.site.runtime.book.find(one)
    with pool.site.app.test_request_context("/admin/accounts/x"):
        from flask import g

        from chat2api.web.admin_auth import Admin

        g.chat2api_admin = Admin("bearer")
        plain = show_one(row).get_data(as_text=True)
        given = Given({"note": "typed"}, {"concurrency": "A number."})
        typed = show_one(row, given, 400)
    assert ">stored</textarea>" in plain
    assert typed.status_code == 400
    text = typed.get_data(as_text=True)
    assert ">typed</textarea>" in text
    assert 'aria-invalid="true" aria-describedby="about-concurrency"' in text


def test_it_leads_to_a_request_only_where_one_met_something(pool: Pool) -> None:
    (one,) = pool.add()
    event = AccountEvent(0, one, pool.site.store.now(), "cooling", request_id="req_met")
    pool.site.runtime.desk.events.add([event])
    link = '<a href="/admin/requests/req_met">The request that met it</a>'
    now = pool.site.store.now()
    pool.set(one, last_used_at=now, reason_at=now)
    well = pool.text(f"/admin/accounts/{one}")
    assert "Nothing speaks against it." in well
    assert link not in well
    assert "Learnt" not in well
    pool.set(
        one, reason="upstream_challenge_required", reason_at=now - 700, cooling_until=now - 100
    )
    rested = pool.text(f"/admin/accounts/{one}")
    assert "it rested: Upstream asks for a human check." in rested
    assert link in rested
    until = now + 500
    pool.set(one, cooling_until=until, selectable=False, wake_at=until)
    rests = pool.text(f"/admin/accounts/{one}")
    assert "Upstream asks for a human check. It comes back by itself at " in rests
    assert link in rests
