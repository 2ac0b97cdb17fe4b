"""QR codes as drawings: one path on a grid, for a template to put into an SVG."""

from __future__ import annotations

from dataclasses import dataclass

import segno


@dataclass(frozen=True, slots=True)
class QrDrawing:
    """`path` draws the dark squares on a grid of `size` by `size`, with no quiet zone around it."""

    size: int
    path: str


def qr_drawing(text: str) -> QrDrawing:
    """`text` is an address or the like; a kilobyte at most is sensible."""
    matrix = segno.make(text, error="m", micro=False).matrix
    runs = [run for y, row in enumerate(matrix) for run in _runs(y, row)]
    return QrDrawing(len(matrix), "".join(runs))


def _runs(y: int, row: bytearray) -> list[str]:
    """The dark stretches of a row, each as one rectangle."""
    found: list[str] = []
    start = None
    for x, dark in enumerate([*row, 0]):
        if dark and start is None:
            start = x
        elif not dark and start is not None:
            found.append(f"M{start} {y}h{x - start}v1h-{x - start}z")
            start = None
    return found
