"""Why a request went as it went: one verdict out of a closed list. Pure.

What is said, whose side it was on, what to do next, and when it ends; all of it as names, which
`web.verdicts` puts into words. Keyed by the codes of `errors`; a code that is not known here is judged
by its status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chat2api.errors import ACCOUNT_CLOSED, ProofTooHard, UpstreamAccessDenied, UpstreamChallenge
from chat2api.store.request_records import RequestRecord
from chat2api.store.traces import AttemptRecord

Side = Literal["nobody", "client", "account", "network", "upstream", "server"]
"""Whose fault it was; "client" is the person or the program that sent the request."""

Step = Literal[
    "none",
    "client",  # change the request
    "shorten",
    "restart",  # a new conversation
    "key",  # another key
    "rights",  # a wider key
    "models",  # another model
    "patience",  # a client that waits longer
    "wait",
    "retry",
    "accounts",  # look at them
    "add",  # more of them, or logins
    "login",
    "proxy",
    "settings",
    "log",
]
"""What to do next."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`said` names a sentence. `retry_at` is when it may be tried again, `until` when the limit of the first
    account ends that it met at `limited_at` (all epoch seconds, None where nobody knows). `tries` is how
    many attempts there were."""

    said: str
    side: Side
    step: Step
    retry_at: float | None = None
    until: float | None = None
    tries: int = 0
    limited_at: float | None = None


_Entry = tuple[str, Side, Step]

_RESTING = frozenset({UpstreamAccessDenied.code, UpstreamChallenge.code, ProofTooHard.code})

_BY_CODE: Mapping[str, _Entry] = {
    # the request
    "invalid_value": ("malformed", "client", "client"),
    "invalid_json": ("malformed", "client", "client"),
    "json_too_deep": ("malformed", "client", "client"),
    "missing_required_parameter": ("malformed", "client", "client"),
    "tool_call_not_found": ("malformed", "client", "client"),
    "unsupported_value": ("unsupported", "client", "client"),
    "context_length_exceeded": ("too_long", "client", "shorten"),
    "content_policy_violation": ("policy", "client", "client"),
    "request_too_large": ("too_large", "client", "client"),
    "request_timeout": ("slow_body", "network", "retry"),
    "model_not_found": ("unknown_model", "client", "models"),
    "conversation_not_found": ("lost_conversation", "client", "restart"),
    "previous_response_not_found": ("lost_conversation", "client", "restart"),
    "item_not_found": ("lost_conversation", "client", "restart"),
    "invalid_encrypted_content": ("malformed", "client", "client"),
    "not_found": ("unknown_path", "client", "client"),
    "method_not_allowed": ("unknown_path", "client", "client"),
    "forbidden_path": ("unknown_path", "client", "client"),
    "uri_too_long": ("unknown_path", "client", "client"),
    "unsupported_media_type": ("unknown_path", "client", "client"),
    "csrf_failed": ("refused", "client", "client"),
    "version_conflict": ("refused", "client", "client"),
    "response_in_progress": ("refused", "client", "client"),
    "client_closed_request": ("gone", "nobody", "patience"),
    "client_gone": ("gone", "nobody", "patience"),
    # the key
    "invalid_api_key": ("bad_key", "client", "key"),
    "key_scope": ("scope", "client", "rights"),
    "model_not_allowed": ("model_refused", "client", "rights"),
    "rate_limit_exceeded": ("key_minute", "client", "wait"),
    "insufficient_quota": ("key_tokens", "client", "rights"),
    "too_many_login_attempts": ("guesses", "client", "wait"),
    "admin_closed": ("closed", "server", "settings"),
    # the pool and this server
    "account_pool_exhausted": ("all_resting", "account", "accounts"),
    "no_account_available": ("no_account", "account", "add"),
    "server_overloaded": ("queue", "server", "add"),
    "storage_unavailable": ("storage", "server", "log"),
    "no_config_file": ("closed", "server", "settings"),
    "server_shutting_down": ("stopping", "server", "retry"),
    "internal_error": ("internal", "server", "log"),
    # the upstream
    "upstream_bad_response": ("nonsense", "upstream", "retry"),
    "upstream_connection_error": ("unreachable", "network", "proxy"),
    "upstream_truncated": ("cut", "upstream", "retry"),
    "upstream_timeout": ("timeout", "upstream", "retry"),
    "upstream_access_denied": ("distrusted", "network", "proxy"),
    "upstream_challenge_required": ("challenge", "network", "proxy"),
    "proof_of_work_too_hard": ("proof", "network", "proxy"),
    "login_required": ("egress_login", "network", "proxy"),
    "upstream_account_auth_failed": ("login", "account", "login"),
    ACCOUNT_CLOSED: ("closed_account", "account", "add"),
    "provider_unavailable": ("no_way", "server", "settings"),
    "tool_call_missing": ("no_call", "upstream", "retry"),
    "invalid_json_output": ("no_json", "upstream", "retry"),
}
_UPSTREAM_LIMIT: _Entry = ("limit", "account", "wait")
_KEYLESS_LOGIN: _Entry = ("keyless_login", "client", "key")
_BY_CODE_OF_ENTRY: Mapping[str, _Entry] = {
    "upstream_account_auth_failed": ("entry_key", "server", "settings"),
    "upstream_access_denied": ("entry_denied", "server", "settings"),
    "upstream_connection_error": ("unreachable", "network", "settings"),
    "rate_limit_exceeded": ("entry_limit", "upstream", "wait"),
}
"""Of an upstream that is configured, and has no accounts."""

SAID: frozenset[str] = frozenset(said for said, _, _ in _BY_CODE.values()) | {
    "limit",
    "keyless_login",
    "entry_key",
    "entry_denied",
    "entry_limit",
    "same_upstream",
    "second_upstream",
    "other_client",
    "other_server",
    "worked",
    "same_account",
    "some_failed",
    "later",
    "second",
    "second_limited",
    "second_limited_until",
    "second_login",
    "second_unreachable",
    "second_timeout",
}
"""Every sentence there is."""

_AFTER_FIRST: Mapping[str, str] = {
    "limit": "second_limited",
    "login": "second_login",
    "unreachable": "second_unreachable",
    "timeout": "second_timeout",
}


def explain(record: RequestRecord) -> Verdict:
    if not record.failed:
        return _of_success(record)
    return _of_failure(record)


def explain_attempt(attempt: AttemptRecord) -> Verdict:
    """What one try met; its codes are the upstream's."""
    if not attempt.code:
        return Verdict("worked", "nobody", "none")
    return Verdict(*_met(attempt))


