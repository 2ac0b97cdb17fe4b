"""When a stream ends before its answer does: resuming, reading the stored conversation, giving up."""

from __future__ import annotations

import uuid
from itertools import pairwise
from typing import Any

import pytest

from chat2api.chat.conversation import Conversation, Message, Text
from chat2api.chat.events import Event, ImageRef, TextDelta, Thread
from chat2api.errors import (
    ClientGone,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamTruncated,
)
from chat2api.providers.chatgpt.decode import TurnDecoder
from chat2api.providers.chatgpt.home import HomePage
from chat2api.providers.chatgpt.models import Target
from chat2api.providers.chatgpt.persona import Persona
from chat2api.providers.chatgpt.reading import StreamReader
from chat2api.providers.chatgpt.recovery import Recovery
from chat2api.providers.chatgpt.request import build_turn
from chat2api.providers.chatgpt.session import Session
from chat2api.transport.protocol import Outgoing

RESUME = "POST /backend-api/f/conversation/resume"
READ = "GET /backend-api/conversation/c"
STATUS = f"{READ}/stream_status"
TOKEN = {"type": "resume_conversation_token", "kind": "conduit", "token": "resume-1"}
HANDOFF = {"type": "stream_handoff", "options": [], "conversation_id": "c"}
PENDING = {"type": "conversation_async_status", "async_status": 3, "conversation_id": "c"}


class Broken:
    """A turn whose first stream said `payloads` and then ended."""

    def __init__(self, stage: Any, script: Any, *payloads: Any, temporary: bool = False) -> None:
        self.stage, self.script, self.temporary = stage, script, temporary
        asked = Conversation("gpt-5-5", (Message("user", (Text("Say hi"),)),))
        self.turn = build_turn(
            asked, Target("gpt-5-5"), temporary=temporary, new_id=lambda: "ours", now=1.0
        )
        self.session = Session(
            "https://upstream.test",
            stage.credential,
            Persona("subject-a"),
            stage.io,
            user_agent="Agent/1.0",
            home=HomePage(),
            extra={},
            first_byte_seconds=60.0,
        )
        self.decoder = TurnDecoder(self.turn.message_ids, not temporary)
        self.reader = StreamReader(self.decoder, 1 << 20)
        stage.upstream.plays("GET /first", script.stream(script.events(*payloads)))
        first = stage.upstream.open(Outgoing("GET", "https://x.test/first", {}), stage.call)
        self.before = list(self.reader.events(first))
        stage.upstream.requests.clear()

    def recovery(self, idle_seconds: float = 90.0) -> Recovery:
        return Recovery(
            self.session,
            self.turn,
            self.decoder,
            self.reader,
            idle_seconds=idle_seconds,
            clock=self.stage.clock,
        )

    def recovered(self, cut: UpstreamError | None = None, **given: float) -> list[Event]:
        return list(self.recovery(**given).events(cut))

    def stored(self, *messages: Any, **fields: Any) -> Any:
        """The answer of a read: the conversation with our message and `messages` after it."""
        ours = {"id": "ours", "author": {"role": "user"}, "content": {"parts": ["Say hi"]}}
        nodes = [ours, *(one["message"] for one in messages)]
        parents = [None, *(node["id"] for node in nodes)]
        mapping = {
            node["id"]: {"id": node["id"], "message": node, "parent": parent}
            for parent, node in zip(parents, nodes, strict=False)
        }
        document = {"mapping": mapping, "current_node": nodes[-1]["id"], "conversation_id": "c"}
        return self.script.json({**document, **fields})


@pytest.fixture
def broken(stage: Any, script: Any) -> Any:
    """broken(*payloads, temporary=False): by default "Hel" was said and a resume token given."""

    def build(*payloads: Any, temporary: bool = False) -> Broken:
        said = payloads or (TOKEN, script.said("Hel"))
        return Broken(stage, script, *said, temporary=temporary)

    return build


@pytest.fixture
def whole(script: Any) -> Any:
    return script.said("Hello!", done=True)


