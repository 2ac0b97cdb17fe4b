"""Asks for JSON in plain text, for upstreams that know no response formats. Pure.

A contract with whoever plays such a model: the system message has the words "one JSON object" where any
object will do, or else a line `JSON Schema: {…}`.
"""

from __future__ import annotations

import json
from dataclasses import replace

from chat2api.chat.conversation import Conversation, JsonOutput, Message, Text


def weave_output(conversation: Conversation) -> Conversation:
    """The same turn without `output`: the wish is told in a system message behind the leading ones, or
    right before what is new where the upstream keeps the conversation."""
    if conversation.output is None:
        return conversation
    messages = list(conversation.messages)
    roles = [message.role for message in messages]
    if conversation.reply_to is not None and "assistant" in roles:
        place = len(roles) - roles[::-1].index("assistant")
    else:
        place = 0
    while place < len(roles) and roles[place] == "system":
        place += 1
    told = instructions(conversation.output, with_tools=bool(conversation.tools))
    messages.insert(place, Message("system", (Text(told),)))
    return replace(conversation, messages=tuple(messages), output=None)


def instructions(output: JsonOutput, *, with_tools: bool = False) -> str:
    """What a model is told."""
    lines = ["# Form of the answer", ""]
    if with_tools:
        lines.append(
            "When you call a tool, write the call as explained. Any other answer has this form."
        )
    if output.schema is None:
        lines.append(
            "Answer with one JSON object and nothing else: no other text, no comments, no code fence."
        )
        return "\n".join(lines)
    lines.append(
        "Answer with one JSON value that fits the schema below and nothing else: no other text, no "
        "comments, no code fence. Give every required property, spelled as it is in the schema."
    )
    if output.name:
        lines.append(f"Name of the value: {output.name}")
    if output.description:
        lines.append("What it is:")
        lines.extend(f"   {line}" for line in output.description.strip().splitlines())
    schema = {key: value for key, value in output.schema.items() if key != "$schema"}
    lines.append(f"JSON Schema: {json.dumps(schema, ensure_ascii=False, separators=(',', ':'))}")
    return "\n".join(lines)
