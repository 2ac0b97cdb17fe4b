"""The Codex backend as a provider: Responses natively, with real tools and real figures.

It takes accounts only, keeps no conversations, and solves nothing: a turn is one request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import orjson

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import EventStream
from chat2api.codecs.errors import CodecError
from chat2api.codecs.sse import FastSseDecoder
from chat2api.errors import (
    Chat2ApiError,
    ProviderUnavailable,
    RequestError,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamTruncated,
)
from chat2api.pool.values import Credential, Grant, StoredCredential
from chat2api.providers.codex.cookies import CookieJars
from chat2api.providers.codex.decode import TurnDecoder
from chat2api.providers.codex.headers import Asker, asker_of, common_headers, turn_headers
from chat2api.providers.codex.limits import Allowance, read_event, read_headers, read_usage
from chat2api.providers.codex.models import FALLBACK, Catalog, Target, parse_models, resolve
from chat2api.providers.codex.refusals import SEAL_REFUSED, classify
from chat2api.providers.codex.request import DEFAULT_INSTRUCTIONS, Turn, build_turn
from chat2api.providers.codex.sealing import seal
from chat2api.providers.oauth.endpoint import TokenEndpoint
from chat2api.providers.protocol import AccountCheck, Capabilities, Io, Model
from chat2api.transport.protocol import Outgoing, Response
from chat2api.transport.streams import closing_chunks, take_the_end

log = logging.getLogger(__name__)

_REFUSAL_BYTES = 256 * 1024
_DOCUMENT_BYTES = 16 * 1024 * 1024
_QUESTION_SECONDS = 15.0

Learn = Callable[[Credential, AccountCheck], None]
"""Told what an answer said of an account's allowance, as a check of the account would."""


@dataclass(frozen=True, slots=True)
class CodexOptions:
    """`base_url` is what /codex/responses and /wham/usage are added to. Seconds and bytes as in the settings.

    `client_version` decides how much of the list of models the backend shows; `summary` is how reasoning is
    summed up (auto, concise, detailed, or empty for not at all); `offer_efforts` lists a name for each effort
    of each model.
    """

    user_agent: str
    base_url: str = "https://chatgpt.com/backend-api"
    client_version: str = "0.169.0"
    instructions: str = DEFAULT_INSTRUCTIONS
    summary: str = "auto"
    offer_efforts: bool = False
    aliases: Mapping[str, str] | None = None
    first_byte_seconds: float = 60.0
    slow_first_byte_seconds: float = 300.0
    idle_seconds: float = 90.0
    slow_idle_seconds: float = 300.0
    event_limit_bytes: int = 32 * 1024 * 1024


