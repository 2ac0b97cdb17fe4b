"""One turn that is helped: its calls and its JSON are checked, and mended by asking a second time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from chat2api.chat.conversation import (
    Conversation,
    JsonOutput,
    ReplyTo,
    ToolChoice,
    ToolSpec,
)
from chat2api.chat.events import (
    Event,
    EventStream,
    Finish,
    FinishReason,
    ImageRef,
    RefusalDelta,
    TextDelta,
    Thread,
    ToolCallDelta,
    Usage,
)
from chat2api.errors import Chat2ApiError, OutputInvalid, ToolCallMissing
from chat2api.lifetime.call import Call
from chat2api.service.json_checks import JsonChecks
from chat2api.service.retry import for_the_log
from chat2api.tools import mending
from chat2api.tools.scan import FoundCall, Item, Scanner, without_marker

log = logging.getLogger(__name__)

Ask = Callable[[Conversation], EventStream]
"""One turn of the upstream that is helped; it may be asked several times."""

CALL_INVALID = "tool_call_invalid"
"""The note of an answer with a call that could not be used: it stands in the text, or was dropped."""
CALL_DROPPED = "tool_call_dropped"
"""The note of an answer with more calls than the one that was allowed."""

_PIECE_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Help:
    """What a turn is helped with."""

    checks: JsonChecks
    make_call_id: Callable[[], str]
    ask: Ask
    call: Call


@dataclass(frozen=True, slots=True)
class _Good:
    """The calls of one block, each with its arguments."""

    tool: ToolSpec
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Broken:
    """A call whose arguments are not what the tool takes."""

    body: str
    problems: tuple[str, ...]


class EmulatedTurn:
    """Made for one turn; `calls` counts those that the caller has seen."""

    def __init__(
        self, conversation: Conversation, nonce: str | None, needs_json: bool, means: Help
    ) -> None:
        """`nonce` marks the calls; None where the upstream has tools of its own. `needs_json`: it has
        no structured outputs."""
        self.calls = 0
        self._means = means
        self._nonce = nonce
        # What an upstream does itself is not held back, checked or asked for again.
        self._output: JsonOutput | None = conversation.output if needs_json else None
        choice = ToolChoice() if nonce is None else conversation.tool_choice
        self._tools: tuple[ToolSpec, ...] = choice.allowed(conversation.tools)
        self._must_call = choice.mode == "required"
        self._one_call = not conversation.parallel_tool_calls
        self._spoke = False
        self._broken: _Broken | None = None  # the first one, while no call was seen
        self._held: list[Event | _Good | _Broken] = []
        self._notes: dict[str, None] = {}
        self._askings: list[_Asking] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What the caller should know of the answer."""
        return tuple(self._notes)

    def events(self, told: Conversation) -> EventStream:
        """`told` is the conversation in plain text, as the upstream gets it."""
        first = self._asking(told)
        with closing(first.items()) as items:
            for item in items:
                yield from self._taken(item)
        for note in first.notes:
            self._note(note)
        reason = first.reason
        if reason in ("stop", "tool_calls"):
            yield from self._settled(first, told)
            reason = "tool_calls" if self.calls else "stop"
        else:  # cut short: clients know what that means, and that it may be no JSON
            yield from self._released()
        yield from self._used()
        yield Finish(reason, first.stop, self.notes)

    def _taken(self, item: Item) -> Iterator[Event]:
        """What an item of the first answer lets out."""
        match item:
            case FoundCall():
                yield from self._found(item)
            case ToolCallDelta():
                yield from self._released()
                self.calls = max(self.calls, item.index + 1)
                yield item
            case TextDelta() | ImageRef() if self._holds_text:
                self._held.append(item)
            case TextDelta():
                self._spoke = True
                yield item
            case _:
                yield item

    @property
    def _holds_text(self) -> bool:
        # An answer with a call need not be JSON.
        waits = (self._must_call or self._output is not None) and not self.calls
        return waits or self._broken is not None

    @property
    def _holds_good(self) -> bool:
        return any(isinstance(one, _Good) for one in self._held)

    def _found(self, item: FoundCall) -> Iterator[Event]:
        if self._one_call and self.calls:
            self._note(CALL_DROPPED)
            return
        found = self._checked(item)
        if self._broken is not None:
            self._held.append(found)
        elif isinstance(found, _Good):
            yield from self._sent(found)
        elif self.calls:  # too late to mend it
            self._note(CALL_INVALID)
        else:
            self._broken = found
            self._held.append(found)

    # --- after the first answer

    def _settled(self, first: _Asking, told: Conversation) -> Iterator[Event]:
        """Let out what was held, mended where it must be. A refusal is an answer to whatever was asked."""
        if first.refused:
            yield from self._released()
            return
        broken = self._broken
        if broken is not None:
            yield from self._mended_calls(first, told, mending.about_calls(broken.problems))
        elif self._must_call and not self.calls:
            complaint = mending.about_no_call(tool.name for tool in self._tools)
            yield from self._mended_calls(first, told, complaint)
        has_call = self.calls > 0 or self._holds_good
        if self._must_call and not has_call:
            raise ToolCallMissing(
                "The model was told to call a tool and did not, twice."
                if broken is None
                else "The model called a tool with arguments that it does not take, twice."
            )
        if self._output is None or has_call:
            yield from self._released()
        else:
            yield from self._checked_output(self._output, first, told)

    def _mended_calls(self, first: _Asking, told: Conversation, complaint: str) -> Iterator[Event]:
        """Ask once more, for calls alone. What else the second answer has is dropped; where there is none,
        and the first will do, that stands."""
        second = self._asking(mending.asked_again(told, first.said, complaint, first.place))
        good: list[_Good] = []
        try:
            with closing(second.items()) as items:
                for item in items:
                    if isinstance(item, FoundCall):
                        found = self._checked(item)
                        if isinstance(found, _Good):
                            good.append(found)
                    elif isinstance(item, Thread):
                        yield item
        except Chat2ApiError as error:
            self._means.call.check()
            if self._must_call and not self._holds_good:
                raise
            log.info("a call was not mended: %s", for_the_log(error))
            return
        if not good:
            return
        # They stand for all calls of the first answer.
        self._held = [one for one in self._held if not isinstance(one, _Good | _Broken)]
        for one in good:
            yield from self._sent(one)

    def _checked_output(
        self, output: JsonOutput, first: _Asking, told: Conversation
    ) -> Iterator[Event]:
        text = "".join(map(_text_of, self._held))
        found = self._means.checks.output(output, text, self._means.call)
        if not found.texts and len(self._askings) == 1:
            complaint = mending.about_output(found.problems)
            second = self._asking(mending.asked_again(told, first.said, complaint, first.place))
            pieces: list[str] = []
            with closing(second.items()) as items:
                for item in items:
                    if isinstance(item, TextDelta):
                        pieces.append(item.text)
                    elif isinstance(item, Thread):
                        yield item
            found = self._means.checks.output(output, "".join(pieces), self._means.call)
        if not found.texts:
            raise OutputInvalid("The model's answer is not the JSON that was asked for.")
        yield from (one for one in self._held if isinstance(one, ImageRef))
        yield TextDelta(found.texts[0])

    def _released(self) -> Iterator[Event]:
        """What was held, in its order; a call that cannot be used is text."""
        held, self._held = self._held, []
        behind_broken = False
        for item in held:
            match item:
                case _Good():
                    yield from self._sent(item)
                case _Broken(body):
                    self._note(CALL_INVALID)
                    yield self._as_text(body.strip())
                    behind_broken = True
                case TextDelta(text) if behind_broken:
                    behind_broken = False
                    yield self._as_text(text.lstrip())
                case TextDelta():
                    self._spoke = True
                    yield item
                case _:
                    yield item

    def _as_text(self, body: str) -> TextDelta:
        """A paragraph of its own."""
        lead = "\n\n" if self._spoke else ""
        self._spoke = True
        return TextDelta(lead + body)

    # --- calls

    def _checked(self, item: FoundCall) -> _Good | _Broken:
        found = self._means.checks.arguments(item.tool, item.body, self._means.call)
        if found.texts:
            return _Good(item.tool, found.texts)
        return _Broken(item.body, found.problems)

    def _sent(self, good: _Good) -> Iterator[Event]:
        """The deltas of the calls, behind what waited for them."""
        yield from self._released()
        for text in good.texts:
            if self._one_call and self.calls:
                self._note(CALL_DROPPED)
                return
            yield from self._deltas(good.tool, text)

    def _deltas(self, tool: ToolSpec, arguments: str) -> Iterator[Event]:
        if self._nonce is not None and not tool.custom:
            arguments = without_marker(arguments, self._nonce)
        index, self.calls = self.calls, self.calls + 1
        yield ToolCallDelta(index, self._means.make_call_id(), tool.name, "", tool.custom)
        for start in range(0, len(arguments), _PIECE_CHARACTERS):
            yield ToolCallDelta(index, arguments=arguments[start : start + _PIECE_CHARACTERS])

    # --- all askings together

    def _asking(self, told: Conversation) -> _Asking:
        scanner = None if self._nonce is None else Scanner(self._tools, self._nonce)
        asking = _Asking(self._means.ask, told, scanner)
        self._askings.append(asking)
        return asking

    def _used(self) -> Iterator[Event]:
        """The upstream's figures, where it gave them for every asking."""
        given = [one.usage for one in self._askings if one.usage is not None]
        if len(given) == len(self._askings):
            yield Usage(
                sum(one.prompt_tokens for one in given),
                sum(one.completion_tokens for one in given),
                sum(one.reasoning_tokens for one in given),
                sum(one.cached_tokens for one in given),
                any(one.estimated for one in given),
            )

    def _note(self, note: str) -> None:
        self._notes[note] = None


