"""Faults of the requirements call: it asks for more, or for something else. Queue them for the
endpoints `requirements` and `prepare`."""

from __future__ import annotations

from chat2api.simulator.faults.model import Fault
from chat2api.simulator.params import Params


def _difficulty(params: Params) -> dict[str, object]:
    return {"difficulty": params.text("difficulty", "000032")}


FAULTS = (
    Fault("turnstile", "a Turnstile answer is required", demands=lambda _: {"turnstile": True}),
    Fault("arkose", "an Arkose answer is required", demands=lambda _: {"arkose": True}),
    Fault("force_login", "a login is required", demands=lambda _: {"force_login": True}),
    Fault("no_proof", "no proof of work is asked", demands=lambda _: {"proofofwork": False}),
    Fault("difficulty", "a harder proof of work", "difficulty=000032", demands=_difficulty),
)
