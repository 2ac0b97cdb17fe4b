"""Scripts in both encodings, delta by delta and snapshot by snapshot."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chat2api.simulator.documents import Operation
from chat2api.simulator.script import Edit, Open, Remark, Step, Tell, Wait, Write
from chat2api.simulator.turn import message, text_content
from chat2api.simulator.wire.framing import encode
from chat2api.simulator.wire.items import Comment, Frame, Pause
from chat2api.simulator.wire.render import Encoding, Spelling, render

SPELLING = Spelling("c1", error_code=False)


def answer(text: str = "", **fields: Any) -> dict[str, Any]:
    return message("assistant", text_content(text), message_id="a1", **fields)


STEPS: tuple[Step, ...] = (
    Open(answer()),
    Write("Hel"),
    Write("lo"),
    Tell({"type": "heartbeat"}),
    Write("!"),
    Wait(2),
    Remark("ping"),
    Edit((Operation("/message/status", "replace", "finished_successfully"),)),
    Edit((Operation("/message/end_turn", "replace", True), Operation("/message/weight", "remove"))),
    Open(answer()),
)


def payloads(encoding: Encoding) -> list[Any]:
    items = list(render(STEPS, encoding, SPELLING))
    return [json.loads(one.data) if isinstance(one, Frame) else one for one in items]


def test_deltas_leave_out_what_repeats() -> None:
    root = {"message": answer(), "conversation_id": "c1", "error": None}
    assert payloads("v1") == [
        "v1",
        {"p": "", "o": "add", "v": root, "c": 0},
        {"p": "/message/content/parts/0", "o": "append", "v": "Hel"},
        {"v": "lo"},
        {"type": "heartbeat"},
        {"v": "!"},
        Pause(2),
        Comment("ping"),
        {"p": "/message/status", "o": "replace", "v": "finished_successfully"},
        {
            "p": "",
            "o": "patch",
            "v": [
                {"p": "/message/end_turn", "o": "replace", "v": True},
                {"p": "/message/weight", "o": "remove"},
            ],
        },
        {"o": "add", "v": root, "c": 1},
    ]


def test_snapshots_repeat_the_whole_message() -> None:
    found = payloads("snapshot")
    shots = [one for one in found if isinstance(one, dict) and "message" in one]
    texts = [one["message"]["content"]["parts"][0] for one in shots]
    assert texts == ["", "Hel", "Hello", "Hello!", "Hello!", "Hello!", ""]
    assert {"type": "heartbeat"} in found
    assert found[-2]["message"]["end_turn"] is True
    assert "weight" not in found[-2]["message"]


def test_tokens_are_those_of_visible_answers() -> None:
    hidden = answer(channel="commentary")
    steps = (Open(hidden), Write("x"), Open(answer()), Write("y"))
    for encoding in ("v1", "snapshot"):
        frames = list(render(steps, encoding, SPELLING))  # type: ignore[arg-type]
        assert sum(one.tokens for one in frames if isinstance(one, Frame)) == 1


def test_the_older_spelling_escapes() -> None:
    spelling = Spelling("c1", escaped=True, error_code=False)
    frames = list(render((Open(answer()), Write("é")), "v1", spelling))
    assert frames[-1] == Frame(
        '{"p": "/message/content/parts/0", "o": "append", "v": "\\u00e9"}', "delta", 1
    )


def test_snapshots_stand_between_deltas_when_asked(read: Any) -> None:
    steps = (Open(answer()), *(Write(str(n)) for n in range(7)))
    frames = list(render(steps, "v1", SPELLING, catchup=3))
    whole = [json.loads(one.data) for one in frames if isinstance(one, Frame)]
    texts = [one["message"]["content"]["parts"][0] for one in whole if "message" in one]
    assert texts == ["012", "012345"]
    assert read(b"".join(one for one in encode(frames) if isinstance(one, bytes))).text == "0123456"


def test_long_snapshots_grow_in_larger_steps() -> None:
    steps = (Open(answer()), *(Write("word ") for _ in range(20_000)))
    frames = [one for one in render(steps, "snapshot", SPELLING) if isinstance(one, Frame)]
    assert len(frames) < 700
    assert sum(one.tokens for one in frames) == 20_000
    assert len(json.loads(frames[-1].data)["message"]["content"]["parts"][0]) == 100_000


@given(st.lists(st.text(max_size=8), max_size=12))
def test_any_text_survives_both_encodings(pieces: list[str]) -> None:
    steps = (Open(answer()), *(Write(piece) for piece in pieces))
    deltas = [
        json.loads(one.data) for one in render(steps, "v1", SPELLING) if isinstance(one, Frame)
    ]
    assert "".join(one["v"] for one in deltas[2:]) == "".join(pieces)
    shots = [one for one in render(steps, "snapshot", SPELLING) if isinstance(one, Frame)]
    last = json.loads(shots[-1].data)["message"]["content"]["parts"][0]
    assert last == "".join(pieces)