class _Asking:
    """One asking of the upstream: its items as they come, and what is known of it once they have."""

    def __init__(self, ask: Ask, told: Conversation, scanner: Scanner | None) -> None:
        self.usage: Usage | None = None
        self.place: ReplyTo | None = None
        self.refused = False
        self.reason: FinishReason = "stop"
        self.stop: str | None = None
        self.notes: tuple[str, ...] = ()
        self._ask = ask
        self._told = told
        self._scanner = scanner
        self._said: list[str] = []

    @property
    def said(self) -> str:
        """The answer as the model wrote it."""
        return "".join(self._said)

    def items(self) -> Generator[Item, None, None]:
        """Without `Usage` and `Finish`. Reads no further than the answer is worth."""
        scanner = self._scanner
        with closing(self._ask(self._told)) as events:
            for event in events:
                self._learn(event)
                if isinstance(event, Usage | Finish):
                    continue
                if scanner is None:
                    yield event
                    continue
                yield from scanner.feed(event)
                if scanner.done:
                    break
        if scanner is not None:
            yield from scanner.close(self.reason)
            self.notes += scanner.notes

    def _learn(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self._said.append(text)
            case RefusalDelta():
                self.refused = True
            case Thread(conversation_id, message_id):
                self.place = ReplyTo(conversation_id, message_id)
            case Usage():
                self.usage = event
            case Finish(reason, stop, notes):
                self.reason, self.stop, self.notes = reason, stop, notes
            case _:
                pass


def _text_of(held: Event | _Good | _Broken) -> str:
    match held:
        case TextDelta(text):
            return text
        case _Broken(body):
            return body
        case _:
            return ""
