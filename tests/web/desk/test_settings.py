"""The settings page: two steps to a change, no secret in any page, and nobody's edits are lost."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from chat2api.settings.load import LoadedSettings, load_settings

PASSWORD = "the admin password of the suite"
HTML = {"Accept": "text/html"}
ALICE, BOB, CAROL = "sk-alice-planted-2222", "sk-bob-planted-3333", "sk-carol-planted-4444"
YAML = f"""\
# made by hand
retry_times: 3  # enough
proxy: http://me:planted1@proxy:3128  # the office's
auth:
  access_tokens:
    - {ALICE}  # phone
    - {BOB}
chatgpts:
  - access_token: eyJ-planted-aaaa-1111
    email: a@example.com
  - refresh_token: rt_planted-bbbb-2222
    email: b@example.com
"""


class Problem:
    line = 14
    message = "retry_times (app.dev.yaml line 14): must be a whole number"

    def __str__(self) -> str:
        return f"{self.message} (since then)"


class Source:
    """Settings out of one file, read anew each time."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "app.dev.yaml"
        self.path.write_text(YAML)
        self.environ: dict[str, str] = {}
        self.problem: object | None = None

    def current(self) -> LoadedSettings:
        return load_settings(
            cli={}, environ=self.environ, config_path=self.path, cwd=self.path.parent
        )

    def poll(self) -> None:
        return None


@pytest.fixture
def source(site: Any, tmp_path: Path) -> Source:
    site.source = Source(tmp_path)
    return site.source  # type: ignore[no-any-return]


class Browser:
    """Somebody signed in, who fills in the form as it stands in the page. Every page is looked through."""

    def __init__(self, site: Any) -> None:
        self.site = site
        answer = site.send(
            "POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD}
        )
        assert answer.status_code == 303
        self.text = ""
        self.status = 0

    def open(self, path: str = "/admin/settings") -> str:
        return self._took(self.site.send("GET", path, key=None, headers=HTML))

    def post(self, path: str, fields: dict[str, str]) -> str:
        answer = self.site.send("POST", path, key=None, headers=HTML, data=fields)
        if answer.status_code == 303:
            return self.open(answer.headers["Location"])
        return self._took(answer)

    def _took(self, answer: Any) -> str:
        self.text, self.status = answer.get_data(as_text=True), answer.status_code
        assert "planted" not in self.text
        assert "style=" not in self.text
        return self.text

    def fields(self) -> dict[str, str]:
        """What the form of settings would send as it stands."""
        form = self.text.split('id="settings-form"')[1].split("</form>")[0]
        found: dict[str, str] = {}
        for tag in re.findall(r"<input[^>]*>", form):
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            is_box = attributes.get("type") == "checkbox"
            if "name" in attributes and (not is_box or " checked" in tag):
                found[attributes["name"]] = unescape(attributes.get("value", ""))
        for name, content in re.findall(
            r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', form, re.S
        ):
            found[name] = unescape(content)
        for name, options in re.findall(
            r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form, re.S
        ):
            chosen = re.search(r'value="([^"]*)" selected', options)
            found[name] = unescape(chosen[1]) if chosen else ""
        return found

    def review(self, **edits: str) -> str:
        fields = self.fields() | {name.replace("__", "."): text for name, text in edits.items()}
        return self.post("/admin/settings/review", fields)

    def save(self) -> str:
        return self.post("/admin/settings/save", self.fields())


@pytest.fixture
def browser(site: Any, source: Source) -> Browser:
    made = Browser(site)
    made.open()
    return made


def changes(site: Any) -> list[Any]:
    entries = site.runtime.audit.recent()
    return [entry.detail["changes"] for entry in entries if entry.action == "change configuration"]


# --- looking


def test_what_the_file_says_masked(browser: Browser) -> None:
    for shown in ("sk-ali...2222", "http://***@proxy:3128", "a@example.com", "eyJ-pl...1111"):
        assert shown in browser.text
    assert browser.fields()["setting.retry_times"] == "3"
    assert "Every setting, and where its value comes from" in browser.text


