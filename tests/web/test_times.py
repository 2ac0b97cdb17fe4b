"""Moments and spans as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from chat2api.web import times
from chat2api.web.times import how_long_ago, iso, seconds_text, short_time, soon_time, span

NOW = datetime(2025, 6, 15, 12, 0, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def _stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times.time, "time", lambda: NOW)


def at(site: Any, lang: str = "en", zone: str = "UTC") -> Any:
    return site.app.test_request_context(f"/?lang={lang}", headers={"Cookie": f"tz={zone}"})


@pytest.mark.parametrize(
    ("moment", "english", "chinese"),
    [
        (datetime(2025, 6, 15, 9, 5, tzinfo=UTC), "09:05", "09:05"),
        (datetime(2025, 6, 14, 9, 5, tzinfo=UTC), "Jun 14, 09:05", "6月14日 09:05"),
        (datetime(2024, 6, 14, 9, 5, tzinfo=UTC), "Jun 14, 2024", "2024年6月14日"),
        (datetime(2024, 12, 31, 9, 5, tzinfo=UTC), "Dec 31, 09:05", "12月31日 09:05"),
    ],
)
def test_short_times(site: Any, moment: datetime, english: str, chinese: str) -> None:
    with at(site):
        assert short_time(moment.timestamp()) == english
    with at(site, "zh"):
        assert short_time(moment.timestamp()) == chinese


@pytest.mark.parametrize(
    ("after", "since", "text"),
    [
        (0, None, "12:00:00"),
        (119, None, "12:01:59"),
        (120, None, "12:02"),
        (-1, None, "11:59"),
        (-3600, NOW - 3630, "11:00:00"),
        (-86_400, NOW - 86_430, "Jun 14, 12:00:00"),
    ],
)
def test_what_comes_soon_has_seconds(
    site: Any, after: float, since: float | None, text: str
) -> None:
    with at(site):
        assert soon_time(NOW + after, since) == text


def test_today_is_the_readers_today(site: Any) -> None:
    late = datetime(2025, 6, 14, 17, 0, tzinfo=UTC).timestamp()
    with at(site, zone="Asia/Shanghai"):
        assert short_time(late) == "01:00"
    with at(site, zone="UTC"):
        assert short_time(late) == "Jun 14, 17:00"


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (0, "1 min", "1 分钟"),
        (59 * 60, "59 min", "59 分钟"),
        (3600, "1 h", "1 小时"),
        (3 * 3600 + 600, "3 h 10 min", "3 小时 10 分钟"),
        (47 * 3600, "47 h", "47 小时"),
        (52 * 3600, "2 d 4 h", "2 天 4 小时"),
        (9 * 86_400 + 7200, "9 d", "9 天"),
    ],
)
def test_spans(site: Any, seconds: float, english: str, chinese: str) -> None:
    with at(site):
        assert span(seconds) == english
    with at(site, "zh"):
        assert span(seconds) == chinese


def test_how_long_ago(site: Any) -> None:
    with at(site):
        assert [how_long_ago(NOW - 240), how_long_ago(NOW), how_long_ago(NOW + 99)] == [
            "4 min ago",
            "just now",
            "just now",
        ]
    with at(site, "zh"):
        assert how_long_ago(NOW - 240) == "4 分钟前"


def test_seconds_and_iso(site: Any) -> None:
    with at(site):
        assert [seconds_text(n) for n in (0.42, 8.14, 95.3)] == ["0.42 s", "8.1 s", "95 s"]
    assert iso(NOW) == "2025-06-15T12:00:00Z"
