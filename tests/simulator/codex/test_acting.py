"""Acts as output items."""

from __future__ import annotations

import base64
from typing import Any

from chat2api.simulator.codex.acting import (
    Called,
    Drawn,
    Searched,
    Thought,
    Words,
    acted,
    drawn,
    played,
    searched,
    wants_picture,
    wants_search,
)
from chat2api.simulator.mind.situation import Act, Call, Decision, Say, Think, Value
from chat2api.simulator.params import Params
from chat2api.simulator.scenarios import registry
from chat2api.simulator.turn import Turn

TOOLS = [
    {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False},
    {"type": "custom", "name": "c"},
]
LOW = {"effort": "low"}
RESPONSE = "ab" * 16


def made(asked: Any, *acts: Act, styles: str = "", **fields: Any) -> Any:
    manners = frozenset(filter(None, styles.split("+")))
    request = asked(**{"tools": TOOLS, "reasoning": LOW, **fields})
    return acted(Decision(acts, manners), request, RESPONSE)


def test_the_order_of_acts_is_kept(asked: Any) -> None:
    outcome = made(
        asked,
        *(Think("One."), Think("Two."), Say("Now."), Say("Then.")),
        *(Call("f", "{}"), Call("c", "text"), Say("Wait.")),
    )
    thought, words, first, second, last = outcome.items
    assert thought == Thought(("One.", "Two."))
    assert (words.text, last.text) == ("Now.\nThen.", "Wait.")
    assert (first.name, first.custom, second.name, second.custom) == ("f", False, "c", True)
    assert first.call_id[:21] == second.call_id[:21]
    assert first.call_id != second.call_id
    assert (outcome.text, outcome.thought) == ("Now.\nThen.\nWait.", "One.\n\nTwo.")


def test_it_thinks_unless_it_is_to_make_little_effort(asked: Any) -> None:
    assert isinstance(made(asked, Say("x"), reasoning=None).items[0], Thought)
    assert [type(item) for item in made(asked, Say("x")).items] == [Words]


def test_only_what_is_allowed_is_called(asked: Any) -> None:
    outcome = made(asked, Call("f", "{}"), Call("f", "{}"), parallel_tool_calls=False)
    assert len(outcome.calls) == 1
    outcome = made(asked, Call("f", "{}"), tool_choice="none")
    assert (outcome.text, outcome.calls) == ("I have no way to call f.", ())


def test_namespaces(asked: Any) -> None:
    tools = [{"type": "namespace", "name": "files", "tools": TOOLS}]
    assert made(asked, Call("f", "{}"), tools=tools).calls[0].namespace == "files"


def test_styles_that_matter_here(asked: Any) -> None:
    cut = made(asked, Call("f", '{"a": 1}'), styles="length")
    assert (cut.calls[0].arguments, cut.end) == ('{"a"', "max_output_tokens")
    half = made(asked, Value("one two three four"), styles="length")
    assert (half.text, half.end) == ("one two", "max_output_tokens")
    assert made(asked, styles="length").items == ()
    first, second = made(asked, Call("f", "{}"), styles="prose").items
    assert (first.text, isinstance(second, Called)) == ("Let me see.", True)


def test_newer_models_say_what_a_message_is(asked: Any) -> None:
    for acts, phase in (((Say("x"),), "final_answer"), ((Say("x"), Call("f", "{}")), "commentary")):
        outcome = made(asked, *acts, model="gpt-5.6-terra")
        assert outcome.items[0].phase == phase
    assert made(asked, Say("x")).items[0].phase is None


def play(asked: Any, name: str, *, refuses: bool = False, **params: Any) -> Any:
    scene = registry.find(name).play
    assert scene is not None
    turn = Turn("", "gpt-5.5", params=Params(params))
    return played(scene(turn), asked(reasoning=LOW), refuses=refuses)


def test_scenarios(asked: Any) -> None:
    assert play(asked, "text", words=2).text == "word1 word2"
    assert play(asked, "length").end == "max_output_tokens"
    assert play(asked, "refusal").end == "content_filter"
    spoken = play(asked, "refusal", refuses=True)
    assert (spoken.end, spoken.items[-1].is_refusal) == ("stop", True)
    assert play(asked, "reasoning").thought
    assert len(play(asked, "flood", deltas=50).items[-1].pieces) == 50


def test_what_it_does_by_itself(asked: Any) -> None:
    picture, search = {"type": "image_generation"}, {"type": "web_search"}
    assert wants_picture(asked("Draw me a cat", tools=[picture]))
    assert wants_picture(asked("a cat", tools=[picture], instructions="Use image_generation."))
    assert not wants_picture(asked("a cat", tools=[picture]))
    assert not wants_picture(asked("Draw me a cat"))
    assert not wants_picture(asked("Draw me a cat", tools=[picture], tool_choice="none"))
    assert wants_search(asked("What is the latest news?", tools=[search]))
    assert not wants_search(asked("What is the latest news?"))


def test_pictures_and_searches(asked: Any) -> None:
    request = asked(reasoning=LOW, tools=[{"type": "image_generation", "size": "512x512"}])
    first, second = drawn(request, "a cat", 2).items
    assert isinstance(first, Drawn)
    assert first.picture != second.picture
    assert base64.b64decode(first.picture).startswith(b"\x89PNG")
    assert first.options["size"] == "512x512"
    assert drawn(request, "a cat", 2).tokens == 2
    search, words = searched(request, "mars").items
    assert search == Searched("mars")
    assert len(words.sources) == 2
