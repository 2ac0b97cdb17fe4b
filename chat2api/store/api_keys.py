"""API keys of this server: shown once when they are made, kept as keyed hash and hint."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, update
from sqlalchemy.exc import IntegrityError

from chat2api.errors import Conflict, NotFound, RequestError
from chat2api.secret import Secret
from chat2api.store.opening import Store
from chat2api.store.tables import api_keys

log = logging.getLogger(__name__)

Scope = Literal["chat", "responses", "messages", "images", "audio", "models", "usage"]
KeyKind = Literal["first", "named"]

SCOPES: Mapping[Scope, str] = {
    "chat": "chat completions",
    "responses": "the Responses API",
    "messages": "the Messages API",
    "images": "making and changing pictures",
    "audio": "speech and transcription",
    "models": "the list of models",
    "usage": "usage and billing figures",
}
"""What a key may be confined to, and what each name opens."""

FIRST = "first"
OLD_KEY_FILE = "api_key.json"

_KEY_BYTES = 32
_LONGEST_LABEL = 100
_LONGEST_MODEL = 200
_MOST_MODELS = 100
_MOST_PER_MINUTE = 1_000_000
_MOST_TOKENS = 10**15
_USE_WAIT_SECONDS = 0.2
_MOST_LISTED = 500
_KEY_ID = re.compile(r"key_[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, without the key. No scopes or models: all of them. Times are epoch seconds.

    `models` are patterns as a shell knows them. A limit of None is none. `key_id` is safe to log.
    """

    key_id: str
    label: str
    kind: KeyKind
    hint: str
    key_hash: str = field(repr=False)
    scopes: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    expires_at: float | None = None
    revoked_at: float | None = None
    requests_per_minute: int | None = None
    daily_tokens: int | None = None
    created_at: float = 0.0
    last_used_at: float | None = None

    def is_usable(self, now: float) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def has_limits(self) -> bool:
        return self.requests_per_minute is not None or self.daily_tokens is not None


class AlreadyMade(Conflict):
    """A key was made under this id before; its text cannot be had again."""

    code = "key_already_made"


class LastKey(Conflict):
    """Without this key nobody could use the server."""

    code = "last_key"


