"""Scenarios that think before they answer: thoughts of 2025 and later, the o1 summary of 2024."""

from __future__ import annotations

from chat2api.simulator.documents import Operation
from chat2api.simulator.scenarios import talk
from chat2api.simulator.script import Expected, Script
from chat2api.simulator.turn import Scribe, Turn, script_of, tokens

_ANNOUNCEMENT = "Let me check this properly."
_ANNOUNCEMENT_CHINESE = "让我仔细检查一下。"
_THOUGHTS = (
    ("Checking divisors", "I try 2, 3, 5 and 7, since eleven squared is more than 97."),
    ("Concluding", "None of them divides 97."),
)
_THOUGHTS_CHINESE = (
    ("检查因数", "依次试除 2、3、5、7，因为 11 的平方已经大于 97。"),
    ("得出结论", "它们都不能整除 97。"),
)
_PLANNING = "Planning"
_ANSWER = "97 is **prime**: no smaller number divides it."
_ANSWER_CHINESE = "97 是**质数**：没有更小的数能整除它。"


def reasoning(turn: Turn) -> Script:
    """An announcement, two thoughts, a recap, the answer."""
    chinese = turn.is_chinese
    announcement = _ANNOUNCEMENT_CHINESE if chinese else _ANNOUNCEMENT
    thoughts = _THOUGHTS_CHINESE if chinese else _THOUGHTS
    answer = _ANSWER_CHINESE if chinese else _ANSWER
    scribe = Scribe(turn)
    said = []
    if turn.params.flag("commentary", True):
        scribe.open_answer(channel="commentary")
        scribe.write(announcement)
        scribe.finish(end_turn=False)
        said.append(announcement)
    _think(scribe, thoughts, turn.params.number("think", 0.4))
    said += [f"{summary}\n{content}" for summary, content in thoughts]
    scribe.answer(answer)
    return script_of(scribe, expected=Expected(answer, reasoning="\n\n".join(said)))


def _think(scribe: Scribe, thoughts: tuple[tuple[str, str], ...], seconds: float) -> None:
    source = scribe.current_id
    scribe.open(
        "assistant",
        {"content_type": "thoughts", "thoughts": [], "source_analysis_msg_id": source},
        status="in_progress",
        end_turn=False,
        metadata={"reasoning_status": "is_reasoning"},
    )
    scribe.mark("cot_token", "first")
    for index, (summary, content) in enumerate(thoughts):
        scribe.wait(seconds / len(thoughts), always="think" in scribe.turn.params)
        _think_once(scribe, index, summary, content)
    scribe.edit(Operation("/message/status", "replace", "finished_successfully"))
    scribe.open(
        "assistant",
        {"content_type": "reasoning_recap", "content": "Thought for 4s"},
        end_turn=False,
        metadata={"reasoning_status": "reasoning_ended", "finished_duration_sec": 4},
    )


def _think_once(scribe: Scribe, index: int, summary: str, content: str) -> None:
    """The first thought grows piece by piece, the others arrive whole."""
    path = f"/message/content/thoughts/{index}"
    whole = {"summary": summary, "content": content, "chunks": [content], "finished": True}
    if index > 0:
        scribe.edit(Operation("/message/content/thoughts", "append", [whole]))
        return
    empty = {"summary": summary, "content": "", "chunks": [], "finished": False}
    scribe.edit(Operation("/message/content/thoughts", "append", [empty]))
    words = tokens(content)
    for start in range(0, len(words), 4):
        piece = "".join(words[start : start + 4])
        if start == 4:
            scribe.edit(
                Operation(f"{path}/content", "append", piece),
                Operation(f"{path}/chunks", "append", [piece]),
            )
        else:
            scribe.edit(Operation(f"{path}/content", "append", piece))
    scribe.edit(Operation(f"{path}/finished", "replace", True))


_SUMMARY = "**Planning the story**\n\nI outline the village, the mill and the river."
_STORY = "Once upon a time there was a mill that ground no flour at all."


def o1(turn: Turn) -> Script:
    """The 2024 form: a tool message grows with the summary, then the answer."""
    scribe = Scribe(turn)
    _summarise(scribe, _SUMMARY)
    scribe.answer(_STORY)
    return script_of(scribe, expected=Expected(_STORY, reasoning=_SUMMARY))


def _summarise(scribe: Scribe, summary: str) -> None:
    scribe.open(
        "tool",
        {"content_type": "text", "parts": [""]},
        name="a8km123",
        status="in_progress",
        metadata={"initial_text": "Reasoning"},
    )
    scribe.write(summary)
    scribe.edit(
        Operation("/message/status", "replace", "finished_successfully"),
        Operation("/message/metadata", "append", {"finished_text": "Thought for 3 seconds"}),
    )


def think(scribe: Scribe, thoughts: tuple[str, ...]) -> str:
    """Thinks these thoughts in the way of the generation; returns what a reader gets of them."""
    if scribe.turn.era == "2024":
        told = "\n\n".join(f"**{_PLANNING}**\n\n{thought}" for thought in thoughts)
        _summarise(scribe, told)
        return told
    _think(scribe, tuple((_PLANNING, thought) for thought in thoughts), 1.0)
    return "\n\n".join(f"{_PLANNING}\n{thought}" for thought in thoughts)


def thoughtful_echo(turn: Turn) -> Script:
    """The friendly echo of a reasoning model: it thinks about the message first."""
    scribe = Scribe(turn)
    size = len(turn.prompt)
    if turn.is_chinese:
        summary, content = "理解问题", f"用户写了 {size} 个字符，我先想想怎么回答。"
    else:
        summary, content = "Reading", f"The message has {size} characters; I plan my answer."
    thought = f"{summary}\n{content}"
    if turn.era == "2024":
        thought = f"**{summary}**\n\n{content}"
        _summarise(scribe, thought)
    else:
        _think(scribe, ((summary, content),), 1.0)
    spoken = talk.echo(turn).expected.text
    scribe.answer(spoken)
    return script_of(scribe, expected=Expected(spoken, reasoning=thought))
