"""Any server that speaks OpenAI's API as a provider: chat completions, its list of models, and whole
requests passed through."""

from __future__ import annotations

import logging
import math
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import orjson

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import EventStream
from chat2api.codecs.errors import CodecError
from chat2api.codecs.sse import FastSseDecoder
from chat2api.errors import (
    Chat2ApiError,
    RequestError,
    UpstreamBadResponse,
    UpstreamError,
    UpstreamTimeout,
)
from chat2api.pool.values import Credential, Grant, StoredCredential
from chat2api.providers.openai_compatible.decode import AnswerDecoder, read_json
from chat2api.providers.openai_compatible.models import parse_models
from chat2api.providers.openai_compatible.refusals import Upstream, classify
from chat2api.providers.openai_compatible.request import Wording, chat_body
from chat2api.providers.protocol import AccountCheck, Capabilities, Io, Model, RefreshRefused
from chat2api.secret import Secret
from chat2api.transport.protocol import Outgoing, Response
from chat2api.transport.streams import closing_chunks, take_the_end

log = logging.getLogger(__name__)

_JSON = "application/json"
_REFUSAL_BYTES = 65_536
_REFUSAL_SECONDS = 3.0
_MODELS_BYTES = 8 * 1024 * 1024
_MODELS_SECONDS = 4.0
_MODELS_SECONDS_IN_ALL = 10.0
# How long a server may take, after the end of the answer, to tell what it used; and to end the stream.
_USAGE_SECONDS = 3.0
_LONGEST_LIMIT_KEY = 200
_EVENT_END = b"\n\n"

_OFFICIAL = re.compile(r"(?:[\w-]+\.)*(?:openai\.com|openai\.azure\.com)")
_SLOW = re.compile(
    r"(?:^|[-/:_.])(?:o\d|r1|qwq|thinking|think|reason\w*|research|pro)(?:$|[-/:_.])"
)
_QUICK_EFFORTS = frozenset({None, "none", "minimal", "low"})


@dataclass(frozen=True, slots=True)
class CompatibleOptions:
    """`base_url` is what /chat/completions is added to. Seconds and bytes as in the settings."""

    name: str
    base_url: str
    api_key: Secret | None
    user_agent: str
    first_byte_seconds: float = 60.0
    slow_first_byte_seconds: float = 300.0
    idle_seconds: float = 90.0
    slow_idle_seconds: float = 300.0
    event_limit_bytes: int = 32 * 1024 * 1024


