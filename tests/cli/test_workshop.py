"""What a command works with: everything of a server that concerns accounts, and nothing that serves."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil

from chat2api.cli.place import Place
from chat2api.cli.workshop import opened_workshop
from chat2api.pool.values import NewAccount, RenewalClaim
from chat2api.secret import Secret
from chat2api.store.audit import Audit
from tests.cli.conftest import refresh


def test_two_commands_at_once_know_each_other(place: dict[str, str]) -> None:
    """A token that one renews is busy for the other, whoever that is: a command or a server."""
    here = Place(place, None)
    with opened_workshop(here) as one, opened_workshop(here) as other:
        (added,) = one.intake.add([NewAccount(refresh_token=Secret(refresh("a")))], "cli")
        credential = one.book.credential_of(added.account_id)
        assert credential is not None
        claim = one.credentials.claim(*credential)
        assert isinstance(claim, RenewalClaim)
        assert type(other.credentials.claim(*credential)).__name__ == "Busy"


def test_it_leaves_nothing_running(place: dict[str, str]) -> None:
    before = threading.active_count(), len(psutil.Process().children())
    with opened_workshop(Place(place, None)) as shop:
        assert shop.book.everything() == []
    assert (threading.active_count(), len(psutil.Process().children())) == before


def test_settings_and_audit(place: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("proxy_url: [http://proxy.example:1]\n")
    with opened_workshop(Place(place, config)) as shop:
        assert [one.reveal() for one in shop.egress.proxies] == ["http://proxy.example:1"]
        shop.note("try things", "target", number=1)
        (entry,) = Audit(shop.store).recent()
    assert (entry.actor, entry.action, entry.target) == ("cli", "try things", "target")
    assert entry.detail == {"number": 1}