def test_an_untouched_form_changes_nothing(browser: Browser, source: Source) -> None:
    before = source.path.read_text()
    assert "Nothing changed." in browser.review()
    assert source.path.read_text() == before


def test_the_file_as_text(browser: Browser) -> None:
    text = browser.open("/admin/settings/raw")
    assert "# made by hand" in text
    assert "sk-ali...2222" in text


def test_what_the_environment_decides_is_read_only(browser: Browser, source: Source) -> None:
    source.environ = {"PROXY_URL": "http://env:1", "RETRY_TIMES": "7"}
    browser.open()
    assert "Set by environment variable PROXY_URL; the file cannot change it." in browser.text
    assert "proxy" not in browser.fields()
    assert "setting.retry_times" not in browser.fields()


def test_a_broken_edit_is_told_with_its_line(browser: Browser, source: Source) -> None:
    source.problem = Problem()
    text = browser.open()
    assert "The file has an error in line 14. Still running on the version of " in text
    assert text.count("It must be a whole number.") == 1
    assert "since then" not in text
    other = browser.open("/admin/audit")
    assert "The configuration file has an error." in other
    assert "Further attempts after the first: It must be a whole number." in other
    chinese = browser.open("/admin/settings?lang=zh")
    assert "必须是整数。" in chinese
    assert "must be" not in chinese


def test_a_mistake_is_told_in_the_readers_language(browser: Browser, source: Source) -> None:
    text = browser.review(setting__queue_seconds="-3")
    assert "It must be a number. More than 0, at most 86400." in text


def test_without_a_file_it_is_read_only_and_says_so(site: Any) -> None:
    browser = Browser(site)
    text = browser.open()
    assert "There is no configuration file" in text
    assert 'id="settings-form"' not in text


def test_a_file_that_is_no_yaml_is_left_alone(browser: Browser, source: Source) -> None:
    kept = source.current()
    source.current = lambda: kept  # type: ignore[method-assign]
    source.path.write_text("a: [")
    text = browser.open()
    assert browser.status == 200
    assert "is not valid YAML" in text
    assert 'id="settings-form"' not in text


# --- changing


def test_a_change_is_looked_at_then_saved(browser: Browser, source: Source, site: Any) -> None:
    before = source.path.read_text()
    text = browser.review(proxy="", setting__retry_times="5", keys__new=CAROL)
    assert browser.status == 200
    for line in (
        "Proxies: http://***@proxy:3128 → none",
        "Further attempts after the first: 3 → 5",
        "API keys: sk-car...4444 is added",
        "From now on these keys are valid: sk-ali...2222, sk-bob...3333, sk-car...4444.",
    ):
        assert line in text
    assert source.path.read_text() == before
    text = browser.save()
    assert "Saved. The file of before is kept as app.dev.yaml.bak." in text
    written = source.path.read_text()
    assert "# made by hand" in written
    assert "# phone" in written
    assert CAROL in written
    assert source.current().settings.retry_times == 5
    assert source.path.with_name("app.dev.yaml.bak").read_text() == before
    (noted,) = changes(site)
    assert "retry_times: 3 -> 5" in noted
    assert "planted" not in str(noted)


def test_accounts_of_the_file(browser: Browser, source: Source) -> None:
    text = browser.review(
        account__0__email="new@example.com",
        account__0__access_token="eyJ-planted-cccc-3333",
        account__1__remove="1",
        account__new__refresh_token="rt_planted-new-9999",
    )
    assert "Account new@example.com: access_token, email changes" in text
    assert "Account: b@example.com is removed" in text
    assert "Account: rt_pla...9999 is added" in text
    browser.save()
    first, second = source.current().settings.chatgpts
    assert (first.email, first.access_token.reveal()) == (
        "new@example.com",
        "eyJ-planted-cccc-3333",
    )
    assert second.refresh_token.reveal() == "rt_planted-new-9999"


