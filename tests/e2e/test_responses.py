"""The Responses API by the official SDK, against a real server: asking, continuing, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
import requests
from pydantic import BaseModel

from .processes import KEY, Server, Simulator

OTHER = "sk-another-key-of-the-suite"


@pytest.fixture(scope="module")
def own_server(start_server: Callable[..., Server]) -> Server:
    """Two workers, so that what one keeps the other has to find."""
    return start_server(AUTHORIZATION=f"{KEY},{OTHER}", RETRY_TIMES="0", WORKERS="2")


@pytest.fixture
def client(own_server: Server, upstream: Simulator, sdk: Any) -> openai.OpenAI:
    made: openai.OpenAI = sdk(own_server)
    return made


def ask(client: openai.OpenAI, text: Any = "/sim text", **more: Any) -> Any:
    return client.responses.create(model="gpt-5", input=text, **more)


# --- asking


def test_a_whole_answer(client: openai.OpenAI) -> None:
    response = ask(client, metadata={"a": "b"}, instructions="Be brief.")
    assert response.status == "completed"
    assert response.output_text
    assert response.usage.total_tokens > 0
    assert (response.metadata, response.instructions) == ({"a": "b"}, "Be brief.")


def test_a_streamed_answer(client: openai.OpenAI) -> None:
    events = list(ask(client, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == said != ""


def test_the_stream_helper(client: openai.OpenAI) -> None:
    with client.responses.stream(model="gpt-5", input="/sim text") as stream:
        said = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == said


def test_each_event_is_a_write_of_its_own(own_server: Server, upstream: Simulator) -> None:
    body = {"model": "gpt-5", "input": "/sim text words=30", "stream": True}
    headers = {"Authorization": f"Bearer {KEY}"}
    url = f"{own_server.base_url}/responses"
    with requests.post(url, json=body, headers=headers, stream=True, timeout=20) as answer:
        pieces = list(answer.raw.read_chunked())
    assert len(pieces) > 8
    assert all(piece.endswith(b"\n\n") and piece.count(b"\n\n") == 1 for piece in pieces)


class City(BaseModel):
    name: str


def test_parsed_answers(client: openai.OpenAI) -> None:
    text = '/sim agent\njson {"name": "Oslo"}'
    response = client.responses.parse(model="gpt-5", input=text, text_format=City)
    assert response.output_parsed == City(name="Oslo")


WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Current weather for a place",
    "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    "strict": False,
}


@pytest.mark.parametrize("stream", [False, True])
def test_a_tools_round_trip(client: openai.OpenAI, stream: bool) -> None:
    text = '/sim agent\ncall get_weather {"location": "Oslo"}\n---\nsay It is {result}.'
    first = ask(client, text, tools=[WEATHER], stream=stream)
    if stream:
        first = list(first)[-1].response
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"location": "Oslo"})
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "12 degrees"}
    second = ask(client, [result], tools=[WEATHER], previous_response_id=first.id)
    assert second.output_text == "It is 12 degrees."
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, [result], tools=[WEATHER])
    assert refused.value.code == "tool_call_not_found"


# --- going on


def test_a_conversation_goes_on(client: openai.OpenAI, turns: Callable[[], list[Any]]) -> None:
    first = ask(client, "/sim text the word is cobalt")
    second = ask(client, "/sim text and", previous_response_id=first.id)
    third = ask(client, "/sim text which word", previous_response_id=second.id, stream=True)
    assert list(third)[-1].response.previous_response_id == second.id
    seen = json.dumps(turns()[-1])
    assert "cobalt" in seen
    assert first.output_text[:20] in seen


def test_instructions_are_not_carried_over(
    client: openai.OpenAI, turns: Callable[[], list[Any]]
) -> None:
    first = ask(client, instructions="Speak like a pirate.")
    ask(client, previous_response_id=first.id)
    assert "pirate" not in json.dumps(turns()[-1])


def test_single_items_are_referred_to(
    client: openai.OpenAI, turns: Callable[[], list[Any]]
) -> None:
    first = ask(client)
    asked = {"role": "user", "content": "/sim text more"}
    ask(client, [{"type": "item_reference", "id": first.output[0].id}, asked])
    assert first.output_text[:20] in json.dumps(turns()[-1])
    with pytest.raises(openai.NotFoundError):
        ask(client, [{"type": "item_reference", "id": "msg_unknown"}, asked])


@pytest.mark.parametrize("previous", ["resp_unknown", "no id", "x" * 300, "\x00"])
def test_what_is_not_there_cannot_be_continued(client: openai.OpenAI, previous: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, previous_response_id=previous)
    assert refused.value.param == "previous_response_id"


def test_what_is_not_stored_is_not_there(client: openai.OpenAI) -> None:
    response = ask(client, store=False)
    assert response.store is False
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, previous_response_id=response.id)
    assert refused.value.code == "previous_response_not_found"


# --- what is kept


def test_it_is_there_the_moment_the_answer_ends(client: openai.OpenAI) -> None:
    for number in range(6):  # by either worker
        response = ask(client, stream=bool(number % 2))
        done = list(response)[-1].response if number % 2 else response
        again = client.responses.retrieve(done.id, include=["reasoning.encrypted_content"])
        assert again.model_dump() == done.model_dump()


def test_deleted(client: openai.OpenAI, own_server: Server) -> None:
    response = ask(client)
    url = f"{own_server.base_url}/responses/{response.id}"
    answer = requests.delete(url, headers={"Authorization": f"Bearer {KEY}"}, timeout=5)
    assert answer.json() == {"id": response.id, "object": "response", "deleted": True}
    with pytest.raises(openai.NotFoundError) as gone:
        client.responses.retrieve(response.id)
    assert gone.value.body == {
        "message": f"Response with id '{response.id}' not found.",
        "type": "invalid_request_error",
        "param": None,
        "code": "not_found",
    }
    with pytest.raises(openai.NotFoundError):
        client.responses.delete(response.id)


def test_input_items_in_pages(client: openai.OpenAI) -> None:
    texts = [f"/sim text {number}" for number in range(5)]
    response = ask(client, [{"role": "user", "content": text} for text in texts])

    def listed(**more: Any) -> list[str]:
        items: Any = client.responses.input_items.list(response.id, **more)
        return [item.content[0].text for item in items]

    assert listed() == texts[::-1]
    assert listed(order="asc", limit=2) == texts  # the SDK turns the pages
    page = client.responses.input_items.list(response.id, order="asc", limit=2)
    assert (len(page.data), page.has_more) == (2, True)
    after = page.data[-1].id
    assert listed(order="asc", after=after) == texts[2:]


@pytest.mark.parametrize("given", [{"limit": 0}, {"limit": 101}, {"order": "up"}, {"after": "x"}])
def test_pages_that_cannot_be(client: openai.OpenAI, given: Any) -> None:
    response = ask(client)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.input_items.list(response.id, **given)
    assert refused.value.param == next(iter(given))


def test_other_keys_see_nothing(client: openai.OpenAI, own_server: Server, sdk: Any) -> None:
    response = ask(client)
    other = sdk(own_server, OTHER)
    for look in (other.responses.retrieve, other.responses.delete, other.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            look(response.id)
    with pytest.raises(openai.NotFoundError):
        other.responses.input_items.list(response.id)
    with pytest.raises(openai.BadRequestError) as refused:
        ask(other, previous_response_id=response.id)
    assert refused.value.code == "previous_response_not_found"
    reference = [{"type": "item_reference", "id": response.output[0].id}]
    with pytest.raises(openai.NotFoundError):
        ask(other, reference)
    assert client.responses.retrieve(response.id).id == response.id


def test_what_runs_in_the_background_only(client: openai.OpenAI) -> None:
    response = ask(client)
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(response.id)
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(response.id, stream=True)
    with pytest.raises(openai.BadRequestError):
        ask(client, background=True)


# --- counting and compacting


def test_tokens_are_counted_without_asking(
    client: openai.OpenAI, turns: Callable[[], list[Any]]
) -> None:
    few = client.responses.input_tokens.count(model="gpt-5", input="Hello")
    many = client.responses.input_tokens.count(model="gpt-5", input="Hello " * 500)
    assert (few.object, turns()) == ("response.input_tokens", [])
    assert 0 < few.input_tokens < 500 <= many.input_tokens


def test_a_compacted_conversation_goes_on(
    client: openai.OpenAI, turns: Callable[[], list[Any]]
) -> None:
    said = [
        {"role": "user", "content": "/sim text We launch on Tuesday."},
        {"role": "assistant", "content": "Understood: Tuesday, and support is told first."},
    ]
    compacted = client.responses.compact(model="gpt-5", input=said)  # type: ignore[arg-type]
    assert compacted.object == "response.compaction"
    assert [item.type for item in compacted.output] == ["message", "compaction"]
    assert compacted.usage.total_tokens > 0
    assert "support is told first" in json.dumps(turns()[-1])
    # The SDK reads every message as the model's own.
    items = [item.model_dump(exclude_none=True, warnings=False) for item in compacted.output]
    response = ask(client, [*items, {"role": "user", "content": "/sim text When do we launch?"}])
    assert response.status == "completed"
    seen = json.dumps(turns()[-1])
    assert "We launch on Tuesday." in seen
    assert "Summary of the conversation so far" in seen
    again = ask(client, "/sim text and then", previous_response_id=response.id)
    assert again.status == "completed"


def test_a_summary_of_another_server_is_refused(client: openai.OpenAI) -> None:
    foreign = {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAAABforeign"}
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, [foreign, {"role": "user", "content": "/sim text"}])
    assert refused.value.code == "invalid_encrypted_content"


def test_a_model_has_to_be_named(own_server: Server) -> None:
    url = f"{own_server.base_url}/responses/compact"
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = requests.post(url, json={"input": "Hello"}, headers=headers, timeout=5)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")


def test_nothing_secret_is_logged(
    own_server: Server, keeps_secrets: Callable[[Server], None]
) -> None:
    keeps_secrets(own_server)
