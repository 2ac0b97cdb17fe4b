"""Which of several upstreams answers a turn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chat2api.chat.conversation import Builtin, Conversation, Sampling, ToolSpec
from chat2api.chat.events import Event, EventStream, Failure, Finish, TextDelta
from chat2api.errors import PoolExhausted, RequestError, UpstreamTruncated
from chat2api.providers.protocol import Capabilities
from chat2api.service.access import PoolKey
from chat2api.service.routing import Candidate
from tests.service.conftest import FakeProvider

Stage = Any

HELLO: list[Event] = [TextDelta("Hel"), TextDelta("lo"), Finish("stop")]


class OtherUpstream:
    """A second upstream that has the model; `script` is what it says or raises."""

    def __init__(self, script: list[Any]) -> None:
        self.provider: Any = FakeProvider()
        self.script = script
        self.asked: list[Conversation] = []

    def events(
        self, conversation: Conversation, principal: Any, call: Any, trace: Any
    ) -> EventStream:
        self.asked.append(conversation)
        for step in self.script:
            if isinstance(step, Exception):
                raise step
            yield step


def answered(stage: Stage, hello: Conversation, other: OtherUpstream) -> list[Event]:
    """By the accounts first, then by `other`, which knows the model as "theirs"."""
    completions, caller = stage.completions(), PoolKey("key-id")
    plan = completions.plan(hello, caller, stage.call)
    plan = replace(plan, candidates=(plan.first, Candidate(other, "theirs")))
    return list(completions.events(plan, caller, stage.call, count_usage=False))


def test_another_upstream_answers_when_no_account_can(stage: Stage, hello: Conversation) -> None:
    stage.pool.accounts = []
    stage.pool.when_empty = PoolExhausted("All rest.", retry_after=60)
    other = OtherUpstream(HELLO)
    assert answered(stage, hello, other) == HELLO
    assert [asked.model for asked in other.asked] == ["theirs"]


def test_no_other_upstream_is_asked_after_the_first_event(
    stage: Stage, hello: Conversation
) -> None:
    stage.provider.scripts = [[TextDelta("Hel"), UpstreamTruncated("It broke off.")]]
    other = OtherUpstream(HELLO)
    *told, last = answered(stage, hello, other)
    assert told == [TextDelta("Hel")]
    assert isinstance(last, Failure)
    assert other.asked == []


def test_a_request_at_fault_is_asked_of_nobody_else(stage: Stage, hello: Conversation) -> None:
    stage.provider.scripts = [[RequestError("No such thing.")]]
    other = OtherUpstream(HELLO)
    (failed,) = answered(stage, hello, other)
    assert isinstance(failed, Failure)
    assert failed.error.code == "invalid_value"
    assert other.asked == []


def test_parameters_the_first_choice_has_no_use_for(stage: Stage, hello: Conversation) -> None:
    warm = replace(hello, sampling=Sampling(temperature=0.5, seed=7))
    plan = stage.completions().plan(warm, PoolKey("key-id"), stage.call)
    assert plan.ignored == ("temperature", "seed")


def test_tools_of_its_own_that_the_first_choice_has_not(stage: Stage, hello: Conversation) -> None:
    asked = replace(hello, builtins=(Builtin("web_search", {}),))
    plan = stage.completions().plan(asked, PoolKey("key-id"), stage.call)
    assert plan.ignored == ("tools.web_search",)
    stage.provider.capabilities = Capabilities(builtins=frozenset({"web_search"}))
    assert plan.ignored == ()
    with_tools = replace(asked, tools=(ToolSpec("now", "", {"type": "object"}),))
    assert replace(plan, conversation=with_tools).ignored == ("tools.web_search",)
