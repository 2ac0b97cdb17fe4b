"""The list of requests and its explanations, as the operator's browser and spreadsheet get them."""

from __future__ import annotations

import csv
import html
import io
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store.request_records import RequestFilter, RequestRecord
from chat2api.store.traces import AttemptRecord, Candidates, Trace
from chat2api.web.desk.requests import MOST_COUNTED, PAGE_ROWS

PASSWORD = "the admin password of the suite"
HOSTILE = "<img src=x onerror=alert(1)>\u202egpt"


def failing(number: int, account: str, code: str, **more: Any) -> AttemptRecord:
    values = {"status": 429, "message": "You are out of quota.", "retry_after": 600.0} | more
    return AttemptRecord(
        number, "web", account, code, values["status"], values["message"], values["retry_after"],
        0.2, 0.4, None,
    )  # fmt: skip


def working(number: int, account: str) -> AttemptRecord:
    return AttemptRecord(number, "web", account, "", 200, "", None, 0.7, 8.1, 0.9, 0.2, True)


def made(request_id: str = "req_1", **more: Any) -> RequestRecord:
    values: dict[str, Any] = {
        "at": time.time() - 60,
        "seconds": 9.0,
        "status": 200,
        "failed": False,
        "path": "/v1/chat/completions",
        "model": "gpt-5",
        "answered_by": "gpt-5",
        "key_id": "first",
    }
    return RequestRecord(request_id, **{**values, **more})


def rotated(first: str, second: str) -> RequestRecord:
    candidates = Candidates(200, 142, 18, 28, 0, 12, 0, 0)
    trace = Trace(
        attempts=(failing(1, first, "rate_limit_exceeded"), working(2, second)),
        candidates=candidates,
        waited=0.1,
        chosen_by="random",
        notes=("tools: as text",),
    )
    return made(account_id=second, attempts=2, trace=trace, first_byte_seconds=1.6,
        prompt_tokens=812, completion_tokens=1204, estimated=True, address="203.0.113.7")  # fmt: skip


@pytest.fixture
def operator(site: Any) -> Callable[..., Any]:
    """get(path) of a browser that is signed in."""
    site.client.post("/admin/sign-in", data={"password": PASSWORD})

    def get(path: str, **headers: str) -> Any:
        return site.client.get(path, headers={"Accept": "text/html", **headers})

    return get


def accounts(site: Any, *emails: str) -> list[str]:
    new = [NewAccount(Secret(f"fk-token-of-{email}"), email=email) for email in emails]
    return [one.account_id for one in site.runtime.intake.add(new, "suite")]


def text_of(response: Any) -> str:
    """What a person reads of a page."""
    body = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", response.text)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


# --- the list


def test_before_the_first_request(operator: Any) -> None:
    page = operator("/admin/requests")
    assert page.status_code == 200
    assert "No request yet." in page.text
    assert 'href="/admin/keys"' in page.text


def test_strangers_are_asked_to_sign_in(site: Any) -> None:
    site.runtime.desk.records.add([made("req_secret")])
    for path in ("/admin/requests", "/admin/requests/req_secret", "/admin/requests.csv"):
        page = site.client.get(path, headers={"Accept": "text/html"})
        assert page.status_code == 401
        assert "req_secret" not in text_of(page)


def test_the_list(site: Any, operator: Any) -> None:
    first, second = accounts(site, "alice@example.com", "bob@example.com")
    site.runtime.desk.records.add(
        [
            rotated(first, second),
            made("req_2", status=503, failed=True, code="no_account_available", model=HOSTILE),
        ]
    )
    page = operator("/admin/requests")
    words = text_of(page)
    assert "1–2 of 2" in words
    assert words.index("No account could answer") < words.index("It worked on the second account")
    assert 'href="/admin/requests/req_1"' in page.text
    assert "2,016 estimated" in words
    assert "bob@example.com" in words
    assert "<img" not in page.text


def test_filters_stand_in_the_address(site: Any, operator: Any) -> None:
    site.runtime.desk.records.add(
        [
            made("req_good"),
            made("req_bad", failed=True, status=502, code="upstream_timeout", key_id="direct"),
            made("req_old", at=time.time() - 5 * 86_400, model="o3", account_id="acct_x"),
        ]
    )
    expected = {
        "state=failed": ["req_bad"],
        "code=upstream_timeout": ["req_bad"],
        "model=o3": ["req_old"],
        "key=direct": ["req_bad"],
        "account=acct_x": ["req_old"],
        "range=24h": ["req_bad", "req_good"],
        "until=1000": [],
        "q=req_good": ["req_good"],
        "q=req_go": [],
        "state=nonsense&since=never": ["req_bad", "req_good", "req_old"],
    }
    found = {
        query: sorted(set(re.findall(r"/admin/requests/(req_\w+)", operator(f"/admin/requests?{query}").text)))
        for query in expected
    }  # fmt: skip
    assert found == expected
    empty = text_of(operator("/admin/requests?model=none"))
    assert "No request matches." in empty
    assert "Clear filters" in empty


