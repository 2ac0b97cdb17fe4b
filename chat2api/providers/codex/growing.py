"""One output item as it grows: what was told of it so far. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Growing:
    """`kind` is the item's type. `number` counts calls from 0, None for what is no call or was not told.

    Deltas come first and the whole later, and either may be missing: only what is new is handed on.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.number: int | None = None
        self.ended = False
        self._told: dict[int, list[str]] = {}

    def told(self, part: int = 0) -> bool:
        """Whether anything was told of this part."""
        return part in self._told

    def grow(self, text: str, part: int = 0) -> str:
        """More of a part."""
        if text:
            self._told.setdefault(part, []).append(text)
        return text

    def complete(self, whole: object, part: int = 0) -> str:
        """What is still missing of a part, now that all of it is known. Nothing is taken back."""
        if not isinstance(whole, str):
            return ""
        so_far = "".join(self._told.get(part, ()))
        return self.grow(whole[len(so_far) :], part) if whole.startswith(so_far) else ""


class Items:
    """The items of one answer, found again by their index or by their id."""

    def __init__(self) -> None:
        self._items: dict[object, Growing] = {}

    def of(self, event: Mapping[str, Any], kind: str) -> Growing:
        """The item that an event is about, a new one if need be. Ids alone are not relied on: some
        events come without."""
        item = event.get("item")
        item_id = event.get("item_id") or (item.get("id") if isinstance(item, Mapping) else None)
        keys = [("index", event.get("output_index")), ("id", item_id)]
        keys = [key for key in keys if isinstance(key[1], int | str)] or [("kind", kind)]
        found = next((self._items[key] for key in keys if key in self._items), None)
        if found is None or found.kind != kind:
            found = Growing(kind)
        for key in keys:
            self._items[key] = found
        return found

    def known(self, item_id: object, kind: str) -> Growing | None:
        """An item by its id."""
        found = self._items.get(("id", item_id)) if isinstance(item_id, str) else None
        return found if found is not None and found.kind == kind else None
