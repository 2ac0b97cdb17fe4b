"""One request from arrival to last byte: who calls, what was chosen for it, how the answer is sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from flask import Request, Response

from chat2api.simulator.accounts import Account
from chat2api.simulator.behaviours import Behaviour, Choice
from chat2api.simulator.connection import SLICE_SECONDS, CallerGone, Line
from chat2api.simulator.documents import Json
from chat2api.simulator.faults import registry as faults
from chat2api.simulator.journal import Record
from chat2api.simulator.params import BadParameter
from chat2api.simulator.refusals import (
    Refusal,
    Reply,
    coded,
    detail,
    invalidated,
    unusual_activity,
    used_up,
)
from chat2api.simulator.sentinel import Asked
from chat2api.simulator.simulator import Simulator
from chat2api.simulator.wire.items import Break, Pause

UNPARSABLE = "Could not parse your authentication token. Please try signing in again."
_BODY_KEPT = 256 * 1024
_BREATH_SECONDS = 0.005


class Exchange:
    """A request in the hands of a route."""

    def __init__(self, simulator: Simulator, endpoint: str, request: Request) -> None:
        self.simulator = simulator
        self.endpoint = endpoint
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.raw_body = request.get_data()
        # Looking at a thousand idle lines costs; benchmarks look less often.
        self.line = Line(request.environ, 1.0 if simulator.config.cheap else SLICE_SECONDS)
        self.anonymous = request.path.startswith("/backend-anon")
        self.account: Account | None = None
        self.owner = "nobody"
        self.workspace = ""
        self.client_id = ""  # the program that the access token was made for
        self.on_close: list[Callable[[], None]] = []
        self.stop: threading.Event | None = None  # ends the stream early
        self._body: Any = None
        self._closed = False
        bearer = self._bearer()
        self.account_name = simulator.accounts.label(bearer) if bearer else None
        shown = dict(self.headers)
        if bearer:
            shown["authorization"] = f"Bearer <{self.account_name}>"
        keep = not simulator.config.cheap
        self.record: Record = simulator.journal.open(
            endpoint,
            method=request.method,
            path=request.path,
            query=request.query_string.decode("latin-1"),
            headers=shown if keep else {},
            body=self._kept_body() if keep else None,
            account=self.account_name,
        )

    # --- the request

    @property
    def user_agent(self) -> str:
        return self.headers.get("user-agent", "")

    @property
    def device(self) -> str:
        return self.headers.get("oai-device-id", "")

    def json(self) -> Json:
        """The body as an object; 422 otherwise."""
        if self._body is None:
            try:
                self._body = json.loads(self.raw_body or b"{}")
            except ValueError:
                self._refuse_body("JSON decode error", "json_invalid")
        if not isinstance(self._body, dict):
            self._refuse_body("Input should be a valid dictionary", "model_attributes_type")
        return self._body

    def _refuse_body(self, text: str, kind: str) -> NoReturn:
        raise Refusal(detail(422, [{"type": kind, "loc": ["body"], "msg": text}]), "schema")

    def _kept_body(self) -> Any:
        if len(self.raw_body) > _BODY_KEPT:
            return f"<{len(self.raw_body)} bytes>"
        try:
            return json.loads(self.raw_body) if self.raw_body else None
        except ValueError:
            return self.raw_body.decode("latin-1")

    def _bearer(self) -> str:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def identify(self) -> None:
        """Finds out who calls; refuses strangers, expired tokens and foreign workspaces."""
        if self.anonymous:
            if not self.simulator.config.anonymous:
                raise Refusal(detail(401, UNPARSABLE), "anonymous_closed")
            if not self.device:
                raise unusual_activity("device_missing")
            self.owner = f"anonymous/{self.device}"
            return
        bearer = self._bearer()
        session = self.simulator.accounts.session(bearer) if bearer else None
        account = self.simulator.accounts.named(session.name) if session else None
        if session is None or account is None:
            reason = "token_unknown" if bearer else "token_missing"
            raise Refusal(coded(401, "invalid_jwt", UNPARSABLE), reason)
        if session.revoked:
            raise Refusal(invalidated(), "token_revoked")
        if session.expires_at <= self.simulator.clock():
            text = "Provided authentication token is expired. Please try signing in again."
            raise Refusal(coded(401, "token_expired", text), "token_expired")
        workspace = self.headers.get("chatgpt-account-id", account.workspaces[0])
        if workspace not in account.workspaces:
            text = "You do not have access to this workspace."
            raise Refusal(coded(403, "workspace_forbidden", text), "workspace_wrong")
        self.account = account
        self.workspace = workspace
        self.client_id = session.client_id
        self.owner = f"{account.name}/{workspace}"

    @property
    def persona(self) -> str:
        return self.account.persona if self.account else "chatgpt-noauth"

    @property
    def is_paid(self) -> bool:
        return self.account is not None and self.account.is_paid

    @property
    def plan(self) -> str:
        return self.account.plan if self.account else "anonymous"

    def asked(self) -> Asked:
        return Asked(self.owner, self.persona, self.user_agent, self.anonymous)

    def count_turn(self, model: str) -> None:
        """Refuses the turn when the account has none left for the model."""
        account = self.account
        if account is None or account.quota is None:
            return
        full = self.simulator.quotas.take(account.name, account.quota, model)
        if full is not None and full.resets_at is not None:
            form, now = self.simulator.config.quota_form, self.simulator.clock()
            raise Refusal(used_up(form, account.plan, full.resets_at, now), "quota")

    # --- what was chosen

    def choose(
        self,
        directive: Behaviour | None = None,
        model: str | None = None,
        natural: str | None = None,
    ) -> Choice:
        """Takes from the queue and settles scenario and faults for this call. `natural` is what
        the request itself asks for when nobody chose anything."""
        name = self.account_name or ("anonymous" if self.anonymous else None)
        queued = self.simulator.behaviours.take(self.endpoint, name, model)
        configured = self.simulator.config.scenario
        fallback = natural if natural and configured == "echo" else configured
        choice = self.simulator.behaviours.choose(fallback, queued, directive)
        self.record.faults = list(choice.faults)
        return choice

    # --- the answer

    def respond(self, reply: Reply) -> Response:
        """The reply as a Flask response whose body records what became of it."""
        self.record.status = reply.status
        response = Response(self._deliver(reply), status=reply.status)
        response.headers.clear()
        for name, value in reply.headers:
            response.headers.add(name, value)
        if isinstance(reply.body, bytes):
            response.headers.setdefault("Content-Length", str(len(reply.body)))
        # A generator that was never begun runs no `finally`.
        response.call_on_close(self.close)
        return response

    def _deliver(self, reply: Reply) -> Iterator[bytes]:
        record = self.record
        try:
            if reply.pause:
                self.line.wait(reply.pause)
            if reply.raw is not None:
                self.line.send_raw(reply.raw)
            elif reply.headers_first and not isinstance(reply.body, bytes):
                yield b""  # sends the headers, however long the first event takes
            breath = time.monotonic()
            for piece in reply.pieces:
                if time.monotonic() - breath > _BREATH_SECONDS:
                    # A stream without pauses lets the others have their turn. Not 0: under gevent
                    # that lets waiting callbacks run, but looks at the sockets much too seldom.
                    time.sleep(1e-6)
                    breath = time.monotonic()
                match piece:
                    case Pause(seconds):
                        self.line.wait(seconds, self.stop)
                    case Break(kind):
                        record.broken = kind
                        if kind == "close":
                            return
                        raise self.line.break_off(reset=kind == "reset")
                    case _:
                        if record.first_byte_at is None:
                            record.first_byte_at = self.simulator.clock()
                        record.bytes_sent += len(piece)
                        yield piece
            record.completed = True
        except (GeneratorExit, CallerGone):
            record.aborted = True
            raise
        finally:
            self.close()

    def close(self) -> None:
        """Books the request out; harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        for callback in self.on_close:
            callback()
        self.on_close.clear()
        self.simulator.journal.close(self.record)


Handler = Callable[..., Reply]


def handle(
    simulator: Simulator,
    endpoint: str,
    request: Request,
    handler: Handler,
    values: Mapping[str, Any],
) -> Response:
    """Runs a route: refusals become replies, and faults queued for the endpoint are applied."""
    exchange = Exchange(simulator, endpoint, request)
    try:
        try:
            reply = handler(exchange, **values)
        except BadParameter as problem:
            reply = detail(400, f"simulator: {problem}")
        except Refusal as refusal:
            exchange.record.refused = refusal.reason
            simulator.journal.count(f"refused.{refusal.reason}")
            reply = refusal.reply
        return exchange.respond(reply)
    except Exception:
        exchange.close()
        raise


def with_faults(handler: Handler) -> Handler:
    """A plain route that also plays faults chosen for it; streams do this themselves."""

    def faulty(exchange: Exchange, **values: Any) -> Reply:
        choice = exchange.choose()
        chosen = faults.find(choice.faults)
        reply = faults.replacement(chosen, choice.params) or handler(exchange, **values)
        return faults.finish(reply, chosen, choice.params, is_stream=False)

    return faulty
