"""The input items of a request: checked as the backend does, and told to the mind. Raises Refusal."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chat2api.simulator.codex.sealing import unseal
from chat2api.simulator.codex.wrong import gate, invalid, missing, unknown, unstored
from chat2api.simulator.documents import Json
from chat2api.simulator.mind.situation import Line, Role

_ROLES: dict[str, Role] = {"developer": "system", "user": "user", "assistant": "assistant"}
_LONGEST_ID = 64
_CALL_ID_LENGTH = 29
_SAME_ANSWER = 21
"""Of our own call ids so many characters are the same in all calls of one answer."""

# Fields by type. `status` belongs to none of them: it is for what comes, not for what is sent.
_FIELDS = {
    "message": {"role", "content", "phase"},
    "function_call": {"call_id", "name", "arguments", "namespace"},
    "function_call_output": {"call_id", "output"},
    "custom_tool_call": {"call_id", "name", "input"},
    "custom_tool_call_output": {"call_id", "output"},
    "reasoning": {"summary", "encrypted_content"},
}
_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "custom_tool_call": "ctc",
    "reasoning": "rs",
}
_HOSTED = """
web_search_call local_shell_call local_shell_call_output image_generation_call tool_search_call
tool_search_output additional_tools agent_message configuration_update compaction_trigger
"""
_OF_OTHERS = frozenset(_HOSTED.split())
_SEALED = ("compaction", "context_compaction")
_PARTS: dict[Role, dict[str, set[str]]] = {
    "user": {
        "input_text": {"text"},
        "input_image": {"image_url", "detail", "file_id"},
        "input_file": {"file_id", "filename", "file_data", "file_url"},
    },
    "assistant": {
        "output_text": {"text", "annotations", "logprobs"},
        "refusal": {"refusal"},
    },
}
_PARTS["system"] = _PARTS["result"] = _PARTS["user"]


def new_call_id(response: str, number: int) -> str:
    """The id of a call: 24 characters, of which the first 16 are the answer's."""
    return f"call_{response[:16]:0<16}{number:08x}"


@dataclass(slots=True)
class Heard:
    """What the input says. `has_pictures` is about any of its items."""

    lines: list[Line] = field(default_factory=list)
    has_pictures: bool = False


def hear(items: Any, owner: str) -> Heard:
    """The items in order; `owner` is the account that sealed reasoning must have been sealed for."""
    if not isinstance(items, list):
        raise gate("Input must be a list")
    if not items:
        raise invalid("One of 'input' or 'prompt' must be provided.", "input", None)
    listener = _Listener(owner)
    for at, item in enumerate(items):
        listener.item(item, f"input[{at}]")
    listener.end()
    return listener.heard


class _Listener:
    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.heard = Heard()
        self.open: dict[str, str] = {}  # names by call id, while no output came
        self.called: dict[str, str] = {}
        self.answers: set[str] = set()  # beginnings of call ids

    def item(self, item: Any, where: str) -> None:
        if not isinstance(item, dict):
            raise invalid(f"Invalid type for '{where}': expected an object.", where, "invalid_type")
        kind = item.get("type", "message")
        if kind == "item_reference":
            raise unstored("Item", str(item.get("id")))
        if kind in _OF_OTHERS:
            return
        if kind in _SEALED:
            self._sealed(item, where)
            return
        if kind not in _FIELDS:
            raise invalid(f"Invalid value: '{kind}'.", f"{where}.type")
        for name in item:
            if name not in _FIELDS[kind] and name not in ("type", "id"):
                raise unknown(f"{where}.{name}")
        _check_id(item.get("id"), kind, where)
        handlers: dict[str, Callable[[Json, str], None]] = {
            "message": self._message,
            "function_call": self._call,
            "custom_tool_call": self._call,
            "function_call_output": self._output,
            "custom_tool_call_output": self._output,
            "reasoning": self._reasoning,
        }
        handlers[kind](item, where)

    def end(self) -> None:
        for call_id in self.open:
            raise invalid(f"No tool output found for function call {call_id}.", "input", None)

    def _message(self, item: Json, where: str) -> None:
        if item.get("role") == "system":
            raise gate("System messages are not allowed")
        role = _ROLES.get(item.get("role", ""))
        if role is None:
            raise invalid(f"Invalid value: '{item.get('role')}'.", f"{where}.role")
        text, pictures = self._content(item.get("content"), role, f"{where}.content")
        self.heard.lines.append(Line(role, text, pictures=pictures))

    def _call(self, item: Json, where: str) -> None:
        is_custom = item["type"] == "custom_tool_call"
        call_id = _call_id(item, where)
        for name in ("name", "input" if is_custom else "arguments"):
            if not isinstance(item.get(name), str):
                raise missing(f"{where}.{name}")
        self.open[call_id] = self.called[call_id] = item["name"]
        # Calls of one answer count as one, also when their outputs stand between them.
        answer = call_id[:_SAME_ANSWER] if len(call_id) == _CALL_ID_LENGTH else call_id
        if answer not in self.answers:
            self.answers.add(answer)
            self.heard.lines.append(Line("assistant", ""))

    def _output(self, item: Json, where: str) -> None:
        call_id = _call_id(item, where)
        if call_id not in self.called:
            text = f"No tool call found for function call output with call_id {call_id}."
            raise invalid(text, "input", None)
        self.open.pop(call_id, None)
        text, pictures = self._content(item.get("output"), "result", f"{where}.output")
        self.heard.lines.append(Line("result", text, self.called[call_id], pictures))

    def _reasoning(self, item: Json, where: str) -> None:
        summary = item.get("summary")
        if not isinstance(summary, list):
            raise missing(f"{where}.summary")
        for part in summary:
            match part:
                case {"type": "summary_text", "text": str()}:
                    continue
            raise invalid("Invalid value.", f"{where}.summary")
        self._sealed(item, where)

    def _sealed(self, item: Json, where: str) -> None:
        sealed = item.get("encrypted_content")
        if sealed is None and item.get("id"):
            raise unstored("Item", str(item["id"]))
        if not isinstance(sealed, str):
            raise missing(f"{where}.encrypted_content")
        if unseal(self.owner, sealed) is None:
            shown = f"{sealed[:8]}...{sealed[-4:]}" if len(sealed) > 16 else sealed
            text = f"The encrypted content {shown} could not be verified."
            raise invalid(text, None, "invalid_encrypted_content")

    def _content(self, content: Any, role: Role, where: str) -> tuple[str, tuple[str, ...]]:
        if isinstance(content, str):
            return content, ()
        if not isinstance(content, list):
            raise missing(where)
        texts: list[str] = []
        pictures: list[str] = []
        for at, part in enumerate(content):
            for is_text, told in _part(part, role, f"{where}[{at}]"):
                (texts if is_text else pictures).append(told)
            self.heard.has_pictures = self.heard.has_pictures or part["type"] == "input_image"
        return "".join(texts), tuple(pictures)


