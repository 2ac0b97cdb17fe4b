"""Whether a key may have this turn, and what the answer tells of its limits."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, after_this_request

from chat2api.chat.conversation import Conversation
from chat2api.errors import LimitReached
from chat2api.service.access import Principal, check_model
from chat2api.service.key_limits import Admission, estimate_of
from chat2api.web.state import runtime


def admit(caller: Principal, conversation: Conversation, choices: int = 1) -> Admission:
    """Settle or release what comes back. Raises ModelNotAllowed, RateLimited, InsufficientQuota,
    StorageUnavailable.

    The answer, also a refusal, gets the `x-ratelimit-*` headers of the limits there are.
    """
    check_model(caller, conversation.model)
    try:
        admission = runtime().limits.admit(caller, lambda: estimate_of(conversation, choices))
    except LimitReached as reached:
        _send_along(reached.headers)
        raise
    _send_along(admission.headers())
    return admission


def _send_along(headers: Mapping[str, str]) -> None:
    @after_this_request
    def send(response: Response) -> Response:
        response.headers.update(headers)
        return response
