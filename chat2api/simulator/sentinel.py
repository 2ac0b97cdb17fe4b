"""Chat requirements in both generations: what is handed out, and whether it comes back right, fresh
and unused (sheet 3)."""

from __future__ import annotations

import base64
import random
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chat2api.simulator.config import Config, Era
from chat2api.simulator.documents import Json
from chat2api.simulator.proof import answer_fault, requirements_fault
from chat2api.simulator.refusals import coded, unusual_activity

REQUIREMENTS_HEADER = "openai-sentinel-chat-requirements-token"
PREPARE_HEADER = "openai-sentinel-chat-requirements-prepare-token"
PROOF_HEADER = "openai-sentinel-proof-token"
TURNSTILE_HEADER = "openai-sentinel-turnstile-token"
SO_HEADER = "openai-sentinel-so-token"
_KEPT = 50_000  # grants remembered at once


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for requirements, and how."""

    owner: str
    persona: str
    user_agent: str
    anonymous: bool


@dataclass(slots=True)
class Grant:
    """One sequence of requirements: the seed it asked for, and how far it has come."""

    era: Era
    owner: str
    seed: str
    difficulty: str
    issued_at: float
    prepare_token: str | None = None
    proof: str | None = None  # the accepted answer
    so_token: str | None = None
    work: bool = True  # whether a proof was asked
    uses: int = 0


def _opaque(size: int) -> str:
    return "gAAAAABm" + base64.urlsafe_b64encode(secrets.token_bytes(size)).decode().rstrip("=")


class Sentinel:
    """The ledger of seeds and tokens. Every refusal is a `Refusal` whose reason is counted."""

    def __init__(self, config: Callable[[], Config], clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self._prepared: dict[str, Grant] = {}
        self._granted: dict[str, Grant] = {}

    # --- handing out

    def single(self, asked: Asked, body: Json, changes: Mapping[str, Any]) -> Json:
        """The one call of 2024: token and seed together."""
        grant = self._begin("2024", asked, body, changes)
        token = _opaque(96)
        self._remember(self._granted, token, grant)
        return {**self._demands(asked, grant, changes), "token": token}

    def prepare(self, asked: Asked, body: Json, changes: Mapping[str, Any]) -> Json:
        """The first of the two calls of 2026."""
        grant = self._begin("2026", asked, body, changes)
        grant.prepare_token = _opaque(60)
        self._remember(self._prepared, grant.prepare_token, grant)
        answer = {**self._demands(asked, grant, changes), "prepare_token": grant.prepare_token}
        if self._config().token_in_prepare:
            answer["token"] = _opaque(12)
        return answer

    def finalize(self, asked: Asked, body: Json) -> Json:
        """The second call: the proof is checked here and the usable token comes back."""
        with self._lock:
            grant = self._prepared.pop(str(body.get("prepare_token")), None)
        if grant is None:
            raise unusual_activity("prepare_token_unknown_or_reused")
        self._check_fresh(grant, asked.owner)
        proof = body.get("proofofwork", body.get("proof_token"))
        self._check_proof(grant, proof, asked.user_agent)
        token = _opaque(96)
        self._remember(self._granted, token, grant)
        answer: Json = {"persona": asked.persona, "token": token, "expire_after": 540}
        return {**answer, "so_token": grant.so_token} if grant.so_token else answer

    def _begin(self, era: Era, asked: Asked, body: Json, changes: Mapping[str, Any]) -> Grant:
        fault = requirements_fault(body.get("p"))
        # Some 2025 clients send null in the single call.
        if fault and not self._config().cheap and not (era == "2024" and body.get("p") is None):
            raise unusual_activity(fault)
        difficulty = str(changes.get("difficulty", self._config().difficulty))
        so_token = _opaque(12) if self._config().so_token else None
        seed = str(random.random())
        work = bool(changes.get("proofofwork", self._config().pow_required))
        now = self._clock()
        return Grant(era, asked.owner, seed, difficulty, now, so_token=so_token, work=work)

    def _demands(self, asked: Asked, grant: Grant, changes: Mapping[str, Any]) -> Json:
        config = self._config()
        flags = {
            "turnstile": config.turnstile,
            "arkose": config.arkose,
            "force_login": config.force_login and asked.anonymous,
            **changes,
        }
        work: Json = {"required": grant.work}
        if grant.work:
            work |= {"seed": grant.seed, "difficulty": grant.difficulty}
        answer = {
            "persona": asked.persona,
            "arkose": {"required": flags["arkose"], "dx": "YXJrb3Nl" if flags["arkose"] else None},
            "turnstile": {"required": flags["turnstile"]},
            "proofofwork": work,
            "force_login": flags["force_login"],
        }
        if flags["turnstile"]:
            answer["turnstile"] = {"required": True, "dx": "PBp5bWFyc2ltdWxhdG9y"}
        return {**answer, "so_token": grant.so_token} if grant.so_token else answer

    # --- taking back

    def admit(self, owner: str, user_agent: str, headers: Mapping[str, str]) -> Era:
        """Checks and uses up what a conversation call carries; returns the flow it came through."""
        config = self._config()
        token = headers.get(REQUIREMENTS_HEADER)
        with self._lock:
            grant = self._granted.get(token) if token else None
            if grant is not None:
                grant.uses += 1
        if grant is None:
            raise unusual_activity("requirements_missing" if not token else "requirements_unknown")
        if grant.uses > config.token_uses:
            raise unusual_activity("requirements_reused")
        self._check_fresh(grant, owner)
        if grant.era == "2024":
            self._check_proof(grant, headers.get(PROOF_HEADER), user_agent)
        else:
            self._check_two_step(grant, headers)
        if grant.so_token and headers.get(SO_HEADER) != grant.so_token:
            raise unusual_activity("so_token")
        if config.turnstile_enforced and not headers.get(TURNSTILE_HEADER):
            raise unusual_activity("turnstile_missing")
        return grant.era

    def _check_two_step(self, grant: Grant, headers: Mapping[str, str]) -> None:
        config = self._config()
        presented = headers.get(PREPARE_HEADER)
        if presented != grant.prepare_token and (presented or config.prepare_header):
            raise unusual_activity("prepare_token_mismatch")
        if grant.proof is not None and headers.get(PROOF_HEADER) != grant.proof:
            raise unusual_activity("proof_differs_from_finalize")

    def _check_fresh(self, grant: Grant, owner: str) -> None:
        if grant.owner != owner:
            raise unusual_activity("requirements_of_another")
        if self._clock() - grant.issued_at > self._config().token_seconds:
            raise unusual_activity("requirements_stale")

    def _check_proof(self, grant: Grant, proof: object, user_agent: str) -> None:
        config = self._config()
        if not grant.work:
            return
        if config.cheap:
            grant.proof = str(proof)
            return
        with self._lock:
            if grant.proof is not None and grant.uses > config.token_uses:
                raise unusual_activity("proof_reused")
        fault = answer_fault(
            proof,
            seed=grant.seed,
            difficulty=grant.difficulty,
            variant=config.variant_for(grant.era),
            user_agent=user_agent,
        )
        if fault is not None:
            raise unusual_activity(fault)
        grant.proof = str(proof)

    def _remember(self, ledger: dict[str, Grant], token: str, grant: Grant) -> None:
        with self._lock:
            ledger[token] = grant
            while len(ledger) > _KEPT:
                del ledger[next(iter(ledger))]


@dataclass(frozen=True, slots=True)
class Conduit:
    """A conduit token's owner and age."""

    owner: str
    issued_at: float


class Conduits:
    """Conduit and resume tokens: whoever presents one must be the one it was issued to."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._issued: dict[str, Conduit] = {}

    def issue(self, owner: str) -> str:
        """A token of about 350 characters that looks like a JWT."""
        token = (
            "eyJhbGciOiJFUzI1NiJ9." + secrets.token_urlsafe(180) + "." + secrets.token_urlsafe(64)
        )
        with self._lock:
            self._issued[token] = Conduit(owner, self._clock())
            while len(self._issued) > _KEPT:
                del self._issued[next(iter(self._issued))]
        return token

    def check(self, token: str | None, owner: str) -> None:
        """Nothing presented is fine; a stranger's or unknown token is refused."""
        if token is None or token in ("", "no-token"):
            return
        conduit = self._issued.get(token)
        if conduit is None or replace(conduit, issued_at=0) != Conduit(owner, 0):
            refusal = unusual_activity("conduit_unknown")
            refusal.reply = coded(403, "invalid_conduit_token", "The conduit token is not valid.")
            raise refusal