class ApiKeys:
    """Every method raises StorageUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> float:
        return self._store.now()

    def create(
        self,
        label: str,
        *,
        scopes: Iterable[str] = (),
        models: Iterable[str] = (),
        expires_at: float | None = None,
        requests_per_minute: int | None = None,
        daily_tokens: int | None = None,
        key_id: str | None = None,
    ) -> tuple[ApiKey, Secret]:
        """A new named key, and its text, which cannot be had again.

        `key_id`, one of `new_key_id`, makes it once however often it is asked for. Raises RequestError,
        AlreadyMade.
        """
        secret = _new_secret()
        now = self._store.now()
        made = ApiKey(
            key_id=new_key_id() if key_id is None else _checked_id(key_id),
            label=_checked_label(label),
            kind="named",
            hint=hint_of(secret),
            key_hash=self._store.vault.hash(secret.reveal()),
            scopes=_checked_scopes(scopes),
            models=_checked_models(models),
            expires_at=_checked_end(expires_at, now),
            requests_per_minute=_checked_limit(
                requests_per_minute, _MOST_PER_MINUTE, "requests_per_minute"
            ),
            daily_tokens=_checked_limit(daily_tokens, _MOST_TOKENS, "daily_tokens"),
            created_at=now,
        )
        try:
            self._store.database.write(lambda connection: _insert(connection, made), durable=True)
        except IntegrityError:
            raise AlreadyMade("This key was made already; it was shown then.") from None
        return made, secret

    def get(self, key_id: str) -> ApiKey | None:
        """The key with this id, expired and revoked ones too."""
        query = select(api_keys).where(api_keys.c.key_id == key_id)
        row = self._store.database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _key_of(row)

    def find(self, key_hash: str) -> ApiKey | None:
        """The key with this hash, expired and revoked ones too."""
        query = select(api_keys).where(api_keys.c.key_hash == key_hash)
        row = self._store.database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _key_of(row)

    def first(self) -> ApiKey | None:
        """The key that was made because none was configured."""
        return self.get(FIRST)

    def list(self) -> tuple[ApiKey, ...]:
        """All keys, the newest first."""
        query = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.key_id)
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return tuple(_key_of(row) for row in rows)

    def page(
        self, *, usable: bool, most: int = 100, before: str | None = None
    ) -> tuple[ApiKey, ...]:
        """Those that are valid, or those that ended; the newest first, older ones than key `before`."""
        c = api_keys.c
        query = select(api_keys).where(
            _usable(self._store.now()) if usable else ~_usable(self._store.now())
        )
        if before is not None:
            since = select(c.created_at).where(c.key_id == before).scalar_subquery()
            query = query.where(
                or_(c.created_at < since, and_(c.created_at == since, c.key_id > before))
            )
        query = query.order_by(c.created_at.desc(), c.key_id).limit(min(most, _MOST_LISTED))
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return tuple(_key_of(row) for row in rows)

    def change(
        self,
        key_id: str,
        *,
        label: str,
        scopes: Iterable[str],
        models: Iterable[str],
        expires_at: float | None,
        requests_per_minute: int | None,
        daily_tokens: int | None,
    ) -> tuple[ApiKey, ApiKey]:
        """Set everything that may be set; the key before and after. Those made here only.

        Raises RequestError, NotFound, Conflict for a key that was revoked.
        """
        this, now = api_keys.c.key_id == key_id, self._store.now()
        wanted: dict[str, Any] = {
            "label": _checked_label(label),
            "scopes": _checked_scopes(scopes),
            "models": _checked_models(models),
            "requests_per_minute": _checked_limit(
                requests_per_minute, _MOST_PER_MINUTE, "requests_per_minute"
            ),
            "daily_tokens": _checked_limit(daily_tokens, _MOST_TOKENS, "daily_tokens"),
        }

        def work(connection: Connection) -> tuple[ApiKey, ApiKey]:
            row = connection.execute(select(api_keys).where(this).with_for_update()).first()
            if row is None:
                raise NotFound("There is no such key.")
            held = _key_of(row)
            if held.kind != "named":
                raise RequestError("Only keys that were made by name can be changed.")
            if held.revoked_at is not None:
                raise Conflict("This key is revoked, and stays so.")
            # An end that has passed already may stay as it is.
            same = expires_at == held.expires_at
            ends = held.expires_at if same else _checked_end(expires_at, now)
            changed = replace(held, **wanted, expires_at=ends)
            connection.execute(update(api_keys).where(this).values(_columns_of(changed)))
            return held, changed

        return self._store.database.write(work, durable=True)

    def revoke(self, key_id: str, *, keep_one: bool = False) -> ApiKey:
        """Refuse the key from now on; for ever. Again is no error. Raises NotFound.

        `keep_one` raises LastKey where it is the last valid one stored here.
        """
        this = api_keys.c.key_id == key_id
        now = self._store.now()

        def work(connection: Connection) -> Row[Any] | None:
            if keep_one:
                # Locked, so that two of the last two cannot both think the other stays.
                usable = select(api_keys.c.key_id).where(_usable(now)).with_for_update()
                if set(connection.execute(usable).scalars()) == {key_id}:
                    raise LastKey("This is the last valid key: without it nobody can use the API.")
            connection.execute(
                update(api_keys).where(this, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
            )
            return connection.execute(select(api_keys).where(this)).first()

        row = self._store.database.write(work, durable=True)
        if row is None:
            raise NotFound("There is no such key.")
        return _key_of(row)

    def note_use(self, uses: Mapping[str, float]) -> None:
        """When keys were used last, by key id; an older time than the stored one changes nothing."""
        column = api_keys.c.last_used_at

        def work(connection: Connection) -> None:
            for key_id, at in sorted(uses.items()):  # in one order everywhere: no deadlocks
                later = column.is_(None) | (column < at)
                connection.execute(
                    update(api_keys)
                    .where(api_keys.c.key_id == key_id, later)
                    .values(last_used_at=at)
                )

        self._store.database.write(work, wait_seconds=_USE_WAIT_SECONDS)

    def first_key(self, announce: Callable[[Secret], None]) -> ApiKey:
        """The key for a server without any; made, and handed to `announce`, by exactly one caller.

        A key that an earlier version kept in `api_key.json` is taken over instead, silently.
        """
        kept = self.first()
        if kept is not None:
            return kept
        made, secret = self._first_one()
        try:
            self._store.database.write(lambda connection: _insert(connection, made), durable=True)
        except IntegrityError:
            winner = self.first()
            if winner is None:
                raise
            return winner
        if secret is not None:
            announce(secret)
        return made

    def _first_one(self) -> tuple[ApiKey, Secret | None]:
        earlier = _read_old_file(self._store.data_dir / OLD_KEY_FILE)
        if earlier is not None:
            key_hash, hint = earlier
            return self._named_first(key_hash, hint), None
        secret = _new_secret()
        return self._named_first(self._store.vault.hash(secret.reveal()), hint_of(secret)), secret

    def _named_first(self, key_hash: str, hint: str) -> ApiKey:
        now = self._store.now()
        return ApiKey(FIRST, "first key", "first", hint, key_hash, created_at=now)


def announce_first_key(secret: Secret) -> None:
    """To the terminal and not to the log: logs are kept, and redact keys."""
    os.write(
        1,
        (
            "\nNo API key is configured, so one was made for you. It is shown this once:\n\n"
            f"    {secret.reveal()}\n\n"
            "Set AUTHORIZATION to use keys of your own.\n\n"
        ).encode(),
    )


def new_key_id() -> str:
    return f"key_{secrets.token_hex(6)}"


def hint_of(secret: Secret) -> str:
    """Enough to tell one's keys apart."""
    return f"sk-…{secret.reveal()[-4:]}"


