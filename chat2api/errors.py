"""Every way a request can fail, and what each means to the caller and to the account.

One tree. A class states its wire face (status, type, code: fault matrix section 0.2), whether another
account may do better (`another_account_helps`), and what the failure says about the account (`blame`).
Rooms raise the most specific class where the fact is known; `web.errors` draws it once.

Messages are read by the person holding the client. They never carry a token, a key, a path of this
machine, an upstream page, or SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Blame(Enum):
    """What a failure says about the account that met it."""

    NONE = "none"  # nothing: the request or the network was at fault
    TRANSIENT = "transient"  # a hiccup: cool shortly
    LIMITED = "limited"  # out of quota for a while (account, or account and model)
    EGRESS = "egress"  # the upstream distrusts where we come from: cool longer
    NEEDS_LOGIN = "needs_login"  # the credential is refused


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """The wire face of an error, without any dialect's spelling. `retry_after` is in seconds."""

    status: int
    type: str
    code: str | None
    message: str
    param: str | None = None
    retry_after: float | None = None


class Chat2ApiError(Exception):
    """Base of all expected failures. Class attributes are the defaults of a kind."""

    status = 500
    type = "server_error"
    code: str | None = "internal_error"
    param: str | None = None
    another_account_helps = False
    blame = Blame.NONE
    upstream_status: int | None = None
    """What the upstream itself answered with, where it did and whoever read it knows."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        if param is not None:
            self.param = param
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status

    @property
    def info(self) -> ErrorInfo:
        return ErrorInfo(
            self.status, self.type, self.code, self.message, self.param, self.retry_after
        )


# --- the request -------------------------------------------------------------------------------


class RequestError(Chat2ApiError):
    """The caller has to change something."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_value"


class InvalidJson(RequestError):
    code = "invalid_json"


class JsonTooDeep(RequestError):
    code = "json_too_deep"


class MissingParameter(RequestError):
    code = "missing_required_parameter"


class ContextTooLong(RequestError):
    code = "context_length_exceeded"


class ContentPolicyViolation(RequestError):
    code = "content_policy_violation"


class Unsupported(RequestError):
    """The request is well formed, but this upstream cannot do it."""

    code = "unsupported_value"


class Unauthorized(RequestError):
    """The caller's key. Never used for an account of the pool."""

    status = 401
    code = "invalid_api_key"


class LoginRequired(Unauthorized):
    """The anonymous upstream asks a keyless caller to log in."""

    code = "login_required"


class Forbidden(RequestError):
    status = 403
    type = "permission_error"
    code = "forbidden_path"


class KeyScope(Forbidden):
    """The key is good, but not for this part of the API."""

    code = "key_scope"


class ModelNotAllowed(Forbidden):
    """The key is good, but not for this model."""

    code = "model_not_allowed"
    param = "model"


class CsrfFailed(Forbidden):
    """A change asked for by a browser, and not from a page of ours as far as can be told."""

    code = "csrf_failed"


class AdminClosed(Forbidden):
    """No secret is configured that could open administration."""

    code = "admin_closed"


class NotFound(RequestError):
    status = 404
    code = "not_found"


class UnknownModel(NotFound):
    code = "model_not_found"
    param = "model"


class ConversationNotFound(NotFound):
    code = "conversation_not_found"


class PreviousResponseNotFound(RequestError):
    """What the caller wants to continue is not here: unknown, deleted, expired, or of another key."""

    code = "previous_response_not_found"
    param = "previous_response_id"


class MethodNotAllowed(RequestError):
    status = 405
    code = "method_not_allowed"


class RequestTimeout(RequestError):
    status = 408
    code = "request_timeout"


class Conflict(RequestError):
    """What the caller wants to change is no longer what they saw."""

    status = 409
    type = "conflict_error"
    code = "version_conflict"


class TurnInProgress(Conflict):
    """A connection has one turn at a time, and this one has not ended its last."""

    code = "response_in_progress"


class TooLarge(RequestError):
    status = 413
    code = "request_too_large"


class UriTooLong(RequestError):
    status = 414
    code = "uri_too_long"


class UnsupportedMediaType(RequestError):
    status = 415
    code = "unsupported_media_type"


# --- limits of ours ------------------------------------------------------------------------------


class LimitReached(Chat2ApiError):
    """A limit of the caller's key. `headers` tell where it stands, as `x-ratelimit-*`."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.headers = dict(headers or {})


class RateLimited(LimitReached):
    """The key's requests of this minute are spent."""


class InsufficientQuota(LimitReached):
    """The key's tokens of today are spent."""

    type = "insufficient_quota"
    code = "insufficient_quota"


class TooManyLoginAttempts(Chat2ApiError):
    """Wrong secrets came from this address, or altogether, faster than people mistype."""

    status = 429
    type = "rate_limit_error"
    code = "too_many_login_attempts"


