"""The start page tells strangers that it lives, and nothing else."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from chat2api.secret import Secret
from chat2api.settings.load import load_settings
from chat2api.settings.version import version

HTML = {"Accept": "text/html"}
PASSWORD = "the admin password of the suite"


def shown(site: Any, path: str = "/", **headers: str) -> str:
    answer = site.send("GET", path, key=None, headers={**HTML, **headers})
    assert answer.status_code == 200
    return html.unescape(answer.get_data(as_text=True))


def sign_in(site: Any) -> None:
    answer = site.send(
        "POST", "/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD}
    )
    assert answer.status_code == 303


def test_scripts_get_json(site: Any) -> None:
    answer = site.send("GET", "/", key=None)
    assert (answer.status_code, answer.get_json()) == (
        200,
        {"status": "ok", "message": "This server is running."},
    )
    assert site.send("HEAD", "/", key=None).get_data() == b""


def test_people_get_the_address(site: Any) -> None:
    page = site.send("GET", "/", key=None, headers=HTML, base_url="http://chat.test:5005")
    text = page.get_data(as_text=True)
    assert "This server is running." in text
    assert ">http://chat.test:5005/v1</code>" in text
    assert 'href="/admin/sign-in"' in text


def test_the_configured_address_wins(site: Any) -> None:
    site.given["public_base_url"] = "https://api.test"
    page = site.send("GET", "/", key=None, headers=HTML, base_url="http://evil.test")
    assert "https://api.test/v1</code>" in page.get_data(as_text=True)
    assert "evil" not in page.get_data(as_text=True)


def test_a_host_that_is_none_is_not_shown(site: Any) -> None:
    page = site.send("GET", "/", key=None, headers={**HTML, "Host": "a<b>c"})
    assert "a&lt;b" not in page.get_data(as_text=True)
    assert "a<b" not in page.get_data(as_text=True)


@pytest.mark.parametrize("headers", [{}, HTML])
def test_a_prefix_stays_a_secret(site: Any, headers: dict[str, str]) -> None:
    site.given["api_prefix"] = "s3cret"
    text = site.send("GET", "/", key=None, headers=headers).get_data(as_text=True)
    assert "s3cret" not in text
    assert "/v1" not in text
    assert "sign-in" not in text


@pytest.mark.parametrize("name", ["ico", "png"])
def test_no_icon(site: Any, name: str) -> None:
    answer = site.send("GET", f"/favicon.{name}", key=None)
    assert (answer.status_code, answer.get_data()) == (204, b"")


def test_strangers_learn_how_to_use_it_and_nothing_about_it(site: Any) -> None:
    site.given["public_base_url"] = "https://chat.test"
    site.keys.create("phone of Bob", models=["gpt-secret"])
    text = shown(site)
    assert "How to use it" in text
    assert "Authorization: Bearer YOUR_API_KEY" in text
    assert "export OPENAI_API_BASE=https://chat.test/v1" in text
    assert "cherrystudio:" not in text
    for hidden in (version(), "gpt-4o", "gpt-5", "Bob", "gpt-secret", "sk-…", "accounts", "fake"):
        assert hidden not in text


def test_what_is_not_there_yet_is_said(site: Any) -> None:
    text = shown(site)
    served = {rule.rule for rule in site.app.url_map.iter_rules()}
    for path in ("/v1/responses", "/v1/messages"):
        is_said = f"It needs {path}, which this version does not have yet." in text
        assert is_said is (path not in served)


def test_the_operator_sees_how_things_are(site: Any) -> None:
    site.given["api_prefix"] = "s3cret"
    key, _ = site.keys.create("<b>phone", models=["gpt-4*"])
    site.store.clock.at += 1
    other, _ = site.keys.create("laptop")
    site.send("POST", "/s3cret/admin/sign-in", key=None, headers=HTML, data={"password": PASSWORD})
    text = shown(site)
    assert "There are no accounts yet." in text
    assert ">http://localhost/s3cret/v1</code>" in text
    assert f"Put the key {other.hint} in the place" in text
    assert '"model": "auto"' in text
    chosen = shown(site, f"/?key={key.key_id}")
    assert '"model": "gpt-4o"' in chosen
    assert re.search(rf'value="{key.key_id}" selected><b>phone', chosen)
    assert f"Put the key {other.hint} in the place" in shown(site, "/?key=unknown")
    raw = site.send("GET", "/", key=None, headers=HTML).get_data(as_text=True)
    assert "<b>phone" not in raw


def test_a_script_of_the_operator_gets_what_every_script_gets(site: Any) -> None:
    sign_in(site)
    assert site.send("GET", "/", key=PASSWORD, headers=HTML).get_json()["status"] == "ok"


def test_where_the_first_key_is_until_somebody_signs_in(site: Any) -> None:
    assert "first start" not in shown(site)
    told: list[Secret] = []
    site.keys.first_key(told.append)
    text = shown(site)
    assert "A key was made at the first start; it is in what that start printed" in text
    assert told[0].reveal() not in text
    sign_in(site)
    assert "first start" not in shown(site)
    site.client.delete_cookie("admin")
    assert "first start" not in shown(site)


@pytest.mark.parametrize(
    ("key", "is_told"), [("sk-" + "0123456789abcdef" * 3, True), ("sk-chosen", False)]
)
def test_a_first_key_in_the_configuration_file(
    site: Any, tmp_path: Any, key: str, is_told: bool
) -> None:
    path = tmp_path / "app.dev.yaml"
    path.write_text(f"auth:\n  access_tokens:\n    - {key}\n")

    class Source:
        problem = None

        def current(self) -> Any:
            return load_settings(cli={}, environ={}, config_path=path, cwd=tmp_path)

    site.source = Source()
    site.given["authorization"] = (Secret(key),)
    text = shown(site)
    assert ("in the configuration file." in text) is is_told
    assert key not in text


def test_while_the_database_is_away_everybody_is_a_stranger(site: Any, outage: Any) -> None:
    site.runtime  # noqa: B018 - made before the outage
    sign_in(site)
    outage.is_away = True
    assert "This server is running." in shown(site)