def shown(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


# --- resuming


def test_a_resume_says_how_much_is_known(stage: Any, script: Any, broken: Any, whole: Any) -> None:
    it = broken(TOKEN, script.said("He"), "", script.said("Hel"), "")  # what is empty is no event
    stage.upstream.plays(RESUME, script.stream(script.events(whole, "[DONE]")))
    assert shown(it.recovered(idle_seconds=44.0)) == "lo!"
    assert stage.upstream.calls == [RESUME]
    (request,) = stage.upstream.requests
    assert script.body(request) == {"conversation_id": "c", "offset": 3}
    wanted = {
        "x-conduit-token": "resume-1",
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",
    }
    assert wanted.items() <= request.headers.items()
    assert uuid.UUID(request.headers["x-oai-turn-trace-id"])
    assert (request.repeatable, request.idle_seconds) == (True, 44.0)
    assert stage.call.pauses == []


def test_a_handed_over_answer_begins_anew(stage: Any, script: Any, broken: Any, whole: Any) -> None:
    it = broken(TOKEN, HANDOFF, "[DONE]")
    stage.upstream.plays(RESUME, script.stream(script.events(whole, "[DONE]")))
    assert shown(it.recovered()) == "Hello!"
    assert script.body(stage.upstream.requests[0])["offset"] == 0


def test_a_resumed_stream_may_break_as_well(
    stage: Any, script: Any, broken: Any, whole: Any
) -> None:
    """The next one goes on from there, with the newest token."""
    it = broken()
    newer = {**TOKEN, "token": "resume-2"}
    cut = UpstreamConnectionError("Reset.")
    stage.upstream.plays(
        RESUME,
        script.stream(script.events(newer, script.said("Hell")), cut),
        script.stream(script.events(script.said("Hello"))),
        script.stream(script.events(whole, "[DONE]")),
    )
    assert shown(it.recovered()) == "lo!"
    tokens = [request.headers["x-conduit-token"] for request in stage.upstream.requests]
    offsets = [script.body(request)["offset"] for request in stage.upstream.requests]
    assert (tokens, offsets) == (["resume-1", "resume-2", "resume-2"], [2, 4, 5])


@pytest.mark.parametrize("status", [408, 409, 425, 429, 502, 504])
def test_some_refusals_mean_not_yet(
    stage: Any, script: Any, broken: Any, whole: Any, status: int
) -> None:
    it = broken()
    later = script.json({"detail": "Not yet."}, status)
    stage.upstream.plays(RESUME, later, later, script.stream(script.events(whole, "[DONE]")))
    assert shown(it.recovered()) == "lo!"
    assert stage.upstream.calls == [RESUME] * 3
    assert stage.call.pauses == pytest.approx([0.3, 0.45])


def test_asking_to_resume_has_an_end(stage: Any, script: Any, broken: Any, whole: Any) -> None:
    it = broken()
    stage.upstream.plays(RESUME, UpstreamConnectionError("Reset."))
    stage.upstream.plays(READ, it.stored(whole))
    assert shown(it.recovered()) == "lo!"
    assert stage.upstream.calls == [RESUME] * 12 + [READ]
    pauses = stage.call.pauses
    assert pauses[0] == 0.3
    assert all(one <= next_ <= 5.0 for one, next_ in pairwise(pauses))
    assert sum(pauses) < 40


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "tokenless_resume_unavailable"), (410, "persisted_final_available"), (200, "x")],
)
def test_other_refusals_mean_never(
    stage: Any, script: Any, broken: Any, whole: Any, status: int, code: str
) -> None:
    it = broken()
    stage.upstream.plays(RESUME, script.json({"detail": {"code": code}}, status))
    stage.upstream.plays(READ, it.stored(whole))
    assert shown(it.recovered()) == "lo!"
    assert stage.upstream.calls == [RESUME, READ]
    assert stage.call.pauses == []


def test_without_a_token_nothing_can_be_resumed(
    stage: Any, script: Any, broken: Any, whole: Any
) -> None:
    it = broken(script.said("Hel"))
    stage.upstream.plays(READ, it.stored(whole))
    assert shown(it.recovered()) == "lo!"
    assert stage.upstream.calls == [READ]


# --- reading what was stored


def test_the_stored_answer_is_read_until_it_is_whole(
    stage: Any, script: Any, broken: Any, whole: Any
) -> None:
    it = broken(script.said("Hel"))
    half, idle = script.said("Hello"), {"async_status": 3}
    stage.upstream.plays(
        READ, it.stored(), it.stored(half, **idle), it.stored(half, **idle), it.stored(whole)
    )
    stage.upstream.plays(STATUS, script.json({"status": "IS_STREAMING"}))
    assert it.before == [Thread("c", "a"), TextDelta("Hel")]
    assert it.recovered() == [TextDelta("lo"), TextDelta("!")]
    assert it.decoder.complete
    assert stage.call.pauses == [5.0] * 3
    assert stage.upstream.calls == [READ, STATUS, READ, READ, READ]  # async work says so itself


