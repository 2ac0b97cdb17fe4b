"""What surrounds every answer on the wire: hidden messages and echoes before it, markers after it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from chat2api.simulator.documents import Json
from chat2api.simulator.script import Open, Script, Step, Tell
from chat2api.simulator.turn import Scribe, Turn, message, text_content


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The parts of a turn that the scenario does not write."""

    inputs: tuple[Json, ...]  # what was sent, as the server repeats it
    resume_token: str | None
    first_pause: float
    served_model: str
    title: str | None


def wrap(script: Script, turn: Turn, around: Surroundings) -> tuple[Step, ...]:
    """The steps of the HTTP stream, without its end marker."""
    if turn.era == "2024":
        return (*_before_2024(turn, around), *script.steps, *_after_2024(turn, script))
    after = () if script.handoff else _after_2026(turn, around, script)
    return (*_before_2026(turn, around), *script.steps, *after)


def continuation(script: Script, turn: Turn, around: Surroundings) -> tuple[Step, ...]:
    """The steps of a handed-over stream, without its end marker."""
    return (*script.later, *_after_2026(turn, around, script))


def _hidden(**metadata: object) -> Open:
    return Open(
        message(
            "system",
            text_content(),
            end_turn=True,
            weight=0.0,
            metadata={**metadata, "is_visually_hidden_from_conversation": True},
        )
    )


def _before_2024(turn: Turn, around: Surroundings) -> tuple[Step, ...]:
    scribe = Scribe(turn)
    scribe.steps.append(_hidden())
    scribe.steps.extend(Open(sent) for sent in around.inputs)
    scribe.wait(around.first_pause)
    return tuple(scribe.steps)


def _after_2024(turn: Turn, script: Script) -> tuple[Step, ...]:
    if script.expected.finish_reason == "content_filter":
        return ()
    scribe = Scribe(turn)
    scribe.tell(
        "moderation",
        message_id=_last_message_id(script),
        is_completion=True,
        moderation_response={
            "flagged": False,
            "blocked": False,
            "disclaimers": [],
            "moderation_id": f"modr-{secrets.token_hex(8)}",
        },
    )
    return tuple(scribe.steps)


def _before_2026(turn: Turn, around: Surroundings) -> tuple[Step, ...]:
    scribe = Scribe(turn)
    if around.resume_token is not None:
        kind = "conduit" if turn.number % 2 else "topic"
        scribe.tell("resume_conversation_token", kind=kind, token=around.resume_token)
    scribe.steps.append(_hidden())
    scribe.steps.append(_hidden(rebase_developer_message=True))
    for sent in around.inputs:
        scribe.steps.append(Open(sent))
        scribe.tell("input_message", input_message=sent)
    scribe.remark("ping - 2026-06-01 09:30:00.000000+00:00")
    scribe.wait(around.first_pause)
    memory: Json = {"content_type": "model_editable_context", "model_set_context": ""}
    memory |= {"repository": None, "repo_summary": None, "structured_context": None}
    scribe.open("assistant", memory, metadata={"can_save": False})
    return tuple(scribe.steps)


def _after_2026(turn: Turn, around: Surroundings, script: Script) -> tuple[Step, ...]:
    scribe = Scribe(turn)
    scribe.current_id = _last_message_id(script)
    if script.expected.finish_reason in ("stop", "length"):
        scribe.mark("last_token", "last")
    if around.title is not None:
        scribe.tell("title_generation", title=around.title)
    scribe.steps.append(_server_metadata(turn, around, script))
    scribe.tell("message_stream_complete")
    return tuple(scribe.steps)


def _server_metadata(turn: Turn, around: Surroundings, script: Script) -> Tell:
    paid = turn.plan not in ("free", "anonymous")
    metadata = {
        "conduit_prewarmed": False,
        "plan_type": turn.plan,
        "plan_type_bucket": "paid" if paid else "free",
        "user_agent": "web_desktop",
        "service": None,
        "tool_name": script.extra.get("tool_name"),
        "tool_invoked": "tool_name" in script.extra,
        "fast_convo": True,
        "is_first_turn": turn.number == 1,
        "cluster_region": "simulator",
        "model_slug": around.served_model,
        "resolved_model_slug": around.served_model,
        "did_auto_switch_to_reasoning": False,
        "turn_exchange_id": turn.exchange_id,
        "turn_use_case": script.extra.get("use_case", "text"),
        "turn_mode": "default",
    }
    event = {"type": "server_ste_metadata", "metadata": metadata}
    return Tell({**event, "conversation_id": turn.conversation_id})


def _last_message_id(script: Script) -> str:
    opened = [
        step.message["id"] for step in (*script.steps, *script.later) if isinstance(step, Open)
    ]
    return opened[-1] if opened else ""
