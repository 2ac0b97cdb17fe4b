"""The upstreams of the operator's configuration, and which models each of them has."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from chat2api.errors import Chat2ApiError
from chat2api.lifetime.call import Call
from chat2api.pool.values import Credential
from chat2api.providers.protocol import Model
from chat2api.service.entry_backend import EntryBackend
from chat2api.settings.compatible_entry import ALL_MODELS

log = logging.getLogger(__name__)

_KEEP_SECONDS = 300.0
_RETRY_SECONDS = 30.0
_WAIT_SECONDS = 5.0
_NOBODY = Credential("nobody", None)


class Entry:
    """One upstream. Its own list is asked for where the configuration says `*`, by a thread of its own:
    a caller waits for the first one only, not long, and nobody once one has waited in vain."""

    def __init__(
        self, backend: EntryBackend, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.backend = backend
        self.name = backend.entry.name
        self.priority = backend.entry.priority
        names = [name for name in backend.entry.models if name != ALL_MODELS]
        self._named = {name: Model(name, self.name) for name in names}
        self.lists = ALL_MODELS in backend.entry.models
        self._clock = clock
        self._lock = threading.Lock()
        self._listed: dict[str, Model] | None = None
        self._until = -math.inf
        self._in_vain = False
        self._asking: threading.Event | None = None

    def has(self, model: str) -> bool:
        """Whether it is named, or in the upstream's own list as far as that is known."""
        return model in self._named or model in (self._listed or {})

    @property
    def is_unsure(self) -> bool:
        """Whether it may have anything, since its list could not be had."""
        return self.lists and self._listed is None

    def wait(self, asking: threading.Event, seconds: float) -> None:
        """For the first list, which `ask` began to ask for."""
        if self._listed is None and not self._in_vain and not asking.wait(max(0.0, seconds)):
            self._in_vain = True

    def known(self) -> dict[str, Model]:
        """What it has by name, as far as that is known now."""
        return {**(self._listed or {}), **self._named}

    def models(self) -> tuple[str, ...]:
        """The same names, those of the configuration first."""
        return (*self._named, *(name for name in self._listed or {} if name not in self._named))

    def ask(self) -> threading.Event | None:
        """Begin to ask where it is time to; what tells the end of it, None when nobody asks."""
        if not self.lists:
            return None
        with self._lock:
            if self._asking is not None or self._clock() < self._until:
                return self._asking
            asking = self._asking = threading.Event()
        threading.Thread(
            target=self._ask, args=(asking,), name=f"models-{self.name}", daemon=True
        ).start()
        return asking

    def _ask(self, asking: threading.Event) -> None:
        listed: dict[str, Model] | None = None
        try:
            io = self.backend.io(Call(math.inf))
            listed = {model.name: model for model in self.backend.provider.models(_NOBODY, io)}
        except Chat2ApiError as error:
            log.info("models of upstream %s: %s (%s)", self.name, error.code, error.message)
        except Exception:  # the boundary of a thread
            log.exception("asking upstream %s for its models failed", self.name)
        with self._lock:
            self._in_vain = listed is None
            self._listed = listed if listed is not None else self._listed
            keep = _RETRY_SECONDS if listed is None else _KEEP_SECONDS
            self._until = self._clock() + keep
            self._asking = None
        asking.set()


class Entries:
    """All of them, the first to ask first. `prefixed` finds the one that a name like NAME/MODEL means."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self._entries = tuple(sorted(entries, key=lambda entry: entry.priority))

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __bool__(self) -> bool:
        return bool(self._entries)

    def prefixed(self, model: str) -> tuple[Entry, str] | None:
        """The upstream and the name that it knows the model by."""
        name, slash, rest = model.partition("/")
        if not slash or not rest:
            return None
        return next(((entry, rest) for entry in self._entries if entry.name == name), None)

    def having(self, model: str) -> list[Entry]:
        self._settle()
        return [entry for entry in self._entries if entry.has(model)]

    def first(self) -> tuple[Entry, str] | None:
        """The first one with a model, and the first model of it: for callers who leave the choice to us."""
        self._settle()
        for entry in self._entries:
            model = next(iter(entry.models()), None)
            if model is not None:
                return entry, model
        return None

    def unsure(self) -> list[Entry]:
        return [entry for entry in self._entries if entry.is_unsure]

    def models(self) -> list[Model]:
        """Each name once, of the first that has it."""
        self._settle()
        return self.known()

    def known(self) -> list[Model]:
        """The same as far as it is known now: nobody is asked."""
        found: dict[str, Model] = {}
        for entry in self._entries:
            found = {**entry.known(), **found}
        return list(found.values())

    def _settle(self) -> None:
        """Ask all whose time it is at once; the waits for those that are away do not add up."""
        asking = [(entry, event) for entry in self._entries if (event := entry.ask()) is not None]
        end = time.monotonic() + _WAIT_SECONDS
        for entry, event in asking:
            entry.wait(event, end - time.monotonic())
