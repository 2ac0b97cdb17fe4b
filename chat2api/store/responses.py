"""Answers of the Responses API that callers asked to have kept: found by their id, by their owner only.

A row holds one turn, packed and sealed. A conversation is a chain of turns, each naming the one before.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import (
    Connection,
    Delete,
    Row,
    Select,
    Update,
    delete,
    func,
    literal,
    select,
    update,
)

from chat2api.errors import ContextTooLong, StorageUnavailable
from chat2api.lifetime.breath import Breath
from chat2api.store.api_tables import response_items, responses
from chat2api.store.engine import WAIT_SECONDS, insert_new
from chat2api.store.opening import Store
from chat2api.store.vault import WrongKey

log = logging.getLogger(__name__)

MOST_TURNS = 1_000
"""Of one chain."""
MOST_BYTES = 32 * 1024 * 1024
"""Of all turns of one chain, and of all turns that one request takes single items from."""

_WRITE_SECONDS = 2.0
_PIECE_BYTES = 256 * 1024  # packed, sealed or the reverse in a few milliseconds
_QUICK = 1  # zlib: most of the gain at a fraction of the time
_AT_ONCE = 100
_MOST_SWEEPS = 200
_LONGEST_ID = 80
_LONGEST_ITEM_ID = 200
# A chain that is used is kept on; written down when that changes its end by this part.
_WORTH_WRITING = 0.05

_r, _i = responses.c, response_items.c


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer with what was asked anew: `response` is the object as it was sent, `input_items` are this
    turn's own. `previous_id` is the turn before, None for a first one."""

    response: Mapping[str, Any]
    input_items: Sequence[Mapping[str, Any]]
    previous_id: str | None = None

    @property
    def items(self) -> list[Any]:
        """What the turn adds to a conversation, in order."""
        return [*self.input_items, *self.response.get("output", ())]


