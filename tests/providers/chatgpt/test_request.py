"""The bodies of a turn, of both generations (sheet 4.1 to 4.5)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from chat2api.chat.conversation import (
    Builtin,
    Conversation,
    File,
    Image,
    Message,
    Part,
    Reasoning,
    ReplyTo,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from chat2api.errors import RequestError, Unsupported
from chat2api.providers.chatgpt.models import Target
from chat2api.providers.chatgpt.persona import Persona
from chat2api.providers.chatgpt.request import (
    NEW_CHAT_ROOT,
    HistoryForm,
    Turn,
    build_turn,
    classic_body,
    conversation_body,
    prepare_body,
)

NOW = 1_780_000_000.25
KEPT = ReplyTo("conv-1", "msg-9")
HISTORY = (
    Message("system", (Text("Be brief."),)),
    Message("user", (Text("Hi"),)),
    Message("assistant", (Text("Hello."),)),
    Message("user", (Text("Say "), Text("more")), name="Ann"),
)


@pytest.fixture
def persona() -> Persona:
    return Persona("subject")


def ids() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"id-{next(numbers)}"


def built(
    *messages: Message,
    target: Target | None = None,
    reply_to: ReplyTo | None = None,
    temporary: bool = True,
    workspace: str | None = None,
    history_form: HistoryForm = "messages",
) -> Turn:
    conversation = Conversation(
        "auto",
        messages or (Message("user", (Text("Hi"),)),),
        reply_to=reply_to,
        workspace_id=workspace,
    )
    return build_turn(
        conversation,
        target or Target("gpt-5-6"),
        temporary=temporary,
        new_id=ids(),
        now=NOW,
        history_form=history_form,
    )


def sent(turn: Turn) -> list[tuple[str, str]]:
    return [
        (message["author"]["role"], message["content"]["parts"][0]) for message in turn.messages
    ]


# --- messages


def test_a_history_may_be_folded_into_one_message() -> None:
    turn = built(*HISTORY, history_form="folded")
    assert sent(turn) == [
        ("user", "System: Be brief.\n\nUser: Hi\n\nAssistant: Hello.\n\nUser: Say more")
    ]
    assert turn.message_ids == {"id-1"}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Message("user", (Text("Hi"),)), "Hi"),
        (Message("tool", (ToolResult("call-1", "42"),)), "42"),
        (Message("system", (Text("Be brief."),)), "System: Be brief."),
        (Message("assistant", (Text("Hello."),)), "Assistant: Hello."),
    ],
)
def test_what_a_user_says_alone_needs_no_label(message: Message, text: str) -> None:
    assert sent(built(message, history_form="folded")) == [("user", text)]


def test_a_continued_chat_folds_only_what_is_new() -> None:
    new = (Message("system", (Text("Rhyme."),)), Message("user", (Text("More"),)))
    turn = built(*HISTORY[:3], *new, reply_to=KEPT, history_form="folded")
    assert sent(turn) == [("user", "System: Rhyme.\n\nUser: More")]
    assert turn.conversation_id == "conv-1"


def test_what_is_to_be_answered_is_what_the_user_said_last() -> None:
    """Claude Code writes system messages after the user's."""
    after = Message("system", (Text("Be brief."),))
    turn = built(Message("user", (Text("Hi"),)), after)
    assert [role for role, _ in sent(turn)] == ["user", "system"]
    assert turn.question["content"]["parts"] == ["Hi"]
    assert built(after).question["content"]["parts"] == ["Be brief."]


def test_an_empty_turn_is_refused_in_either_form() -> None:
    for form in ("messages", "folded"):
        with pytest.raises(RequestError):
            built(*HISTORY[:3], reply_to=KEPT, history_form=form)


def test_pictures_cannot_be_folded_either() -> None:
    with pytest.raises(Unsupported):
        built(*HISTORY, Message("user", (Image("https://x.test/a.png"),)), history_form="folded")


def test_a_new_chat_sends_the_whole_history() -> None:
    turn = built(*HISTORY)
    assert sent(turn) == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "Say more"),
    ]
    assert turn.message_ids == {"id-1", "id-2", "id-3", "id-4"}
    assert (turn.parent_message_id, turn.conversation_id) == (NEW_CHAT_ROOT, None)


