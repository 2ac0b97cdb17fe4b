"""The Responses API from body to bytes, over a provider that plays a script."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from chat2api.chat.events import Finish, TextDelta
from chat2api.errors import StorageUnavailable, UpstreamTruncated

HELLO = [TextDelta("Hel"), TextDelta("lo!"), Finish("stop")]
CUT = UpstreamTruncated("The upstream's stream ended before the answer did.")
PATH = "/v1/responses"


def settled(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 3
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture(autouse=True)
def nothing_is_left(site: Any) -> Any:
    yield
    settled(site.is_idle)


def ask(site: Any, text: Any = "Say hi", **body: Any) -> Any:
    given = {name: body.pop(name) for name in ("key",) if name in body}
    return site.send("POST", PATH, json={"model": "gpt-5", "input": text, **body}, **given)


def asked(site: Any) -> list[tuple[str, str]]:
    """The messages of the last turn."""
    return [(message.role, message.text) for message in site.provider.turns[-1][0].messages]


# --- asking


def test_a_whole_answer_is_kept(site: Any) -> None:
    answer = ask(site, metadata={"a": "b"})
    assert answer.status_code == 200
    document = answer.get_json()
    assert (document["object"], document["status"]) == ("response", "completed")
    assert site.send("GET", f"{PATH}/{document['id']}").get_json() == document


def test_a_streamed_answer_is_kept_before_its_last_event_leaves(site: Any) -> None:
    """Whoever reads the end may ask for it, of any worker."""
    answer = ask(site, stream=True)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    for piece in answer.response:
        assert piece.count(b"\n\n") == 1
        if b"event: response.completed" in piece:
            response_id = piece.partition(b'"id":"')[2].partition(b'"')[0].decode()
            kept = site.send("GET", f"{PATH}/{response_id}")
            assert kept.get_json()["status"] == "completed"
            break
    else:
        pytest.fail("no end")
    assert list(answer.response) == []


def test_a_conversation_goes_on(site: Any) -> None:
    first = ask(site, instructions="Be kind.").get_json()["id"]
    assert asked(site) == [("system", "Be kind."), ("user", "Say hi")]
    second = ask(site, "More", previous_response_id=first)
    assert second.get_json()["previous_response_id"] == first
    assert asked(site) == [("user", "Say hi"), ("assistant", "Hello!"), ("user", "More")]


def test_a_failed_answer_is_not_kept(site: Any) -> None:
    site.plays([CUT])
    assert ask(site).status_code == 502
    site.plays([TextDelta("Hel"), CUT])
    body = ask(site, stream=True).get_data(as_text=True)
    assert "event: response.failed" in body
    response_id = body.partition('"id":"')[2].partition('"')[0]
    assert site.send("GET", f"{PATH}/{response_id}").status_code == 404


def test_the_answer_goes_out_also_where_it_cannot_be_kept(site: Any, outage: Any) -> None:
    site.runtime  # noqa: B018 - made while the database is there
    outage.is_away = True
    answer = ask(site)
    outage.is_away = False
    assert answer.status_code == 200
    (refused,) = [ask(site, previous_response_id=answer.get_json()["id"])]
    assert refused.get_json()["error"]["code"] == "previous_response_not_found"


def test_keyless_callers_have_nothing_kept(site: Any) -> None:
    site.given["allow_anonymous"] = True
    document = ask(site, key=None).get_json()
    assert document["store"] is False
    assert site.send("GET", f"{PATH}/{document['id']}", key=None).status_code == 404
    refused = ask(site, key=None, previous_response_id=document["id"])
    assert refused.get_json()["error"]["code"] == "previous_response_not_found"


def test_a_key_without_the_right_sees_nothing(site: Any) -> None:
    _, secret = site.keys.create("Bob", scopes=["chat", "messages", "models"])
    key = secret.reveal()
    paths = [("POST", PATH), ("GET", f"{PATH}/resp_1"), ("DELETE", f"{PATH}/resp_1")]
    paths += [("POST", f"{PATH}/compact"), ("POST", f"{PATH}/input_tokens")]
    for method, path in paths:
        answer = site.send(method, path, key=key, json={"input": "x"})
        assert answer.get_json()["error"]["code"] == "key_scope", path


def test_a_key_for_this_alone(site: Any) -> None:
    _, secret = site.keys.create("Bob", scopes=["responses"])
    key = secret.reveal()
    one = ask(site, key=key).get_json()["id"]
    counted = site.send("POST", f"{PATH}/input_tokens", key=key, json={"input": "x"})
    assert counted.status_code == 200
    assert site.send("GET", f"{PATH}/{one}", key=key).status_code == 200
    assert site.send("DELETE", f"{PATH}/{one}", key=key).status_code == 200


# --- what is kept


def test_an_unknown_one(site: Any) -> None:
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel"),
    ):  # fmt: skip
        answer = site.send(method, f"{PATH}/resp_x{path}")
        assert answer.status_code == 404
        assert answer.get_json()["error"] == {
            "message": "Response with id 'resp_x' not found.",
            "type": "invalid_request_error",
            "param": None,
            "code": "not_found",
        }


def test_the_database_is_away(site: Any, outage: Any) -> None:
    response_id = ask(site).get_json()["id"]
    outage.is_away = True
    for answer in (
        site.send("GET", f"{PATH}/{response_id}"),
        site.send("DELETE", f"{PATH}/{response_id}"),
        ask(site, previous_response_id=response_id),
    ):
        assert answer.status_code == 503
        assert answer.get_json()["error"]["code"] == StorageUnavailable.code


def test_pages_of_items(site: Any) -> None:
    texts = [{"role": "user", "content": str(number)} for number in range(30)]
    response_id = ask(site, texts).get_json()["id"]

    def page(query: str) -> Any:
        return site.send("GET", f"{PATH}/{response_id}/input_items?{query}").get_json()

    def told(found: Any) -> list[int]:
        return [int(item["content"][0]["text"]) for item in found["data"]]

    first = page("")
    assert told(first) == list(range(29, 9, -1))
    assert (first["object"], first["has_more"]) == ("list", True)
    assert first["first_id"] == first["data"][0]["id"]
    assert first["last_id"] == first["data"][-1]["id"]
    second = page(f"after={first['last_id']}")
    assert (told(second), second["has_more"]) == (list(range(9, -1, -1)), False)
    upwards = page("order=asc&limit=3")
    assert told(upwards) == [0, 1, 2]
    assert told(page(f"order=asc&before={upwards['last_id']}")) == [0, 1]
    none = page(f"after={second['last_id']}")
    assert (none["data"], none["first_id"], none["last_id"]) == ([], None, None)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=²", "order=up", "after=x", "before=x"])  # fmt: skip
def test_pages_that_cannot_be(site: Any, query: str) -> None:
    response_id = ask(site).get_json()["id"]
    answer = site.send("GET", f"{PATH}/{response_id}/input_items?{query}")
    assert answer.status_code == 400
    assert answer.get_json()["error"]["param"] == query.partition("=")[0]


def test_what_runs_in_the_background_only(site: Any) -> None:
    response_id = ask(site).get_json()["id"]
    streamed = site.send("GET", f"{PATH}/{response_id}?stream=true").get_json()["error"]
    assert (streamed["code"], streamed["param"]) == ("unsupported_value", "stream")
    assert site.send("POST", f"{PATH}/{response_id}/cancel").status_code == 400


def test_counting_asks_nobody(site: Any) -> None:
    answer = site.send("POST", f"{PATH}/input_tokens", json={"input": "Hello there"})
    assert answer.get_json()["object"] == "response.input_tokens"
    assert 0 < answer.get_json()["input_tokens"] < 20
    assert site.provider.turns == []


def test_it_speaks_no_websocket_without_a_socket(site: Any) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert site.send("GET", PATH, headers=upgrade).status_code == 501
    assert site.send("GET", PATH, headers=upgrade, key=None).status_code == 401
    assert site.send("GET", PATH).status_code == 405


def test_pages_of_other_origins_open_no_connection(site: Any) -> None:
    site.given["cors_origins"] = ("https://mine.example",)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    for origin, status in (("https://mine.example", 501), ("https://other.example", 403)):
        answer = site.send("GET", PATH, headers={**upgrade, "Origin": origin})
        assert answer.status_code == status


def test_a_draining_server_opens_no_connection(site: Any) -> None:
    site.lifecycle.begin_drain()
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert site.send("GET", PATH, headers=upgrade).status_code == 503
