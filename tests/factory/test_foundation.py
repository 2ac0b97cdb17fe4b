"""What lies under everything: made once, ended once."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from chat2api.factory.foundation import lay_foundation, pick_options, pool_limits
from chat2api.secret import Secret
from chat2api.settings.model import Settings
from chat2api.store.memory_pool import PoolLimits
from chat2api.store.opening import KeyMismatch
from chat2api.store.picking import PickOptions
from chat2api.store.request_records import RequestRecord


def test_the_pools_options() -> None:
    settings = Settings(
        account_concurrency=3,
        random_token=False,
        enable_limit=False,
        access_denied_seconds=11,
        queue_seconds=12,
        queue_length=13,
    )
    assert pick_options(settings) == PickOptions(3, False, False, 11)
    assert pool_limits(settings) == PoolLimits(3, 12, 13, False)


def test_it_is_laid_and_taken_away(tmp_path: Path) -> None:
    before = set(psutil.Process().children())
    base = lay_foundation(Settings(data_dir=tmp_path, compute_processes=1))
    assert base.pool.is_empty()
    assert (base.book.counts().total, base.lifecycle.draining) == (0, False)
    base.close()
    assert set(psutil.Process().children()) == before


def test_what_was_recorded_is_written_at_the_end(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, compute_processes=1)
    base = lay_foundation(settings)
    base.desk.recorder.finish(RequestRecord("last", base.store.now(), 1.0, 200, False))
    base.close()
    again = lay_foundation(settings)
    assert again.desk.records.find("last") is not None
    again.close()


def test_a_wrong_key_is_told(tmp_path: Path) -> None:
    lay_foundation(Settings(data_dir=tmp_path, compute_processes=1)).close()
    (tmp_path / "secret.key").write_text("another")
    with pytest.raises(KeyMismatch):
        lay_foundation(
            Settings(data_dir=tmp_path, secret_key=(Secret("a wrong phrase, long enough"),))
        )