# --- the pool and this server --------------------------------------------------------------------


class PoolError(Chat2ApiError):
    """No account can be had."""


class PoolExhausted(PoolError):
    """Every usable account is cooling; `retry_after` is when the first comes back."""

    status = 429
    type = "rate_limit_error"
    code = "account_pool_exhausted"


class NoAccountAvailable(PoolError):
    """The pool is empty, or every account needs a login."""

    status = 503
    code = "no_account_available"


class Overloaded(PoolError):
    """The queue for a free account was full, or waiting in it took too long."""

    status = 503
    code = "server_overloaded"


class StorageUnavailable(Chat2ApiError):
    """The database does not answer, or takes no writes, and this cannot be done without it."""

    status = 503
    code = "storage_unavailable"


class NoConfigFile(Chat2ApiError):
    """There is no configuration file to show or to change."""

    status = 503
    code = "no_config_file"


class ShuttingDown(Chat2ApiError):
    status = 503
    code = "server_shutting_down"


class InternalError(Chat2ApiError):
    """Something we did not foresee; the log has the story under the request id."""


class ClientGone(Chat2ApiError):
    """The caller hung up. Seen in logs only, as 499."""

    status = 499
    code = "client_closed_request"


# --- the upstream --------------------------------------------------------------------------------


class UpstreamError(Chat2ApiError):
    """The upstream failed us. Another account may do better unless a subclass says no.

    `after_dispatch` is set where the turn was already sent and the failure is no definite refusal: the
    upstream may have acted on it.
    """

    after_dispatch = False
    status = 502
    code = "upstream_bad_response"
    another_account_helps = True
    blame = Blame.TRANSIENT


class UpstreamBadResponse(UpstreamError):
    """An answer that makes no sense: wrong type, broken, too large, a 5xx."""


class UpstreamConnectionError(UpstreamError):
    """DNS, connect, TLS, proxy, or a reset; the message names the stage."""

    code = "upstream_connection_error"
    blame = Blame.NONE


class UpstreamTruncated(UpstreamError):
    """The stream ended without its end marker."""

    code = "upstream_truncated"
    blame = Blame.NONE


class UpstreamTimeout(UpstreamError):
    status = 504
    code = "upstream_timeout"
    blame = Blame.NONE


class UpstreamAccessDenied(UpstreamError):
    """Refused for where we come from ("unusual activity")."""

    code = "upstream_access_denied"
    blame = Blame.EGRESS


class UpstreamChallenge(UpstreamError):
    """An interactive challenge stands in the way (Turnstile, Arkose, a browser check). Never solved here."""

    code = "upstream_challenge_required"
    blame = Blame.EGRESS


class ProofTooHard(UpstreamError):
    """The proof of work asked for is beyond POW_DIFFICULTY, or was not found in time."""

    code = "proof_of_work_too_hard"
    blame = Blame.EGRESS


class UpstreamLoginRequired(UpstreamError):
    """The upstream forces a login on this egress although a key was given; PROXY_URL is the cure."""

    code = "login_required"
    blame = Blame.EGRESS


class UpstreamAuthFailed(UpstreamError):
    """The account's credential was refused. For a direct token this becomes `Unauthorized`."""

    code = "upstream_account_auth_failed"
    blame = Blame.NEEDS_LOGIN


ACCOUNT_CLOSED = "upstream_account_closed"
"""The code of an `UpstreamAuthFailed` that no login mends; told to nobody but the operator."""


class UpstreamAuthUnclear(UpstreamAuthFailed):
    """A 401 that does not say that the credential is dead: it may come from something on the way."""

    blame = Blame.EGRESS


class UpstreamRenewalFailed(UpstreamError):
    """The account's access token has ended and could not be renewed now; the account was told already."""

    code = "upstream_account_auth_failed"
    blame = Blame.NONE


class UpstreamRateLimited(UpstreamError):
    """The account is out of quota; `per_model` when only for the model asked. `retry_after` (seconds) is
    None when the upstream gave no hint.
    """

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    blame = Blame.LIMITED

    def __init__(
        self, message: str, *, retry_after: float | None = None, per_model: bool = False
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.per_model = per_model


class ToolCallMissing(UpstreamError):
    """The model was told to call a tool and would not, also when it was told again."""

    code = "tool_call_missing"
    another_account_helps = False
    blame = Blame.NONE


class OutputInvalid(UpstreamError):
    """The model's answer is not the JSON that was asked for, also when it was asked again."""

    code = "invalid_json_output"
    another_account_helps = False
    blame = Blame.NONE


class ProviderUnavailable(UpstreamError):
    """A provider is switched off or has no way to serve the request."""

    status = 503
    code = "provider_unavailable"
    another_account_helps = False
    blame = Blame.NONE
