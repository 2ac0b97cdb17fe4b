"""What came from files: which entries were taken in before, and whose accounts the configuration lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, select, update

from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.engine import insert_new
from chat2api.store.opening import Store

_ROWS_AT_ONCE = 500
CONFIG_SOURCE = "config"

_a = tables.accounts.c


class ArrivalBook:
    """All methods raise StorageUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> float:
        return self._store.now()

    # --- entries of files

    def fingerprint(self, *texts: str) -> str:
        return self._store.vault.hash("\0".join(texts))

    def known(self, fingerprints: Iterable[str]) -> set[str]:
        """Those of entries that were taken in before: what was removed since stays removed."""
        return self._present(tables.imported.c.fingerprint, set(fingerprints))

    def note(self, fingerprints: Iterable[str]) -> None:
        now = self._store.now()
        rows = [{"fingerprint": one, "at": now} for one in sorted(set(fingerprints))]

        def work(connection: Connection) -> None:
            for row in rows:
                insert_new(connection, tables.imported, row)

        if rows:
            self._store.database.write(work)

    # --- accounts of the configuration

    def listed(self) -> dict[str, str]:
        """The accounts that the configuration lists: fingerprint of the entry -> account id."""
        query = select(_a.source_hash, _a.account_id).where(
            _a.source == CONFIG_SOURCE, _a.source_hash.is_not(None), _a.removed_at.is_(None)
        )
        return self._store.database.read(
            lambda connection: {row[0]: row[1] for row in connection.execute(query)}
        )

    def list_as(self, entries: Mapping[str, str]) -> None:
        """These accounts (fingerprint -> id) are the configuration's from now on."""

        def work(connection: Connection) -> None:
            for fingerprint, account_id in entries.items():
                connection.execute(
                    update(tables.accounts)
                    .where(_a.account_id == account_id)
                    .values(source=CONFIG_SOURCE, source_hash=fingerprint)
                )

        if entries:
            self._store.database.write(work)

    # --- users of the mirror

    def add_seed(
        self,
        seed: Secret | None,
        seed_sha256: str | None,
        account_id: str | None,
        user_id: str,
        conversation_ids: Sequence[str],
        source: str,
    ) -> bool:
        """A user as an earlier program kept it; returns whether anything about it is new."""
        seed_hash = self.seed_hash(seed, seed_sha256)
        row = {
            "seed_hash": seed_hash,
            "seed": self._store.vault.seal_or_none(seed),
            "account_id": account_id,
            "user_id": user_id,
            "source": source,
            "created_at": self._store.now(),
        }

        def work(connection: Connection) -> bool:
            new = insert_new(connection, tables.seeds, row)
            for position, conversation_id in enumerate(conversation_ids):
                new |= insert_new(
                    connection,
                    tables.seed_conversations,
                    {
                        "seed_hash": seed_hash,
                        "conversation_id": conversation_id,
                        "account_id": account_id,
                        "position": position,
                    },
                )
            return new

        return self._store.database.write(work, durable=True)

    def seed_hash(self, seed: Secret | None, seed_sha256: str | None) -> str:
        """Under which a user is kept: our own hash, or the plain one where only that is known."""
        return f"sha256:{seed_sha256}" if seed is None else self._store.vault.hash(seed.reveal())

    def preview_seeds(self, seeds: Sequence[tuple[str, Sequence[str]]]) -> list[bool]:
        """What `add_seed` would return for each pair of hash and conversation ids, one after the other."""
        known = self._present(tables.seeds.c.seed_hash, {name for name, _ in seeds})
        pairs = self._conversations_of(known)
        answers = []
        for name, conversation_ids in seeds:
            wanted = {(name, each) for each in conversation_ids}
            answers.append(name not in known or not wanted <= pairs)
            known.add(name)
            pairs |= wanted
        return answers

    def preview_conversations(self, ids: Iterable[str]) -> set[str]:
        """Those that `add_conversations` would count as new."""
        wanted = set(ids)
        return wanted - self._present(tables.conversation_facts.c.conversation_id, wanted)

    def _present(self, column: Column[str], values: set[str]) -> set[str]:
        query = select(column)

        def work(connection: Connection) -> set[str]:
            return {
                found
                for some in _pieces(values)
                for found in connection.execute(query.where(column.in_(some))).scalars()
            }

        return self._store.database.read(work)

    def _conversations_of(self, seed_hashes: set[str]) -> set[tuple[str, str]]:
        columns = tables.seed_conversations.c
        query = select(columns.seed_hash, columns.conversation_id)

        def work(connection: Connection) -> set[tuple[str, str]]:
            return {
                (row[0], row[1])
                for some in _pieces(seed_hashes)
                for row in connection.execute(query.where(columns.seed_hash.in_(some)))
            }

        return self._store.database.read(work)

    def add_conversations(self, facts: Mapping[str, Mapping[str, Any]]) -> int:
        """What is known about conversations, by id; returns how many are new."""

        def work(connection: Connection) -> int:
            return sum(
                insert_new(
                    connection,
                    tables.conversation_facts,
                    {"conversation_id": name, "facts": json.dumps(dict(known))},
                )
                for name, known in facts.items()
            )

        return self._store.database.write(work, durable=True) if facts else 0


def _pieces(values: set[str]) -> Iterator[list[str]]:
    everything = sorted(values)
    for start in range(0, len(everything), _ROWS_AT_ONCE):
        yield everything[start : start + _ROWS_AT_ONCE]
