"""One server for all clients of a kind: chat accounts by default, and an OpenAI-compatible upstream beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.running import Place
from tests.e2e.processes import OwnSimulator, Server


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    simulator = OwnSimulator(tmp_path_factory.mktemp("simulator"))
    simulator.start()
    simulator.reset()
    tokens = [account["access_token"] for account in simulator.control("accounts")["accounts"]]
    settings = {
        "OPENAI_COMPATIBLE_BASE_URL": f"{simulator.url}/compat/v1",
        "OPENAI_COMPATIBLE_API_KEY": "sk-compat",
        "OPENAI_COMPATIBLE_MODELS": "compat-large,compat-mini",
    }
    server = Server(tmp_path_factory.mktemp("server"), simulator.url, tokens, settings)
    try:
        server.start()
        yield Place(server.url, tmp_path_factory.mktemp("clients"))
    finally:
        server.stop()
        simulator.stop()
