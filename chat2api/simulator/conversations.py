"""Conversations the server keeps: their message trees, who owns them, and what is still being written."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby

from chat2api.simulator.documents import Json, Operation, apply
from chat2api.simulator.mind.reading import Said
from chat2api.simulator.script import Edit, Open, Step, Write
from chat2api.simulator.wire.items import Item
from chat2api.simulator.wire.render import text_path

_KEPT = 20_000


@dataclass(slots=True)
class Running:
    """A turn that was started: what it will leave behind, and when it is done by itself."""

    messages: list[Json]
    ready_at: float
    frames: Callable[[], Iterable[Item]] | None = None  # what resume replays
    resume_token: str | None = None
    lost: bool = False  # generation failed: there will be no answer
    is_async: bool = False
    persisted_only: bool = False  # resume answers that the final text was stored


@dataclass(slots=True)
class Stored:
    """One kept conversation."""

    id: str
    owner: str
    created: float
    title: str
    nodes: dict[str, Json] = field(default_factory=dict)
    current: str = "client-created-root"
    turns: int = 0
    opening: str = ""
    hidden: bool = False
    running: Running | None = None

    def add(self, message: Json, parent: str) -> None:
        self.nodes.setdefault(
            parent, {"id": parent, "message": None, "parent": None, "children": []}
        )
        if message["id"] not in self.nodes[parent]["children"]:
            self.nodes[parent]["children"].append(message["id"])
        node = {"id": message["id"], "message": message, "parent": parent, "children": []}
        self.nodes[message["id"]] = node
        self.current = message["id"]

    def said(self, last: str) -> tuple[Said, ...]:
        """What was said up to the message `last`, without what is hidden from readers."""
        said: list[Said] = []
        node = self.nodes.get(last)
        while node is not None:
            if (one := node["message"]) is not None and _is_said(one):
                parts = one["content"].get("parts") or []
                text = "\n".join(part for part in parts if isinstance(part, str))
                said.append(Said(one["author"]["role"], text))
            node = self.nodes.get(node["parent"])
        return tuple(reversed(said))


def _is_said(message: Json) -> bool:
    hidden = message["metadata"].get("is_visually_hidden_from_conversation")
    is_plain = message["recipient"] == "all" and message["channel"] in (None, "final")
    return not hidden and is_plain and message["author"]["role"] != "tool"


def final_messages(steps: Iterable[Step]) -> list[Json]:
    """The messages as they stand after all steps."""
    finished: list[Json] = []
    for is_text, run in groupby(steps, lambda step: isinstance(step, Write)):
        if is_text:
            # A whole run of tokens at once: there may be a hundred thousand.
            text = "".join(step.text for step in run if isinstance(step, Write))
            append = Operation(text_path(finished[-1]), "append", text)
            apply({"message": finished[-1]}, append)
            continue
        for step in run:
            if isinstance(step, Open):
                finished.append(copy.deepcopy(step.message))
            elif isinstance(step, Edit):
                for operation in step.operations:
                    apply({"message": finished[-1]}, copy.deepcopy(operation))
    return finished


class Conversations:
    """All kept conversations. Nobody sees another's: to a stranger it does not exist."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._stored: dict[str, Stored] = {}

    def create(self, conversation_id: str, owner: str, title: str, opening: str) -> Stored:
        stored = Stored(conversation_id, owner, self._clock(), title, opening=opening)
        with self._lock:
            self._stored[conversation_id] = stored
            while len(self._stored) > _KEPT:
                del self._stored[next(iter(self._stored))]
        return stored

    def find(self, conversation_id: str, owner: str) -> Stored | None:
        """The conversation with everything that is finished by now, or None."""
        stored = self._stored.get(conversation_id)
        if stored is None or stored.owner != owner or stored.hidden:
            return None
        self._settle(stored)
        return stored

    def _settle(self, stored: Stored) -> None:
        with self._lock:
            running = stored.running
            if running is None or running.lost or self._clock() < running.ready_at:
                return
            for message in running.messages:
                stored.add(message, stored.current)
            running.messages = []

    def status(self, stored: Stored) -> str:
        """IS_STREAMING, COMPLETE or FAILURE (sheet 4.7)."""
        running = stored.running
        if running is not None and running.lost:
            return "FAILURE"
        if running is not None and self._clock() < running.ready_at:
            return "IS_STREAMING"
        return "COMPLETE"

    def document(self, stored: Stored) -> Json:
        """The answer of GET conversation/{id}."""
        running = stored.running
        busy = running is not None and not running.lost and self._clock() < running.ready_at
        async_status = 3 if busy else (4 if running is not None and running.is_async else None)
        return {
            "title": stored.title,
            "create_time": stored.created,
            "update_time": self._clock(),
            "mapping": stored.nodes,
            "moderation_results": [],
            "current_node": stored.current,
            "conversation_id": stored.id,
            "is_archived": False,
            "async_status": async_status,
            "default_model_slug": "auto",
        }
