"""People who sign in with their API key to ask about their own requests, and about nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from chat2api.store.attempts import Attempts
from chat2api.store.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Owners:
    """Apart from administration in everything: a key that is right forgives no guesses at its secret."""

    sessions: Sessions
    attempts: Attempts
