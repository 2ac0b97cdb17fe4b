"""Which scenario and which faults a call gets: words in the message, a queue, or standing defaults."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chat2api.simulator.params import BadParameter, Params

WORD = "/sim"
_FIELDS = {"endpoint", "scenario", "fault", "params", "account", "model", "times"}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A wish for one endpoint (`any` for all), maybe for one account or model only.

    `times` counts the calls it applies to; None means for ever.
    """

    endpoint: str = "conversation"
    scenario: str | None = None
    faults: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    account: str | None = None
    model: str | None = None
    times: int | None = 1

    def fits(self, endpoint: str, account: str | None, model: str | None) -> bool:
        return (
            self.endpoint in ("any", endpoint)
            and self.account in (None, account)
            and self.model in (None, model)
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided for a call."""

    scenario: str
    faults: tuple[str, ...]
    params: Params


def split_faults(value: object) -> tuple[str, ...]:
    """`"a+b"` or `["a", "b"]`."""
    if value is None or value == "":
        return ()
    names = value.split("+") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise BadParameter("fault must be a name, names joined by +, or a list of names")
    return tuple(names)


def behaviour_from_json(value: object) -> Behaviour:
    """Raises BadParameter on anything but the documented fields."""
    if not isinstance(value, dict):
        raise BadParameter("a behaviour is a JSON object")
    unknown = sorted(set(value) - _FIELDS)
    if unknown:
        raise BadParameter(f"unknown field {unknown[0]!r}; known: {', '.join(sorted(_FIELDS))}")
    times = value.get("times", 1)
    if times == "always":
        times = None
    if times is not None and (type(times) is not int or times < 1):
        raise BadParameter('times must be a positive number or "always"')
    params = value.get("params", {})
    if not isinstance(params, dict):
        raise BadParameter("params must be an object")
    return Behaviour(
        endpoint=str(value.get("endpoint", "conversation")),
        scenario=value.get("scenario"),
        faults=split_faults(value.get("fault")),
        params=params,
        account=value.get("account"),
        model=value.get("model"),
        times=times,
    )


def behaviour_to_json(behaviour: Behaviour) -> dict[str, Any]:
    """The documented fields of a behaviour."""
    return {
        "endpoint": behaviour.endpoint,
        "scenario": behaviour.scenario,
        "fault": list(behaviour.faults),
        "params": dict(behaviour.params),
        "account": behaviour.account,
        "model": behaviour.model,
        "times": "always" if behaviour.times is None else behaviour.times,
    }


def parse_directive(text: str) -> tuple[Behaviour | None, str]:
    """`/sim NAME key=value …` on the first line, and the text without it.

    Without a name the answer is `help`, or `echo` when there are parameters. Without a directive:
    (None, text).
    """
    line, _, rest = text.lstrip().partition("\n")
    if line.split(maxsplit=1)[:1] != [WORD]:
        return None, text
    try:
        words = shlex.split(line)[1:]
    except ValueError as error:
        raise BadParameter(f"cannot read `{line}`: {error}") from None
    names = [word for word in words if "=" not in word]
    pairs = dict(word.split("=", 1) for word in words if "=" in word)
    if len(names) > 1:
        raise BadParameter(f"one scenario at a time, not {' and '.join(names)}")
    scenario = names[0] if names else ("echo" if pairs else "help")
    times = pairs.pop("times", None)
    behaviour = Behaviour(
        scenario=scenario,
        faults=split_faults(pairs.pop("fault", None)),
        params=pairs,
        times=Params({"times": times}).integer("times", 1) if times else None,
    )
    return behaviour, rest if rest.strip() else text


class Behaviours:
    """The queue and the standing defaults, shared by all calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[Behaviour] = []
        self._defaults: list[Behaviour] = []
        self._played: dict[str, int] = {}

    def enqueue(self, behaviours: list[Behaviour]) -> None:
        with self._lock:
            self._queue.extend(behaviours)

    def set_defaults(self, behaviours: list[Behaviour]) -> None:
        with self._lock:
            self._defaults = list(behaviours)

    def listing(self) -> dict[str, Any]:
        with self._lock:
            return {
                "queue": [behaviour_to_json(one) for one in self._queue],
                "default": [behaviour_to_json(one) for one in self._defaults],
            }

    def clear(self) -> None:
        with self._lock:
            self._queue.clear()
            self._defaults.clear()
            self._played.clear()

    def take(self, endpoint: str, account: str | None, model: str | None) -> Behaviour | None:
        """The first queued behaviour that fits (used up by `times` calls), else a default."""
        with self._lock:
            for index, one in enumerate(self._queue):
                if not one.fits(endpoint, account, model):
                    continue
                if one.times is not None:
                    left = one.times - 1
                    self._queue[index : index + 1] = [replace(one, times=left)] if left else []
                return one
            fitting = (one for one in self._defaults if one.fits(endpoint, account, model))
            return next(fitting, None)

    def still_due(self, key: str, times: int | None) -> bool:
        """Whether a directive's fault applies again: the same text counts as the same request."""
        if times is None:
            return True
        with self._lock:
            played = self._played.get(key, 0)
            if played >= times:
                self._played.pop(key)
                return False
            self._played[key] = played + 1
            return True

    def choose(
        self, fallback: str, queued: Behaviour | None, directive: Behaviour | None
    ) -> Choice:
        """Words in the message win over the queue, field by field."""
        scenario, params = fallback, Params()
        faults: tuple[str, ...] = ()
        for one in (queued, directive):
            if one is None:
                continue
            scenario = one.scenario or scenario
            params = params.merged(one.params)
            faults = one.faults or faults
        return Choice(scenario, faults, params)
