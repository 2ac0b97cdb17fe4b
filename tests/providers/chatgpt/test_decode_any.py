"""providers.chatgpt.decode: laws that hold for any text, any cuts, any payload."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.chat.events import Finish, TextDelta
from chat2api.codecs.sse import FastSseDecoder, SseRecord
from chat2api.errors import Chat2ApiError
from chat2api.providers.chatgpt.decode import TurnDecoder

# --- any text, any cuts --------------------------------------------------------------------------

words = st.text(alphabet="ab 你【】†1\n😀", max_size=4)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(["append", "bare", "patch", "snapshot"]), words)))
def test_no_text_is_lost_or_doubled_however_it_comes(pieces: list[tuple[str, str]]) -> None:
    path = "/message/content/parts/0"
    message = {"id": "a", "author": {"role": "assistant"}, "status": "in_progress"}

    def root(text: str) -> dict[str, Any]:
        return {"message": {**message, "content": {"content_type": "text", "parts": [text]}}}

    payloads: list[Any] = [{"p": "", "o": "add", "v": root(""), "c": 0}]
    text, can_be_bare = "", False
    for form, piece in pieces:
        text += piece
        operation = {"p": path, "o": "append", "v": piece}
        if form == "snapshot":
            payloads.append(root(text))
        elif form == "patch":
            payloads.append({"p": "", "o": "patch", "v": [operation]})
        else:
            payloads.append({"v": piece} if form == "bare" and can_be_bare else operation)
        can_be_bare = form in ("append", "bare") or (can_be_bare and form == "snapshot")

    decoder = TurnDecoder((), keep_history=False)
    events = [e for p in payloads for e in decoder.feed(SseRecord("message", json.dumps(p)))]
    events += decoder.feed(SseRecord("message", "[DONE]"))

    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == text


VOCABULARY = ["", "a", "b", "assistant", "tool", "user", "python", "all", "text", "multimodal_text", "thoughts",
    "code", "execution_output", "system_error", "image_asset_pointer", "sediment://x", "finished_successfully",
    "max_tokens", "\ue200cite\ue202turn0search0\ue201", "【1†s】", "https://a.org", "append", "add", "patch",
    "truncate", "remove", "/message/content/parts/0", "/message/metadata", "/message/content/thoughts/0/content",
    "message_stream_complete", "moderation", "conversation_async_status", "grouped_webpages",
]  # fmt: skip
KEYS = ["id", "author", "role", "name", "content", "content_type", "parts", "text", "status", "end_turn",
    "recipient", "channel", "metadata", "thoughts", "summary", "chunks", "asset_pointer", "generation", "height",
    "content_references", "matched_text", "items", "url", "title", "citations", "start_ix", "search_result_groups",
    "entries", "ref_id", "finish_details", "type", "async_task_type", "attachments", "aggregate_result", "messages",
]  # fmt: skip
odd = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 12) | st.sampled_from(VOCABULARY),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=15,
)
odd_message = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b", None]),
        "author": st.fixed_dictionaries({"role": st.sampled_from(["assistant", "tool"])}) | odd,
        "content": st.fixed_dictionaries(
            {"content_type": st.sampled_from(VOCABULARY)},
            optional={"parts": odd, "text": odd, "thoughts": odd},
        ),
        "metadata": odd,
        "status": odd,
        "end_turn": odd,
        "recipient": odd,
        "channel": odd,
    },
)
odd_payload = st.one_of(
    st.fixed_dictionaries({"message": odd_message | odd}),
    st.fixed_dictionaries({"v": odd | st.fixed_dictionaries({"message": odd_message})}),
    st.fixed_dictionaries(
        {"v": odd},
        optional={"p": st.sampled_from(VOCABULARY), "o": st.sampled_from(VOCABULARY), "c": odd},
    ),
    st.dictionaries(st.sampled_from([*KEYS, "moderation_response", "async_status", "token"]), odd),
)


@settings(max_examples=300)
@given(st.lists(odd_payload, max_size=8), odd)
def test_anything_is_survived(payloads: list[Any], mapping: Any) -> None:
    """Whatever comes, a decoder answers with events or with an error of ours."""
    decoder = TurnDecoder((), keep_history=True)
    with suppress(Chat2ApiError):
        for payload in payloads:
            decoder.feed(SseRecord("message", json.dumps(payload)))
    with suppress(Chat2ApiError):
        nodes = {
            str(n): {"message": p.get("message"), "parent": str(n - 1)}
            for n, p in enumerate(payloads)
        }
        decoder.absorb_document(
            {"mapping": nodes or mapping, "current_node": str(len(payloads) - 1)}
        )
    with suppress(Chat2ApiError):
        assert isinstance(decoder.finish()[-1], Finish)


@pytest.mark.timeout(20)
def test_a_hundred_thousand_tiny_events_are_quick(decode, wire) -> None:
    bare = b'event: delta\ndata: {"v": "tick "}\n\n'
    head = b"".join(
        b"data: " + json.dumps(item).encode() + b"\n\n" for item in (wire.root(), wire.append("x"))
    )
    body = head + bare * 100_000 + b"data: [DONE]\n\n"
    frames, decoder = FastSseDecoder(1 << 20), TurnDecoder((), keep_history=False)
    length = 0
    started = time.perf_counter()
    for start in range(0, len(body), 1000):
        for record in frames.feed(body[start : start + 1000]):
            length += sum(len(e.text) for e in decoder.feed(record) if isinstance(e, TextDelta))

    assert length == 500_001
    assert time.perf_counter() - started < 5
