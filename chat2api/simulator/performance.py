"""Plays a scenario for a conversation call: the turn, its script, the stream, and what is kept of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chat2api.simulator import canned, envelope, models
from chat2api.simulator.behaviours import Choice
from chat2api.simulator.config import Era
from chat2api.simulator.conversations import Running, Stored, final_messages
from chat2api.simulator.documents import Json
from chat2api.simulator.exchange import Exchange
from chat2api.simulator.faults import registry as faults
from chat2api.simulator.faults.model import Fault
from chat2api.simulator.mind.reading import is_instruction
from chat2api.simulator.params import BadParameter
from chat2api.simulator.refusals import Reply
from chat2api.simulator.scenarios import registry as scenarios
from chat2api.simulator.script import Expected, Script, Step, Wait, Write
from chat2api.simulator.streaming import SSE_HEADERS, ended, lively, paced, send
from chat2api.simulator.turn import Turn, message, new_id
from chat2api.simulator.validation import Ask, text_of
from chat2api.simulator.wire.items import Items
from chat2api.simulator.wire.render import Encoding, Spelling, render

_NOTED_CHARS = 300_000


@dataclass(frozen=True, slots=True)
class Performance:
    """Everything that was settled before the play."""

    exchange: Exchange
    ask: Ask
    era: Era
    stored: Stored | None
    choice: Choice
    faults: tuple[Fault, ...]
    prompt: str
    problem: str | None  # what was wrong with the directive


def perform(play: Performance) -> Reply:
    """The answer to a conversation call that was let in."""
    exchange = play.exchange
    turn = _turn(play)
    exchange.record.scenario = play.choice.scenario
    if play.problem is None and play.choice.scenario in ("baked", "replay"):
        return _canned(play, turn)
    return _scripted(play, turn, _script(play, turn))


def _canned(play: Performance, turn: Turn) -> Reply:
    simulator, params = play.exchange.simulator, play.choice.params
    if play.choice.scenario == "replay":
        pieces = canned.replay(simulator.recordings, params)
    else:
        pieces = iter(simulator.bakery.bake(params, _encoding(play), turn))
    reply = Reply(200, pieces, SSE_HEADERS)
    return faults.finish(reply, play.faults, params, is_stream=False)


def _scripted(play: Performance, turn: Turn, script: Script) -> Reply:
    exchange, simulator = play.exchange, play.exchange.simulator
    if not simulator.config.cheap:
        exchange.record.expected = _noted(script.expected)
    resume_token = None if turn.temporary else simulator.conduits.issue(exchange.owner)
    around = envelope.Surroundings(
        inputs=_inputs(play),
        resume_token=resume_token,
        first_pause=0 if script.unpaced else simulator.config.first_token_seconds,
        served_model=turn.model,
        title=_title(play) if turn.number == 1 else None,
    )
    is_new = turn.era == "2026"
    encoding = _encoding(play)
    spelling = Spelling(turn.conversation_id, not is_new and encoding == "v1", is_new)
    pace = _pace(play, script)

    def frames(steps: Sequence[Step], done: bool) -> Items:
        every = play.choice.params.integer("catchup", 0)
        played = lively(steps, pace)
        return paced(ended(render(played, encoding, spelling, every), done), pace)

    steps = envelope.wrap(script, turn, around)
    if not turn.temporary and not simulator.config.cheap:
        rest = envelope.continuation(script, turn, around) if script.handoff else steps
        _keep(play, turn, script, resume_token, lambda: frames(rest, True), pace)
    return _stream(play, frames(steps, script.done), turn, resume_token)


def _stream(play: Performance, items: Items, turn: Turn, resume_token: str | None) -> Reply:
    headers = SSE_HEADERS
    if resume_token is not None and turn.era == "2026":
        headers = (*headers, ("X-Conduit-Token", resume_token))
    params = play.choice.params
    return send(play.exchange, items, play.faults, params, turn.conversation_id, headers)


def _noted(expected: Expected) -> Json:
    """What the journal keeps: enormous texts only by length and hash."""
    value = expected.as_json()
    if len(expected.text) > _NOTED_CHARS:
        digest = hashlib.sha256(expected.text.encode()).hexdigest()
        value |= {"text": None, "raw": None, "markdown": None}
        value |= {"length": len(expected.text), "sha256": digest}
    return value


def _script(play: Performance, turn: Turn) -> Script:
    problem = play.problem
    if problem is None:
        try:
            scene = scenarios.find(play.choice.scenario).play
            if scene is not None:
                return scene(turn)
        except BadParameter as mistake:
            problem = str(mistake)
    return scenarios.help_page(turn, problem)


def _turn(play: Performance) -> Turn:
    exchange, ask, stored = play.exchange, play.ask, play.stored
    asked = [text_of(one) for one in ask.messages if one["author"]["role"] == "user"]
    system = [one.text for one in ask.said if one.role == "system" and not is_instruction(one.text)]
    earlier = stored.turns if stored else 0
    opening = (stored.opening if stored else "") or (asked[0] if len(asked) > 1 else "")
    served = models.served_as(
        ask.model, play.era, paid=exchange.is_paid, anonymous=exchange.anonymous
    )
    return Turn(
        prompt=play.prompt,
        model=served,
        era=play.era,
        number=max(earlier + len(asked), 1),
        opening=opening,
        system=system[0] if system else "",
        plan=exchange.plan,
        conversation_id=stored.id if stored else new_id(),
        parent_id=ask.messages[-1]["id"] if ask.messages else ask.parent,
        params=play.choice.params,
        now=exchange.simulator.clock(),
        temporary=ask.temporary or exchange.anonymous,
        said=ask.said,
        earlier=stored.said(ask.parent) if stored else (),
    )


def _inputs(play: Performance) -> tuple[Json, ...]:
    wanted = play.exchange.simulator.config.echo_inputs
    return tuple(
        _as_kept(one, play.exchange.simulator.clock())
        for one in play.ask.messages
        if wanted == "all" or (wanted == "user" and one["author"]["role"] == "user")
    )


def _as_kept(sent: Json, now: float) -> Json:
    """A sent message with all the fields the server gives it."""
    return message(
        sent["author"]["role"],
        sent["content"],
        name=sent["author"].get("name"),
        metadata={**(sent.get("metadata") or {}), "request_id": new_id()},
        created=sent.get("create_time") or now,
        message_id=sent["id"],
        recipient=sent.get("recipient") or "all",
    )


def _title(play: Performance) -> str:
    words = " ".join((play.prompt or "New chat").split())
    return words[:40] or "New chat"


def _encoding(play: Performance) -> Encoding:
    forced = play.exchange.simulator.config.encoding
    if forced != "auto":
        return forced
    return "v1" if "v1" in play.ask.encodings else "snapshot"


def _pace(play: Performance, script: Script) -> float:
    """Seconds per token."""
    default = 0.0 if script.unpaced else play.exchange.simulator.config.pacing
    rate = play.choice.params.number("tps", default)
    return 1 / rate if rate > 0 else 0.0


def _keep(
    play: Performance,
    turn: Turn,
    script: Script,
    resume_token: str | None,
    frames: Callable[[], Items],
    pace: float,
) -> None:
    """Stores the turn as if generated whether or not anybody listens."""
    simulator = play.exchange.simulator
    stored = play.stored
    if stored is None:
        stored = simulator.conversations.create(
            turn.conversation_id, play.exchange.owner, _title(play), turn.opening or turn.prompt
        )
    parent = play.ask.parent
    for sent in play.ask.messages:
        stored.add(_as_kept(sent, turn.now), parent)
        parent = sent["id"]
    stored.current = parent
    stored.turns = turn.number
    steps = (*script.steps, *script.later)
    seconds = script.later_seconds
    seconds += simulator.config.first_token_seconds if pace else 0
    if pace:
        seconds += pace * sum(isinstance(step, Write) for step in steps)
    seconds += sum(step.seconds for step in lively(steps, pace) if isinstance(step, Wait))
    recover = _recovery(play)
    stored.running = Running(
        messages=final_messages(steps),
        ready_at=simulator.clock() + seconds,
        frames=frames if recover == "resume" else None,
        resume_token=resume_token,
        is_async=script.later_seconds > 0,
        persisted_only=recover == "poll",
        lost=recover == "none",
    )


def _recovery(play: Performance) -> str:
    """What is left of a turn whose stream breaks: `resume`, `poll` (kept, but not resumable), `none`."""
    fails = any(fault.fails for fault in play.faults)
    wish = play.choice.params.text("recover", "none" if fails else "resume")
    if wish not in ("resume", "poll", "none"):
        raise BadParameter(f"recover={wish!r} is none of resume, poll, none")
    return wish
