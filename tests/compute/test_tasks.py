"""The tasks as a child runs them."""

from __future__ import annotations

import base64
import hashlib
import json

from chat2api.chat.tokens import load_counter
from chat2api.compute.tasks import (
    TASKS,
    check_arguments,
    check_output,
    count_tokens,
    search_proof,
)

PARTS = (b"[1,2,3,", b",4,5,6,7,8,", b",10]")


def test_a_proof_is_found() -> None:
    found = search_proof("sha3", "seed", "00ff", PARTS, 12, 500_000, 10.0)

    assert found is not None
    nonce, text = found
    assert json.loads(base64.b64decode(text)) == [1, 2, 3, nonce, 4, 5, 6, 7, 8, 12, 10]
    assert hashlib.sha3_512(b"seed" + text.encode()).hexdigest()[:4] <= "00ff"


def test_where_all_nonces_fail_the_search_goes_on_with_another_message() -> None:
    found = search_proof("fnv", "seed", "000fff", PARTS, 12, 100, 10.0)

    assert found is not None
    nonce, text = found
    array = json.loads(base64.b64decode(text))
    assert nonce < 100
    assert array[3] == nonce
    assert array[9] > 12


def test_time_ends_the_search() -> None:
    assert search_proof("fnv", "seed", "00000000", PARTS, 12, 500_000, 0.05) is None
    assert search_proof("fnv", "seed", "ffff", PARTS, 12, 500_000, 0.0) is None


def test_tokens_are_counted() -> None:
    counts, estimated = count_tokens(["", "hello world", "汉字"])

    assert counts == [load_counter().count(text) for text in ("", "hello world", "汉字")]
    assert estimated is load_counter().estimated


def test_json_is_checked() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}

    assert check_arguments(schema, "tool", "{'a': 1}") == (['{"a":1}'], [])
    assert check_output(schema, 'Here: {"a": 1}') == (['{"a": 1}'], [])
    assert check_output(schema, "{}") == ([], ["'a' is a required property"])


def test_tasks_are_found_by_name() -> None:
    assert dict(TASKS) == {
        "search_proof": search_proof,
        "count_tokens": count_tokens,
        "check_arguments": check_arguments,
        "check_output": check_output,
    }
