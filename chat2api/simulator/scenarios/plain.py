"""Scenarios of text alone: short, long, hard to carry, cut short, spread over two answers."""

from __future__ import annotations

from chat2api.simulator.script import Expected, Script, Write
from chat2api.simulator.turn import Scribe, Turn, script_of

TEXT = "Hello there! The answer is **42**.\n\nIt was computed twice, and both times it came out the same."

# A family joined by zero-width joiners, a flag, combining marks, both directions, line separators
# that are not line ends, and control characters that only JSON escapes can carry.
UNICODE = (
    "你好，世界！👋 一家人：👨‍👩‍👧‍👦，旗帜：🏳️‍🌈🇨🇳，数学：𝔘𝔫𝔦𝔠𝔬𝔡𝔢，"
    "e\u0301 n\u0303 الْعَرَبِيَّة עִבְרִית ไทย 한국어\n"
    "before\u2028line separator\u2029paragraph separator\u0085next line\x0bvertical\x0cform\x00nul"
    "\x01\x1f\x7fend \ufeffbom \u200bzero width \ufffdreplacement"
)

_PARAGRAPH = (
    "Paragraph {n}. The river ran past the mill, and the mill ground slowly, "
    "and nobody who lived there minded the noise, since it was the noise of bread. "
    "段落 {n}：水车慢慢地转，面粉慢慢地落。\n\n"
)


def text(turn: Turn) -> Script:
    """A short answer; `words=N` makes it N numbered words instead."""
    count = turn.params.integer("words", 0)
    answer = " ".join(f"word{n}" for n in range(1, count + 1)) if count else TEXT
    scribe = Scribe(turn)
    scribe.answer(answer)
    return script_of(scribe, expected=Expected(answer))


def long(turn: Turn) -> Script:
    """About `kb` kilobytes of text (default 100)."""
    wanted = turn.params.integer("kb", 100) * 1000
    parts: list[str] = []
    size = 0
    while size < wanted:
        parts.append(_PARAGRAPH.format(n=len(parts) + 1))
        size += len(parts[-1].encode())
    answer = "".join(parts).rstrip()
    scribe = Scribe(turn)
    scribe.answer(answer)
    return script_of(scribe, expected=Expected(answer))


def unicode(turn: Turn) -> Script:
    """Chinese, emoji and characters that break careless line splitting."""
    scribe = Scribe(turn)
    scribe.open_answer()
    # One code point per delta: joined emoji arrive in their parts.
    scribe.write_pieces(UNICODE)
    scribe.finish()
    return script_of(scribe, expected=Expected(UNICODE))


def length(turn: Turn) -> Script:
    """An answer that ran out of tokens."""
    answer = "Chapter one: the house on the hill had been empty for"
    scribe = Scribe(turn)
    scribe.open_answer()
    scribe.write(answer)
    scribe.finish(
        status="finished_partial_completion", metadata={"finish_details": {"type": "max_tokens"}}
    )
    return script_of(scribe, expected=Expected(answer, finish_reason="length"))


def refusal(turn: Turn) -> Script:
    """Moderation blocks the answer after its first words."""
    scribe = Scribe(turn)
    answer_id = scribe.open_answer()
    scribe.write("Let me")
    scribe.tell(
        "moderation",
        message_id=answer_id,
        is_completion=True,
        moderation_response={
            "flagged": True,
            "blocked": True,
            "disclaimers": [],
            "moderation_id": "modr-simulator",
            "metadata": {},
        },
    )
    return script_of(scribe, expected=Expected("Let me", finish_reason="content_filter"))


def flood(turn: Turn) -> Script:
    """`deltas` one-character deltas, as fast as they can be taken."""
    count = turn.params.integer("deltas", 10_000)
    letters = "abcdefghij"
    rounds = count // len(letters) + 1
    answer = (letters * rounds)[:count]
    scribe = Scribe(turn)
    scribe.open_answer()
    # The same few steps again and again: making a hundred thousand would hold up everyone else.
    scribe.steps.extend(([Write(letter) for letter in letters] * rounds)[:count])
    scribe.finish()
    return script_of(scribe, expected=Expected(answer), unpaced=True)


def blob(turn: Turn) -> Script:
    """One delta of `mib` mebibytes on a single line."""
    answer = "QUJD" * (turn.params.integer("mib", 1) * 262_144)
    scribe = Scribe(turn)
    scribe.open_answer()
    scribe.write_pieces((answer,))
    scribe.finish()
    return script_of(scribe, expected=Expected(answer), unpaced=True)


def continued(turn: Turn) -> Script:
    """What `action: continue` gives: the rest of an answer that was cut."""
    answer = " many years, and nobody in the village could say why."
    scribe = Scribe(turn)
    scribe.answer(answer)
    return script_of(scribe, expected=Expected(answer))


def handoff(turn: Turn) -> Script:
    """The stream hands over and ends; resume has the answer. `done=0` leaves out the end marker,
    `takes=SECONDS` is how long the answer takes to be made."""
    scribe = Scribe(turn)
    topic = f"conversation-turn-{turn.exchange_id}"
    options = [
        {"type": "subscribe_ws_topic", "topic_id": topic},
        {"type": "resume_sse_endpoint", "topic_id": None},
    ]
    scribe.tell("stream_handoff", turn_exchange_id=turn.exchange_id, options=options)
    answer = Scribe(turn)
    answer.answer(TEXT)
    return script_of(
        scribe,
        expected=Expected(TEXT),
        later=tuple(answer.steps),
        later_seconds=turn.params.number("takes", 0),
        handoff=True,
        done=turn.params.flag("done", True),
    )