def test_a_masked_value_typed_back_is_refused(browser: Browser, source: Source) -> None:
    before = source.path.read_text()
    text = browser.review(keys__0__value="sk-ali...2222", setting__retry_times="5")
    assert browser.status == 400
    assert "A masked value was typed" in text
    assert 'href="#keys"' in text
    assert browser.fields()["setting.retry_times"] == "5"
    assert source.path.read_text() == before


def test_what_is_refused_comes_back_with_all_that_was_typed(
    browser: Browser, source: Source
) -> None:
    text = browser.review(
        setting__retry_times="many", keys__new=CAROL, proxy="http://u:planted9@new:1"
    )
    assert browser.status == 400
    assert "Further attempts after the first: It must be a whole number. From " in text
    assert 'href="#setting-retry_times"' in text
    fields = browser.fields()
    assert (fields["setting.retry_times"], fields["proxy"]) == ("many", "http://***@new:1")
    assert "What you typed rests with the server; leave this blank to keep it." in text
    browser.review(setting__retry_times="4")
    assert "API keys: sk-car...4444 is added" in browser.text
    browser.save()
    settings = source.current().settings
    assert [key.reveal() for key in settings.authorization] == [ALICE, BOB, CAROL]
    assert settings.proxy_url[0].reveal() == "http://u:planted9@new:1"
    assert settings.retry_times == 4


def test_back_to_the_form_with_everything(browser: Browser) -> None:
    browser.review(setting__retry_times="5", keys__new=CAROL, keys__1__remove="1")
    browser.post("/admin/settings/edit", browser.fields())
    fields = browser.fields()
    assert (fields["setting.retry_times"], fields["keys.1.remove"], fields["keys.new"]) == (
        "5",
        "1",
        "",
    )
    assert "sk-car...4444 is added" in browser.review()
    browser.post("/admin/settings/edit", browser.fields())
    text = browser.review(keys__new__forget="1")
    assert "is added" not in text


def test_who_saves_second_keeps_their_edits(browser: Browser, source: Source) -> None:
    browser.review(setting__retry_times="5", keys__1__value=CAROL)
    other = YAML.replace(f"    - {ALICE}  # phone\n", "").replace(
        "http://me:planted1@proxy:3128", "http://other:1"
    )
    source.path.write_text(other)
    text = browser.save()
    assert browser.status == 409
    assert "Someone else saved first. Your edits are kept below." in text
    assert "<del>http://***@proxy:3128</del>" in text
    assert source.path.read_text() == other
    assert browser.fields()["setting.retry_times"] == "5"
    browser.review()
    assert "API keys: sk-car...4444 is added" in browser.text
    assert "API keys: sk-bob...3333 is removed" in browser.text
    browser.save()
    settings = source.current().settings
    assert [key.reveal() for key in settings.authorization] == [CAROL]
    assert (settings.retry_times, settings.proxy_url[0].reveal()) == (5, "http://other:1")


def test_edits_of_an_account_that_is_gone_are_told(browser: Browser, source: Source) -> None:
    fields = browser.fields() | {"account.1.email": "x@example.com"}
    source.path.write_text(YAML.replace("b@example.com", "other@example.com"))
    text = browser.post("/admin/settings/review", fields)
    assert browser.status == 409
    assert "1 edit was dropped" in text
    assert "x@example.com" not in text


def test_the_last_key_stays(browser: Browser) -> None:
    text = browser.review(keys__0__remove="1", keys__1__remove="1")
    assert browser.status == 400
    assert "API keys: one key must stay" in text


def test_a_ticket_of_nobody_saves_nothing(browser: Browser, source: Source) -> None:
    before = source.path.read_text()
    fields = {"csrf": browser.fields()["csrf"], "ticket": "x" * 43}
    assert "nothing was saved" in browser.post("/admin/settings/save", fields)
    assert source.path.read_text() == before


