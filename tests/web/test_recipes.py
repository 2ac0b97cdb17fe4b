"""Recipes of clients: the right address, this key, a model that exists; quoted for who reads them."""

from __future__ import annotations

import ast
import base64
import json
import shlex
import tomllib
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.web.recipes import PLACEHOLDER, Place, Recipe, model_for, recipes

KEY = "sk-0123456789abcdef-_"
ALL = ("/v1/responses", "/v1/messages")
HOME = Place("https://chat.test", key=KEY, served=ALL)
# What is foreign may hold anything but line breaks: an upstream's model names, the operator's address.
odd_text = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), min_size=1, max_size=30
)


def by_client(place: Place) -> dict[str, Recipe]:
    return {recipe.client: recipe for recipe in recipes(place, lambda text: text)}


def everything(recipe: Recipe) -> str:
    return "\n".join([recipe.address, *(block.text for block in recipe.blocks),
                      *(value for _, value in recipe.fields)])  # fmt: skip


def decoded(link: str) -> Any:
    return json.loads(base64.b64decode(unquote(link.rpartition("=")[2]), validate=True))


def test_there_are_eleven() -> None:
    assert list(by_client(HOME)) == [
        "openai-python", "openai-node", "curl", "codex", "claude-code", "open-webui",
        "cherry-studio", "nextchat", "chatbox", "langchain", "aider",
    ]  # fmt: skip


WITH_V1 = ["openai-python", "openai-node", "curl", "codex", "open-webui", "langchain", "aider"]
WITHOUT_V1 = ["claude-code", "cherry-studio", "nextchat"]


@pytest.mark.parametrize(
    ("origin", "prefix", "root"),
    [
        ("https://chat.test", "", "https://chat.test"),
        ("http://192.0.2.7:5005", "s3cret", "http://192.0.2.7:5005/s3cret"),
        ("https://chat.test/below", "", "https://chat.test/below"),
    ],
)
def test_addresses(origin: str, prefix: str, root: str) -> None:
    found = by_client(Place(origin, prefix, KEY))
    for client in WITH_V1:
        assert found[client].address == f"{root}/v1"
        assert f"{root}/v1" in everything(found[client])
    for client in WITHOUT_V1:
        assert found[client].address == root
        assert f"{root}/v1" not in everything(found[client])
    fields = dict(found["chatbox"].fields)
    assert fields["API host"] + fields["API path"] == f"{root}/v1/chat/completions"
    assert urlsplit(fields["API host"]).path == ""


def test_key_and_model_stand_in_every_one() -> None:
    for recipe in by_client(Place("https://chat.test", key=KEY, model="gpt-5-5")).values():
        assert KEY in everything(recipe)
        assert "gpt-5-5" in everything(recipe) or recipe.client == "open-webui"


def test_without_a_key_there_is_a_placeholder_and_no_link() -> None:
    for recipe in by_client(Place("https://chat.test")).values():
        assert PLACEHOLDER in everything(recipe)
        assert recipe.import_link == ""


def test_links_carry_the_key_only_into_applications() -> None:
    found = by_client(HOME)
    links = {client: recipe.import_link for client, recipe in found.items() if recipe.import_link}
    assert {client: link.partition(":")[0] for client, link in links.items()} == {
        "cherry-studio": "cherrystudio",
        "chatbox": "chatbox",
    }
    assert KEY not in "".join(links.values())
    assert decoded(links["cherry-studio"]) == {
        "id": "chat2api-chat-test",
        "name": "chat2api",
        "type": "openai",
        "baseUrl": "https://chat.test",
        "apiKey": KEY,
    }
    assert decoded(links["chatbox"])["settings"] == {
        "apiHost": "https://chat.test",
        "apiPath": "/v1/chat/completions",
        "apiKey": KEY,
        "models": [{"modelId": "auto", "type": "chat"}],
    }


@given(odd_text, odd_text)
def test_links_read_the_same_in_every_base64(key: str, model: str) -> None:
    for recipe in by_client(Place("https://chat.test", key=key, model=model)).values():
        data = unquote(recipe.import_link.rpartition("=")[2])
        assert not {"+", "/", "-", "_"} & set(data)


