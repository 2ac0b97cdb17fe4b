"""One real request for the operator: the way every request goes, told without the account."""

from __future__ import annotations

import json
from typing import Any

from chat2api.chat.events import Finish, TextDelta
from chat2api.errors import UpstreamRateLimited
from chat2api.service.access import PoolKey
from chat2api.web.desk.trial import PROMPT, streamed, tried, trying


def test_it_tells_status_time_and_text(site: Any) -> None:
    with site.app.test_request_context("/"):
        site.app.preprocess_request()
        trial = tried(PoolKey("desk"), "auto")
    assert (trial.worked, trial.status, trial.code, trial.text) == (True, 200, "", "Hello!")
    assert 0 <= (trial.first_seconds or 0) <= trial.seconds
    assert trial.tokens
    assert trial.request_id
    [(conversation, _, _)] = site.provider.turns
    assert (conversation.messages[0].text, conversation.keep_history) == (PROMPT, False)
    assert site.is_idle()


def test_a_failure_is_told_as_clients_get_it(site: Any) -> None:
    site.plays([TextDelta("Hel"), UpstreamRateLimited("Too many.", retry_after=3)])
    with site.app.test_request_context("/"):
        site.app.preprocess_request()
        trial = tried(PoolKey("desk"), "auto")
    assert (trial.worked, trial.text) == (False, "Hel")
    assert trial.status >= 400
    assert trial.message
    assert "fk-token" not in json.dumps(trial.as_json())
    assert site.is_idle()


def test_long_answers_are_cut(site: Any) -> None:
    site.plays([*[TextDelta("x" * 900)] * 5, Finish("stop")])
    with site.app.test_request_context("/"):
        site.app.preprocess_request()
        assert len(tried(PoolKey("desk"), "auto").text) <= 2_000


def test_piece_by_piece(site: Any) -> None:
    with site.app.test_request_context("/"):
        site.app.preprocess_request()
        response = streamed(trying(PoolKey("desk"), "auto"))
    lines = [json.loads(line) for line in response.get_data().splitlines()]
    assert [line["text"] for line in lines[:-1]] == ["Hel", "lo!"]
    assert lines[-1]["trial"]["text"] == "Hello!"
    assert site.is_idle()


def test_who_goes_away_ends_it(site: Any) -> None:
    with site.app.test_request_context("/"):
        site.app.preprocess_request()
        running = trying(PoolKey("desk"), "auto")
    assert next(running) == "Hel"
    running.close()
    assert site.is_idle()
