"""Recipes run as they are copied: against the real server, with a key that its page made."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from chat2api.web.recipes import Place, Recipe, recipes

from .processes import ROOT, Server, clean_environment

PASSWORD = "an admin password of the suite"
# Where `make test-clients` puts clients.
CLIENTS = ROOT / ".venv-clients"
NODE_MODULES = ROOT / "tests" / "clients" / "node" / "node_modules"


@pytest.fixture(scope="module")
def shop(start_server: Callable[..., Server]) -> Server:
    return start_server(ADMIN_PASSWORD=PASSWORD, API_PREFIX="s3cret")


@pytest.fixture(scope="module")
def made(shop: Server) -> dict[str, Any]:
    answer = requests.post(
        f"{shop.url}/s3cret/admin/keys/new",
        headers={"Authorization": f"Bearer {PASSWORD}"},
        json={"label": "recipes", "scope": ["chat", "models"], "models": "auto"},
        timeout=10,
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.fixture
def recipe(shop: Server, made: dict[str, Any], upstream: Any) -> Callable[[str], Recipe]:
    place = Place(shop.url, "s3cret", made["key"])
    found = {one.client: one for one in recipes(place, lambda text: text)}
    return found.__getitem__


def run(command: list[str], folder: Path) -> str:
    """What it prints; its environment has no proxies, since everything is on this machine."""
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(recipe: Callable[[str], Recipe], tmp_path: Path) -> None:
    said = run(["sh", "-c", recipe("curl").blocks[0].text], tmp_path)
    assert '"object":"chat.completion.chunk"' in said
    assert said.rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize(
    ("client", "module"), [("openai-python", "openai"), ("langchain", "langchain_openai")]
)
def test_python(recipe: Callable[[str], Recipe], tmp_path: Path, client: str, module: str) -> None:
    python = sys.executable
    if importlib.util.find_spec(module) is None:
        python = str(CLIENTS / "bin" / "python")
        if not Path(python).exists():
            pytest.skip(f"{module} is not installed")
    block = recipe(client).blocks[1]
    (tmp_path / block.title).write_text(block.text)
    assert len(run([python, block.title], tmp_path).strip()) > 5


def test_node(recipe: Callable[[str], Recipe], tmp_path: Path) -> None:
    if shutil.which("node") is None or not NODE_MODULES.exists():
        pytest.skip("openai for Node is not installed")
    block = recipe("openai-node").blocks[1]
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / block.title).write_text(block.text)
    assert len(run(["node", block.title], tmp_path).strip()) > 5


def test_a_revoked_key_is_refused_at_once(shop: Server, upstream: Any, eventually: Any) -> None:
    """G05: on every worker within two seconds; H06 for what its page showed."""
    admin = {"Authorization": f"Bearer {PASSWORD}"}
    base = f"{shop.url}/s3cret"
    made = requests.post(
        f"{base}/admin/keys/new", headers=admin, json={"label": "short"}, timeout=10
    ).json()

    def status() -> int:
        key = {"Authorization": f"Bearer {made['key']}"}
        return requests.get(f"{base}/v1/models", headers=key, timeout=10).status_code

    assert status() == 200
    path = f"{base}/admin/keys/{made['id']}/revoke"
    assert requests.post(path, headers=admin, json={}, timeout=10).status_code == 200
    assert eventually(lambda: status() == 401, seconds=2.5)