def test_a_message_on_the_wire() -> None:
    assert built().messages == (
        {
            "id": "id-1",
            "author": {"role": "user"},
            "create_time": NOW,
            "content": {"content_type": "text", "parts": ["Hi"]},
            "metadata": {},
        },
    )


@pytest.mark.parametrize(
    ("messages", "new"),
    [
        (HISTORY, [("user", "Say more")]),
        (HISTORY[3:], [("user", "Say more")]),
        (HISTORY[:2], [("system", "Be brief."), ("user", "Hi")]),
        ((*HISTORY, HISTORY[1]), [("user", "Say more"), ("user", "Hi")]),
    ],
)
def test_a_continued_chat_sends_only_what_is_new(
    messages: tuple[Message, ...], new: list[tuple[str, str]]
) -> None:
    turn = built(*messages, reply_to=KEPT)
    assert sent(turn) == new
    assert (turn.parent_message_id, turn.conversation_id) == ("msg-9", "conv-1")


def test_a_continued_chat_needs_something_new() -> None:
    with pytest.raises(RequestError) as caught:
        built(*HISTORY[:3], reply_to=KEPT)
    assert (caught.value.status, caught.value.param) == (400, "messages")


def test_a_continued_chat_of_unknown_place_begins_at_its_root() -> None:
    assert built(reply_to=ReplyTo("conv-1")).parent_message_id == NEW_CHAT_ROOT


@pytest.mark.parametrize(
    ("role", "parts", "wire"),
    [
        ("user", (), ("user", "")),
        ("assistant", (Reasoning("hm"), Text("Yes")), ("assistant", "Yes")),
        ("assistant", (ToolCall("c", "look", '{"a":1}'),), ("assistant", 'look({"a":1})')),
        ("tool", (ToolResult("c", "42"),), ("user", "42")),
    ],
)
def test_parts_become_text(role: Role, parts: tuple[Part, ...], wire: tuple[str, str]) -> None:
    assert sent(built(Message(role, parts))) == [wire]


@pytest.mark.parametrize("part", [Image("https://x.test/a.png"), File(url="data:,x")])
def test_what_this_upstream_cannot_take_yet(part: Part) -> None:
    with pytest.raises(Unsupported) as caught:
        built(Message("user", (Text("Look:"), part)))
    assert (caught.value.status, caught.value.code, caught.value.param) == (
        400,
        "unsupported_value",
        "messages",
    )


# --- bodies

CONTEXT = {
    "is_dark_mode": False,
    "time_since_loaded": 1200,
    "page_height": 1072,
    "page_width": 1724,
    "pixel_ratio": 1.2,
    "screen_height": 1080,
    "screen_width": 1920,
    "app_name": "chatgpt.com",
}


def test_the_newer_body(persona: Persona) -> None:
    turn = built()
    assert conversation_body(turn, persona, prepared=True) == {
        "action": "next",
        "messages": list(turn.messages),
        "parent_message_id": "client-created-root",
        "model": "gpt-5-6",
        "client_prepare_state": "success",
        "timezone_offset_min": persona.timezone_offset_min,
        "timezone": "America/New_York",
        "conversation_mode": {"kind": "primary_assistant"},
        "history_and_training_disabled": True,
        "enable_message_followups": False,
        "system_hints": [],
        "supports_buffering": True,
        "supported_encodings": ["v1"],
        "client_contextual_info": CONTEXT,
        "paragen_cot_summary_display_override": "allow",
        "force_parallel_switch": "auto",
    }


def test_the_older_body(persona: Persona) -> None:
    turn = built()
    fresh = ids()
    assert classic_body(turn, persona, new_id=fresh) == {
        "action": "next",
        "messages": list(turn.messages),
        "parent_message_id": "id-1",
        "model": "gpt-5-6",
        "timezone_offset_min": persona.timezone_offset_min,
        "timezone": "America/New_York",
        "conversation_mode": {"kind": "primary_assistant"},
        "history_and_training_disabled": True,
        "force_paragen": False,
        "force_paragen_model_slug": "",
        "force_rate_limit": False,
        "force_use_sse": True,
        "reset_rate_limits": False,
        "suggestions": [],
        "system_hints": [],
        "supported_encodings": ["v1"],
        "websocket_request_id": "id-2",
        "client_contextual_info": CONTEXT,
        "paragen_cot_summary_display_override": "allow",
    }


