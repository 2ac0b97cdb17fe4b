"""The ids we hand out."""

from __future__ import annotations

import re

from chat2api.web.ids import new_answer_id, new_request_id


def test_answer_ids_look_like_the_public_apis() -> None:
    ids = {new_answer_id("chatcmpl-") for _ in range(200)}
    assert len(ids) == 200
    assert all(re.fullmatch(r"chatcmpl-[A-Za-z0-9]{29}", answer_id) for answer_id in ids)
    assert re.fullmatch(r"resp_[A-Za-z0-9]{5}", new_answer_id("resp_", 5))


def test_request_ids_are_header_safe_and_new() -> None:
    ids = {new_request_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(re.fullmatch(r"req_[0-9a-f]{32}", request_id) for request_id in ids)
