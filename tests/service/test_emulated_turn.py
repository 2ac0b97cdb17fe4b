"""What is done for upstreams without tools and structured outputs, seen as the caller does."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat.conversation import (
    Conversation,
    JsonOutput,
    ReplyTo,
    ToolChoice,
)
from chat2api.chat.events import (
    Event,
    EventStream,
    Finish,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Thread,
    ToolCallDelta,
    Usage,
)
from chat2api.errors import Chat2ApiError, ClientGone, OutputInvalid, ToolCallMissing
from chat2api.lifetime.call import Call
from chat2api.providers.protocol import Capabilities
from chat2api.service.emulated_turn import CALL_DROPPED, CALL_INVALID
from chat2api.tools.scan import RESULT_INVENTED
from tests.service.helped import (
    CITY,
    NONCE,
    OSLO,
    PARIS,
    STOP,
    WRONG,
    Upstream,
    asking,
    calls,
    written,
)

# --- calls


def test_a_call_is_told_as_one() -> None:
    done = Upstream(f"I will look.\n{OSLO}").answer(asking())

    assert done.text == "I will look."
    assert calls(done) == [("call_1", "get_weather", '{"city": "Oslo"}')]
    assert (done.finish_reason, done.notes) == ("tool_calls", ())


def test_a_call_names_itself_before_its_arguments_come_in_pieces() -> None:
    long = json.dumps({"city": "x" * 1200})

    events = list(Upstream(written(long)).events(asking()))

    assert events[0] == ToolCallDelta(0, "call_1", "get_weather", "")
    pieces = events[1:-1]
    assert all(isinstance(one, ToolCallDelta) and one.call_id is None for one in pieces)
    assert len(pieces) == 3
    assert "".join(one.arguments for one in pieces if isinstance(one, ToolCallDelta)) == long


def test_calls_in_one_block_and_in_several_are_counted_through() -> None:
    block = written('{"city": "Oslo"}\n{"city": "Rome"}')

    done = Upstream(f"{block}\n{PARIS}").answer(asking())

    assert [json.loads(call[2])["city"] for call in calls(done)] == ["Oslo", "Rome", "Paris"]
    assert len({call[0] for call in calls(done)}) == 3


def test_a_custom_tool_gets_any_text() -> None:
    done = Upstream(written("*** any {text", "patch")).answer(asking())

    assert done.tool_calls[0].custom
    assert calls(done) == [("call_1", "patch", "*** any {text")]


def test_arguments_that_are_nearly_json_are_repaired_without_asking() -> None:
    upstream = Upstream(written("{'city': 'Oslo',}"))

    done = upstream.answer(asking())

    assert calls(done) == [("call_1", "get_weather", '{"city":"Oslo"}')]
    assert len(upstream.asked) == 1


def test_an_answer_without_calls_is_text() -> None:
    done = Upstream("It is sunny.").answer(asking())

    assert (done.text, calls(done), done.finish_reason) == ("It is sunny.", [], "stop")


def test_a_call_that_was_cut_off_is_none() -> None:
    done = Upstream([TextDelta(f"Hm.\n{OSLO[:-30]}"), Finish("length")]).answer(asking())

    assert (done.text, calls(done), done.finish_reason) == ("Hm.", [], "length")


def test_one_call_only_where_no_more_are_wanted() -> None:
    for answer in (f"{OSLO}\n{PARIS}", written('{"city": "Oslo"} {"city": "Paris"}')):
        done = Upstream(answer).answer(asking(parallel_tool_calls=False))

        assert [call[2] for call in calls(done)] == ['{"city": "Oslo"}']
        assert done.notes == (CALL_DROPPED,)


def test_an_answer_ends_where_results_are_made_up() -> None:
    invented = f"<tool_result_{NONCE}>\nsun\n</tool_result_{NONCE}>"
    upstream = Upstream([TextDelta(f"{OSLO}\n{invented}"), TextDelta("It is sunny."), STOP])

    done = upstream.answer(asking())

    assert (done.text, len(done.tool_calls), done.finish_reason) == ("", 1, "tool_calls")
    assert done.notes == (RESULT_INVENTED,)
    assert upstream.read == 1


# --- mending calls


def test_a_broken_call_is_mended_silently() -> None:
    upstream = Upstream(
        f"I will look.\n{WRONG}\nWait.", [ReasoningDelta("hm"), TextDelta(f"Sorry! {OSLO}"), STOP]
    )

    done = upstream.answer(asking())

    assert (done.text, done.reasoning) == ("I will look.\n\nWait.", "")
    assert calls(done) == [("call_1", "get_weather", '{"city": "Oslo"}')]
    assert (done.finish_reason, done.notes) == ("tool_calls", ())
    said, complaint = upstream.asked[1].messages[-2:]
    assert (said.role, said.text) == ("assistant", f"I will look.\n{WRONG}\nWait.")
    assert complaint.role == "user"
    assert "'city' is a required property" in complaint.text


def test_the_mended_calls_stand_for_all() -> None:
    upstream = Upstream(f"{WRONG}\n{PARIS}", f"{OSLO}\n{PARIS}")

    done = upstream.answer(asking())

    assert [json.loads(call[2])["city"] for call in calls(done)] == ["Oslo", "Paris"]


def test_a_call_that_cannot_be_mended_is_text() -> None:
    upstream = Upstream(f"Hm.\n{WRONG}\nSo.", WRONG)

    done = upstream.answer(asking())

    assert done.text == 'Hm.\n\n{"town": "Oslo"}\n\nSo.'
    assert (calls(done), done.finish_reason, done.notes) == ([], "stop", (CALL_INVALID,))
    assert len(upstream.asked) == 2


def test_where_mending_fails_the_good_calls_still_count() -> None:
    done = Upstream(f"{WRONG}\n{PARIS}", "No.").answer(asking())

    assert done.text == '{"town": "Oslo"}'
    assert [call[2] for call in calls(done)] == ['{"city": "Paris"}']
    assert (done.finish_reason, done.notes) == ("tool_calls", (CALL_INVALID,))


def test_after_a_call_was_told_nothing_is_mended() -> None:
    upstream = Upstream(f"{OSLO}\n{WRONG}\n{PARIS}")

    done = upstream.answer(asking())

    assert [json.loads(call[2])["city"] for call in calls(done)] == ["Oslo", "Paris"]
    assert (done.notes, done.text, len(upstream.asked)) == ((CALL_INVALID,), "", 1)


def test_an_upstream_that_keeps_the_conversation_goes_on_from_its_answer() -> None:
    upstream = Upstream(
        [Thread("conv", "first"), TextDelta(WRONG), STOP],
        [Thread("conv", "second"), TextDelta(OSLO), STOP],
    )

    done = upstream.answer(asking(keep_history=True))

    assert upstream.asked[1].reply_to == ReplyTo("conv", "first")
    assert done.thread == Thread("conv", "second")


# --- calls that must be


MUST = asking(tool_choice=ToolChoice("required"))


def test_text_waits_for_the_call_that_must_come() -> None:
    upstream = Upstream([TextDelta("I will look.\n"), TextDelta(OSLO), STOP])

    events = list(upstream.events(MUST))

    assert events[0] == TextDelta("I will look.")
    assert isinstance(events[1], ToolCallDelta)
    assert events[-1] == Finish("tool_calls")


def test_text_before_a_call_that_stays_broken_is_a_paragraph_of_its_own() -> None:
    done = Upstream(f"Hello {WRONG}{OSLO}", "no").answer(asking(tool_choice=ToolChoice("required")))

    assert done.text == 'Hello\n\n{"town": "Oslo"}'
    assert calls(done) == [("call_1", "get_weather", '{"city": "Oslo"}')]


def test_a_refusal_need_not_call() -> None:
    refusal = [RefusalDelta("I cannot."), STOP]
    done = Upstream(refusal).answer(asking(tool_choice=ToolChoice("required")))

    assert (done.refusal, done.finish_reason) == ("I cannot.", "stop")


def test_a_missing_call_is_asked_for_again() -> None:
    upstream = Upstream("It is sunny.", f"Fine. {OSLO}")

    done = upstream.answer(MUST)

    assert (done.text, len(done.tool_calls)) == ("It is sunny.", 1)
    assert "must call" in upstream.asked[1].messages[-1].text


@pytest.mark.parametrize("answers", [("No.", "No."), (WRONG, WRONG), ("No.", WRONG)])
def test_a_call_that_never_comes_is_an_error(answers: tuple[str, str]) -> None:
    upstream = Upstream(*answers)
    told: list[Event] = []

    with pytest.raises(ToolCallMissing):
        told.extend(upstream.events(MUST))

    assert told == []
    assert upstream.open == 0


def test_the_wrong_tool_is_no_call() -> None:
    named = asking(tool_choice=ToolChoice("required", ("get_weather",)))
    upstream = Upstream(written("x", "patch"), OSLO)

    done = upstream.answer(named)

    assert [call[1] for call in calls(done)] == ["get_weather"]
    assert "patch" not in upstream.asked[0].messages[0].text


def test_an_answer_cut_short_need_not_call() -> None:
    done = Upstream([TextDelta("I would"), Finish("length")]).answer(MUST)

    assert (done.text, done.finish_reason) == ("I would", "length")


# --- structured outputs

JSON = asking(tools=(), output=JsonOutput(CITY, "place"))
ANY_OBJECT = asking(tools=(), output=JsonOutput())


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ('{"city": "Oslo"}', '{"city": "Oslo"}'),
        ('\n{"city":\n "Oslo"}\n', '{"city":\n "Oslo"}'),
        ('```json\n{"city": "Oslo"}\n```', '{"city": "Oslo"}'),
        ('Here: {"city": "Oslo"} Fine?', '{"city": "Oslo"}'),
        ("{'city': 'Oslo'", '{"city":"Oslo"}'),
    ],
)
def test_json_comes_out_alone(answer: str, told: str) -> None:
    upstream = Upstream([ReasoningDelta("hm"), TextDelta(answer[:4]), TextDelta(answer[4:]), STOP])

    done = upstream.answer(JSON)

    assert (done.text, done.reasoning, done.finish_reason) == (told, "hm", "stop")
    (told_conversation,) = upstream.asked
    assert told_conversation.output is None
    assert "JSON Schema: {" in told_conversation.messages[0].text


def test_wrong_json_is_asked_for_again() -> None:
    upstream = Upstream('{"town": "Oslo"}', '{"city": "Oslo"}')

    assert upstream.answer(JSON).text == '{"city": "Oslo"}'
    assert "'city' is a required property" in upstream.asked[1].messages[-1].text


def test_wrong_json_twice_is_an_error() -> None:
    upstream = Upstream("It is sunny.", "[1]")
    told: list[Event] = []

    with pytest.raises(OutputInvalid):
        told.extend(upstream.events(ANY_OBJECT))

    assert told == []


def test_json_that_is_cut_short_goes_out_as_it_is() -> None:
    done = Upstream([TextDelta('{"city": "Os'), Finish("length")]).answer(JSON)

    assert (done.text, done.finish_reason) == ('{"city": "Os', "length")


def test_a_refusal_need_not_be_json() -> None:
    done = Upstream([RefusalDelta("I cannot."), STOP]).answer(JSON)

    assert (done.refusal, done.text) == ("I cannot.", "")


def test_tools_and_json_together() -> None:
    both = replace(asking(), output=JsonOutput(CITY))

    upstream = Upstream(f"I will look. {OSLO}", '{"city": "Oslo"}')
    called = upstream.answer(both)
    assert (called.text, len(called.tool_calls)) == ("I will look.", 1)
    assert isinstance(called.events[0], TextDelta)
    assert "1. get_weather" in upstream.asked[0].messages[0].text
    assert "JSON Schema: {" in upstream.asked[0].messages[1].text

    assert Upstream('{"city": "Oslo"}').answer(both).text == '{"city": "Oslo"}'


def test_pictures_are_kept_beside_json() -> None:
    done = Upstream([ImageRef("file-1"), TextDelta('{"city": "Oslo"}'), STOP]).answer(JSON)

    assert done.pieces == [ImageRef("file-1"), '{"city": "Oslo"}']


# --- several askings


def test_figures_of_all_askings_are_added() -> None:
    upstream = Upstream(
        [TextDelta(WRONG), Usage(10, 5, 1, 2, False), STOP],
        [TextDelta(OSLO), Usage(20, 6, 2, 3, False), STOP],
    )

    assert upstream.answer(asking()).usage == Usage(30, 11, 3, 5, False)


def test_figures_are_left_out_where_an_asking_had_none() -> None:
    upstream = Upstream([TextDelta(WRONG), Usage(10, 5), STOP], OSLO)

    assert upstream.answer(asking()).usage is None


@pytest.mark.parametrize("answers", [("a", "b"), (WRONG, "b")])
def test_leaving_early_ends_the_upstream(answers: tuple[str, str]) -> None:
    upstream = Upstream(*[[ReasoningDelta("hm"), TextDelta(one), STOP] for one in answers])

    with closing(upstream.events(asking())) as events:
        assert next(events) == ReasoningDelta("hm")
        assert upstream.open == 1

    assert upstream.open == 0


class Failing(Upstream):
    """Fails when it is asked a second time, after a `call` that came whole."""

    def ask(self, conversation: Conversation) -> EventStream:
        if not self.asked:
            yield from super().ask(conversation)
            return
        yield TextDelta(OSLO)
        raise Chat2ApiError("no")


def test_where_nobody_can_mend_a_call_the_first_answer_stands() -> None:
    done = Failing(f"Let me see. {WRONG}").answer(asking())

    assert (done.text, done.tool_calls) == ('Let me see.\n\n{"town": "Oslo"}', [])
    assert (done.finish_reason, done.notes) == ("stop", (CALL_INVALID,))

    must = asking(tool_choice=ToolChoice("required"))
    assert len(Failing(f"{WRONG}{PARIS}").answer(must).tool_calls) == 1


@pytest.mark.parametrize(
    "asked", [asking(tool_choice=ToolChoice("required")), asking(output=JsonOutput(CITY))]
)
def test_a_failure_of_the_second_asking_is_told_where_the_first_will_not_do(
    asked: Conversation,
) -> None:
    with pytest.raises(Chat2ApiError, match="no"):
        list(Failing("Oslo?").events(asked))


def test_a_caller_who_leaves_while_a_call_is_mended_gets_nothing_more() -> None:
    upstream = Failing(WRONG)
    call = Call(math.inf)
    call.cancel(ClientGone("left"))

    with pytest.raises(ClientGone):
        list(upstream.emulator.events(asking(), Capabilities(), upstream.ask, call))


# --- streams and whole answers

BLOCKS: Callable[[str], str] = lambda city: written(json.dumps({"city": city}))  # noqa: E731
PARTS = st.one_of(
    st.text(alphabet="ab <`\n", max_size=8),
    st.text(alphabet='abc\n{"', max_size=6).map(BLOCKS),
    st.just(WRONG),
    st.just(f"```xml\n{OSLO}\n```"),
)


@given(st.lists(PARTS, max_size=5).map("".join), st.data())
def test_no_cut_changes_what_is_told(answer: str, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 40))
    pieces = [TextDelta(answer[at : at + size]) for at in range(0, len(answer), size)]

    whole = Upstream(answer, OSLO).answer(asking())
    streamed = Upstream([*pieces, STOP], OSLO).answer(asking())

    assert streamed == whole
    assert NONCE not in repr(whole)
