"""Usage: numbers add up, whatever the zone; each of them leads to the requests behind it."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chat2api.store.request_records import RequestRecord
from chat2api.store.usage_hours import UsagePoint

PASSWORD = "the admin password of the suite"
NOW = int(time.time() // 3600)


@pytest.fixture
def operator(site: Any) -> Callable[..., Any]:
    """get(path) of a browser that is signed in."""
    site.store.clock.at = time.time()
    site.client.post("/admin/sign-in", data={"password": PASSWORD})

    def get(path: str, **headers: str) -> Any:
        return site.client.get(path, headers={"Accept": "text/html", **headers})

    return get


def point(hours_ago: int = 0, model: str = "gpt-5", code: str = "", **more: Any) -> UsagePoint:
    values: dict[str, Any] = {
        "key_id": "first",
        "account_id": "acct_a",
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "estimated": False,
        "first_byte_seconds": 0.9,
    } | more
    return UsagePoint(hour=NOW - hours_ago, model=model, code=code, failed=bool(code), **values)


def add(site: Any, *points: UsagePoint) -> None:
    site.runtime.desk.usage.add(points)
    site.runtime.desk.records.add([RequestRecord("req_1", time.time(), 1.0, 200, False)])


def rows_of(page: Any) -> list[list[str]]:
    """The chart's table, without its heads."""
    table = page.text.split("<tbody>")[1].split("</tbody>")[0]
    cells = [re.findall(r"(?s)<td[^>]*>(.*?)</td>", row) for row in table.split("<tr>")[1:]]
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in cells]


def test_before_the_first_request(operator: Any) -> None:
    page = operator("/admin/usage")
    assert "No request yet." in page.text
    assert 'href="/admin/keys"' in page.text


def test_a_time_without_requests(site: Any, operator: Any) -> None:
    add(site, point(hours_ago=24 * 20))
    page = operator("/admin/usage?range=24h")
    assert "No request in this time." in page.text
    assert "range=30d" in page.text


def test_totals(site: Any, operator: Any) -> None:
    add(site, *[point() for _ in range(199)], point(code="upstream_timeout", estimated=True))
    page = operator("/admin/usage?range=24h")
    for words in (
        "200 requests", "0.5 % failed", "2,000 tokens in, 1,000 out",
        "1 request estimated", "upstream_timeout", "UTC",
    ):  # fmt: skip
        assert words in page.text, words
    assert re.search(r"first byte 0\.(8|9)\d s / 0\.(8|9)\d s", page.text)
    assert "style=" not in page.text


def test_series_stack_up_to_all(site: Any, operator: Any) -> None:
    many = [point(index % 5, f"model-{index % 9}") for index in range(90)]
    add(site, *many)
    page = operator("/admin/usage?range=24h&by=model")
    rows = rows_of(page)
    assert len(rows) == 24
    sums = [sum(map(int, row[:-1])) for row in rows]
    assert [int(row[-1]) for row in rows] == sums
    assert sum(sums) == 90
    assert "others" in page.text
    assert set(re.findall(r'<rect class="series-(\d)"', page.text)) == set("1234567")


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_nothing_is_lost_in_any_view(site: Any, operator: Any, zone: str) -> None:
    add(site, point(), point(3), point(20))
    site.client.set_cookie("tz", zone)
    for span in ("24h", "7d", "30d", "custom&first=2020-01-01&last=2099-01-01"):
        for by in ("model", "key", "account"):
            page = operator(f"/admin/usage?by={by}&range={span}")
            assert sum(int(row[-1]) for row in rows_of(page)) == 3
            assert "so far" in page.text
            assert ("UTC" if by == "account" and span != "24h" else zone) in page.text


def test_every_number_leads_to_its_requests(site: Any, operator: Any) -> None:
    add(site, point(2, "gpt-5"), point(2, "o3", code="upstream_timeout"))
    page = operator("/admin/usage?range=24h")
    links = [
        {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
        for link in re.findall(r'href="(/admin/requests\?[^"]+)"', page.text.replace("&amp;", "&"))
    ]
    begins, ends = str((NOW - 2) * 3600), str((NOW - 1) * 3600)
    assert {"since": begins, "until": ends} in links
    assert {"since": begins, "until": ends, "model": "o3"} in links
    assert any(link.get("code") == "upstream_timeout" for link in links)
    assert any(link.get("state") == "failed" and "code" not in link for link in links)


def test_keys_and_models_are_called_by_their_names(site: Any, operator: Any) -> None:
    made, _ = site.keys.create("<b>phone</b>")
    add(site, point(key_id=made.key_id), point(key_id="direct"), point(key_id="anonymous"))
    page = operator("/admin/usage?by=key")
    assert "&lt;b&gt;phone&lt;/b&gt;" in page.text
    assert "<b>phone" not in page.text
    assert "a token of the caller&#39;s own" in page.text


@pytest.mark.parametrize(
    "query",
    [
        "by=x&range=y",
        "range=custom",
        "range=custom&first=x&last=y",
        "range=custom&first=2026-02-01&last=2026-01-01",
    ],
)
def test_nonsense_does_not_count(site: Any, operator: Any, query: str) -> None:
    add(site, point())
    assert operator(f"/admin/usage?{query}").status_code == 200


@pytest.mark.parametrize("by", ["model", "key", "account"])
def test_the_file(site: Any, operator: Any, by: str) -> None:
    add(site, point(model="=1+1"), point(model="=1+1", code="x"), point(5, "o3"))
    answer = operator(f"/admin/usage.csv?range=24h&by={by}")
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert sum(int(row["requests"]) for row in rows) == 3
    assert sum(int(row["failed"]) for row in rows) == 1
    assert sum(int(row["prompt_tokens"]) for row in rows) == 30
    if by == "model":
        assert {row["model"] for row in rows} == {"'=1+1", "o3"}


def test_in_chinese(site: Any, operator: Any) -> None:
    add(site, point(), point(), point(code="upstream_timeout"))
    page = operator("/admin/usage?lang=zh&range=24h")
    assert "3 次请求" in page.text
    assert "按小时统计的请求数" in page.text


def test_callers_who_hung_up_are_no_errors(site: Any, operator: Any) -> None:
    left = UsagePoint(NOW, "gpt-5", "first", "acct_a", "client_gone", False, 1, 1, False, None)
    add(site, left)
    page = operator("/admin/usage?range=24h")
    assert "client_gone" not in page.text
    add(site, point(code="upstream_timeout"))
    assert "upstream_timeout" in operator("/admin/usage?range=24h").text


def test_a_file_has_no_dash_for_no_account(site: Any, operator: Any) -> None:
    add(site, point(model=""))
    text = operator("/admin/usage.csv?by=model&range=24h").get_data(as_text=True)
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert (row["model"], row["name"]) == ("", "")
