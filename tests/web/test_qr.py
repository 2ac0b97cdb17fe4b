"""QR codes: what is drawn is what the grid says."""

from __future__ import annotations

import re

import segno

from chat2api.web.qr import qr_drawing


def test_every_dark_square_is_drawn_once() -> None:
    text = "https://auth.openai.com/codex/device"
    drawing = qr_drawing(text)
    drawn = [[0] * drawing.size for _ in range(drawing.size)]
    pieces = re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", drawing.path)
    for x, y, width, back in pieces:
        assert width == back
        for column in range(int(x), int(x) + int(width)):
            drawn[int(y)][column] += 1
    matrix = segno.make(text, error="m", micro=False).matrix
    assert drawn == [list(row) for row in matrix]
    assert "".join(f"M{x} {y}h{w}v1h-{b}z" for x, y, w, b in pieces) == drawing.path
