"""`python -m chat2api backup` and `restore`: the database as one file, taken while the server runs.

Tokens in it stay sealed. The key that opens them is never in it, or the two could be stolen together.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chat2api.cli.place import config_option
from chat2api.cli.tables import counted, moment

if TYPE_CHECKING:
    from chat2api.cli.archive import Manifest
    from chat2api.secret import Secret
    from chat2api.settings.load import LoadedSettings
    from chat2api.settings.model import Settings
    from chat2api.store.sqlite_files import Present

_KEY_ADVICE = (
    "The key that opens it is not in it. Keep that as well, at another place: {place}. "
    "Without it the tokens are lost."
)


# --- backup


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--with-config", is_flag=True, help="The YAML file too; it may hold tokens in clear.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@config_option
@click.pass_obj
def backup(
    environ: Mapping[str, str] | None,
    file: Path,
    with_config: bool,
    force: bool,
    config_path: Path | None,
) -> None:
    """Write accounts, keys and everything else that is stored into FILE, also while the server runs.

    \b
    Example: chat2api backup chat2api-backup.tar.gz
    """
    from chat2api.cli.opened import settings_here
    from chat2api.store.backups import note_backup

    loaded = settings_here(config_path, environ or {})
    path = database_path(loaded.settings, file, restoring=False)
    if file.exists() and not force:
        raise click.ClickException(f"{_name(file)} exists; use --force to overwrite it.")
    if not path.exists():
        raise click.ClickException(f"There is no database at {_name(path)}.")
    with _plainly(file):
        manifest = _packed(path, file, _config_of(loaded) if with_config else None)
    note_backup(path, time.time())
    click.echo(f"{_name(file)}: schema {manifest.schema}, {file.stat().st_size:,} bytes.")
    click.echo(_KEY_ADVICE.format(place=_key_place(loaded.settings)), err=True)
    _tell_waiting(loaded.settings)


def _packed(path: Path, file: Path, config: Path | None) -> Manifest:
    from chat2api.cli.archive import CONFIG, DATABASE, write_archive
    from chat2api.settings.version import version
    from chat2api.store.sqlite_files import copy_whole, look

    with tempfile.TemporaryDirectory(dir=file.absolute().parent, prefix=".backup-") as folder:
        copy = Path(folder) / DATABASE
        copy_whole(path, copy)
        files = {DATABASE: copy} | ({} if config is None else {CONFIG: config})
        return write_archive(file.absolute(), files, version(), look(copy, 0.0).schema or "-")


def _config_of(loaded: LoadedSettings) -> Path:
    if loaded.config_path is None:
        raise click.ClickException("There is no YAML file in use; leave --with-config out.")
    return loaded.config_path


def _key_place(settings: Settings) -> str:
    from chat2api.store.opening import KEY_FILE

    return "SECRET_KEY" if settings.secret_key else _name(settings.data_dir / KEY_FILE)


def _tell_waiting(settings: Settings) -> None:
    """Tokens renewed while the database was away are newer than what is in the backup."""
    from chat2api.store.opening import ESCROW_FOLDER

    waiting = len(list((settings.data_dir / ESCROW_FOLDER).glob("*.sealed")))
    if waiting:
        click.echo(
            f"{counted(waiting, 'renewed token')} could not be stored yet and is not in it: "
            "start the server, then make another backup.",
            err=True,
        )


# --- restore


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Although accounts are there, or a server runs.")
@click.option("--with-config", is_flag=True, help="The YAML file too, if it is in the backup.")
@config_option
@click.pass_obj
def restore(
    environ: Mapping[str, str] | None,
    file: Path,
    force: bool,
    with_config: bool,
    config_path: Path | None,
) -> None:
    """Put the database of a backup in place of the present one, which is kept.

    Needs the key of the server that was backed up: its SECRET_KEY, or its secret.key in DATA_DIR.

    \b
    Example: chat2api restore chat2api-backup.tar.gz
    """
    from chat2api.cli.archive import unpacked
    from chat2api.cli.opened import settings_here
    from chat2api.store.sqlite_files import look

    loaded = settings_here(config_path, environ or {})
    path = database_path(loaded.settings, file, restoring=True)
    present = look(path, time.time())
    if not force:
        _refuse_losing(present)
    with _plainly(file):
        keys = _keys(loaded.settings)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with unpacked(file, path.parent) as (manifest, folder):
            _put_back(loaded, manifest, folder, path, keys, with_config=with_config)
    if present.servers:
        click.echo("A server ran on the old database: restart it now.", err=True)


def _refuse_losing(present: Present) -> None:
    if present.servers:
        raise click.ClickException(
            "A server runs on this database, or ran a minute ago: stop it first, or use --force."
        )
    if not present.is_readable:
        raise click.ClickException(
            "The present database cannot be read: use --force to replace it."
        )
    if present.accounts:
        raise click.ClickException(
            f"{counted(present.accounts, 'account')} would be replaced: use --force. "
            "The present database is kept beside the new one."
        )


def _put_back(
    loaded: LoadedSettings,
    manifest: Manifest,
    folder: Path,
    path: Path,
    keys: tuple[Secret, ...],
    *,
    with_config: bool,
) -> None:
    from chat2api.cli.archive import CONFIG, DATABASE
    from chat2api.store.sqlite_files import put_in_place

    if with_config and CONFIG not in manifest.files:
        raise click.ClickException("There is no YAML file in this backup; nothing was changed.")
    accounts = _made_ready(folder / DATABASE, folder, keys, manifest)
    kept = put_in_place(folder / DATABASE, path)
    taken = moment(manifest.created_at)
    click.echo(f"{_name(path)}: {counted(accounts, 'account')}, as of {taken}.")
    if kept is not None:
        click.echo(f"The database of before is {_name(kept)}.")
    if with_config:
        _put_config(folder / CONFIG, loaded)


def _made_ready(copy: Path, folder: Path, keys: tuple[Secret, ...], manifest: Manifest) -> int:
    """Checked, opened with the keys and brought to this version's schema; how many accounts it has.

    All of that on the copy: whatever is wrong with it, the present database is untouched.
    """
    from chat2api.settings.version import version
    from chat2api.store.audit import Audit
    from chat2api.store.engine import database_url
    from chat2api.store.opening import StoreOptions, open_store, prepare_store
    from chat2api.store.sqlite_files import look, make_single_file, troubles

    if troubles(copy):
        raise click.ClickException("The database in it is damaged; nothing was changed.")
    options = StoreOptions(database_url(None, folder).set(database=str(copy)), folder, keys)
    prepare_store(options, version())
    store = open_store(options)
    try:
        Audit(store).note("cli", "", "restore backup", detail={"taken": manifest.created_at})
    finally:
        store.close()
    make_single_file(copy)
    return look(copy, 0.0).accounts


def _keys(settings: Settings) -> tuple[Secret, ...]:
    """The keys at hand; none is made, since a new one opens no backup. Raises click.ClickException."""
    from chat2api.store.opening import KEY_FILE, read_keys
    from chat2api.store.options import store_options

    if not settings.secret_key and not (settings.data_dir / KEY_FILE).exists():
        raise click.ClickException(
            f"Put the {KEY_FILE} of the server that was backed up into {_name(settings.data_dir)} "
            "first, or set its SECRET_KEY; nothing was changed."
        )
    return read_keys(store_options(settings))


def _put_config(source: Path, loaded: LoadedSettings) -> None:
    from chat2api.store.once import write_once

    target = loaded.config_path or Path.cwd() / "conf" / "app.dev.yaml"
    if write_once(target, source.read_bytes()):
        click.echo(f"{_name(target)} was written.")
        return
    aside = Path(f"{target}.restored")
    if not write_once(aside, source.read_bytes()):
        raise click.ClickException(f"{_name(target)} and {_name(aside)} are there already.")
    click.echo(f"{_name(target)} is there already; the one of the backup is {_name(aside)}.")


# --- both


def database_path(settings: Settings, file: Path, *, restoring: bool) -> Path:
    """The SQLite file. Raises click.ClickException, with the command to use, for PostgreSQL."""
    from chat2api.store.engine import database_url

    url = database_url(settings.database_url, settings.data_dir)
    if settings.database_url is not None and url.get_backend_name() != "sqlite":
        raise click.ClickException(
            "The database is PostgreSQL; use its own tools, which ask for the password "
            f"(or read it from ~/.pgpass):\n  {_postgres_command(settings.database_url, file, restoring=restoring)}\n"
            "SECRET_KEY is not in the dump; keep it too."
        )
    return Path(str(url.database))


def _postgres_command(address: Secret, file: Path, *, restoring: bool) -> str:
    """Without the password: arguments stand in the list of processes."""
    import shlex
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(address.reveal())
    user = None if parts.username is None else unquote(parts.username)
    where = {"--host": parts.hostname, "--port": parts.port, "--username": user}
    options = [f"{name}={value}" for name, value in where.items() if value]
    base = unquote(parts.path.lstrip("/"))
    words = (
        ["pg_restore", "--clean", "--if-exists", *options, f"--dbname={base}", str(file)]
        if restoring
        else ["pg_dump", "--format=custom", *options, f"--file={file}", base]
    )
    return shlex.join(words)


@contextmanager
def _plainly(file: Path) -> Iterator[None]:
    from chat2api.cli.archive import BadArchive
    from chat2api.cli.opened import told_plainly
    from chat2api.store.sqlite_files import CopyFailed

    try:
        with told_plainly():
            yield
    except BadArchive as error:
        raise click.ClickException(
            f"{_name(file)} cannot be restored: {error}; nothing was changed."
        ) from None
    except CopyFailed as error:
        raise click.ClickException(f"The database cannot be copied: {error}.") from None


def _name(path: Path) -> str:
    return click.format_filename(path)
