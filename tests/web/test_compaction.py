"""POST /v1/responses/compact: the summary is asked for, sealed, and goes on in later requests."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.conversation import Message, Text
from chat2api.chat.events import Finish, TextDelta
from chat2api.errors import UpstreamTruncated

HELLO = [TextDelta("Hel"), TextDelta("lo!"), Finish("stop")]
PATH = "/v1/responses/compact"


def ask(site: Any, text: Any, **body: Any) -> Any:
    return site.send("POST", "/v1/responses", json={"model": "gpt-5", "input": text, **body})


def asked(site: Any) -> list[tuple[str, str]]:
    """The messages of the last turn."""
    return [(message.role, message.text) for message in site.provider.turns[-1][0].messages]


def test_a_compacted_conversation(site: Any) -> None:
    site.plays(HELLO, [TextDelta(" The summary. "), Finish("stop")], HELLO)
    first = ask(site, [{"role": "developer", "content": "Rules."}]).get_json()["id"]
    body = {"model": "gpt-5", "input": "And now?", "previous_response_id": first}
    body |= {
        "tools": [{"type": "function", "name": "f"}],
        "text": {"format": {"type": "json_object"}},
    }
    answer = site.send("POST", PATH, json=body)
    document = answer.get_json()
    assert list(document) == ["id", "object", "created_at", "output", "usage"]
    assert document["object"] == "response.compaction"
    roles = [item.get("role") for item in document["output"]]
    assert roles == ["developer", "user", None]
    conversation = site.provider.turns[-1][0]
    assert (conversation.tools, conversation.output, conversation.keep_history) == ((), None, False)
    *said, prompt = conversation.messages
    assert [message.text for message in said] == ["Rules.", "Hello!", "And now?"]
    assert prompt == Message("user", prompt.parts)
    assert isinstance(prompt.parts[0], Text)
    assert site.send("GET", f"/v1/responses/{document['id']}").status_code == 404
    ask(site, [*document["output"], {"role": "user", "content": "Go on"}])
    told = asked(site)
    assert told[-1] == ("user", "Go on")
    assert told[-2][0] == "assistant"
    assert told[-2][1].endswith("\n\nThe summary.")


@pytest.mark.parametrize("text", ["", "  \n"])
def test_no_summary_is_no_answer(site: Any, text: str) -> None:
    site.plays([TextDelta(text), Finish("stop")])
    answer = site.send("POST", PATH, json={"model": "gpt-5", "input": "Hello"})
    assert answer.status_code == 502


def test_a_second_summary_takes_the_place_of_the_first(site: Any) -> None:
    site.plays(*([TextDelta(f"summary {number}"), Finish("stop")] for number in (1, 2)), HELLO)
    body = {"model": "gpt-5", "input": [{"role": "user", "content": "Hello"}]}
    first = site.send("POST", PATH, json=body).get_json()["output"]
    second = site.send("POST", PATH, json={**body, "input": first}).get_json()["output"]
    assert "summary 1" in asked(site)[1][1]
    assert [item["type"] for item in second] == ["message", "compaction"]
    ask(site, second)
    assert "summary 2" in asked(site)[-1][1]


def test_a_model_has_to_be_named(site: Any) -> None:
    error = site.send("POST", PATH, json={"input": "Hello"}).get_json()["error"]
    assert (error["code"], error["param"]) == ("missing_required_parameter", "model")


def test_a_failure_is_told(site: Any) -> None:
    site.plays([TextDelta("half"), UpstreamTruncated("Cut.")])
    answer = site.send("POST", PATH, json={"model": "gpt-5", "input": "Hello"})
    assert answer.status_code == 502
    assert answer.get_json()["error"]["code"] == "upstream_truncated"


def test_a_summary_is_not_streamed(site: Any) -> None:
    answer = site.send("POST", PATH, json={"model": "gpt-5", "input": "Hello", "stream": True})
    assert (answer.status_code, answer.get_json()["error"]["param"]) == (400, "stream")
