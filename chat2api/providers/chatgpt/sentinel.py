"""Requirements and proof of work before each turn, in one call or in two (sheet 3)."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chat2api.compute.protocol import ComputeFailed, ComputeTimeout
from chat2api.errors import (
    Chat2ApiError,
    ProofTooHard,
    UpstreamBadResponse,
    UpstreamChallenge,
    UpstreamLoginRequired,
)
from chat2api.providers.chatgpt import proof
from chat2api.providers.chatgpt.headers import header_text
from chat2api.providers.chatgpt.refusals import RouteMissing
from chat2api.providers.chatgpt.routes import Routes
from chat2api.providers.chatgpt.session import Session, refusal

log = logging.getLogger(__name__)

_HEADER_TOKEN = "openai-sentinel-chat-requirements-token"  # noqa: S105
_HEADER_PREPARE = "openai-sentinel-chat-requirements-prepare-token"
_HEADER_PROOF = "openai-sentinel-proof-token"
_HEADER_SO = "OpenAI-Sentinel-SO-Token"

Flow = Literal["single", "two_step"]


@dataclass(frozen=True, slots=True)
class SentinelOptions:
    """`hardest`: a difficulty at or below it (as text) is refused. `proof_seconds` bounds one search."""

    flow: Literal["auto", "single", "two_step"] = "auto"
    variant: Literal["auto", "sha3", "fnv"] = "auto"
    hardest: str = "00003a"
    turnstile: Literal["continue", "fail"] = "continue"
    proof_seconds: float = 30.0


class _FlowMissing(Exception):
    """This upstream does not have the routes of the flow; `problem` is how it said so."""

    def __init__(self, problem: Chat2ApiError) -> None:
        super().__init__()
        self.problem = problem


class Sentinel:
    """Obtains the headers that let a turn through. A fresh sequence for every turn."""

    def __init__(self, routes: Routes, options: SentinelOptions) -> None:
        self._routes = routes
        self._options = options

    def clear(self, session: Session) -> Mapping[str, str]:
        """The headers for one turn.

        Raises UpstreamChallenge, ProofTooHard, UpstreamLoginRequired, or the refusal.
        """
        problem: Chat2ApiError | None = None
        for two_step in self._routes.sentinel_order(session, self._options.flow):
            try:
                return self._two_step(session) if two_step else self._single(session)
            except _FlowMissing as missing:
                self._routes.note_missing(session, "two_step" if two_step else "single")
                problem = missing.problem
        raise problem or UpstreamBadResponse("The upstream has no requirements route.")

    def _first_call(self, session: Session, path: str, flow: Flow) -> dict[str, Any]:
        """The answer of the call that opens a flow. Raises _FlowMissing when there is no such route."""
        body = {"p": self._opening(session, flow)}
        response = session.open("POST", session.prefix + path, body, {}, repeatable=True)
        if response.status == 200:
            return _document(session.document(response))
        problem = refusal(response)
        if isinstance(problem, RouteMissing):
            raise _FlowMissing(problem)
        raise problem

    # --- one call

    def _single(self, session: Session) -> Mapping[str, str]:
        answer = self._first_call(session, "/sentinel/chat-requirements", "single")
        self._check(session, answer)
        headers = {_HEADER_TOKEN: _token(answer, "token")}
        solved = self._solved(session, answer, "single")
        if solved is not None:
            headers[_HEADER_PROOF] = solved
        return {**headers, **_so_header(answer)}

    # --- two calls

    def _two_step(self, session: Session) -> Mapping[str, str]:
        answer = self._first_call(session, "/sentinel/chat-requirements/prepare", "two_step")
        self._check(session, answer)
        prepare_token = _token(answer, "prepare_token")
        solved = self._solved(session, answer, "two_step")
        body = {"prepare_token": prepare_token}
        if solved is not None:
            body["proofofwork"] = solved
        path = f"{session.prefix}/sentinel/chat-requirements/finalize"
        final = _document(session.ask("POST", path, body))
        headers = {_HEADER_TOKEN: _token(final, "token"), _HEADER_PREPARE: prepare_token}
        if solved is not None:
            headers[_HEADER_PROOF] = solved
        return {**headers, **_so_header(answer), **_so_header(final)}

    # --- what may stand in the way

    def _check(self, session: Session, answer: dict[str, Any]) -> None:
        if answer.get("force_login") is True:
            raise UpstreamLoginRequired(
                "The upstream demands a login from this server's address; another exit (PROXY_URL) "
                "or an account may help."
            )
        if _required(answer, "arkose"):
            raise UpstreamChallenge("The upstream demands an Arkose challenge for this account.")
        if _required(answer, "turnstile"):
            if self._options.turnstile == "fail":
                raise UpstreamChallenge(
                    "The upstream demands a Turnstile challenge for this account."
                )
            log.debug("turnstile announced; going on without")
            session.challenge_announced = True

    # --- proofs

    def _opening(self, session: Session, flow: Flow) -> str:
        """The token `p`. Nobody checks more than its shape, so one serves a page's lifetime."""
        variant = proof.variant_for(self._options.variant, flow)
        return session.persona.opening_token(
            variant,
            session.home,
            lambda: proof.requirements_token(self._scene(session), variant, f"{random.random()}"),
        )

    def _solved(self, session: Session, answer: dict[str, Any], flow: Flow) -> str | None:
        """The answer token, or None when no proof is asked for."""
        if not _required(answer, "proofofwork"):
            return None
        asked = answer["proofofwork"]
        seed, difficulty = str(asked.get("seed") or ""), str(asked.get("difficulty") or "")
        variant = proof.variant_for(self._options.variant, flow)
        if not seed or not difficulty:
            return proof.empty_token(variant)
        if proof.is_too_hard(difficulty, self._options.hardest):
            raise ProofTooHard(
                "The upstream asks for a proof of work beyond POW_DIFFICULTY; it distrusts this "
                "server's address or the account."
            )
        limit = self._options.proof_seconds
        job = proof.job(self._scene(session), variant, seed, difficulty, limit)
        io = session.io
        try:
            found = io.compute.run(proof.TASK, *job.args, call=io.call, timeout_seconds=limit + 2)
        except ComputeTimeout:
            found = None
        except ComputeFailed:
            log.warning("the compute process failed on a proof of work")
            raise UpstreamBadResponse("The proof of work could not be computed.") from None
        if found is None:
            raise ProofTooHard(f"No proof of work was found within {limit:g} s.")
        return job.token(found)

    @staticmethod
    def _scene(session: Session) -> proof.Scene:
        persona = session.persona
        return proof.Scene(
            proof.fingerprint(
                persona.subject, session.user_agent, persona.device_id, persona.language
            ),
            session.home.scripts,
            session.home.build_id,
            time.time(),
            persona.opened,
        )


def _document(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UpstreamBadResponse("The upstream's requirements are not a JSON object.")
    return value


def _required(answer: Mapping[str, Any], what: str) -> bool:
    """Any of these may be missing or null, which means that it is not required."""
    part = answer.get(what)
    return isinstance(part, dict) and part.get("required") is True


def _token(answer: Mapping[str, Any], name: str) -> str:
    value = header_text(answer.get(name))
    if value is None:
        raise UpstreamBadResponse(f"The upstream's requirements carry no usable {name}.")
    return value


def _so_header(answer: Mapping[str, Any]) -> dict[str, str]:
    value = header_text(answer.get("so_token"))
    return {} if value is None else {_HEADER_SO: value}
