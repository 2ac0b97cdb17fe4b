"""Changes in ruamel's tree that lose no comment lines.

ruamel hangs the comment lines after a value onto that value, however deep it is nested: what stands
before the next key belongs to the last leaf of the key above it. So each change takes the lines off
first and hangs them onto what is last afterwards. A comment beside a value stays with the value.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.tokens import CommentToken

_Slots = list[Any]


def quoted(text: str) -> str:
    """Text that stays text, whatever it looks like."""
    scalar: str = DoubleQuotedScalarString(text)
    return scalar


@contextlib.contextmanager
def keeping_tail(parent: CommentedMap, key: str) -> Iterator[None]:
    """The comment lines after the value of `key` are after its value again when the block ends."""
    tail = _take_tail(*_last_leaf(parent, key)) if key in parent else ""
    yield
    if tail and key in parent:
        _give_tail(*_last_leaf(parent, key), tail)


def set_value(parent: CommentedMap, key: str, value: object) -> None:
    """Put `value` at `key`, at the end when the key is new."""
    last = next(reversed(parent), None)
    with keeping_tail(parent, key):
        if key in parent or last is None:
            parent[key] = value
            return
        tail = _take_tail(*_last_leaf(parent, last))
        parent[key] = value
        if tail:
            _give_tail(*_last_leaf(parent, key), tail)


def set_items(
    parent: CommentedMap, key: str, values: Sequence[object], origins: Sequence[int | None]
) -> None:
    """Make `values` the list at `key`. `origins` tells which old item each one is; None for a new one."""
    old = parent.get(key)
    if not isinstance(old, CommentedSeq) or _is_flow(old):
        new = CommentedSeq(values)
        if not values or old is not None:
            new.fa.set_flow_style()  # block items would come after the comment beside the key
        set_value(parent, key, new)
    elif values:
        with keeping_tail(parent, key):
            parent[key] = _rearranged(old, values, origins)
    else:
        _empty(parent, key, old)


def _empty(parent: CommentedMap, key: str, old: CommentedSeq) -> None:
    """Leave `[]`. The comment lines that stood before items come after it."""
    tail = _take_tail(*_last_leaf(parent, key))
    first = "".join(
        f"{' ' * token.start_mark.column}{token.value}" for token in _slots(parent, key)[3] or ()
    )
    between = "".join(
        _take_tail(old, index, 0) for index in range(len(old)) if not _is_block(old[index])
    )
    parent[key] = CommentedSeq()
    parent[key].fa.set_flow_style()
    _slots(parent, key)[3] = None
    if first or between or tail:
        _give_tail(parent, key, 2, first + between + tail)


def _rearranged(
    old: CommentedSeq, values: Sequence[object], origins: Sequence[int | None]
) -> CommentedSeq:
    """A block list with the old one's comments: those beside an item, and those before it."""
    beside: dict[int, CommentToken] = {}
    before: dict[int, str] = {}
    for index in range(len(old)):
        if _is_block(old[index]):
            continue  # its comments are inside, and come along
        before[index + 1] = _take_tail(old, index, 0)
        token = _token(old, index, 0)
        if token is not None:
            beside[index] = token
    new = CommentedSeq(values)
    new.ca.comment = old.ca.comment
    column = _column(old)
    lines = _lines_before(before, origins, len(old))
    for at, origin in enumerate(origins):
        if origin in beside:
            _slots(new, at)[0] = beside[origin]
        tokens = [
            CommentToken(f"{line.strip()}\n", CommentMark(column))
            for line in lines.get(at, "").splitlines()
            if line.strip()
        ]
        if tokens:
            _slots(new, at)[1] = tokens
    return new


def _lines_before(
    before: Mapping[int, str], origins: Sequence[int | None], count: int
) -> dict[int, str]:
    """The lines before each new item; a removed item's go to the next that stays, or the last."""
    lines: dict[int, str] = {}
    pending, last = "", 0
    for index in range(count):
        pending += before.get(index, "")
        if index in origins:
            last = origins.index(index)
            lines[last], pending = pending, ""
    return {**lines, last: lines.get(last, "") + pending}


def _column(seq: CommentedSeq) -> int:
    return int(seq.lc.col) if seq.lc.col is not None else 0


def _last_leaf(parent: Any, key: Any) -> tuple[Any, Any, int]:
    """Where the comment after the value of `key` hangs: collection, key in it, slot."""
    value = parent[key]
    if _is_block(value):
        last = len(value) - 1 if isinstance(value, CommentedSeq) else next(reversed(value))
        return _last_leaf(value, last)
    return parent, key, 0 if isinstance(parent, CommentedSeq) else 2


def _is_block(value: object) -> bool:
    return isinstance(value, CommentedMap | CommentedSeq) and len(value) > 0 and not _is_flow(value)


def _is_flow(value: CommentedMap | CommentedSeq) -> bool:
    return bool(value.fa.flow_style())


def _take_tail(parent: Any, key: Any, slot: int) -> str:
    """Take the comment lines after this value away; the comment beside it stays."""
    token = _token(parent, key, slot)
    if token is None:
        return ""
    beside, _, tail = token.value.partition("\n")
    _slots(parent, key)[slot] = (
        CommentToken(f"{beside}\n", token.start_mark) if beside.strip() else None
    )
    return str(tail)


def _give_tail(parent: Any, key: Any, slot: int, tail: str) -> None:
    token = _token(parent, key, slot)
    beside = "" if token is None else token.value.rstrip("\n")
    mark = CommentMark(0) if token is None else token.start_mark
    _slots(parent, key)[slot] = CommentToken(f"{beside}\n{tail}", mark)


def _token(parent: Any, key: Any, slot: int) -> CommentToken | None:
    slots = parent.ca.items.get(key)
    return slots[slot] if slots and len(slots) > slot else None


def _slots(parent: Any, key: Any) -> _Slots:
    slots: _Slots = parent.ca.items.setdefault(key, [None, None, None, None])
    return slots
