"""One account's exchanges with one upstream address during one turn: headers, sending, refusals."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from chat2api.errors import (
    Chat2ApiError,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamTruncated,
)
from chat2api.lifetime.call import Call
from chat2api.pool.values import Credential
from chat2api.providers.chatgpt.headers import client_hints
from chat2api.providers.chatgpt.home import HomePage
from chat2api.providers.chatgpt.persona import Persona
from chat2api.providers.chatgpt.refusals import classify
from chat2api.providers.protocol import Io
from chat2api.transport.protocol import Outgoing, Response

JSON_LIMIT_BYTES = 8 * 1024 * 1024
REFUSAL_LIMIT_BYTES = 256 * 1024

_BROWSER = {
    "Accept-Language": "en-US,en;q=0.9",
    "Priority": "u=1, i",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
}


class Session:
    """`base` is the upstream's address without a trailing slash; `extra` are the operator's headers."""

    def __init__(
        self,
        base: str,
        credential: Credential,
        persona: Persona,
        io: Io,
        *,
        user_agent: str,
        home: HomePage,
        extra: Mapping[str, str],
        first_byte_seconds: float,
        workspace_id: str | None = None,
    ) -> None:
        self._with = (credential, extra, workspace_id)
        self.base = base
        self.prefix = "/backend-anon" if credential.is_anonymous else "/backend-api"
        self.anonymous = credential.is_anonymous
        self.persona = persona
        self.io = io
        self.user_agent = user_agent
        self.home = home
        self.challenge_announced = False
        self._first_byte_seconds = first_byte_seconds
        self._common = self._common_headers()

    def go_on_from(self, home: HomePage) -> None:
        """Use a newer home page from here on."""
        self.home = home
        self._common = self._common_headers()

    def _common_headers(self) -> dict[str, str]:
        credential, extra, workspace_id = self._with
        headers = {
            **_BROWSER,
            **client_hints(self.user_agent),
            "Accept": "*/*",
            "Accept-Encoding": "gzip",
            "Origin": self.base,
            "Referer": f"{self.base}/",
            "User-Agent": self.user_agent,
            "Oai-Device-Id": self.persona.device_id,
            "Oai-Language": self.persona.language,
            "oai-session-id": self.persona.session_id,
        }
        if self.home.client_version:
            headers["oai-client-version"] = self.home.client_version
        if self.home.build_number:
            headers["oai-client-build-number"] = self.home.build_number
        if credential.access_token is not None:
            headers["Authorization"] = f"Bearer {credential.access_token.reveal()}"
        workspace = workspace_id or credential.workspace_id
        if workspace:
            headers["Chatgpt-Account-Id"] = workspace
        headers.update(extra)
        return headers

    def with_call(self, call: Call) -> Session:
        """The same account and page for another call: what has to be said after this one ended."""
        credential, extra, workspace_id = self._with
        return Session(
            self.base,
            credential,
            self.persona,
            replace(self.io, call=call),
            user_agent=self.user_agent,
            home=self.home,
            extra=extra,
            first_byte_seconds=self._first_byte_seconds,
            workspace_id=workspace_id,
        )

    def headers(self, path: str, more: Mapping[str, str]) -> dict[str, str]:
        return {
            **self._common,
            "Cookie": self.persona.cookie_header(),
            "x-openai-target-path": path,
            "x-openai-target-route": path,
            **more,
        }

    def open(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str],
        *,
        idle_seconds: float = 60.0,
        repeatable: bool = False,
    ) -> Response:
        """Send; the response may be any status. `path` may carry a query."""
        route = path.partition("?")[0]
        payload = None if body is None else orjson.dumps(body)
        more = dict(headers)
        if payload is not None:
            more["Content-Type"] = "application/json"
        request = Outgoing(
            method,
            self.base + path,
            self.headers(route, more),
            payload,
            self.io.proxy,
            first_byte_seconds=self._first_byte_seconds,
            idle_seconds=idle_seconds,
            repeatable=repeatable,
        )
        response = self.io.transport.open(request, self.io.call)
        self.persona.absorb(response.headers)
        return response

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """A JSON question that may be repeated. Raises the refusal, or UpstreamBadResponse."""
        response = self.open(method, path, body, headers or {}, repeatable=True)
        if response.status != 200:
            raise refusal(response)
        return self.document(response)

    @staticmethod
    def document(response: Response) -> Any:
        """The JSON of a response."""
        return _parse_json(response.read(JSON_LIMIT_BYTES))


def refusal(response: Response) -> Chat2ApiError:
    """What a non-200 answer means. Reads and closes it; a body that cannot be read counts as empty.

    Raises UpstreamTimeout when the body is silent, or what the call was cancelled with.
    """
    if 300 <= response.status < 400:
        response.close()
        return UpstreamBadResponse(
            "The upstream redirected us elsewhere; redirects are not followed."
        )
    try:
        body = response.read(REFUSAL_LIMIT_BYTES)
    except (UpstreamBadResponse, UpstreamConnectionError, UpstreamTruncated):
        body = b""
    content_type = response.headers.get("content-type", "")
    return classify(response.status, content_type, response.headers, body, time.time())


def _parse_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UpstreamBadResponse("The upstream's answer is not JSON.") from None


def new_id() -> str:
    return str(uuid.uuid4())
