"""Where clients find the API, as this caller sees it."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.web.api_place import api_place, public_origin


@pytest.mark.parametrize(
    ("host", "origin", "root"),
    [
        ("chat.test:5005", "http://chat.test:5005", "http://chat.test:5005"),
        ("[::1]:5005", "http://[::1]:5005", "http://[::1]:5005"),
        ("a<b>c", "", "http://127.0.0.1:5005"),
    ],
)
def test_as_the_caller_named_it(site: Any, host: str, origin: str, root: str) -> None:
    with site.app.test_request_context("/", headers={"Host": host}):
        assert (public_origin(), api_place().root) == (origin, root)


def test_as_configured(site: Any) -> None:
    site.given.update(public_base_url="https://chat.test/", api_prefix="s3cret")
    with site.app.test_request_context("/", headers={"Host": "evil.test"}):
        place = api_place("sk-x", "o3")
    assert (place.api, place.key, place.model) == ("https://chat.test/s3cret/v1", "sk-x", "o3")


@pytest.mark.parametrize("prefix", ["", "s3cret"])
def test_what_is_served_is_what_there_are_routes_for(site: Any, prefix: str) -> None:
    site.given["api_prefix"] = prefix
    app = site.own_app()
    with app.test_request_context("/"):
        assert "/v1/chat/completions" in api_place().served
        assert "/v1/models" not in api_place().served
    app.add_url_rule(f"{'/' + prefix if prefix else ''}/v1/later", "later", methods=["POST"])
    with app.test_request_context("/"):
        assert "/v1/later" in api_place().served


@pytest.mark.parametrize(
    "told",
    [
        {"Host": "[::::]"},
        {"Host": "[1.2.3]:80"},
        {"Host": "chat.test", "X-Forwarded-Host": "evil.test/x?"},
        {"Host": "chat.test", "X-Forwarded-Host": "[:::]"},
        {"Host": "chat.test", "X-Forwarded-Host": "a b"},
        {"Host": "chat.test", "X-Forwarded-Proto": "javascript"},
    ],
)
def test_what_is_no_address_is_not_told(site: Any, told: dict[str, str]) -> None:
    """A proxy that is trusted may hand on what its caller said."""
    site.given["trusted_proxies"] = ("127.0.0.1",)
    with site.app.test_request_context(
        "/", headers=told, environ_base={"REMOTE_ADDR": "127.0.0.1"}
    ):
        assert public_origin() == ""
    if told["Host"].startswith("["):
        return  # Werkzeug's test client cannot send it
    for path in ("/", "/admin", "/admin/sign-in"):
        answer = site.client.get(path, headers={**told, "Accept": "text/html"})
        assert answer.status_code < 500
        assert "evil" not in answer.text