@pytest.mark.parametrize(
    ("client", "path"), [("codex", "/v1/responses"), ("claude-code", "/v1/messages")]
)
def test_what_this_server_lacks_is_said(client: str, path: str) -> None:
    assert by_client(Place("https://chat.test"))[client].missing == path
    assert by_client(Place("https://chat.test", served=[path]))[client].missing == ""
    lacking = [
        recipe for recipe in by_client(Place("https://chat.test")).values() if recipe.missing
    ]
    assert len(lacking) == 2


@given(odd_text, odd_text)
def test_whatever_a_model_is_called_it_stays_one_text(model: str, key: str) -> None:
    found = by_client(Place("https://chat.test", key=key, model=model, served=ALL))
    for client in ("openai-python", "langchain"):
        strings = {node.value for node in ast.walk(ast.parse(found[client].blocks[1].text))
                   if isinstance(node, ast.Constant)}  # fmt: skip
        assert {model, key, "https://chat.test/v1"} <= strings
    config = tomllib.loads(found["codex"].blocks[0].text)
    assert config["model"] == model
    assert config["model_providers"]["chat2api"]["base_url"] == "https://chat.test/v1"
    words = shlex.split(found["curl"].blocks[0].text)
    assert json.loads(words[-1])["model"] == model
    assert f"Authorization: Bearer {key}" in words
    assert shlex.split(found["aider"].blocks[0].text)[-1] == f"openai/{model}"
    assert f"ANTHROPIC_MODEL={model}" in shlex.split(found["claude-code"].blocks[0].text)


def test_the_codex_variable_is_none_that_the_server_would_refuse() -> None:
    config = tomllib.loads(by_client(HOME)["codex"].blocks[0].text)
    name = config["model_providers"]["chat2api"]["env_key"]
    assert not name.startswith("CHAT2API_")
    assert f"export {name}={KEY}" in by_client(HOME)["codex"].blocks[1].text


@pytest.mark.parametrize(
    ("origin", "clients"),
    [
        ("http://127.0.0.1:5005", {"open-webui"}),
        ("http://localhost:5005", {"open-webui"}),
        ("http://[::1]:5005", {"open-webui"}),
        ("http://192.0.2.7:5005", {"nextchat"}),
        ("https://chat.test", set()),
    ],
)
def test_notes_for_places_that_need_them(origin: str, clients: set[str]) -> None:
    noted = {recipe.client for recipe in by_client(Place(origin)).values() if recipe.notes}
    assert noted - {"claude-code", "aider"} == clients


@pytest.mark.parametrize(
    ("place", "address"),
    [
        (Place("http://127.0.0.1:5005"), "http://host.docker.internal:5005/v1"),
        (Place("http://localhost", "pre"), "http://host.docker.internal/pre/v1"),
        (Place("http://[::1]:7"), "http://host.docker.internal:7/v1"),
        (Place("https://chat.test"), "https://chat.test/v1"),
    ],
)
def test_a_container_is_told_this_machine_by_its_name_there(place: Place, address: str) -> None:
    words = shlex.split(by_client(place)["open-webui"].blocks[0].text)
    assert f"OPENAI_API_BASE_URL={address}" in words
    added = "--add-host=host.docker.internal:host-gateway" in words
    assert added is place.is_loopback


@pytest.mark.parametrize(
    ("known", "patterns", "model"),
    [
        (["gpt-5", "gpt-4o"], [], "auto"),
        (["gpt-5", "gpt-4o"], ["gpt-*"], "gpt-4o"),
        (["gpt-5"], ["o3", "o4*"], "o3"),
        (["gpt-5"], ["o*", "o3"], "o3"),
        ([], ["o4*"], "o4*"),
        ([], ["a*"], "auto"),
    ],
)
def test_which_model(known: list[str], patterns: list[str], model: str) -> None:
    assert model_for(known, patterns) == model
