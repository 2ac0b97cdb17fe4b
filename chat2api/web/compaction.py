"""POST /v1/responses/compact as a dialect: a conversation in, its summary out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chat2api.chat.conversation import Conversation, Message, Text
from chat2api.chat.fold import Completion
from chat2api.dialects.openai_responses_input import input_items
from chat2api.dialects.openai_responses_object import usage_object
from chat2api.dialects.protocol import Ask, Stamp
from chat2api.errors import InternalError, MissingParameter, Unsupported, UpstreamBadResponse
from chat2api.service.access import Principal
from chat2api.service.threads import SUMMARY_PREFIX, Threads
from chat2api.web.threaded import KeptStream, ThreadedResponses

_ASKED = ("model", "input", "instructions", "previous_response_id", "user", "prompt_cache_key")
_KEPT_ROLES = ("user", "developer", "system")

_PROMPT = """\
The conversation above is about to be cut off to save space. Write the summary that will stand in its \
place for whoever continues it: what was asked for and why, what was decided, what has been done and found \
(names, numbers, paths, code and quotes that are still needed, word for word), what is still open, and what \
was to be done next. Write it as plain notes. Do not answer or continue the conversation, and leave out \
this request.\
"""


class Compaction:
    """Serves one request. The answer holds what the user said, word for word, and the sealed summary."""

    name = "openai_responses_compaction"
    id_prefix = "resp_"
    single_writes = False

    def __init__(self, threads: Threads, caller: Callable[[], Principal]) -> None:
        self._threads = threads
        self._dialect = ThreadedResponses(threads, caller)
        self.render_error = self._dialect.render_error

    def parse(self, body: Mapping[str, Any]) -> Ask:
        if body.get("model") is None:
            raise MissingParameter("Missing required parameter: 'model'.", param="model")
        if body.get("stream"):
            raise Unsupported("Invalid 'stream': a summary comes whole.", param="stream")
        asked = {name: body[name] for name in _ASKED if name in body}
        ask = self._dialect.parse({**asked, "store": False})
        return replace(ask, conversation=_summarising(ask.conversation))

    def render(self, ask: Ask, stamp: Stamp, completions: Sequence[Completion]) -> dict[str, Any]:
        (completion,) = completions
        summary = completion.text.strip()
        if not summary or completion.usage is None:
            raise UpstreamBadResponse("The upstream wrote no summary.")
        said = [*self._dialect.past.items, *input_items(ask, stamp)]
        return {
            "id": stamp.answer_id,
            "object": "response.compaction",
            "created_at": stamp.created,
            "output": [
                *(item for item in said if _is_kept(item)),
                {
                    "type": "compaction",
                    "id": SUMMARY_PREFIX + stamp.answer_id.removeprefix(self.id_prefix),
                    "encrypted_content": self._threads.sealed_summary(summary),
                },
            ],
            "usage": usage_object(completion.usage),
        }

    def renderer(self, ask: Ask, stamp: Stamp) -> KeptStream:
        raise InternalError("Compacted conversations are not streamed.")


def _summarising(conversation: Conversation) -> Conversation:
    """The same conversation, asked for nothing but its summary."""
    return Conversation(
        model=conversation.model,
        messages=(*conversation.messages, Message("user", (Text(_PROMPT),))),
        keep_history=False,
        user=conversation.user,
    )


def _is_kept(item: Mapping[str, Any]) -> bool:
    return item.get("type") == "message" and item.get("role") in _KEPT_ROLES
