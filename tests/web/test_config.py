"""The configuration file over HTTP: who may, in which shapes, and what is noted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chat2api.errors import ErrorInfo
from chat2api.settings.load import LoadedSettings, load_settings
from chat2api.web.config import document_of

PASSWORD = "the admin password of the suite"
KEY = "sk-first-key-of-the-file"
YAML = f"# mine\nauth:\n  access_tokens:\n    - {KEY}\nproxy: http://u:p@127.0.0.1:7890\n"


class Source:
    """Settings out of one file."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "app.dev.yaml"
        self.path.write_text(YAML)
        self.problem: object | None = None

    def current(self) -> LoadedSettings:
        return load_settings(cli={}, environ={}, config_path=self.path, cwd=self.path.parent)

    def poll(self) -> None:
        return None


@pytest.fixture
def source(site: Any, tmp_path: Path) -> Source:
    site.source = Source(tmp_path)
    return site.source  # type: ignore[no-any-return]


def ask(site: Any, method: str = "GET", key: str | None = PASSWORD, **request: Any) -> Any:
    return site.send(method, "/admin/api/config", key=key, **request)


def test_it_is_shown_masked(site: Any, source: Source) -> None:
    answer = ask(site)
    shown = answer.get_json()
    assert answer.status_code == 200
    assert shown["config_path"] == "app.dev.yaml"
    assert shown["proxy"] == "http://***@127.0.0.1:7890"
    assert shown["auth_tokens"] == [{"index": 0, "set": True, "masked": "sk-fir...file"}]
    assert answer.headers["ETag"] == f'"{shown["revision"]}"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert KEY not in answer.get_data(as_text=True)
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("by_header", [True, False])
def test_a_change(site: Any, source: Source, by_header: bool) -> None:
    seen = ask(site)
    body = {**seen.get_json(), "chatgpt_base_url": "https://relay.test"}
    headers = {"If-Match": seen.headers["ETag"]} if by_header else {}
    if by_header:
        del body["revision"]
    answer = ask(site, "PUT", json=body, headers=headers)
    shown = answer.get_json()
    assert (answer.status_code, shown["chatgpt_base_url"]) == (200, "https://relay.test")
    assert shown["valid_keys"] == ["sk-fir...file"]
    assert answer.headers["ETag"] not in (seen.headers["ETag"], None)
    text = source.path.read_text()
    assert "# mine" in text
    assert KEY in text
    [entry] = site.runtime.audit.recent()
    assert (entry.actor, entry.action, entry.target) == (
        "bearer",
        "change configuration",
        "app.dev.yaml",
    )
    assert entry.detail == {"changes": shown["changes"]}


def test_nothing_changed_is_nothing_noted(site: Any, source: Source) -> None:
    assert ask(site, "PUT", json=ask(site).get_json()).status_code == 200
    assert source.path.read_text() == YAML
    assert site.runtime.audit.recent() == []


def test_the_backup_goes_on_request(site: Any, source: Source) -> None:
    """It holds the secrets of before."""
    seen = ask(site).get_json()
    assert ask(site, "PUT", json={**seen, "proxy": ""}).status_code == 200
    backup = source.path.with_name("app.dev.yaml.bak")
    assert KEY in backup.read_text()
    path = "/admin/api/config/backup"
    assert site.send("DELETE", path, key=KEY).status_code == 401
    for removed in (True, False):
        answer = site.send("DELETE", path, key=PASSWORD)
        assert (answer.status_code, answer.get_json()) == (200, {"removed": removed})
    assert not backup.exists()
    actions = [entry.action for entry in site.runtime.audit.recent()]
    assert actions == [
        "delete configuration backup",
        "sign in failed",
        "change configuration",
    ]


def test_who_saves_second_is_told(site: Any, source: Source) -> None:
    seen = ask(site).get_json()
    source.path.write_text(YAML + "log_level: info\n")
    answer = ask(site, "PUT", json={**seen, "proxy": ""})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "version_conflict")
    assert isinstance(answer.get_json()["error"], str)
    assert "7890" in source.path.read_text()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"auth_tokens": 3}', b'{"auth_tokens": [], "revision": ""}']
)
def test_what_makes_no_sense_is_400_with_a_text(site: Any, source: Source, body: bytes) -> None:
    answer = ask(site, "PUT", data=body)
    assert answer.status_code == 400
    assert isinstance(answer.get_json()["error"], str)
    assert source.path.read_text() == YAML


def test_a_masked_value_typed_back_is_refused(site: Any, source: Source) -> None:
    seen = ask(site).get_json()
    seen["auth_tokens"][0]["value"] = "sk-fir...file"
    assert ask(site, "PUT", json=seen).status_code == 400
    assert source.path.read_text() == YAML


@pytest.mark.parametrize("key", [None, "wrong", "sk-key-of-the-suite"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_nobody_without_the_secret(site: Any, source: Source, method: str, key: str | None) -> None:
    answer = ask(site, method, key, json={})
    document = answer.get_json()
    assert (answer.status_code, document["code"]) == (401, "invalid_api_key")
    assert document["detail"] == {"code": 401, "msg": document["error"], "error": None}
    assert source.path.read_text() == YAML


def test_guessing_is_slowed_down(site: Any, source: Source) -> None:
    for _ in range(5):
        assert ask(site, key="wrong").status_code == 401
    answer = ask(site)
    assert (answer.status_code, answer.get_json()["code"]) == (429, "too_many_login_attempts")
    assert int(answer.headers["Retry-After"]) > 1


def test_a_page_may_use_it_with_its_token(site: Any, source: Source) -> None:
    site.send("POST", "/admin/sign-in", key=None, data={"password": PASSWORD})
    session = site.runtime.administration.sessions.list()[0]
    seen = ask(site, key=None).get_json()
    assert ask(site, "PUT", key=None, json=seen).status_code == 403
    headers = {"X-CSRF-Token": session.csrf}
    assert ask(site, "PUT", key=None, json=seen, headers=headers).status_code == 200


def test_without_a_file_it_is_503(site: Any) -> None:
    for method in ("GET", "PUT"):
        answer = ask(site, method, json={})
        assert (answer.status_code, answer.get_json()["code"]) == (503, "no_config_file")
        assert isinstance(answer.get_json()["error"], str)


def test_too_large(site: Any, source: Source) -> None:
    answer = ask(site, "PUT", data=b" " * (8 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.get_json()["code"]) == (413, "request_too_large")


def test_the_parameter_is_named() -> None:
    info = ErrorInfo(400, "invalid_request_error", "invalid_value", "No.", param="proxy")
    assert document_of(info) == {"error": "No.", "code": "invalid_value", "param": "proxy"}