def test_what_narrows_the_list_can_be_taken_away(site: Any, operator: Any) -> None:
    (alice,) = accounts(site, "alice@example.com")
    site.runtime.desk.records.add([made(account_id=alice)])
    page = operator(f"/admin/requests?account={alice}&state=failed")
    assert "Account: alice@example.com" in page.text
    assert 'href="/admin/requests?state=failed"' in page.text


def test_paging_by_key(site: Any, operator: Any) -> None:
    site.runtime.desk.records.add([made(f"req_{number}") for number in range(120)])
    page = operator("/admin/requests")
    seen: list[list[str]] = []
    counts = []
    while True:
        seen.append(re.findall(r'class="tight"><a href="/admin/requests/(req_\d+)"', page.text))
        counts.append(re.search(r"[\d,]+–[\d,]+ of [\d,]+", page.text)[0])  # type: ignore[index]
        following = re.search(r'rel="next" href="([^"]+)"', page.text)
        if following is None:
            break
        page = operator(following[1].replace("&amp;", "&"))
    assert counts == ["1–50 of 120", "51–100 of 120", "101–120 of 120"]
    assert [len(part) for part in seen] == [PAGE_ROWS, PAGE_ROWS, 20]
    assert [one for part in seen for one in part] == [f"req_{119 - n}" for n in range(120)]
    back = re.search(r'rel="prev" href="([^"]+)"', page.text)
    assert back is not None
    page = operator(back[1].replace("&amp;", "&"))
    assert re.findall(r'class="tight"><a href="/admin/requests/(req_\d+)"', page.text) == seen[1]
    assert "51–100 of 120" in page.text


def test_large_numbers_are_not_counted_out(site: Any, operator: Any, monkeypatch: Any) -> None:
    records = site.runtime.desk.records
    records.add([made()])
    monkeypatch.setattr(type(records), "count", lambda self, filter, most: MOST_COUNTED)
    assert "1–1 of more than 10,000" in operator("/admin/requests").text


# --- as a file


def test_the_file_has_what_the_list_has_and_no_formulas(site: Any, operator: Any) -> None:
    site.runtime.desk.records.add(
        [made("req_1", model="=HYPERLINK(1)"), made("req_2", failed=True, status=500, code="x")]
    )
    answer = operator("/admin/requests.csv?model=%3DHYPERLINK(1)")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert [row["request_id"] for row in rows] == ["req_1"]
    assert rows[0]["model"] == "'=HYPERLINK(1)"
    assert rows[0]["key"] == "first key"


def test_a_long_file(site: Any, operator: Any) -> None:
    for start in range(0, 1200, 400):
        site.runtime.desk.records.add([made(f"req_{start + n}") for n in range(400)])
    rows = operator("/admin/requests.csv").data.decode("utf-8-sig").splitlines()
    assert len(rows) == 1201
    assert len(set(rows)) == 1201


# --- the explanation


def test_a_success_after_a_rotation(site: Any, operator: Any) -> None:
    first, second = accounts(site, "team-03@example.com", "alice@example.com")
    site.runtime.desk.records.add([rotated(first, second)])
    page = operator("/admin/requests/req_1")
    words = text_of(page)
    assert page.status_code == 200
    assert re.search(r"It worked on the second account\. The first was limited until \S+", words)
    for part in (
        "team-03@example.com", "alice@example.com", "200 accounts", "142 ready", "18 busy", "28 resting",
        "12 need a login", "chosen at random", "tools: as text", "rate_limit_exceeded",
        "You are out of quota.", "first byte after 0.90 s", "its token was renewed for this",
        "812 in, 1,204 out (estimated)", "203.0.113.7", "Copy as text",
    ):  # fmt: skip
        assert part in words, part
    assert f'href="/admin/accounts/{second}"' in page.text
    lanes = re.findall(r'<rect class="span-(\w+)"', page.text)
    assert lanes[:5] == ["wait", "bad", "proof", "before", "good"]
    assert "style=" not in page.text


