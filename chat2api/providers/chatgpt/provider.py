"""The ChatGPT web backend as a provider: the sequence of one turn (sheet section 0).

Home page, requirements, proof of work, conduit, conversation, stream, and what follows when the stream
ends early. What each step says on the wire lives in the modules beside this one.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import EventStream
from chat2api.errors import (
    Blame,
    Chat2ApiError,
    UpstreamAccessDenied,
    UpstreamBadResponse,
    UpstreamChallenge,
    UpstreamError,
)
from chat2api.lifetime.call import Call
from chat2api.pool.values import Credential, Grant, StoredCredential
from chat2api.providers.chatgpt.account import ask_account
from chat2api.providers.chatgpt.decode import TurnDecoder
from chat2api.providers.chatgpt.headers import header_text
from chat2api.providers.chatgpt.home import HomePage, HomePages
from chat2api.providers.chatgpt.models import Target, parse_models, resolve
from chat2api.providers.chatgpt.persona import Persona, Personas
from chat2api.providers.chatgpt.reading import StreamReader
from chat2api.providers.chatgpt.recovery import Recovery
from chat2api.providers.chatgpt.refusals import RouteMissing
from chat2api.providers.chatgpt.request import (
    HistoryForm,
    Turn,
    build_turn,
    classic_body,
    conversation_body,
    prepare_body,
)
from chat2api.providers.chatgpt.routes import Routes
from chat2api.providers.chatgpt.sentinel import Sentinel, SentinelOptions
from chat2api.providers.chatgpt.session import Session, new_id, refusal
from chat2api.providers.oauth.endpoint import TokenEndpoint
from chat2api.providers.protocol import AccountCheck, Capabilities, Io, Model
from chat2api.secret import Secret
from chat2api.transport.protocol import Response

log = logging.getLogger(__name__)

_STOP_SECONDS = 5.0
_LONGEST_LIMIT_KEY = 200


@dataclass(frozen=True, slots=True)
class ChatGptOptions:
    """This provider's slice of the settings; `chat2api.settings.model` describes each."""

    bases: tuple[str, ...]
    user_agent: str
    auth_key: Secret | None = None
    extra_headers: Mapping[str, str] | None = None
    aliases: Mapping[str, str] | None = None
    conversation_only: bool = False
    pow_difficulty: str = "00003a"
    pow_variant: Literal["auto", "sha3", "fnv"] = "auto"
    sentinel_flow: Literal["auto", "single", "two_step"] = "auto"
    conversation_endpoint: Literal["auto", "f", "classic"] = "auto"
    turnstile: Literal["continue", "fail"] = "continue"
    code_output: Literal["markdown", "hide"] = "markdown"
    history_form: HistoryForm = "messages"
    first_byte_seconds: float = 60.0
    slow_first_byte_seconds: float = 300.0
    idle_seconds: float = 90.0
    slow_idle_seconds: float = 300.0
    resume_after_seconds: float = 60.0
    event_limit_bytes: int = 32 * 1024 * 1024
    proof_seconds: float = 30.0