def _check_id(given: Any, kind: str, where: str) -> None:
    prefix = _PREFIXES.get(kind)
    if given is None or prefix is None:
        return
    if not isinstance(given, str) or len(given) > _LONGEST_ID:
        raise invalid(f"Invalid '{where}.id': too long.", f"{where}.id", "string_above_max_length")
    if not given.startswith(prefix):
        text = f"Invalid '{where}.id': '{given}'. Expected an ID that begins with '{prefix}'."
        raise invalid(text, f"{where}.id")


def _call_id(item: Json, where: str) -> str:
    call_id = item.get("call_id")
    if not isinstance(call_id, str) or not call_id:
        raise missing(f"{where}.call_id")
    if len(call_id) > _LONGEST_ID:
        text = f"Invalid '{where}.call_id': string too long."
        raise invalid(text, f"{where}.call_id", "string_above_max_length")
    return call_id


def _part(part: Any, role: Role, where: str) -> Iterator[tuple[bool, str]]:
    """Whether it is a text, and what it says or how it can be described."""
    allowed = _PARTS[role]
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in allowed:
        known = " and ".join(f"'{one}'" for one in allowed)
        raise invalid(f"Invalid value: '{kind}'. Supported values are: {known}.", where)
    for name in part:
        if name != "type" and name not in allowed[kind]:
            raise unknown(f"{where}.{name}")
    match part:
        case {"type": "input_text" | "output_text", "text": str(text)}:
            yield True, text
        case {"type": "refusal", "refusal": str(text)}:
            yield True, text
        case {"type": "input_image"}:
            yield False, _picture(part, f"{where}.image_url")
        case {"type": "input_file"}:
            yield False, _file(part, where)
        case _:
            raise missing(f"{where}.text")


def _picture(part: Json, where: str) -> str:
    """What can be seen of a picture without eyes."""
    if part.get("detail", "auto") not in ("auto", "low", "high", "original"):
        raise invalid("Invalid value.", where.replace("image_url", "detail"))
    url = part.get("image_url")
    if not isinstance(url, str):
        raise missing(where)
    head, sign, data = url.partition(",")
    if head.startswith("data:image/") and head.endswith(";base64") and sign:
        try:
            return f"a picture of {len(base64.b64decode(data, validate=True))} bytes"
        except binascii.Error:
            raise invalid("The image data is not valid base64.", where, "invalid_image") from None
    if url.startswith("https://"):
        return f"a picture at {url}"
    raise invalid("Invalid image URL.", where, "invalid_image_url")


def _file(part: Json, where: str) -> str:
    if part.get("file_id") is not None:
        raise unstored("File", str(part["file_id"]))
    if not isinstance(part.get("file_data"), str):
        raise missing(f"{where}.file_data")
    return f"a file {json.dumps(part.get('filename') or 'without a name')}"
