"""A turn on an OpenAI-compatible server: what it is asked, and what its answers come to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chat2api.chat.conversation import Conversation, Limits, Message, Text
from chat2api.chat.events import Event, Finish, TextDelta, Usage
from chat2api.errors import (
    Chat2ApiError,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamTimeout,
)
from chat2api.lifetime.call import Call
from chat2api.pool.values import Credential
from chat2api.providers.openai_compatible.provider import CompatibleOptions, CompatibleProvider
from chat2api.providers.protocol import Io, Model, RefreshRefused
from chat2api.secret import Secret

NOBODY = Credential("nobody", None)
JSON = "application/json"
CHAT = "POST /v1/chat/completions"
HELLO = Conversation("m", (Message("user", (Text("Hi"),)),))


def chunk(text: str | None = None, reason: str | None = None) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


USED = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


class Desk:
    """A provider before an upstream that plays a script."""

    def __init__(self, transport: Any, call: Call, compute: Any) -> None:
        self.transport = transport
        self.io = Io(transport, compute, call, Secret("http://proxy.test:1"))
        self.options: dict[str, Any] = {"api_key": Secret("sk-planted")}
        self.base_url = "https://models.test/v1"

    def provider(self) -> CompatibleProvider:
        return CompatibleProvider(
            CompatibleOptions("local", self.base_url, user_agent="chat2api/1", **self.options)
        )

    def turn(self, conversation: Conversation = HELLO) -> list[Event]:
        return list(self.provider().stream(conversation, NOBODY, self.io))

    def refused(self, conversation: Conversation = HELLO) -> Chat2ApiError:
        with pytest.raises(Chat2ApiError) as caught:
            self.turn(conversation)
        return caught.value

    def sent(self, index: int = -1) -> Any:
        return json.loads(self.transport.requests[index].body)


@pytest.fixture
def desk(stage: Any) -> Desk:
    return Desk(stage.upstream, stage.call, stage.compute)


def test_a_turn(desk: Desk, script: Any) -> None:
    body = script.events(chunk("Hel"), chunk("lo!"), chunk(None, "stop"), USED, "[DONE]")
    desk.transport.plays(CHAT, script.stream(body[:50], body[50:]))
    assert desk.turn() == [
        TextDelta("Hel"),
        TextDelta("lo!"),
        Usage(3, 2, estimated=False),
        Finish("stop"),
    ]
    (request,) = desk.transport.requests
    assert request.url == "https://models.test/v1/chat/completions"
    assert request.headers["Authorization"] == "Bearer sk-planted"
    assert request.proxy == Secret("http://proxy.test:1")
    assert not request.repeatable
    assert desk.sent()["messages"] == [{"role": "user", "content": "Hi"}]
    assert desk.transport.all_closed


def test_no_key_no_header(desk: Desk, script: Any) -> None:
    desk.options = {"api_key": None}
    desk.transport.plays(CHAT, script.stream(script.events(chunk("a", "stop"))))
    desk.turn()
    assert "Authorization" not in desk.transport.requests[0].headers


def test_a_whole_answer_instead_of_a_stream(desk: Desk, script: Any) -> None:
    message = {"role": "assistant", "content": "Hello!"}
    document = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    desk.transport.plays(CHAT, script.json(document))
    assert desk.turn() == [TextDelta("Hello!"), Finish("stop")]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda s: s.page("<html>"), "upstream_bad_response"),
        (lambda s: s.json([1]), "upstream_bad_response"),
        (lambda s: s.json({"error": {"message": "x", "code": 429}}), "rate_limit_exceeded"),
        (lambda s: s.stream(), "upstream_truncated"),
        (lambda s: s.stream(s.events(chunk("a"))), "upstream_truncated"),
        (lambda s: s.stream(b"data: " + b"x" * 2000), "upstream_bad_response"),
        (
            lambda s: s.stream(s.events(chunk("a")), UpstreamConnectionError("reset")),
            "upstream_connection_error",
        ),
        (lambda s: s.stream(s.events(chunk("a")), UpstreamTimeout("silent")), "upstream_timeout"),
        (lambda s: s.json({"detail": "x"}, 500), "upstream_bad_response"),
        (lambda s: s.json({"error": {"message": "no key"}}, 401), "upstream_account_auth_failed"),
    ],
)
def test_what_goes_wrong(desk: Desk, script: Any, make: Callable[[Any], Any], code: str) -> None:
    desk.options["event_limit_bytes"] = 1024
    desk.transport.plays(CHAT, make(script))
    assert desk.refused().code == code
    assert desk.transport.all_closed


WHOLE = {"choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    "make",
    [
        lambda s: s.stream(json.dumps(WHOLE).encode()),
        lambda s: s.stream(b" \n", b"\n", json.dumps(WHOLE, indent=1).encode()),
        lambda s: replace(s.stream(s.events(chunk("a", "stop"))), headers={"content-type": JSON}),
        lambda s: s.stream(s.events(chunk("a", "stop")).rstrip()),
        lambda s: replace(s.json(WHOLE), status=201),
    ],
)
def test_types_and_ends_are_not_believed(desk: Desk, script: Any, make: Any) -> None:
    desk.transport.plays(CHAT, make(script))
    assert desk.turn() == [TextDelta("a"), Finish("stop")]
    assert desk.transport.all_closed


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda s: s.stream(b" <html>"), "upstream_bad_response"),
        (lambda s: s.stream(b'{"error": {"message": "x", "code": 429}}'), "rate_limit_exceeded"),
    ],
)
def test_what_goes_wrong_under_a_streams_name(
    desk: Desk, script: Any, make: Any, code: str
) -> None:
    desk.transport.plays(CHAT, make(script))
    assert desk.refused().code == code


@pytest.mark.parametrize(
    "piece", [b"x" * 70_000, UpstreamTimeout("silent"), UpstreamConnectionError("reset")]
)
def test_a_refusals_status_counts_whatever_becomes_of_its_body(
    desk: Desk, script: Any, piece: Any
) -> None:
    desk.transport.plays(CHAT, replace(script.json({}, 429), pieces=(b"{", piece)))
    assert desk.refused().code == "rate_limit_exceeded"
    assert desk.transport.responses[0].hurried is not None


def test_slow_lists_are_given_up(desk: Desk, script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{CompatibleProvider.__module__}._MODELS_SECONDS_IN_ALL", -1.0)
    desk.transport.plays("GET /v1/models", script.json({"data": [{"id": "a"}]}))
    with pytest.raises(UpstreamTimeout):
        desk.provider().models(NOBODY, desk.io)
    assert desk.transport.all_closed


def test_figures_in_every_chunk_are_no_end(desk: Desk, script: Any) -> None:
    pieces = [script.events({**chunk(one, "stop"), "usage": USED["usage"]}) for one in "ab"]
    desk.transport.plays(CHAT, script.stream(*pieces))
    assert desk.turn()[:2] == [TextDelta("a"), TextDelta("b")]


def test_after_the_end_nobody_waits_long_for_figures(desk: Desk, script: Any) -> None:
    silence = UpstreamTimeout("silent")
    ended = script.events(chunk("a"), chunk(None, "stop"))
    desk.transport.plays(CHAT, script.stream(ended, silence))
    assert desk.turn() == [TextDelta("a"), Finish("stop")]
    assert desk.transport.responses[0].hurried is not None


def test_closing_the_turn_closes_the_upstream(desk: Desk, script: Any) -> None:
    desk.transport.plays(CHAT, script.stream(script.events(chunk("a")), script.events(chunk("b"))))
    turn = desk.provider().stream(HELLO, NOBODY, desk.io)
    assert next(turn) == TextDelta("a")
    turn.close()
    assert desk.transport.all_closed
    assert desk.transport.responses[0].taken == 1


# --- wordings


def test_a_server_that_does_not_know_stream_options_is_asked_without_from_then_on(
    desk: Desk, script: Any
) -> None:
    refusal = script.json({"detail": [{"loc": ["body", "stream_options"], "msg": "Extra"}]}, 422)
    good = script.stream(script.events(chunk("a", "stop")))
    desk.transport.plays(CHAT, refusal, good)
    provider = desk.provider()
    for _ in range(2):
        assert list(provider.stream(HELLO, NOBODY, desk.io)) == [TextDelta("a"), Finish("stop")]
    assert ["stream_options" in desk.sent(index) for index in range(3)] == [True, False, False]


def test_a_model_that_wants_the_new_name_of_the_limit(desk: Desk, script: Any) -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    refusal = script.json({"error": {"message": message, "param": "max_tokens"}}, 400)
    desk.transport.plays(CHAT, refusal, script.stream(script.events(chunk("a", "stop"))))
    desk.turn(Conversation("m", HELLO.messages, Limits(5)))
    assert (desk.sent(0)["max_tokens"], desk.sent(1)["max_completion_tokens"]) == (5, 5)


def test_a_server_may_want_both_otherwise(desk: Desk, script: Any) -> None:
    options = script.json({"error": {"message": "Unknown field: stream_options"}}, 400)
    limit = script.json({"error": {"message": "Use 'max_completion_tokens'."}}, 400)
    desk.transport.plays(
        CHAT, options, limit, script.stream(script.events(chunk("a", "stop"))), limit, limit
    )
    asked = Conversation("m", HELLO.messages, Limits(5))
    provider = desk.provider()
    assert list(provider.stream(asked, NOBODY, desk.io)) == [TextDelta("a"), Finish("stop")]
    with pytest.raises(Chat2ApiError):
        list(provider.stream(asked, NOBODY, desk.io))
    names = [sorted({"stream_options", "max_tokens"} & set(desk.sent(at))) for at in range(5)]
    assert names == [["max_tokens", "stream_options"], ["max_tokens"], [], ["max_tokens"], []]


def test_the_official_api_gets_it_at_once(desk: Desk, script: Any) -> None:
    desk.base_url = "https://api.openai.com/v1"
    desk.transport.plays(CHAT, script.stream(script.events(chunk("a", "stop"))))
    desk.turn(Conversation("m", HELLO.messages, Limits(5)))
    assert desk.sent()["max_completion_tokens"] == 5


def test_other_refusals_are_not_tried_again(desk: Desk, script: Any) -> None:
    desk.transport.plays(CHAT, script.json({"error": {"message": "no", "param": "stop"}}, 400))
    assert (desk.refused().param, len(desk.transport.requests)) == ("stop", 1)


# --- besides turns


@pytest.mark.parametrize(
    ("model", "effort", "slow"),
    [
        ("gpt-4o", None, False),
        ("gpt-4o", "high", True),
        ("gpt-4o", "minimal", False),
        ("o3-mini", None, True),
        ("deepseek-r1:7b", None, True),
        ("deepseek-reasoner", None, True),
        ("vendor/qwen3-thinking", None, True),
        ("protein-9", None, False),
    ],
)
def test_which_models_are_slow(desk: Desk, model: str, effort: str | None, slow: bool) -> None:
    conversation = Conversation(model, (), reasoning_effort=effort)
    assert desk.provider().is_slow(conversation) is slow
    assert desk.provider().limit_key(conversation) == model


def test_models(desk: Desk, script: Any) -> None:
    desk.transport.plays("GET /v1/models", script.json({"data": [{"id": "a", "created": 5}]}))
    assert desk.provider().models(NOBODY, desk.io) == [Model("a", "local", 5)]
    desk.provider().check(NOBODY, desk.io)


@pytest.mark.parametrize(
    "make", [lambda s: s.json({}), lambda s: s.page("x"), lambda s: s.json({}, 401)]
)
def test_no_models(desk: Desk, script: Any, make: Callable[[Any], Any]) -> None:
    desk.transport.plays("GET /v1/models", make(script))
    with pytest.raises(Chat2ApiError):
        desk.provider().models(NOBODY, desk.io)


def test_there_is_nothing_to_refresh(desk: Desk) -> None:
    nothing: Any = None
    with pytest.raises(RefreshRefused):
        desk.provider().refresh(nothing, desk.io)


def test_what_is_passed_through(desk: Desk, script: Any) -> None:
    desk.transport.plays("POST /v1/images/generations", script.json({"data": []}))
    response = desk.provider().forward("/images/generations", b"{}", "application/json", desk.io)
    assert b"".join(response.chunks()) == b'{"data": []}'
    (request,) = desk.transport.requests
    assert (request.body, request.headers["Content-Type"]) == (b"{}", "application/json")


def test_no_page_is_passed_through(desk: Desk, script: Any) -> None:
    desk.transport.plays("POST /v1/audio/speech", script.page("<script>"))
    with pytest.raises(UpstreamBadResponse):
        desk.provider().forward("/audio/speech", b"{}", "application/json", desk.io)
    assert desk.transport.all_closed


def test_a_refusal_of_what_is_passed_through(desk: Desk, script: Any) -> None:
    desk.transport.plays("POST /v1/audio/speech", script.json({}, 401))
    with pytest.raises(UpstreamAuthFailed):
        desk.provider().forward("/audio/speech", b"{}", "application/json", desk.io)