def test_which_workers_took_it_over(browser: Browser, site: Any, source: Source) -> None:
    revision = source.current().config_revision
    for worker, seen in (("worker-1", revision), ("worker-2", revision), ("worker-3", "older")):
        site.runtime.audit.note(
            "system", "", "config_loaded", "", {"worker": worker, "revision": seen}
        )
    text = browser.open()
    assert "2 workers took this version over, the last at " in text
    assert "worker-1" not in text


def test_the_copy_of_before_can_be_deleted(browser: Browser, source: Source) -> None:
    browser.review(setting__retry_times="5")
    browser.save()
    fields = {"csrf": browser.fields()["csrf"]}
    assert "The copy is deleted." in browser.post("/admin/settings/forget-backup", fields)
    assert not source.path.with_name("app.dev.yaml.bak").exists()
    assert "There was no copy." in browser.post("/admin/settings/forget-backup", fields)


def test_many_accounts_page_by_page(browser: Browser, source: Source) -> None:
    rows = "".join(
        f"  - {{access_token: eyJ-planted-{number:04}, email: a{number}@example.com}}\n"
        for number in range(45)
    )
    source.path.write_text(f"auth: {{access_tokens: [{ALICE}]}}\nchatgpts:\n{rows}")
    browser.open()
    assert "a19@example.com" in browser.text
    assert "a20@example.com" not in browser.text
    browser.open("/admin/settings?accounts=40")
    text = browser.review(account__44__email="last@example.com")
    assert "Account last@example.com: email changes" in text
    assert "44 accounts untouched" in text
    browser.save()
    assert [one.email for one in source.current().settings.chatgpts][43:] == [
        "a43@example.com",
        "last@example.com",
    ]
    browser.open("/admin/settings?accounts=99999999")
    assert browser.status == 200


# --- who may


def test_scripts_get_json(site: Any, source: Source) -> None:
    found = site.send("GET", "/admin/settings", key=PASSWORD).get_json()
    effective = {one["name"]: one for one in found["effective"]}
    assert (effective["retry_times"]["value"], effective["port"]["source"]) == ("3", "default")
    planned = site.send(
        "POST", "/admin/settings/review", key=PASSWORD, json={"setting.retry_times": "5"}
    ).get_json()
    assert planned["changes"] == ["retry_times: 3 -> 5"]
    saved = site.send(
        "POST", "/admin/settings/save", key=PASSWORD, json={"ticket": planned["ticket"]}
    ).get_json()
    assert saved["changes"] == planned["changes"]
    raw = site.send("GET", "/admin/settings/raw", key=PASSWORD)
    assert raw.content_type.startswith("text/plain")
    wrong = site.send(
        "POST", "/admin/settings/review", key=PASSWORD, json={"setting.retry_times": "many"}
    )
    assert (wrong.status_code, wrong.get_json()["error"]["param"]) == (400, "settings.retry_times")


@pytest.mark.parametrize("action", ["review", "edit", "save", "forget-backup"])
def test_nobody_else(site: Any, source: Source, action: str) -> None:
    before = source.path.read_text()
    path = f"/admin/settings/{action}"
    assert site.send("POST", path, key=None, data={"proxy": ""}).status_code == 401
    Browser(site)
    answer = site.send("POST", path, key=None, headers=HTML, data={"proxy": ""})
    assert answer.status_code == 403
    assert source.path.read_text() == before


@pytest.mark.parametrize("path", ["/admin/settings", "/admin/settings/raw"])
def test_looking_needs_signing_in(site: Any, source: Source, path: str) -> None:
    assert site.send("GET", path, key=None).status_code == 401


@pytest.mark.parametrize("index", ["9" * 5000, "٣", "-1", ""])
def test_a_field_of_no_account_changes_nothing(
    browser: Browser, source: Source, index: str
) -> None:
    edits = {f"account.{index}.email": "x", "setting.retry_times": "x"}
    browser.post("/admin/settings/review", browser.fields() | edits)
    assert browser.status == 400
    assert source.path.read_text() == YAML
