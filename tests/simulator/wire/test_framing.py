"""Frames as bytes, in every spelling."""

from __future__ import annotations

import pytest

from chat2api.simulator.wire.framing import Style, encode
from chat2api.simulator.wire.items import Break, Comment, Frame, Pause

FRAME = Frame('{"v":"é"}', "delta")


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (Style(), 'event: delta\ndata: {"v":"é"}\n\n'),
        (Style(("\r\n",)), 'event: delta\r\ndata: {"v":"é"}\r\n\r\n'),
        (Style(("\r",)), 'event: delta\rdata: {"v":"é"}\r\r'),
        (Style(names=False), 'data: {"v":"é"}\n\n'),
        (Style(space=""), 'event:delta\ndata:{"v":"é"}\n\n'),
        (Style(padding=" \t"), 'event: delta\ndata: {"v":"é"} \t\n\n'),
        (Style(folded=True), 'event: delta\ndata: {\ndata: "v":"é"\ndata: }\n\n'),
        (
            Style(chatter=True),
            ': simulator\nretry: 3000\nid: 9\nunknown-field: x\nevent: delta\ndata: {"v":"é"}\n\n',
        ),
    ],
)
def test_spellings_of_a_frame(style: Style, expected: str) -> None:
    assert list(encode([FRAME], style)) == [expected.encode()]


def test_everything_else_on_the_way() -> None:
    items = [Comment("ping"), Pause(1), Frame("[DONE]"), Break("reset")]
    assert list(encode(items, Style(bom=True))) == [
        b"\xef\xbb\xbf",
        b": ping\n\n",
        Pause(1),
        b"data: [DONE]\n\n",
        Break("reset"),
    ]


def test_line_ends_take_turns() -> None:
    frames = [Frame("a"), Frame("b"), Frame("c")]
    expected = [b"data: a\n\n", b"data: b\r\r", b"data: c\n\n"]
    assert list(encode(frames, Style(("\n", "\r")))) == expected


def test_a_payload_of_several_lines() -> None:
    assert list(encode([Frame("a\nb")])) == [b"data: a\ndata: b\n\n"]