def test_a_picture_that_is_made_after_the_stream(stage: Any, script: Any, broken: Any) -> None:
    it = broken(TOKEN, script.said("Here it comes.", done=True), PENDING, "[DONE]")
    picture = script.said(
        "",
        done=True,
        message_id="p",
        author={"role": "tool", "name": "t2uay3k.sj1i4kz"},
        content={
            "content_type": "multimodal_text",
            "parts": [{"content_type": "image_asset_pointer", "asset_pointer": "sediment://f1"}],
        },
    )
    said = script.said("Here it comes.", done=True)
    stage.upstream.plays(RESUME, script.json({"detail": {"code": "gone"}}, 404))
    stage.upstream.plays(
        READ, it.stored(said, async_status=3), it.stored(said, picture, async_status=4)
    )
    events = it.recovered()
    assert [event.pointer for event in events if isinstance(event, ImageRef)] == ["sediment://f1"]
    assert stage.upstream.calls == [RESUME, READ, READ]


def test_a_turn_that_failed_upstream_is_given_up_at_once(
    stage: Any, script: Any, broken: Any
) -> None:
    it = broken(script.said("Hel"))
    stage.upstream.plays(READ, it.stored())
    stage.upstream.plays(STATUS, script.json({"status": "FAILURE"}))
    cut = UpstreamConnectionError("Reset.")
    with pytest.raises(UpstreamConnectionError) as raised:
        it.recovered(cut)
    assert raised.value is cut
    assert (stage.upstream.calls, stage.call.pauses) == ([READ, STATUS], [])


def test_an_upstream_that_is_done_is_read_once_more(
    stage: Any, script: Any, broken: Any, whole: Any
) -> None:
    """It may have finished between the read and the question."""
    stage.upstream.plays(STATUS, script.json({"status": "COMPLETE"}))
    late = broken(script.said("Hel"))
    stage.upstream.plays(READ, late.stored(script.said("Hel")), late.stored(whole))
    assert shown(late.recovered()) == "lo!"
    lost = broken(script.said("Hel"))
    stage.upstream.plays(READ, lost.stored(script.said("Hel")))
    with pytest.raises(UpstreamTruncated):
        lost.recovered()
    assert stage.upstream.calls == [READ, STATUS, READ]
    assert stage.call.pauses == [0.5, 0.5]


@pytest.mark.parametrize(
    "status", [(404, {"detail": "Not Found"}), (200, {}), (200, []), (200, {"status": 7})]
)
def test_an_upstream_that_does_not_tell_is_waited_for(
    stage: Any, script: Any, broken: Any, whole: Any, status: Any
) -> None:
    it = broken(script.said("Hel"))
    stage.upstream.plays(READ, it.stored(), it.stored(whole))
    stage.upstream.plays(STATUS, script.json(status[1], status[0]))
    assert shown(it.recovered()) == "lo!"
    assert stage.call.pauses == [5.0]


# --- giving up


def test_silence_is_not_awaited_for_ever(stage: Any, script: Any, broken: Any) -> None:
    it = broken(script.said("Hel"))
    stage.upstream.plays(READ, it.stored(script.said("Hel")))
    with pytest.raises(UpstreamTimeout):
        it.recovered(idle_seconds=20.0)
    assert sum(stage.call.pauses) == 25.0


def test_news_start_the_waiting_anew(stage: Any, script: Any, broken: Any) -> None:
    it = broken(script.said("Hel"))
    texts = ["Hello, my friend!"[:size] for size in range(4, 18)]
    stage.upstream.plays(READ, *(it.stored(script.said(text)) for text in texts))
    recovery = it.recovery(idle_seconds=7.0).events(None)
    events: list[Event] = []
    with pytest.raises(UpstreamTimeout):
        events.extend(recovery)
    assert shown(events) == "lo, my friend!"
    assert sum(stage.call.pauses) == 5.0 * len(texts) + 5.0


