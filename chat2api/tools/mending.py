"""What a model is told whose answer cannot be used, for one more try. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chat2api.chat.conversation import Conversation, Message, ReplyTo, Text

_MOST_PROBLEMS = 8
_MOST_ANSWER = 100_000


def asked_again(
    conversation: Conversation, answer: str, complaint: str, place: ReplyTo | None
) -> Conversation:
    """The same turn, gone on with the model's answer and what is wrong with it.

    `place` is where the upstream keeps that answer, if it does.
    """
    told = Message("user", (Text(complaint),))
    said = Message("assistant", (Text(answer[:_MOST_ANSWER] or "(nothing)"),))
    messages = (*conversation.messages, said, told)
    return replace(conversation, messages=messages, reply_to=place or conversation.reply_to)


def about_calls(problems: Iterable[str]) -> str:
    """The arguments of a call are not what the tool takes."""
    return (
        "The tool call in your previous answer is not valid:\n"
        f"{_listed(problems)}\n"
        "Write the whole call again, corrected, in the same tags. If there were several calls, write all "
        "of them again. Write nothing else."
    )


def about_no_call(names: Iterable[str]) -> str:
    """A call was asked for and none came."""
    listed = ", ".join(names)
    return (
        "Your previous answer has no tool call, but you must call a tool now, in the tags that were "
        f"explained. Allowed: {listed}. Write the call and nothing else."
    )


def about_output(problems: Iterable[str]) -> str:
    """The answer is not the JSON that was asked for."""
    return (
        "Your previous answer is not the JSON that was asked for:\n"
        f"{_listed(problems)}\n"
        "Write the whole value again, corrected, and nothing else: no other text, no code fence."
    )


def _listed(problems: Iterable[str]) -> str:
    return "\n".join(f"- {problem}" for problem in list(problems)[:_MOST_PROBLEMS])
