"""Jobs as the operator sees them: numbers that add up, stopping, trying again, taking the result along."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from chat2api.store.jobs import JobBook, JobView
from chat2api.web.desk.jobs import progress_of, seconds_left

PASSWORD = "the admin password of the suite"
HTML = {"Accept": "text/html"}
ITEMS = [(f"acc_{number}", f"account {number}") for number in range(6)]
HOSTILE = "<img src=x onerror=alert(1)>\u202etxt"


class Browser:
    """Somebody signed in, whose forms carry the session's token."""

    def __init__(self, site: Any) -> None:
        self.site = site
        answer = self.site.send(
            "POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD}
        )
        assert answer.status_code == 303

    @property
    def csrf(self) -> str:
        return str(self.site.runtime.administration.sessions.list()[0].csrf)

    def get(self, path: str) -> Any:
        return self.site.send("GET", path, key=None, headers=HTML)

    def post(self, path: str, **fields: Any) -> Any:
        data = {"csrf": self.csrf, **fields}
        return self.site.send("POST", path, key=None, headers=HTML, data=data)

    def text(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status_code == 200
        return str(answer.get_data(as_text=True))


@pytest.fixture
def browser(site: Any) -> Browser:
    return Browser(site)


@pytest.fixture
def book(site: Any) -> JobBook:
    book: JobBook = site.runtime.desk.jobs
    return book


def started(book: JobBook, items: Any = ITEMS, **done: int) -> str:
    """A job under way, with so many items ended in each way."""
    job_id = book.create("renew", "session abc", items)
    book.claim()
    for state, number in done.items():
        for _ in range(number):
            item = book.take_item(job_id)
            assert item is not None
            how: Any = state
            book.finish_item(job_id, item.position, how, f"it was {state}")
    return job_id


def view(**given: Any) -> JobView:
    plain: dict[str, Any] = {
        "job_id": "job_1", "kind": "renew", "actor": "", "state": "running", "total": 500, "done": 312,
        "ok": 287, "failed": 18, "skipped": 7, "created_at": 0.0, "started_at": 1000.0,
        "ended_at": None, "cancelled": False, "message": "", "is_held": True,
    }  # fmt: skip
    return JobView(**{**plain, **given})


# --- words


def test_how_far_in_one_line(site: Any) -> None:
    with site.app.test_request_context("/"):
        assert progress_of(view(), 1066.0) == (
            "312 of 500 · 287 renewed · 18 failed · 7 skipped · about 40 s left"
        )
        stopped = view(state="cancelled", skipped=0, failed=1, done=288)
        assert progress_of(stopped, 1066.0) == "288 of 500 · 287 renewed · 1 failed · 212 not begun"
        empty = view(total=0, done=0, ok=0, failed=0, skipped=0)
        assert progress_of(empty, 1066.0) == "0 of 0"


@pytest.mark.parametrize(
    "changes",
    [
        {"done": 2},
        {"done": 500},
        {"state": "done"},
        {"state": "waiting"},
        {"cancelled": True},
        {"started_at": None},
    ],
)
def test_nothing_is_guessed_without_a_reason(changes: dict[str, Any]) -> None:
    assert seconds_left(view(**changes), 1066.0) is None


# --- pages


def test_no_job_yet(browser: Browser) -> None:
    assert "No job yet" in browser.text("/admin/jobs")


def test_how_it_went_is_told_in_words(browser: Browser, book: JobBook) -> None:
    job_id = started(book)
    for detail in ("it has no refresh token", "upstream_timeout: Upstream took too long.", "<b>"):
        item = book.take_item(job_id)
        assert item is not None
        book.finish_item(job_id, item.position, "failed", detail)
    page = browser.text(f"/admin/jobs/{job_id}")
    assert "There is no refresh token." in page
    assert "Upstream did not answer in time." in page
    assert "upstream_timeout" not in page
    assert "&lt;b&gt;" in page
    chinese = browser.text(f"/admin/jobs/{job_id}?lang=zh")
    assert "没有刷新令牌。" in chinese
    assert "由 网页登录者（abc） 发起，" in chinese


def test_the_list(browser: Browser, book: JobBook) -> None:
    job_id = started(book, done=2, failed=1)
    page = browser.text("/admin/jobs")
    assert f'href="/admin/jobs/{job_id}"' in page
    assert "Renew 6 accounts" in page
    assert "3 of 6 · 2 renewed · 1 failed" in page
    assert "somebody signed in (abc)" in page


def test_a_running_job(browser: Browser, book: JobBook) -> None:
    job_id = started(book, done=1, failed=1)
    page = browser.text(f"/admin/jobs/{job_id}")
    assert f'data-job="/admin/jobs/{job_id}"' in page
    assert 'value="2" max="6"' in page
    assert "Stops after those under way; done ones stay done." in page
    assert "Retry" not in page
    assert "it was failed" in page


def test_looking_changes_nothing(browser: Browser, book: JobBook) -> None:
    job_id = started(book, done=1)
    before = book.get(job_id)
    browser.text(f"/admin/jobs/{job_id}")
    browser.get(f"/admin/jobs/{job_id}/result.csv")
    assert book.get(job_id) == before


def test_stopping(browser: Browser, book: JobBook, site: Any) -> None:
    job_id = started(book, done=2)
    answer = browser.post(f"/admin/jobs/{job_id}/cancel")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/admin/jobs/{job_id}")
    assert book.take_item(job_id) is None
    book.finish(job_id)
    page = browser.text(f"/admin/jobs/{job_id}")
    assert "Stopped. 2 are done and stay done." in page
    assert "2 of 6 · 2 renewed · 4 not begun" in page
    browser.post(f"/admin/jobs/{job_id}/cancel")
    noted = [one for one in site.runtime.audit.recent() if one.action == "cancel job"]
    assert [(one.target, one.detail["done"]) for one in noted] == [(job_id, 2)]


def test_trying_again_what_failed(browser: Browser, book: JobBook) -> None:
    job_id = started(book, done=4, failed=2)
    book.finish(job_id)
    page = browser.text(f"/admin/jobs/{job_id}")
    assert "Retry the 2 that failed" in page
    answer = browser.post(f"/admin/jobs/{job_id}/retry")
    (again,) = book.running()
    assert answer.headers["Location"] == f"/admin/jobs/{again.job_id}"
    assert again.total == 2
    assert browser.post(f"/admin/jobs/{job_id}/retry").headers["Location"].endswith(again.job_id)
    assert "They are tried again here" in browser.text(f"/admin/jobs/{job_id}")


def test_nothing_to_try_again(browser: Browser, book: JobBook) -> None:
    job_id = started(book, done=6)
    book.finish(job_id)
    assert browser.post(f"/admin/jobs/{job_id}/retry").status_code == 409


def test_by_result_and_page_by_page(browser: Browser, book: JobBook) -> None:
    items = [(f"acc_{number}", f"account number {number}.") for number in range(130)]
    job_id = started(book, items, failed=1, done=1)
    page = browser.text(f"/admin/jobs/{job_id}")
    assert "account number 99." in page
    assert "account number 100." not in page
    following = browser.text(f"/admin/jobs/{job_id}?after=99")
    assert "account number 129." in following
    assert 'rel="next"' not in following
    failed = browser.text(f"/admin/jobs/{job_id}?state=failed")
    assert "account number 0." in failed
    assert "account number 1." not in failed
    assert browser.get(f"/admin/jobs/{job_id}?state=odd").status_code == 400
    assert browser.get(f"/admin/jobs/{job_id}?after=99999999999999999999").status_code == 200


def test_the_result_as_a_table(browser: Browser, book: JobBook) -> None:
    items = [("acc_0", "=cmd()"), *ITEMS[1:]]
    job_id = started(book, items, done=1, failed=1)
    answer = browser.get(f"/admin/jobs/{job_id}/result.csv")
    assert answer.content_type.startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))
    assert rows[0] == ["number", "id", "name", "state", "detail"]
    assert rows[1] == ["1", "acc_0", "'=cmd()", "done", "it was done"]
    assert rows[2] == ["2", "acc_1", "account 1", "failed", "it was failed"]
    assert len(rows) == 7