def test_resuming_in_vain_is_idle_too(stage: Any, script: Any, broken: Any) -> None:
    it = broken()
    stage.upstream.plays(RESUME, script.json({"detail": "Not yet."}, 409))
    with pytest.raises(UpstreamTimeout):
        it.recovered(idle_seconds=2.0)
    assert 2.0 < sum(stage.call.pauses) < 4.0


def test_reads_that_fail_are_tried_for_a_while(
    stage: Any, script: Any, broken: Any, whole: Any
) -> None:
    it = broken(script.said("Hel"))
    oops = script.json({"detail": "Oops"}, 500)
    stage.upstream.plays(READ, *[oops] * 30, it.stored(), *[oops] * 30, it.stored(whole))
    assert shown(it.recovered(idle_seconds=1000.0)) == "lo!"
    lost = broken(script.said("Hel"))
    stage.upstream.plays(READ, oops)
    with pytest.raises(UpstreamTruncated):
        lost.recovered(idle_seconds=1000.0)
    assert stage.upstream.calls == [READ] * 31


def test_a_conversation_that_is_gone_is_not_read_again(
    stage: Any, script: Any, broken: Any
) -> None:
    it = broken(script.said("Hel"))
    gone = {"detail": {"code": "conversation_not_found", "message": "Gone."}}
    stage.upstream.plays(READ, script.json(gone, 404))
    with pytest.raises(UpstreamTruncated):
        it.recovered()
    assert stage.upstream.calls == [READ]


def test_a_refusal_in_place_of_a_conversation(stage: Any, script: Any, broken: Any) -> None:
    it = broken(script.said("Hel"))
    stage.upstream.plays(READ, script.json({"detail": {"code": "rate_limit_exceeded"}}))
    with pytest.raises(UpstreamRateLimited):
        it.recovered()


def test_what_was_never_named_cannot_be_found(stage: Any, script: Any, broken: Any) -> None:
    it = broken({**script.said("Hel"), "conversation_id": None})
    with pytest.raises(UpstreamTruncated):
        it.recovered()
    assert stage.upstream.calls == []


@pytest.mark.parametrize("where", [RESUME, READ, STATUS])
def test_a_call_that_ends_is_not_recovered_for(
    stage: Any, script: Any, broken: Any, where: str
) -> None:
    it = broken()
    reply = script.json({}, 500)
    reply.pieces = (lambda: stage.call.cancel(ClientGone("Gone.")),)
    stage.upstream.plays(READ, it.stored())
    stage.upstream.plays(where, reply)
    with pytest.raises(ClientGone):
        it.recovered()
    assert stage.upstream.calls[-1] == where


def test_a_call_that_ends_in_a_pause(stage: Any, script: Any, broken: Any) -> None:
    it = broken(script.said("Hel"))
    stage.upstream.plays(READ, it.stored())
    stage.call.meanwhile = lambda: stage.call.cancel(ClientGone("Gone."))
    with pytest.raises(ClientGone):
        it.recovered()
    assert stage.upstream.calls == [READ, STATUS]


# --- temporary chats


def test_a_temporary_chat_is_not_kept_anywhere(stage: Any, broken: Any) -> None:
    cut = UpstreamConnectionError("Reset.")
    with pytest.raises(UpstreamConnectionError) as raised:
        broken(temporary=True).recovered(cut)
    assert raised.value is cut
    with pytest.raises(UpstreamTruncated):
        broken(temporary=True).recovered()
    assert stage.upstream.calls == []


def test_a_temporary_chat_that_is_handed_over_can_be_followed(
    stage: Any, script: Any, broken: Any, whole: Any
) -> None:
    it = broken(TOKEN, HANDOFF, temporary=True)
    stage.upstream.plays(RESUME, script.stream(script.events(whole, "[DONE]")))
    assert it.recovered() == [TextDelta("Hello!")]
    lost = broken(TOKEN, HANDOFF, temporary=True)
    stage.upstream.plays(RESUME, script.json({"detail": {"code": "gone"}}, 404))
    with pytest.raises(UpstreamTruncated):
        lost.recovered()
    assert stage.upstream.calls == [RESUME]


def test_a_temporary_answer_is_whole_without_what_comes_later(
    stage: Any, script: Any, broken: Any
) -> None:
    it = broken(script.said("Here it comes.", done=True), PENDING, "[DONE]", temporary=True)
    assert it.recovered() == []
    assert (it.decoder.settled, stage.upstream.calls) == (True, [])