def _new_secret() -> Secret:
    return Secret("sk-" + secrets.token_urlsafe(_KEY_BYTES))


# --- what may be asked for


def _checked_id(key_id: str) -> str:
    if not _KEY_ID.fullmatch(key_id):
        raise RequestError("This is not an id of a key.", param="key_id")
    return key_id


def _checked_label(label: str) -> str:
    label = label.strip()
    if not 1 <= len(label) <= _LONGEST_LABEL or not label.isprintable():
        raise RequestError(
            f"The label must be 1 to {_LONGEST_LABEL} printable characters.", param="label"
        )
    return label


def _checked_scopes(scopes: Iterable[str]) -> frozenset[str]:
    wanted = frozenset(scopes)
    if not wanted <= frozenset(get_args(Scope)):
        raise RequestError(f"Scopes are {', '.join(SCOPES)}.", param="scopes")
    return wanted


def _checked_models(models: Iterable[str]) -> tuple[str, ...]:
    patterns = tuple(dict.fromkeys(text.strip() for text in models if text.strip()))
    if len(patterns) > _MOST_MODELS or not all(
        len(text) <= _LONGEST_MODEL and text.isprintable() for text in patterns
    ):
        raise RequestError(
            f"Models must be {_MOST_MODELS} patterns at most, each of {_LONGEST_MODEL} printable "
            "characters at most.",
            param="models",
        )
    return patterns


def _checked_end(expires_at: float | None, now: float) -> float | None:
    if expires_at is None:
        return None
    if not now < expires_at < 1e12:  # not-a-number fails this too
        raise RequestError("The key must expire in the future.", param="expires_at")
    return float(expires_at)


def _checked_limit(value: int | None, most: int, name: str) -> int | None:
    if value is None:
        return None
    # From JSON anything may come: True counts as 1 in Python, and NaN is a float.
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise RequestError(f"{name} must be a whole number from 1 to {most}.", param=name)
    return value


# --- rows


def _insert(connection: Connection, key: ApiKey) -> None:
    connection.execute(
        api_keys.insert().values(
            key_id=key.key_id,
            key_hash=key.key_hash,
            kind=key.kind,
            hint=key.hint,
            created_at=key.created_at,
            **_columns_of(key),
        )
    )


def _columns_of(key: ApiKey) -> dict[str, Any]:
    """Of what may be changed later."""
    return {
        "label": key.label,
        "scopes": " ".join(sorted(key.scopes)),
        "models": "\n".join(key.models),
        "expires_at": key.expires_at,
        "requests_per_minute": key.requests_per_minute,
        "daily_tokens": key.daily_tokens,
    }


def _usable(now: float) -> ColumnElement[bool]:
    c = api_keys.c
    return and_(c.revoked_at.is_(None), or_(c.expires_at.is_(None), c.expires_at > now))


def _key_of(row: Row[Any]) -> ApiKey:
    """A scope that is not known here stays: were it left out, none left would mean all."""
    return ApiKey(
        key_id=row.key_id,
        label=row.label,
        kind="first" if row.kind == "first" else "named",
        hint=row.hint,
        key_hash=row.key_hash,
        scopes=frozenset(row.scopes.split()),
        models=tuple(row.models.splitlines()),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        requests_per_minute=row.requests_per_minute,
        daily_tokens=row.daily_tokens,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )


def _read_old_file(path: Path) -> tuple[str, str] | None:
    """Hash and hint of a first key made by an earlier version; the pepper of that hash is ours still."""
    try:
        content = json.loads(path.read_text("utf-8"))
        key_hash, hint = str(content["key_hash"]), str(content.get("hint", ""))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        log.error("%s cannot be read; a new first key is made", OLD_KEY_FILE)
        return None
    return (key_hash, hint) if len(key_hash) == 64 else None
