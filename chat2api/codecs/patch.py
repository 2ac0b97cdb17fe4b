"""Incremental editing of JSON documents: the "delta encoding v1" of the ChatGPT stream (sheet 5.3).

A stream edits several documents, one per channel, by operations at JSON pointers. What an operation does
not say it inherits from the one before. The documents are plain dicts and lists; a text that is appended
to becomes a `Rope`. What cannot be applied (an unknown operation, an unreachable place) is ignored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chat2api.codecs.rope import Rope

logger = logging.getLogger(__name__)

Path = tuple[str, ...]

_ABSENT: Any = object()

# Keys that are traps in the language of the original client; nobody means them.
_FORBIDDEN = frozenset({"__proto__", "constructor", "prototype"})

_PATCH_DEPTH = 16
_INDEX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Change:
    """What one delta did. Only places that were really changed are in `paths`; `()` is the document.

    `grew` says that nothing happened but texts becoming longer. `document` is the channel's root, None
    when it was removed.
    """

    channel: int
    document: Any
    paths: tuple[Path, ...]
    grew: bool


class PatchDecoder:
    """Holds the documents of one stream and applies deltas to them.

    `root_key` tells a whole document from other objects. A value that has it replaces the document,
    whatever the operation, when the path is empty, when the channel has no document yet, or when the
    path was only inherited (a resumed stream may begin so).
    """

    __slots__ = ("_bare", "_channel", "_operation", "_path", "_root_key", "_rope", "documents")

    def __init__(self, root_key: str = "message") -> None:
        self.documents: dict[int, Any] = {}
        self._root_key = root_key
        self._path: Path = ()
        self._operation = "add"
        self._channel = 0
        # The text that a delta of nothing but `v` appends to, and what to answer then.
        self._rope: Rope | None = None
        self._bare: Change | None = None

    @property
    def channel(self) -> int:
        """The channel that deltas go to until one names another."""
        return self._channel

    def put(self, document: Any, channel: int | None = None) -> None:
        """Make `document` that of `channel` (default: the current one)."""
        self._rope = None
        self.documents[self._channel if channel is None else channel] = document

    def apply(self, delta: Mapping[str, Any]) -> Change:
        """Apply `{"p", "o", "c", "v"}`, each key optional; `p`, `o`, `c` are inherited, `v` never.

        The same Change object may be returned again for appends that follow on one another.
        """
        if self._rope is not None and self._bare is not None and len(delta) == 1:
            text = delta.get("v")
            if type(text) is str:
                self._rope.append(text)
                return self._bare
        self._rope = None
        self._inherit(delta)
        edit = _Edit(self.documents, self._channel)
        self._run(edit, delta)
        change = edit.change()
        if self._operation == "append" and change.grew and change.paths == (self._path,):
            self._rope = edit.rope
            self._bare = change
        return change

    def _inherit(self, delta: Mapping[str, Any]) -> None:
        pointer, operation, channel = delta.get("p"), delta.get("o"), delta.get("c")
        if isinstance(pointer, str):
            self._path = split_pointer(pointer)
        if isinstance(operation, str):
            self._operation = operation
        if isinstance(channel, int) and not isinstance(channel, bool):
            self._channel = channel

    def _run(self, edit: _Edit, delta: Mapping[str, Any]) -> None:
        value = delta.get("v", _ABSENT)
        if self._is_document(value, "p" in delta):
            edit.operate((), "add", value)
        elif isinstance(value, list) and self._operation != "patch" and _is_patch(value):
            edit.patch((), value)
        elif self._operation == "patch":
            edit.patch(self._path, value)
        else:
            edit.operate(self._path, self._operation, value)

    def _is_document(self, value: Any, placed: bool) -> bool:
        if not isinstance(value, dict) or self._root_key not in value:
            return False
        if not self._path or self._channel not in self.documents:
            return True
        return not placed and isinstance(value[self._root_key], dict)


class _Edit:
    """One delta at work: what it changed, and whether that was growth alone."""

    __slots__ = ("_channel", "_documents", "_edited", "paths", "rope")

    def __init__(self, documents: dict[int, Any], channel: int) -> None:
        self._documents = documents
        self._channel = channel
        self._edited = False
        self.paths: list[Path] = []
        self.rope: Rope | None = None

    def change(self) -> Change:
        grew = bool(self.paths) and not self._edited
        return Change(self._channel, self._documents.get(self._channel), tuple(self.paths), grew)

    def patch(self, base: Path, operations: Any, depth: int = 0) -> None:
        """A list of operations, each with its own `p`, `o`, `v`; nothing is inherited inside."""
        if not isinstance(operations, list) or depth > _PATCH_DEPTH:
            return
        for item in operations:
            if not isinstance(item, dict):
                continue
            pointer, operation = item.get("p", ""), item.get("o")
            if not isinstance(pointer, str) or not isinstance(operation, str):
                continue
            path = base + split_pointer(pointer)
            if operation == "patch":
                self.patch(path, item.get("v"), depth + 1)
            else:
                self.operate(path, operation, item.get("v", _ABSENT))

    def operate(self, path: Path, operation: str, value: Any) -> None:
        place = self._locate(path)
        run = _OPERATIONS.get(operation)
        if not path and operation != "remove" and not isinstance(value, dict):
            run = None  # a document is an object
        if place is None or run is None:
            logger.debug("ignored %.20r at %.200r", operation, path)
            return
        parent, key = place
        if operation == "append" and isinstance(value, str):
            rope = _grow_text(parent, key, value)
            if rope is not None:
                self.rope = rope
                self.paths.append(path)
                return
        if run(parent, key, value):
            self._edited = True
            self.paths.append(path)

    def _locate(self, path: Path) -> tuple[Any, Any] | None:
        """The container and key that `path` names; the key may be missing yet, the container not."""
        parent: Any = self._documents
        key: Any = self._channel
        for step in path:
            node = _get(parent, key)
            if isinstance(node, dict):
                if step in _FORBIDDEN:
                    return None
                parent, key = node, step
            elif isinstance(node, list):
                index = _index(step, len(node))
                if index is None:
                    return None
                parent, key = node, index
            else:
                return None
        return parent, key


def split_pointer(pointer: str) -> Path:
    """The steps of a JSON pointer, unescaped. A missing first slash is forgiven."""
    if not pointer:
        return ()
    steps = pointer.removeprefix("/").split("/")
    if "~" in pointer:
        steps = [step.replace("~1", "/").replace("~0", "~") for step in steps]
    return tuple(steps)


def plain(value: Any) -> Any:
    """A copy of a document with every Rope as str."""
    if isinstance(value, Rope):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def _is_patch(value: list[Any]) -> bool:
    return bool(value) and all(
        isinstance(item, dict)
        and isinstance(item.get("p"), str)
        and (item.get("o") in _OPERATIONS or item.get("o") == "patch")
        for item in value
    )


def _index(step: str, length: int) -> int | None:
    """A list index; "-" is the place behind the last item."""
    if step == "-":
        return length
    if not (step.isascii() and step.isdecimal()) or len(step) > _INDEX_DIGITS:
        return None
    return int(step)


def _get(container: Any, key: Any) -> Any:
    """The value at `key`, or _ABSENT."""
    if isinstance(container, dict):
        return container.get(key, _ABSENT)
    return container[key] if key < len(container) else _ABSENT


def _grow_text(container: Any, key: Any, text: str) -> Rope | None:
    """Append to a text, which becomes a Rope at its first append; None when there is no text."""
    current = _get(container, key)
    if isinstance(current, str):
        current = container[key] = Rope(current)
    if not isinstance(current, Rope):
        return None
    current.append(text)
    return current


def _add(container: Any, key: Any, value: Any) -> bool:
    if value is _ABSENT:
        return False
    if isinstance(container, dict):
        container[key] = value
    elif key <= len(container):
        container.insert(key, value)
    else:
        return False
    return True


def _replace(container: Any, key: Any, value: Any) -> bool:
    if value is _ABSENT:
        return False
    if isinstance(container, dict) or key < len(container):
        container[key] = value
        return True
    return False


def _append(container: Any, key: Any, value: Any) -> bool:
    """Extend what is there (texts are `_grow_text`'s); what is missing or null is set."""
    current = _get(container, key)
    if value is _ABSENT:
        return False
    if current is _ABSENT:
        return _add(container, key, value)
    if current is None:
        return _replace(container, key, value)
    if isinstance(current, list):
        if isinstance(value, list):
            current.extend(value)
        else:
            current.append(value)
        return True
    if isinstance(current, dict) and isinstance(value, dict):
        current.update(value)
        return True
    return False


def _truncate(container: Any, key: Any, length: Any) -> bool:
    """Keep the first `length` characters or items."""
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        return False
    current = _get(container, key)
    if isinstance(current, Rope):
        current.truncate(length)
    elif isinstance(current, str):
        container[key] = current[:length]
    elif isinstance(current, list):
        del current[length:]
    else:
        return False
    return True


def _remove(container: Any, key: Any, _value: Any) -> bool:
    if _get(container, key) is _ABSENT:
        return False
    del container[key]
    return True


_OPERATIONS: Mapping[str, Callable[[Any, Any, Any], bool]] = {
    "add": _add,
    "replace": _replace,
    "append": _append,
    "truncate": _truncate,
    "remove": _remove,
}
