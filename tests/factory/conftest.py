"""Applications built for a test, over an upstream that is not there, and closed after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from chat2api.factory.app import Worker, create_app
from chat2api.serve.keeper import SettingsKeeper
from chat2api.settings.load import load_settings
from chat2api.settings.model import Settings

NOBODY = ("http://127.0.0.1:1",)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """serve(**settings): an application without jobs."""
    with ExitStack() as stack:

        def build(**given: Any) -> Flask:
            fixed = {"data_dir": tmp_path, "compute_processes": 1, "chatgpt_base_url": NOBODY}
            app = create_app(Settings(**{**fixed, "retry_times": 0, **given}), jobs=False)
            stack.callback(app.extensions["chat2api"].close)
            return app

        yield build


class Site:
    """A worker over a YAML file that a test may change; nothing looks at it by itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "app.yaml"
        self.write("retry_times: 0\nauth:\n  access_tokens: [sk-first]\n")
        environ = {
            "DATA_DIR": str(folder),
            "COMPUTE_PROCESSES": "1",
            "CHATGPT_BASE_URL": NOBODY[0],
        }
        self.keeper = SettingsKeeper(
            lambda: load_settings(cli={}, environ=environ, config_path=self.file, cwd=folder)
        )
        self.app = Flask("chat2api", static_folder=None)
        self.worker = Worker(self.app, self.keeper)

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def audit(self) -> list[str]:
        entries = self.worker.runtime.audit.recent()
        return [entry.action for entry in reversed(entries)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.worker.close()