class ChatGptProvider:
    name = "chatgpt"
    capabilities = Capabilities(
        anonymous=True, builtins=frozenset({"web_search", "image_generation"})
    )

    def __init__(self, options: ChatGptOptions, tokens: TokenEndpoint) -> None:
        self._options = options
        self._tokens = tokens
        self._personas = Personas()
        self._homes = HomePages()
        self._routes = Routes()
        self._sentinel = Sentinel(
            self._routes,
            SentinelOptions(
                flow=options.sentinel_flow,
                variant=options.pow_variant,
                hardest=options.pow_difficulty,
                turnstile=options.turnstile,
                proof_seconds=options.proof_seconds,
            ),
        )
        self._extra = dict(options.extra_headers or {})
        if options.auth_key is not None:
            # Relays differ in spelling; HTTP stacks drop underscores, so this one is sent.
            self._extra.setdefault("authkey", options.auth_key.reveal())

    def is_slow(self, conversation: Conversation) -> bool:
        return self._target(conversation).is_slow

    def limit_key(self, conversation: Conversation) -> str:
        """The slug, as far as the store has room: names that lead to one model share its limits."""
        return self._target(conversation).slug[:_LONGEST_LIMIT_KEY]

    def refresh(self, stored: StoredCredential, io: Io) -> Grant:
        return self._tokens.refresh(stored, io)

    def models(self, credential: Credential, io: Io) -> list[Model]:
        session = self._session(credential, io, self._options.first_byte_seconds)
        query = (
            "?iim=false&is_gizmo=false"
            if credential.is_anonymous
            else "?history_and_training_disabled=false"
        )
        return parse_models(session.ask("GET", f"{session.prefix}/models{query}"))

    def check(self, credential: Credential, io: Io) -> AccountCheck:
        session = self._session(credential, io, self._options.first_byte_seconds)
        return ask_account(session, credential.workspace_id)

    def stream(self, conversation: Conversation, credential: Credential, io: Io) -> EventStream:
        target = self._target(conversation)
        temporary = credential.is_anonymous or not conversation.keep_history
        turn = build_turn(
            conversation,
            target,
            temporary=temporary,
            new_id=new_id,
            now=time.time(),
            history_form=self._options.history_form,
        )
        first_byte = (
            self._options.slow_first_byte_seconds
            if target.is_slow
            else self._options.first_byte_seconds
        )
        session = self._session(credential, io, first_byte, conversation.workspace_id)
        response = self._begin(session, turn)
        decoder = TurnDecoder(
            turn.message_ids,
            not temporary,
            self._options.code_output,
            resume_token=header_text(response.headers.get("x-conduit-token")),
        )
        try:
            yield from self._read(session, turn, response, decoder)
        except GeneratorExit:
            self._stop_later(session, decoder)
            raise
        except Chat2ApiError as error:
            if isinstance(error, UpstreamError):
                error.after_dispatch = True
            if io.call.error is not None:
                self._stop_later(session, decoder)
            raise

    def _target(self, conversation: Conversation) -> Target:
        return resolve(
            conversation.model, conversation.reasoning_effort, self._options.aliases or {}
        )

    def _session(
        self,
        credential: Credential,
        io: Io,
        first_byte_seconds: float,
        workspace_id: str | None = None,
    ) -> Session:
        base = random.choice(self._options.bases)
        persona = self._personas.of(base, credential.subject, credential.look.device_id)
        return Session(
            base,
            credential,
            persona,
            io,
            user_agent=credential.look.user_agent or self._options.user_agent,
            home=self._home(base, persona, io),
            extra=self._extra,
            first_byte_seconds=first_byte_seconds,
            workspace_id=workspace_id,
        )

    def _home(self, base: str, persona: Persona, io: Io) -> HomePage:
        return self._homes.of(base, persona, self._options.user_agent, io, self._extra)

    # --- sending

    def _begin(self, session: Session, turn: Turn) -> Response:
        """Send the turn; a refusal that stale page data may have caused is tried once more, afresh."""
        try:
            return self._send(session, turn)
        except UpstreamAccessDenied as error:
            # What is not distrust will not be mended by a fresh proof; what was acted on is not sent twice.
            distrust = error.blame is Blame.EGRESS and not error.after_dispatch
            if self._options.conversation_only or not distrust:
                raise
            log.info("turn refused; trying once more with fresh requirements")
            self._homes.forget(session.base)
            session.go_on_from(self._home(session.base, session.persona, session.io))
            return self._send_again(session, turn)

    def _send_again(self, session: Session, turn: Turn) -> Response:
        try:
            return self._send(session, turn)
        except UpstreamAccessDenied as error:
            if session.challenge_announced:  # that was why, then (decision 1)
                raise UpstreamChallenge(
                    "The upstream demands a Turnstile challenge for this account."
                ) from error
            raise

    def _send(self, session: Session, turn: Turn) -> Response:
        for newer in self._routes.conversation_order(session, self._options.conversation_endpoint):
            response = self._post(session, turn, self._headers(session, turn), newer=newer)
            if response.status not in (404, 405):
                return self._checked(response)
            problem = refusal(response)
            if not isinstance(problem, RouteMissing):
                raise problem
            self._routes.note_missing(session, "f" if newer else "classic")
        raise UpstreamBadResponse("The upstream has no conversation endpoint that we know.")

    def _headers(self, session: Session, turn: Turn) -> Mapping[str, str]:
        """For one conversation request: a clearance that was shown once may be used up."""
        clearance: Mapping[str, str] = {}
        if not self._options.conversation_only:
            clearance = self._sentinel.clear(session)
        headers = {**clearance, "Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if turn.conversation_id is not None:
            headers["Referer"] = f"{session.base}/c/{turn.conversation_id}"
        return headers

    def _post(
        self, session: Session, turn: Turn, headers: Mapping[str, str], *, newer: bool
    ) -> Response:
        idle = self._idle_seconds(turn)
        if not newer:
            body = classic_body(turn, session.persona, new_id=new_id)
            path = f"{session.prefix}/conversation"
            return self._dispatched(
                lambda: session.open("POST", path, body, headers, idle_seconds=idle)
            )
        trace = {"x-oai-turn-trace-id": new_id()}
        token = self._conduit_token(session, turn, {**headers, **trace, "Accept": "*/*"})
        if token is not None:
            trace["x-conduit-token"] = token
        body = conversation_body(turn, session.persona, prepared=token is not None)
        path = f"{session.prefix}/f/conversation"
        return self._dispatched(
            lambda: session.open("POST", path, body, {**headers, **trace}, idle_seconds=idle)
        )

    @staticmethod
    def _dispatched(send: Callable[[], Response]) -> Response:
        """From here on the upstream may have acted, whatever the failure."""
        try:
            return send()
        except UpstreamError as error:
            error.after_dispatch = True
            raise

    def _conduit_token(
        self, session: Session, turn: Turn, headers: Mapping[str, str]
    ) -> str | None:
        """The token that ties preparation and turn together. Going without is accepted (sheet 4.2)."""
        path = f"{session.prefix}/f/conversation/prepare"
        if session.anonymous:
            headers = {**headers, "x-conduit-token": "no-token"}
        try:
            answer = session.ask("POST", path, prepare_body(turn, session.persona), headers)
        except UpstreamError as error:
            session.io.call.check()
            log.debug("prepare failed, going on without: %s", error.code)
            return None
        except Chat2ApiError:
            session.io.call.check()
            return None
        if not isinstance(answer, dict):
            return None
        return header_text(answer.get("conduit_token") or answer.get("token"))

    @staticmethod
    def _checked(response: Response) -> Response:
        """The response if it is an event stream; else what it means."""
        content_type = response.headers.get("content-type", "").lower()
        if response.status == 200 and content_type.startswith("text/event-stream"):
            return response
        try:
            problem = refusal(response)
        except UpstreamError as error:
            problem = error
        if isinstance(problem, UpstreamError) and not 400 <= response.status < 500:
            problem.after_dispatch = True
        raise problem

    # --- reading

    def _idle_seconds(self, turn: Turn) -> float:
        """How long the first stream may be silent; a kept turn is resumed sooner than given up."""
        longest = (
            self._options.slow_idle_seconds if turn.target.is_slow else self._options.idle_seconds
        )
        return longest if turn.temporary else min(longest, self._options.resume_after_seconds)

    def _read(
        self, session: Session, turn: Turn, response: Response, decoder: TurnDecoder
    ) -> EventStream:
        reader = StreamReader(decoder, self._options.event_limit_bytes)
        cut: UpstreamError | None = None
        try:
            with closing(reader.events(response)) as events:
                yield from events
        except UpstreamError as error:
            session.io.call.check()
            cut = error
        if cut is not None or not decoder.complete:
            longest = (
                self._options.slow_idle_seconds
                if turn.target.is_slow
                else self._options.idle_seconds
            )
            recovery = Recovery(session, turn, decoder, reader, idle_seconds=longest)
            yield from recovery.events(cut)
        yield from decoder.finish()

    @staticmethod
    def _stop_later(session: Session, decoder: TurnDecoder) -> None:
        """Tell the upstream to stop generating, best effort, without keeping anybody waiting."""
        conversation_id = decoder.facts.conversation_id
        if conversation_id is None or session.anonymous:
            return
        call = Call(time.monotonic() + _STOP_SECONDS, session.io.call.request_id)
        body = {"conversation_id": conversation_id, "exclude_async_types": []}
        stopper = session.with_call(call)
        threading.Thread(
            target=_stop, args=(stopper, body), name="stop-conversation", daemon=True
        ).start()


def _stop(session: Session, body: Any) -> None:
    try:
        session.ask("POST", "/backend-api/stop_conversation", body)
    except Chat2ApiError as error:
        log.debug("stop_conversation: %s", error.code)