class StoredResponses:
    """Every method raises StorageUnavailable. What cannot be opened any more counts as gone."""

    def __init__(self, store: Store, breathe: Callable[[], None] | None = None) -> None:
        self._store = store
        self._breathe = breathe or Breath()

    def keep(self, turn: Turn, owner: str, seconds: float) -> bool:
        """Keep it for so long. False for one that is too large, or whose id is taken."""
        response_id = str(turn.response["id"])
        plain = orjson.dumps({"response": turn.response, "input": turn.input_items})
        if len(plain) > MOST_BYTES:
            log.warning("a response is too large to be kept", extra={"bytes": len(plain)})
            return False
        now = self._store.now()
        row = {
            "response_id": response_id,
            "owner": owner,
            "previous_id": turn.previous_id,
            "size": len(plain),
            "created_at": now,
            "expires_at": now + seconds,
            "content": self._store.vault.seal_pieces(self._packed(plain)),
        }
        items = _item_rows(turn, response_id)

        def work(connection: Connection) -> bool:
            is_new = insert_new(connection, responses, row)
            if is_new and items:
                connection.execute(response_items.insert(), items)
            return is_new

        return self._store.database.write(work, wait_seconds=_WRITE_SECONDS)

    def find(self, response_id: str, owner: str) -> Turn | None:
        if not _can_be_id(response_id):
            return None
        query = self._living(select(_r.previous_id, _r.content), owner)
        query = query.where(_r.response_id == response_id)
        row = self._store.database.read(lambda connection: connection.execute(query).first())
        return None if row is None else self._opened(row.content, row.previous_id)

    def delete(self, response_id: str, owner: str) -> bool:
        """Whether it was there. Turns after it can be read, but no longer continued."""
        if not _can_be_id(response_id):
            return False
        gone = delete(responses).where(_r.response_id == response_id, _r.owner == owner)
        gone = gone.where(_r.expires_at > self._store.now())
        return self._store.database.write(
            lambda connection: connection.execute(gone).rowcount > 0, durable=True
        )

    # --- what came before

    def chain(self, response_id: str, owner: str, seconds: float) -> list[Turn] | None:
        """The turn and all before it, oldest first, kept for so long from now on; None where one of them
        is missing. Raises ContextTooLong for more than MOST_TURNS or MOST_BYTES."""
        if not _can_be_id(response_id):
            return None
        links = self._rows(self._links(response_id, owner))
        if not links:
            return None
        if len(links) > MOST_TURNS or sum(link.size for link in links) > MOST_BYTES:
            raise ContextTooLong(
                "The stored conversation is too long to be continued.",
                param="previous_response_id",
            )
        if links[-1].previous_id is not None:
            return None
        contents = self._contents([link.response_id for link in links])
        turns: list[Turn] = []
        for link in reversed(links):
            turn = self._opened(contents.get(link.response_id), link.previous_id)
            if turn is None:
                return None
            turns.append(turn)
        self._keep_on(list(contents), seconds)
        return turns

    def items(self, item_ids: Collection[str], owner: str) -> dict[str, Any]:
        """Those items of earlier answers that are there. Raises ContextTooLong."""
        wanted = [each for each in dict.fromkeys(item_ids) if _can_be_id(each, _LONGEST_ITEM_ID)]
        places: dict[str, tuple[str, int]] = {}
        sizes: dict[str, int] = {}
        columns = select(_i.item_id, _i.response_id, _i.position, _r.size)
        query = self._living(columns.join(responses), owner).order_by(_r.created_at)
        for part in _parts(wanted):
            for row in self._rows(query.where(_i.item_id.in_(part))):
                places[row.item_id] = (row.response_id, row.position)
                sizes[row.response_id] = row.size
        if sum(sizes.values()) > MOST_BYTES:
            raise ContextTooLong("The items referred to are too long.", param="input")
        outputs = {
            response_id: self._output_of(content)
            for response_id, content in self._contents(list(sizes)).items()
        }
        return {
            item_id: outputs[response_id][position]
            for item_id, (response_id, position) in places.items()
            if position < len(outputs.get(response_id, ()))
        }

    def _links(self, response_id: str, owner: str) -> Select[Any]:
        columns = (_r.response_id, _r.previous_id, _r.size)
        first = self._living(select(*columns, literal(1).label("depth")), owner)
        walk = first.where(_r.response_id == response_id).cte("walk", recursive=True)
        further = self._living(select(*columns, walk.c.depth + 1), owner)
        further = further.where(_r.response_id == walk.c.previous_id, walk.c.depth <= MOST_TURNS)
        walk = walk.union_all(further)
        return select(walk).order_by(walk.c.depth)

    def _contents(self, response_ids: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in _parts(response_ids):
            query = select(_r.response_id, _r.content).where(_r.response_id.in_(part))
            found.update((row.response_id, row.content) for row in self._rows(query))
        return found

    def _keep_on(self, response_ids: Sequence[str], seconds: float) -> None:
        ends = self._store.now() + seconds
        worth = _r.expires_at < ends - seconds * _WORTH_WRITING
        longer = update(responses).where(worth).values(expires_at=ends)
        try:
            for part in _parts(response_ids):
                self._changed(longer.where(_r.response_id.in_(part)), _WRITE_SECONDS)
        except StorageUnavailable:
            log.warning("a stored conversation is not kept longer: the database is away")

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        return self._store.database.read(lambda connection: connection.execute(query).all())

    def _changed(self, statement: Update | Delete, wait_seconds: float = WAIT_SECONDS) -> int:
        """How many rows it changed."""
        return self._store.database.write(
            lambda connection: connection.execute(statement).rowcount, wait_seconds=wait_seconds
        )

    def _living(self, query: Select[Any], owner: str) -> Select[Any]:
        return query.where(_r.owner == owner, _r.expires_at > self._store.now())

    # --- packing

    def _packed(self, plain: bytes) -> Iterator[bytes]:
        packer = zlib.compressobj(_QUICK)
        pieces = [packer.compress(piece) for piece in self._at_leisure(_pieces(plain))]
        return self._at_leisure(_pieces(b"".join([*pieces, packer.flush()])))

    def _unpacked(self, content: str) -> bytes:
        unpacker = zlib.decompressobj()
        pieces: list[bytes] = []
        for packed in self._at_leisure(self._store.vault.open_pieces(content)):
            pieces.append(unpacker.decompress(packed, _PIECE_BYTES))
            while unpacker.unconsumed_tail:
                self._breathe()
                pieces.append(unpacker.decompress(unpacker.unconsumed_tail, _PIECE_BYTES))
        return b"".join([*pieces, unpacker.flush()])

    def _at_leisure(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Others have their turn before each: megabytes take long."""
        for piece in pieces:
            self._breathe()
            yield piece

    def _opened(self, content: str | None, previous_id: str | None) -> Turn | None:
        if content is None:
            return None
        try:
            found = orjson.loads(self._unpacked(content))
            return Turn(found["response"], found["input"], previous_id)
        except (WrongKey, zlib.error, ValueError, KeyError, TypeError):
            log.error("a stored response cannot be opened")
            return None

    def _output_of(self, content: str) -> Sequence[Any]:
        turn = self._opened(content, None)
        return () if turn is None else list(turn.response.get("output", ()))

    # --- forgetting

    def prune(self, most: int, most_bytes: int) -> int:
        """Forget what has ended, and of the rest what was not used for longest, above `most` turns or
        `most_bytes`. How many went; what is left over is done the next time."""
        oldest = select(_r.response_id, _r.size).order_by(_r.expires_at, _r.response_id)
        ended = oldest.where(_r.expires_at <= self._store.now())
        gone = self._swept(ended, lambda rows: rows)
        totals = select(func.count(), func.sum(_r.size)).select_from(responses)
        count, size = self._store.database.read(lambda connection: connection.execute(totals).one())
        count, size = count - most, int(size or 0) - most_bytes

        def too_many(rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
            nonlocal count, size
            for place, row in enumerate(rows):
                if count <= 0 and size <= 0:
                    return rows[:place]
                count, size = count - 1, size - row.size
            return rows

        return gone + self._swept(oldest, too_many)

    def _swept(
        self,
        which: Select[tuple[str, int]],
        chosen: Callable[[Sequence[Row[Any]]], Sequence[Row[Any]]],
    ) -> int:
        total = 0
        for _ in range(_MOST_SWEEPS):
            ids = [row.response_id for row in chosen(self._rows(which.limit(_AT_ONCE)))]
            if not ids:
                break
            total += self._changed(delete(responses).where(_r.response_id.in_(ids)))
            self._breathe()
        return total


def _item_rows(turn: Turn, response_id: str) -> list[dict[str, Any]]:
    positions: dict[str, int] = {}
    for position, item in enumerate(turn.response.get("output", ())):
        item_id = item.get("id")
        if isinstance(item_id, str) and _can_be_id(item_id, _LONGEST_ITEM_ID):
            positions.setdefault(item_id, position)
    return [
        {"item_id": item_id, "response_id": response_id, "position": position}
        for item_id, position in positions.items()
    ]


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + _PIECE_BYTES] for start in range(0, len(data), _PIECE_BYTES))


def _can_be_id(text: str, longest: int = _LONGEST_ID) -> bool:
    """PostgreSQL takes no NUL, and nothing takes halves of a character."""
    return 0 < len(text) <= longest and text.isascii() and text.isprintable()


def _parts(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]