class CompatibleProvider:
    """The key is the operator's and stands in the options: the credential of a turn is not looked at."""

    capabilities = Capabilities(
        native_tools=True, native_json=True, native_limits=True, sampling=True
    )

    def __init__(self, options: CompatibleOptions) -> None:
        self.name = options.name
        self._options = options
        host = urlsplit(options.base_url).hostname or ""
        key = options.api_key.reveal() if options.api_key is not None else ""
        self._upstream = Upstream(options.name, tuple(filter(None, (key, host))))
        self._wording = Wording(new_token_limit=_OFFICIAL.fullmatch(host) is not None)

    def is_slow(self, conversation: Conversation) -> bool:
        if conversation.reasoning_effort not in _QUICK_EFFORTS:
            return True
        return _SLOW.search(conversation.model.lower()) is not None

    def limit_key(self, conversation: Conversation) -> str:
        return conversation.model[:_LONGEST_LIMIT_KEY]

    def refresh(self, stored: StoredCredential, io: Io) -> Grant:
        raise RefreshRefused("no_refresh_token")

    def check(self, credential: Credential, io: Io) -> AccountCheck:
        self.models(credential, io)
        return AccountCheck()

    def models(self, credential: Credential, io: Io) -> list[Model]:
        request = Outgoing(
            "GET",
            f"{self._options.base_url}/models",
            self._headers(_JSON),
            proxy=io.proxy,
            first_byte_seconds=_MODELS_SECONDS,
            idle_seconds=_MODELS_SECONDS,
            repeatable=True,
        )
        response = self._opened(request, io)
        body = _read_whole(response, _MODELS_BYTES, _MODELS_SECONDS_IN_ALL)
        models = parse_models(_document(body), self.name)
        if not models:
            raise UpstreamBadResponse(f"The upstream {self.name} lists no models.")
        return models

    def stream(self, conversation: Conversation, credential: Credential, io: Io) -> EventStream:
        response = self._begin(conversation, io)
        decoder = AnswerDecoder(self._refused_within, _new_call_id)
        try:
            yield from self._read(response, decoder)
        finally:
            response.close()
            if decoder.skipped:
                log.info("upstream %s: %d events made no sense", self.name, decoder.skipped)

    def forward(self, path: str, body: bytes, content_type: str, io: Io) -> Response:
        """A whole request of another kind, such as `/images/generations`, with the longer time limits; the
        answer as it is.

        Raises what a refusal means.
        """
        options = self._options
        request = Outgoing(
            "POST",
            options.base_url + path,
            {**self._headers("*/*"), "Content-Type": content_type},
            body,
            io.proxy,
            options.slow_first_byte_seconds,
            options.slow_idle_seconds,
        )
        response = self._opened(request, io)
        if "html" in response.headers.get("content-type", "").lower():
            response.close()  # a page of somebody else's has no place under our address
            raise self._is_a_page()
        return response

    # --- asking

    def _begin(self, conversation: Conversation, io: Io) -> Response:
        """The answer to the turn; asked again where the server wants a field spelled otherwise, once for
        each of the two there are."""
        wording = self._wording
        for _ in range(2):
            try:
                return self._ask(conversation, wording, io)
            except RequestError as refusal:
                other = _reworded(wording, refusal)
                if other is None:
                    raise
            log.info("upstream %s wants another wording: %s", self.name, other)
            wording = other
            if not wording.stream_options:
                # What a server does not know it never knows; the token limit's name goes by the model.
                self._wording = replace(self._wording, stream_options=False)
        return self._ask(conversation, wording, io)

    def _ask(self, conversation: Conversation, wording: Wording, io: Io) -> Response:
        options = self._options
        slow = self.is_slow(conversation)
        request = Outgoing(
            "POST",
            f"{options.base_url}/chat/completions",
            {**self._headers("text/event-stream"), "Content-Type": _JSON},
            orjson.dumps(chat_body(conversation, wording)),
            io.proxy,
            options.slow_first_byte_seconds if slow else options.first_byte_seconds,
            options.slow_idle_seconds if slow else options.idle_seconds,
        )
        return self._opened(request, io)

    def _opened(self, request: Outgoing, io: Io) -> Response:
        """The answer if it is one. Raises what a refusal means."""
        response = io.transport.open(request, io.call)
        if not 200 <= response.status < 300:
            raise self._refusal(response)
        return response

    def _headers(self, accept: str) -> dict[str, str]:
        headers = {
            "Accept": accept,
            "Accept-Encoding": "identity",
            "User-Agent": self._options.user_agent,
        }
        if self._options.api_key is not None:
            headers["Authorization"] = f"Bearer {self._options.api_key.reveal()}"
        return headers

    # --- reading

    def _read(self, response: Response, decoder: AnswerDecoder) -> EventStream:
        """Whatever its type is called: servers give a whole answer the type of a stream, and a stream that
        of a whole answer."""
        if "html" in response.headers.get("content-type", "").lower():
            raise self._is_a_page()
        with closing(closing_chunks(response)) as chunks:
            beginning = b""
            while not beginning and (data := next(chunks, b"")):
                beginning = data.lstrip()
            if beginning.startswith(b"<"):
                raise self._is_a_page()
            rest = chain([beginning], chunks)
            if beginning.startswith((b"{", b"[")):
                document = _document(_joined(rest, self._options.event_limit_bytes))
                if not isinstance(document, dict):
                    raise UpstreamBadResponse(f"The upstream {self.name} answered with nonsense.")
                yield from decoder.feed_chunk(document)
            else:
                yield from self._records(response, rest, decoder)
        yield from decoder.close()

    def _records(
        self, response: Response, chunks: Iterator[bytes], decoder: AnswerDecoder
    ) -> EventStream:
        frames = FastSseDecoder(self._options.event_limit_bytes)
        hurried = False
        try:
            # The last event may lack its empty line.
            for data in chain(chunks, [_EVENT_END]):
                for record in frames.feed(data):
                    yield from decoder.feed(record)
                if decoder.done:
                    take_the_end(response, chunks)
                    return
                if decoder.finished and not hurried:
                    hurried = True
                    response.hurry(_USAGE_SECONDS)
        except CodecError as error:
            raise UpstreamBadResponse(f"The upstream's stream cannot be read: {error}.") from None
        except UpstreamError:
            if not decoder.finished:  # else the answer is whole; only its figures are missing
                raise

    def _refused_within(self, document: Mapping[str, Any]) -> Chat2ApiError:
        return classify(self._upstream, 200, {}, document, time.time())

    def _refusal(self, response: Response) -> Chat2ApiError:
        response.hurry(_REFUSAL_SECONDS)
        try:
            body = _read_whole(response, _REFUSAL_BYTES, _REFUSAL_SECONDS)
        except UpstreamError:
            body = b""  # the status says enough
        return classify(self._upstream, response.status, response.headers, body, time.time())

    def _is_a_page(self) -> Chat2ApiError:
        return UpstreamBadResponse(f"The upstream {self.name} answered with a page.")


def _reworded(wording: Wording, refusal: RequestError) -> Wording | None:
    """How to ask instead, where the refusal is about a field that is ours to choose."""
    about = f"{refusal.param or ''} {refusal.message}"
    if wording.stream_options and "stream_options" in about:
        return replace(wording, stream_options=False)
    if not wording.new_token_limit and "max_completion_tokens" in about:
        return replace(wording, new_token_limit=True)
    if wording.new_token_limit and refusal.param == "max_completion_tokens":
        return replace(wording, new_token_limit=False)
    return None


def _document(body: bytes) -> Any:
    return read_json(body.decode("utf-8", "replace"))


def _read_whole(response: Response, limit_bytes: int, seconds: float) -> bytes:
    """A body that is neither large nor slow. Raises UpstreamBadResponse, UpstreamTimeout."""
    with closing(closing_chunks(response)) as chunks:
        return _joined(chunks, limit_bytes, time.monotonic() + seconds)


def _joined(chunks: Iterator[bytes], limit_bytes: int, end: float = math.inf) -> bytes:
    body = bytearray()
    for data in chunks:
        body += data
        if len(body) > limit_bytes:
            raise UpstreamBadResponse("The upstream's answer is too large.")
        if time.monotonic() > end:
            raise UpstreamTimeout("The upstream's answer took too long.")
    return bytes(body)


def _new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"