def test_foreign_texts_are_texts(browser: Browser, book: JobBook) -> None:
    job_id = started(book, [("acc_0", HOSTILE)])
    item = book.take_item(job_id)
    assert item is not None
    book.finish_item(job_id, item.position, "failed", HOSTILE)
    page = browser.text(f"/admin/jobs/{job_id}")
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") == 2


def test_scripts_get_json(site: Any, book: JobBook) -> None:
    job_id = started(book, done=1)
    found = site.send("GET", f"/admin/jobs/{job_id}", key=PASSWORD).get_json()
    assert (found["state"], found["done"], found["total"]) == ("running", 1, 6)
    assert found["text"] == "1 of 6 · 1 renewed"
    listed = site.send("GET", "/admin/jobs", key=PASSWORD).get_json()
    assert [job["job_id"] for job in listed["jobs"]] == [job_id]
    assert site.send("POST", f"/admin/jobs/{job_id}/cancel", key=PASSWORD).get_json() == {
        "cancelled": True
    }


def test_nobody_else(site: Any, book: JobBook) -> None:
    job_id = started(book)
    for method, path in (
        ("GET", "/admin/jobs"),
        ("GET", f"/admin/jobs/{job_id}"),
        ("GET", f"/admin/jobs/{job_id}/result.csv"),
        ("POST", f"/admin/jobs/{job_id}/cancel"),
        ("POST", f"/admin/jobs/{job_id}/retry"),
    ):
        assert site.send(method, path, key=None).status_code == 401
    state = book.get(job_id)
    assert state is not None
    assert not state.cancelled


