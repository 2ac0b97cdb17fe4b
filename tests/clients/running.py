"""Real clients against a real server: where they are installed, and how their scripts are run.

`make test-clients` installs what these tests need: Python clients into a virtual environment of their own
(they would quarrel with ours over versions), Node clients beside their scripts. Each script under `python/` and
`node/` prints one JSON object: what each of its steps saw. The tests compare that with what is right.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.processes import KEY, ROOT, clean_environment

HERE = Path(__file__).parent
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
NODE = shutil.which("node")
NODE_MODULES = HERE / "node" / "node_modules"
INSTALL = "not installed; make test-clients does it"

MODELS = ("gpt-5-5", "compat-large")
"""A model of the chat accounts, where tools and JSON are emulated, and one of an OpenAI-compatible upstream."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is, and the folder that scripts may write to."""

    url: str
    folder: Path

    def python(self, script: str) -> dict[str, Any]:
        """What the script told with each model."""
        runner = HERE / "python" / "run.py"
        command = [str(PYTHON), str(runner), str(runner.with_name(script)), *MODELS]
        return dict(zip(MODELS, self._run(command).splitlines(), strict=True))

    def node(self, script: str) -> dict[str, Any]:
        """The same."""
        assert NODE is not None
        command = [NODE, str(HERE / "node" / script)]
        return {model: self._run(command, CLIENT_MODEL=model) for model in MODELS}

    def _run(self, command: list[str], **more: str) -> str:
        """What it prints. Nothing in its environment leads out of this machine."""
        environment = {
            **clean_environment(),
            "HOME": str(self.folder),
            "CLIENT_ROOT": self.url,
            "CLIENT_KEY": KEY,
            "LLM_USER_PATH": str(self.folder / "llm"),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            **more,
        }
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout


def judge(told: dict[str, str], right: dict[str, Any]) -> None:
    """With each model every step told what is right; all that did not are shown, with their traces."""
    __tracebackhide__ = True
    shown = []
    for model, text in told.items():
        steps = json.loads(text)
        assert sorted(steps) == sorted(right)
        for step, saw in steps.items():
            if saw != right[step]:
                shown.append(f"{model}, {step}: right is {right[step]!r}\n{_readable(saw)}")
    assert not shown, "\n\n".join(shown)


def _readable(saw: Any) -> str:
    return str(saw["failed"]) if isinstance(saw, dict) and "failed" in saw else f"it told {saw!r}"