class CodexProvider:
    """Made once per worker; every method may be called from many threads at once."""

    name = "codex"
    capabilities = Capabilities(
        native_tools=True,
        native_json=True,
        builtins=frozenset({"web_search", "image_generation"}),
    )

    def __init__(
        self,
        options: CodexOptions,
        tokens: TokenEndpoint,
        learn: Learn = lambda credential, found: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._options = options
        self._tokens = tokens
        self._learn = learn
        self._clock = clock
        self._jars = CookieJars()
        self._catalog = FALLBACK

    @property
    def catalog(self) -> Catalog:
        """The models as far as they are known now."""
        return self._catalog

    def target(self, conversation: Conversation) -> Target:
        """What a turn asks for."""
        return resolve(
            conversation.model,
            conversation.reasoning_effort,
            self._catalog,
            self._options.aliases,
        )

    def is_slow(self, conversation: Conversation) -> bool:
        draws = any(builtin.kind == "image_generation" for builtin in conversation.builtins)
        return draws or self.target(conversation).is_slow

    def limit_key(self, conversation: Conversation) -> str:
        """The family of the allowance: most models share one."""
        return self.target(conversation).family

    def refresh(self, stored: StoredCredential, io: Io) -> Grant:
        return self._tokens.refresh(stored, io)

    def models(self, credential: Credential, io: Io) -> list[Model]:
        path = f"/codex/models?client_version={self._options.client_version}"
        found = parse_models(self._asked(path, credential, io))
        if not found:
            raise UpstreamBadResponse("The upstream lists no models.")
        self._catalog = self._catalog.with_newer(found)
        return self._catalog.offered(with_efforts=self._options.offer_efforts)

    def check(self, credential: Credential, io: Io) -> AccountCheck:
        now = self._clock()
        return read_usage(self._asked("/wham/usage", credential, io), now).check(now)

    def stream(self, conversation: Conversation, credential: Credential, io: Io) -> EventStream:
        """A failure after the turn was sent does not stand in the way of another try: nothing is kept."""
        asker = _required(asker_of(credential, conversation.workspace_id))
        told = False
        turn = self._turn(conversation, asker, remind=True)
        slow = self.is_slow(conversation)
        try:
            with closing(self._played(turn, asker, credential, io, slow=slow)) as events:
                for event in events:
                    told = True
                    yield event
            return
        except RequestError as refusal:
            if told or not turn.reminded or refusal.code != SEAL_REFUSED:
                raise
        log.info("earlier reasoning was refused; asking without it")
        turn = self._turn(conversation, asker, remind=False)
        yield from self._played(turn, asker, credential, io, slow=slow)

    # --- asking

    def _turn(self, conversation: Conversation, asker: Asker, *, remind: bool) -> Turn:
        return build_turn(
            conversation,
            self.target(conversation),
            asker.owner,
            instructions=self._options.instructions,
            summary=self._options.summary,
            remind=remind,
        )

    def _played(
        self, turn: Turn, asker: Asker, credential: Credential, io: Io, *, slow: bool
    ) -> EventStream:
        """One request for a turn, and its answer."""
        response = self._sent(turn, asker, io, slow=slow)
        decoder = TurnDecoder(
            lambda told: classify(200, {}, told, self._clock()),
            turn.meant,
            lambda encrypted: seal(encrypted, asker.owner),
        )
        try:
            self._note(credential, read_headers(response.headers, self._clock()))
            if response.status != 200:
                raise self._refusal(response)
            yield from self._read(response, decoder)
        finally:
            response.close()
            if decoder.skipped:
                log.info("%d events made no sense", decoder.skipped)
            if decoder.limits is not None:
                self._note(credential, read_event(decoder.limits, self._clock()))

    def _sent(self, turn: Turn, asker: Asker, io: Io, *, slow: bool) -> Response:
        options = self._options
        try:
            body = orjson.dumps(turn.body)
        except orjson.JSONEncodeError:
            raise RequestError("The messages hold text that is not valid Unicode.") from None
        request = Outgoing(
            "POST",
            f"{options.base_url}/codex/responses",
            {**self._headers(asker, io), **turn_headers(turn.session)},
            body,
            io.proxy,
            options.slow_first_byte_seconds if slow else options.first_byte_seconds,
            options.slow_idle_seconds if slow else options.idle_seconds,
        )
        return self._opened(request, asker, io)

    def _asked(self, path: str, credential: Credential, io: Io) -> Any:
        """The JSON that answers a question which costs nothing. Raises what a refusal means."""
        asker = _required(asker_of(credential))
        request = Outgoing(
            "GET",
            self._options.base_url + path,
            self._headers(asker, io),
            proxy=io.proxy,
            first_byte_seconds=_QUESTION_SECONDS,
            idle_seconds=_QUESTION_SECONDS,
            repeatable=True,
        )
        response = self._opened(request, asker, io)
        if response.status != 200:
            raise self._refusal(response)
        return _document(response.read(_DOCUMENT_BYTES))

    def _headers(self, asker: Asker, io: Io) -> dict[str, str]:
        cookies = self._jars.header(_jar(asker, io))
        return common_headers(asker, self._options.user_agent, cookies)

    def _opened(self, request: Outgoing, asker: Asker, io: Io) -> Response:
        response = io.transport.open(request, io.call)
        self._jars.absorb(_jar(asker, io), response.headers)
        return response

    def _note(self, credential: Credential, allowance: Allowance | None) -> None:
        if allowance is not None:
            self._learn(credential, allowance.check(self._clock()))

    # --- reading

    def _read(self, response: Response, decoder: TurnDecoder) -> EventStream:
        kind = response.headers.get("content-type", "").lower()
        if "html" in kind:
            raise self._refusal(response)
        if "json" in kind:
            document = _document(response.read(self._options.event_limit_bytes))
            if not isinstance(document, dict):
                raise UpstreamBadResponse("The upstream answered with nonsense.")
            whole = document.get("object") == "response"
            yield from decoder.feed_response(document) if whole else decoder.feed_event(document)
        else:
            yield from self._records(response, decoder)
        decoder.close()

    def _records(self, response: Response, decoder: TurnDecoder) -> EventStream:
        frames = FastSseDecoder(self._options.event_limit_bytes)
        chunks = closing_chunks(response)
        try:
            with closing(chunks):
                for data in chunks:
                    # Taken off one by one: one may be large, and its events may wait to be sent.
                    records = frames.feed(data)
                    records.reverse()
                    while records:
                        yield from decoder.feed(records.pop())
                    if decoder.done:
                        take_the_end(response, chunks)
                        return
        except CodecError as error:
            raise UpstreamBadResponse(f"The upstream's stream cannot be read: {error}.") from None

    def _refusal(self, response: Response) -> Chat2ApiError:
        try:
            body = response.read(_REFUSAL_BYTES)
        except (UpstreamBadResponse, UpstreamConnectionError, UpstreamTruncated):
            body = b""
        return classify(response.status, response.headers, body, self._clock())


def _required(asker: Asker | None) -> Asker:
    if asker is None:
        raise ProviderUnavailable("The Codex upstream answers with accounts only.")
    return asker


def _jar(asker: Asker, io: Io) -> tuple[str, str]:
    return asker.subject, io.proxy.reveal() if io.proxy is not None else ""


def _document(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
