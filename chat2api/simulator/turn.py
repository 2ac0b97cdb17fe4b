"""One turn of a conversation as a scenario sees it, and the pen a scenario writes its script with."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from chat2api.simulator.config import Era
from chat2api.simulator.documents import Json, Operation
from chat2api.simulator.mind.reading import Said
from chat2api.simulator.params import Params
from chat2api.simulator.script import Edit, Open, Remark, Script, Step, Tell, Wait, Write

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
# Roughly what a tokenizer does: one or two Han characters, a word with the blank before it, a run
# of blanks, a Markdown mark, or one sign.
_TOKEN = re.compile(r"[\u3400-\u9fff]{1,2}|[ ]?[^\W\u3400-\u9fff]+|\s+|\*\*|```|-{3,}|.", re.DOTALL)


def tokens(text: str) -> list[str]:
    """`text` in pieces about the size a model emits; joined they are `text` again."""
    return _TOKEN.findall(text)


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Turn:
    """What was asked, by whom, and in which generation's words it is to be answered."""

    prompt: str
    model: str
    era: Era = "2026"
    number: int = 1
    opening: str = ""  # the first thing the user said, when that was in an earlier turn
    system: str = ""
    plan: str = "plus"
    conversation_id: str = field(default_factory=new_id)
    parent_id: str = field(default_factory=new_id)
    exchange_id: str = field(default_factory=new_id)
    params: Params = field(default_factory=Params)
    now: float = 0.0
    temporary: bool = False
    said: tuple[Said, ...] = ()  # what was sent with this turn, instructions included
    earlier: tuple[Said, ...] = ()  # what the conversation had before

    @property
    def is_chinese(self) -> bool:
        return _HAN.search(self.prompt) is not None


def message(
    role: str,
    content: Json,
    *,
    name: str | None = None,
    recipient: str = "all",
    channel: str | None = None,
    status: str = "finished_successfully",
    end_turn: bool | None = None,
    weight: float = 1.0,
    metadata: Json | None = None,
    created: float | None = None,
    message_id: str | None = None,
) -> Json:
    """A message with every field of sheet 5.2."""
    return {
        "id": message_id or new_id(),
        "author": {"role": role, "name": name, "metadata": {}},
        "create_time": created,
        "update_time": None,
        "content": content,
        "status": status,
        "end_turn": end_turn,
        "weight": weight,
        "metadata": metadata or {},
        "recipient": recipient,
        "channel": channel,
    }


def text_content(text: str = "") -> Json:
    return {"content_type": "text", "parts": [text]}


def code_content(text: str = "") -> Json:
    return {
        "content_type": "code",
        "language": "unknown",
        "response_format_name": None,
        "text": text,
    }


STOP = {"finish_details": {"type": "stop", "stop_tokens": [200002]}, "is_complete": True}
CALL_STOP = {"finish_details": {"type": "stop", "stop_tokens": [200012]}}


class Scribe:
    """Collects the steps of a turn and keeps the parent chain of its messages."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.steps: list[Step] = []
        self.parent_id = turn.parent_id
        self.current_id = turn.parent_id
        self.last_answer_id: str | None = None

    def open(
        self, role: str, content: Json, *, metadata: Json | None = None, **fields: object
    ) -> str:
        """Begins a message and returns its id; `fields` are those of `message`."""
        everything = {**self._metadata(role), **(metadata or {})}
        opened = message(
            role,
            content,
            metadata=everything,
            created=self.turn.now,
            **fields,  # type: ignore[arg-type]
        )
        self.steps.append(Open(opened))
        self.parent_id = self.current_id = opened["id"]
        return self.current_id

    def _metadata(self, role: str) -> Json:
        common: Json = {"parent_id": self.parent_id, "model_switcher_deny": []}
        if self.turn.era == "2026":
            common["turn_exchange_id"] = self.turn.exchange_id
        if role == "assistant":
            common |= {
                "citations": [],
                "content_references": [],
                "message_type": "next",
                "model_slug": self.turn.model,
                "default_model_slug": "auto",
            }
        return common

    def open_answer(self, *, channel: str | None = "final") -> str:
        """Begins a visible, still empty answer; channels exist since 2025."""
        if self.turn.era == "2024" and channel == "final":
            channel = None
        opened = self.open("assistant", text_content(), status="in_progress", channel=channel)
        self.last_answer_id = opened
        if self.turn.era == "2026":
            self.mark("user_visible_token", "first")
            if channel == "final":
                self.mark("final_channel_token", "first")
        return opened

    def write(self, text: str) -> None:
        """The text token by token."""
        self.steps.extend(Write(token) for token in tokens(text))

    def write_pieces(self, pieces: Iterable[str]) -> None:
        """The text in exactly these pieces."""
        self.steps.extend(Write(piece) for piece in pieces)

    def edit(self, *operations: Operation) -> None:
        self.steps.append(Edit(operations))

    def finish(
        self,
        *,
        end_turn: bool = True,
        status: str = "finished_successfully",
        metadata: Json | None = None,
    ) -> None:
        """Closes the current message the way the wire does: one patch of status, end and metadata."""
        self.edit(
            Operation("/message/status", "replace", status),
            Operation("/message/end_turn", "replace", end_turn),
            Operation("/message/metadata", "append", STOP if metadata is None else metadata),
        )

    def answer(self, text: str, *, end_turn: bool = True) -> str:
        """A whole visible answer."""
        opened = self.open_answer()
        self.write(text)
        self.finish(end_turn=end_turn)
        return opened

    def tell(self, kind: str, /, **fields: object) -> None:
        event = {"type": kind, **fields, "conversation_id": self.turn.conversation_id}
        self.steps.append(Tell(event))

    def mark(self, marker: str, event: str) -> None:
        self.tell("message_marker", message_id=self.current_id, marker=marker, event=event)

    def wait(self, seconds: float, *, always: bool = False) -> None:
        self.steps.append(Wait(seconds, always))

    def remark(self, text: str) -> None:
        self.steps.append(Remark(text))


def script_of(scribe: Scribe, **fields: object) -> Script:
    """The collected steps as a script; `fields` are those of `Script`."""
    return Script(tuple(scribe.steps), **fields)  # type: ignore[arg-type]
