"""Log lines as they come: where a reader stood, and all that ends a stream."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from chat2api.errors import ClientGone
from chat2api.live_log import MOST_FOLLOWERS, LiveLogHandler
from chat2api.logs import bind_request_id

PASSWORD = "the admin password of the suite"
HTML = {"Accept": "text/html"}

log = logging.getLogger("chat2api.suite")


@pytest.fixture
def written(site: Any) -> Iterator[None]:
    """What this suite's logger is given goes into the live log."""
    handler = LiveLogHandler(site.runtime.desk.live)
    log.addHandler(handler)
    level = log.level
    log.setLevel("DEBUG")
    with bind_request_id("-"):
        yield
    log.removeHandler(handler)
    log.setLevel(level)
    handler.close()


def sign_in(site: Any) -> None:
    answer = site.send(
        "POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD}
    )
    assert answer.status_code == 303


class Follower:
    """Somebody who follows; reads one piece after the other."""

    def __init__(self, site: Any, query: str = "", **headers: str) -> None:
        self.answer = site.client.get(
            f"/admin/log/stream{query}",
            headers={"Authorization": f"Bearer {PASSWORD}", **headers},
            buffered=False,
        )
        self.pieces = iter(self.answer.response)

    def next(self) -> str:
        return next(self.pieces).decode()

    def close(self) -> None:
        self.answer.close()


@pytest.fixture
def follow(site: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """follow(query): starts following; the stream does not sleep between looks."""
    monkeypatch.setattr("chat2api.web.desk.log_stream.LOOK_SECONDS", 0.0)
    started: list[Follower] = []

    def start(query: str = "", **headers: str) -> Follower:
        started.append(Follower(site, query, **headers))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.mark.usefixtures("written")
def test_lines_come_as_they_are_written(site: Any, follow: Any) -> None:
    log.info("one")
    place = site.runtime.desk.live.last().place
    log.info("two")
    stream = follow(f"?after={place}")
    assert stream.answer.content_type == "text/event-stream; charset=utf-8"
    assert stream.answer.headers["X-Accel-Buffering"] == "no"
    assert stream.next() == "retry: 2000\n\n"
    first = stream.next()
    assert '"text":"two"' in first
    assert '"text":"one"' not in first
    assert first.startswith("id: ")
    log.warning("three")
    assert '"text":"three"' in stream.next()


@pytest.mark.usefixtures("written")
def test_whoever_comes_back_goes_on_where_they_stood(site: Any, follow: Any) -> None:
    log.info("one")
    stream = follow()
    stream.next()
    place = stream.next().split("\n")[0].removeprefix("id: ")
    stream.close()
    log.info("two")
    again = follow("?after=nonsense", **{"Last-Event-ID": place})
    again.next()
    lines = again.next()
    assert '"text":"two"' in lines
    assert '"text":"one"' not in lines
    assert "gap" not in lines


@pytest.mark.usefixtures("written")
def test_what_is_gone_is_told_as_a_gap(site: Any, follow: Any) -> None:
    log.info("one")
    stream = follow(f"?after={'a' * 32}-77")
    stream.next()
    assert stream.next() == "event: gap\ndata: {}\n\n"
    assert '"text":"one"' in stream.next()


@pytest.mark.usefixtures("written")
def test_the_stream_is_filtered_as_well(site: Any, follow: Any) -> None:
    stream = follow("?level=error&q=loud")
    stream.next()
    log.error("quiet")
    log.info("loud")
    log.error("loud and clear")
    assert stream.next().count('"text"') == 1


@pytest.mark.usefixtures("written")
def test_it_ends_when_the_worker_drains(site: Any, follow: Any) -> None:
    stream = follow()
    stream.next()
    site.lifecycle.begin_drain()
    with pytest.raises(StopIteration):
        stream.next()
    stream.close()
    assert site.send("GET", "/admin/log/stream", key=PASSWORD).status_code == 503


@pytest.mark.usefixtures("written")
def test_it_ends_when_the_caller_is_gone(site: Any, follow: Any) -> None:
    stream = follow()
    stream.next()
    (watch,) = site.watchdog.entries
    watch._call.cancel(ClientGone("The caller hung up."))
    with pytest.raises(StopIteration):
        stream.next()
    stream.close()
    assert site.watchdog.entries == []


@pytest.mark.usefixtures("written")
def test_it_ends_with_the_session(
    site: Any, monkeypatch: pytest.MonkeyPatch, key_store: Any
) -> None:
    monkeypatch.setattr("chat2api.web.desk.log_stream.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("chat2api.web.desk.log_stream._ADMISSION_SECONDS", 0.0)
    sign_in(site)
    answer = site.client.get("/admin/log/stream", headers=HTML, buffered=False)
    pieces = iter(answer.response)
    next(pieces)
    log.info("seen")
    assert b"seen" in next(pieces)
    seen_at = site.runtime.administration.sessions.list()[0].seen_at
    key_store.clock.at += 3600
    log.info("seen too")
    assert b"seen too" in next(pieces)
    # An open page is nobody at work: it does not keep the session from ending.
    assert site.runtime.administration.sessions.list()[0].seen_at == seen_at
    site.runtime.administration.sessions.end_all()
    with pytest.raises(StopIteration):
        next(pieces)
    answer.close()


@pytest.mark.usefixtures("written")
def test_nothing_new_is_told_by_a_comment(site: Any, follow: Any) -> None:
    hurried = site.runtime.settings.model_copy(update={"keepalive_seconds": 0.01})
    object.__setattr__(site.runtime, "settings", hurried)
    log.info("one")
    stream = follow(f"?after={site.runtime.desk.live.last().place}")
    stream.next()
    assert stream.next() == ": still here\n\n"


@pytest.mark.usefixtures("written")
def test_only_so_many_follow_at_once(site: Any, follow: Any) -> None:
    streams = [follow() for _ in range(MOST_FOLLOWERS)]
    assert [one.answer.status_code for one in streams] == [200] * MOST_FOLLOWERS
    refused = follow()
    assert refused.answer.status_code == 503
    streams[0].next()
    streams[0].close()
    streams[0].close()
    assert follow().answer.status_code == 200
    assert follow().answer.status_code == 503