@pytest.mark.parametrize(
    ("code", "status", "words", "link"),
    [
        (
            "account_pool_exhausted",
            429,
            "Every account that could answer was resting.",
            "/admin/accounts",
        ),
        (
            "upstream_challenge_required",
            502,
            "Upstream asks for a human check.",
            "/admin/accounts/a",
        ),
        ("upstream_timeout", 504, "The upstream did not answer in time.", ""),
        ("upstream_truncated", 502, "The upstream's answer was cut off before its end.", ""),
        ("invalid_json", 400, "The request has a mistake in it.", ""),
        ("internal_error", 500, "Something went wrong in this server.", "/admin/log?q=req_1"),
    ],
)
def test_failures(site: Any, operator: Any, code: str, status: int, words: str, link: str) -> None:
    trace = Trace(
        message="Told so <b>plainly</b>.", retry_after=2160.0, attempts=(failing(1, "a", code),)
    )
    site.runtime.desk.records.add(
        [made(failed=True, status=status, code=code, trace=trace, attempts=1, account_id="a")]
    )
    page = operator("/admin/requests/req_1")
    said = text_of(page)
    assert words in said
    assert "It can be tried again after" in said
    assert "Told so &lt;b&gt;plainly&lt;/b&gt;." in page.text
    if link:
        assert f'class="button primary" href="{link}"' in page.text
    else:
        assert "button primary" not in page.text


def test_an_unknown_request(site: Any, operator: Any) -> None:
    page = operator("/admin/requests/req_of_nobody")
    assert page.status_code == 404
    assert "Requests are kept for 14 days." in page.text
    assert operator("/admin/requests/%3Cscript%3E").status_code == 404


def test_kept_contents_show_only_where_there_are_any(site: Any, operator: Any) -> None:
    site.runtime.desk.records.add([made("req_1"), made("req_2")], {"req_2": "What is <b>two</b>?"})
    assert "content logging" not in operator("/admin/requests/req_1").text
    assert "What is &lt;b&gt;two&lt;/b&gt;?" in operator("/admin/requests/req_2").text


def test_scripts_get_json(site: Any) -> None:
    first, second = accounts(site, "a@example.com", "b@example.com")
    site.runtime.desk.records.add(
        [rotated(first, second), *[made(f"req_{n}") for n in range(2, 60)]]
    )

    def get(path: str) -> Any:
        return site.send("GET", path, key=PASSWORD)

    body = get("/admin/requests").get_json()
    assert len(body["requests"]) == PAGE_ROWS
    later = get(body["next"]).get_json()
    assert later["next"] is None
    assert later["requests"][-1]["request_id"] == "req_1"
    assert later["requests"][-1]["account"] == "b@example.com"
    told = get("/admin/requests/req_1").get_json()
    assert told["verdict"].startswith("It worked on the second account.")
    assert (told["side"], told["retry_at"]) == ("nobody", None)
    assert [one["account_id"] for one in told["trace"]["attempts"]] == [first, second]
    assert get("/admin/requests/req_x").status_code == 404


def test_looking_changes_nothing(site: Any, operator: Any) -> None:
    site.runtime.desk.records.add([made()])
    for path in ("/admin/requests", "/admin/requests/req_1", "/admin/requests.csv"):
        assert operator(path).status_code == 200
        assert site.client.post(path).status_code == 405
    assert site.runtime.desk.records.count(RequestFilter()) == 1


def test_in_chinese(site: Any, operator: Any) -> None:
    first, second = accounts(site, "a@example.com", "b@example.com")
    site.runtime.desk.records.add([rotated(first, second)])
    assert "已由第二个账号完成" in operator("/admin/requests/req_1?lang=zh").text
    assert "请求" in operator("/admin/requests?lang=zh").text


def test_a_caller_who_hung_up_has_a_word_of_its_own(site: Any, operator: Any) -> None:
    left = made(status=499, code="client_gone", trace=Trace(begun_with=200))
    site.runtime.desk.records.add([left])
    words = text_of(operator("/admin/requests"))
    assert "Hung up" in words
    assert "The caller hung up before the end." in words
    page = operator("/admin/requests/req_1")
    assert "200, not heard to its end" in text_of(page)
    assert "It worked" not in text_of(page)
    assert "Hung up" not in text_of(operator("/admin/requests?state=failed"))


def test_a_file_says_nothing_where_there_is_nothing(site: Any, operator: Any) -> None:
    site.runtime.desk.records.add([made(account_id="", key_id="")])
    text = operator("/admin/requests.csv").get_data(as_text=True).removeprefix("\ufeff")
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["account"], row["account_id"], row["key"]) == ("", "", "")
    (facts,) = operator("/admin/requests", Accept="application/json").get_json()["requests"]
    assert (facts["account"], facts["account_id"], facts["key"]) == (None, None, None)
