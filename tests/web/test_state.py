"""What belongs to one application, and what to one request."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flask import Flask

from chat2api.dialects.openai_chat import OpenAIChat
from chat2api.web.state import RequestState, attach_runtime, runtime, set_state, state


def test_two_applications_do_not_know_each_other() -> None:
    one, other = Flask("one"), Flask("other")
    held: Any = object()
    also: Any = object()
    attach_runtime(one, held)
    attach_runtime(other, also)
    with one.app_context():
        assert runtime() is held
        with other.app_context():
            assert runtime() is also
        assert runtime() is held


def test_a_request_keeps_the_runtime_that_it_began_with() -> None:
    """B25"""
    app = Flask("one")
    old: Any = object()
    new: Any = object()
    attach_runtime(app, old)
    with app.test_request_context():
        assert runtime() is old
        attach_runtime(app, new)
        assert runtime() is old
    with app.test_request_context():
        assert runtime() is new


def test_a_request_has_a_state_of_its_own() -> None:
    app = Flask("one")
    for number in (1, 2):
        with app.test_request_context():
            with pytest.raises(AttributeError):
                state()
            set_state(RequestState(f"req_{number}", OpenAIChat()))
            assert state().request_id == f"req_{number}"


def test_a_request_begins_with_nothing_read() -> None:
    dialect = OpenAIChat()
    began = RequestState("req_1", dialect)
    assert (began.dialect, began.body_read, began.body_bytes) == (dialect, False, 0)
    assert 0 <= time.monotonic() - began.started < 1