def test_the_preparation(persona: Persona) -> None:
    turn = built(*HISTORY)
    assert prepare_body(turn, persona) == {
        "action": "next",
        "fork_from_shared_post": False,
        "parent_message_id": "client-created-root",
        "model": "gpt-5-6",
        "client_prepare_state": "none",
        "timezone_offset_min": persona.timezone_offset_min,
        "timezone": "America/New_York",
        "conversation_mode": {"kind": "primary_assistant"},
        "history_and_training_disabled": True,
        "system_hints": [],
        "partial_query": {
            "id": "id-4",
            "author": {"role": "user"},
            "content": {"content_type": "text", "parts": ["Say more"]},
        },
        "supports_buffering": True,
        "supported_encodings": ["v1"],
        "client_contextual_info": {"app_name": "chatgpt.com"},
    }


def bodies(turn: Turn) -> list[dict[str, Any]]:
    persona = Persona("subject")
    return [
        prepare_body(turn, persona),
        conversation_body(turn, persona, prepared=True),
        classic_body(turn, persona, new_id=ids()),
    ]


def every(turn: Turn, field: str) -> list[Any]:
    """What each body says in it; "absent" where it has no such field."""
    return [body.get(field, "absent") for body in bodies(turn)]


def test_a_continued_chat_names_its_place_in_every_body() -> None:
    turn = built(reply_to=KEPT, temporary=False)
    assert every(turn, "conversation_id") == ["conv-1"] * 3
    assert every(turn, "parent_message_id") == ["msg-9"] * 3
    assert every(turn, "history_and_training_disabled") == [False] * 3


def test_a_new_chat_names_none() -> None:
    assert every(built(), "conversation_id") == ["absent"] * 3


def test_a_gpt_is_a_mode() -> None:
    mode = {"kind": "gizmo_interaction", "gizmo_id": "g-AbCd123"}
    turn = built(target=Target("gpt-4o", "g-AbCd123"))
    assert every(turn, "conversation_mode") == [mode] * 3
    assert every(turn, "model") == ["gpt-4o"] * 3


@pytest.mark.parametrize(("effort", "told"), [("extended", "extended"), (None, "absent")])
def test_effort(effort: str | None, told: str) -> None:
    assert (
        every(built(target=Target("gpt-5-6-thinking", None, effort)), "thinking_effort")
        == [told] * 3
    )


def test_a_workspace_is_a_header_and_no_part_of_a_body() -> None:
    assert b"team-1" not in orjson.dumps(bodies(built(workspace="team-1")))


def test_bodies_are_json() -> None:
    turn = built(Message("user", (Text("naïve 名前 😀 \x00\u2028"),)))
    assert orjson.loads(orjson.dumps(bodies(turn))) == bodies(turn)


@pytest.mark.parametrize(("prepared", "state"), [(True, "success"), (False, "none")])
def test_a_turn_says_whether_it_was_prepared(persona: Persona, prepared: bool, state: str) -> None:
    body = conversation_body(built(), persona, prepared=prepared)
    assert body["client_prepare_state"] == state


@pytest.mark.parametrize(
    ("kinds", "hints"),
    [((), []), (("web_search",), ["search"]), (("image_generation",), [])],
    ids=str,
)
def test_a_search_is_hinted_at(persona: Persona, kinds: tuple[Any, ...], hints: list[str]) -> None:
    conversation = Conversation(
        "auto",
        (Message("user", (Text("What is new?"),)),),
        builtins=tuple(Builtin(kind, {}) for kind in kinds),
    )
    turn = build_turn(conversation, Target("gpt-5-6"), temporary=True, new_id=ids(), now=NOW)
    bodies = (
        conversation_body(turn, persona, prepared=True),
        classic_body(turn, persona, new_id=ids()),
        prepare_body(turn, persona),
    )
    assert [body["system_hints"] for body in bodies] == [hints] * 3