def test_a_form_without_its_token_changes_nothing(browser: Browser, book: JobBook) -> None:
    job_id = started(book)
    answer = browser.site.send("POST", f"/admin/jobs/{job_id}/cancel", key=None, headers=HTML)
    assert answer.status_code == 403
    state = book.get(job_id)
    assert state is not None
    assert not state.cancelled


@pytest.mark.parametrize("path", ["", "/result.csv"])
def test_there_is_no_such_job(browser: Browser, path: str) -> None:
    assert browser.get(f"/admin/jobs/job_of_nobody{path}").status_code == 404


def test_nobody_works_on_it(site: Any) -> None:
    """No time is told for what nobody does."""
    lost = view(is_held=False)
    with site.app.test_request_context("/"):
        assert progress_of(lost, 1066.0) == (
            "312 of 500 · 287 renewed · 18 failed · 7 skipped · waiting for a worker to take it over"
        )
        assert "worker" not in progress_of(view(state="done"), 1e6)
        assert "worker" not in progress_of(view(state="waiting", done=0), 1e6)


def test_chips_follow_the_bar(browser: Browser, book: JobBook) -> None:
    job_id = started(book, done=1)
    page = browser.text(f"/admin/jobs/{job_id}")
    chips = dict(re.findall(r'data-count="(\w+)"([^>]*)>', page))
    assert [name for name, rest in chips.items() if "hidden" not in rest] == [
        "all",
        "done",
        "waiting",
    ]
    assert list(chips) == ["all", "failed", "skipped", "done", "waiting"]
    answer = browser.site.send("GET", f"/admin/jobs/{job_id}", key=PASSWORD)
    counts = answer.get_json()["counts"]
    assert counts == {"all": 6, "failed": 0, "skipped": 0, "done": 1, "waiting": 5}
    assert set(counts) == set(chips)
