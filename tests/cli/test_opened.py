"""The store as commands open it: prepared, and closed in the end."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from chat2api.cli.opened import opened_store
from chat2api.errors import StorageUnavailable
from chat2api.store.api_keys import ApiKeys
from chat2api.store.opening import KEY_FILE


def test_the_store_is_made_ready(tmp_path: Path) -> None:
    environ = {"DATA_DIR": str(tmp_path / "data")}
    with opened_store(None, environ) as store:
        made, _ = ApiKeys(store).create("Bob")
    with opened_store(None, environ) as store:
        assert ApiKeys(store).list() == (made,)
    assert (tmp_path / "data" / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_settings_come_from_the_file_too(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data_dir: {tmp_path / 'elsewhere'}\n", "utf-8")
    with opened_store(config, {}) as store:
        assert store.data_dir == tmp_path / "elsewhere"


def test_what_goes_wrong_inside_is_told_in_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(click.ClickException, match="The database is busy"),
        opened_store(None, {"DATA_DIR": str(tmp_path)}),
    ):
        raise StorageUnavailable("The database is busy.")


def test_a_data_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(click.ClickException),
        opened_store(None, {"DATA_DIR": str(tmp_path / "file" / "data")}),
    ):
        pass