def limit_ends(record: RequestRecord, attempt: AttemptRecord) -> float | None:
    """When what refused this try ends, in epoch seconds, as far as the upstream said."""
    if not attempt.code or attempt.retry_after is None:
        return None
    return record.at + attempt.began + attempt.seconds + attempt.retry_after


def rest_ends(record: RequestRecord, attempt: AttemptRecord, rest_seconds: float) -> float | None:
    """When the account comes back that this try had put to rest for where it came from."""
    if attempt.route != "pool" or attempt.code not in _RESTING:
        return None
    return record.at + attempt.began + attempt.seconds + rest_seconds


def _of_success(record: RequestRecord) -> Verdict:
    tries = max(record.attempts, len(record.trace.attempts))
    if record.code:  # no failure, yet no answer that was heard to its end
        return Verdict(*_entry(record.code, record.status, from_upstream=False), tries=tries)
    first = next(iter(record.trace.attempts), None)
    if tries <= 1 or first is None or not first.code:
        return Verdict("worked", "nobody", "none", tries=tries)
    last = record.trace.attempts[-1]
    if sum(not one.code for one in record.trace.attempts) > 1:  # several answers at once
        return Verdict("some_failed", "nobody", "none", tries=tries)
    if last.route == "entry":
        same = all(one.provider == last.provider for one in record.trace.attempts)
        said = "same_upstream" if same else "second_upstream"
        return Verdict("later" if tries > 2 and same else said, "nobody", "none", tries=tries)
    if all(one.account_id == last.account_id for one in record.trace.attempts):
        return Verdict("same_account", "nobody", "none", tries=tries)
    if tries > 2:
        return Verdict("later", "nobody", "none", tries=tries)
    said = _AFTER_FIRST.get(explain_attempt(first).said, "second")
    until = limit_ends(record, first)
    if said == "second_limited" and until is not None:
        said = "second_limited_until"
    met = record.at + first.began + first.seconds
    return Verdict(said, "nobody", "none", until=until, tries=tries, limited_at=met)


def _of_failure(record: RequestRecord) -> Verdict:
    attempts = record.trace.attempts
    # The same code from the upstream means an account's limit, from before it the caller's.
    from_upstream = bool(attempts) and attempts[-1].code == record.code
    if from_upstream:
        said, side, step = _met(attempts[-1])
    else:
        said, side, step = _entry(record.code, record.status, from_upstream=False)
    after = record.trace.retry_after
    retry_at = None if after is None else record.at + record.seconds + after
    return Verdict(said, side, step, retry_at, tries=max(record.attempts, len(attempts)))


def _met(attempt: AttemptRecord) -> _Entry:
    if attempt.route == "entry" and attempt.code in _BY_CODE_OF_ENTRY:
        return _BY_CODE_OF_ENTRY[attempt.code]
    return _entry(attempt.code, attempt.status, from_upstream=True)


def _entry(code: str, status: int, *, from_upstream: bool) -> _Entry:
    if code == "rate_limit_exceeded" and from_upstream:
        return _UPSTREAM_LIMIT
    if code == "login_required" and status == 401:
        return _KEYLESS_LOGIN
    found = _BY_CODE.get(code)
    if found is not None:
        return found
    if 400 <= status < 500:
        return ("other_client", "client", "client")
    return ("other_server", "server", "log")
