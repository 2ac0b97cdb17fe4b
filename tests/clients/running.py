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

EMULATED, NATIVE = "gpt-5-5", "compat-large"
"""A model of the chat accounts, where tools and JSON are emulated, and one of an OpenAI-compatible upstream."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is, and the folder that scripts may write to."""

    url: str
    folder: Path

    def python(self, script: str, model: str) -> dict[str, Any]:
        return self._run([str(PYTHON), str(HERE / "python" / script)], model)

    def node(self, script: str, model: str) -> dict[str, Any]:
        assert NODE is not None
        return self._run([NODE, str(HERE / "node" / script)], model)

    def _run(self, command: list[str], model: str) -> dict[str, Any]:
        """What the script told of its steps. Nothing of its environment leads out of this machine."""
        environment = {
            **clean_environment(),
            "HOME": str(self.folder),
            "CLIENT_ROOT": self.url,
            "CLIENT_KEY": KEY,
            "CLIENT_MODEL": model,
            "LLM_USER_PATH": str(self.folder / f"llm-{model}"),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "ANTHROPIC_LOG": "",
        }
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=110
        )
        assert done.returncode == 0, done.stderr[-4000:]
        told = json.loads(done.stdout)
        assert isinstance(told, dict)
        return told


def judge(told: dict[str, Any], right: dict[str, Any]) -> None:
    """Every step told what is right; all that did not are shown together, with their traces."""
    __tracebackhide__ = True
    wrong = [step for step in right if told.get(step) != right[step]]
    shown = "\n\n".join(
        f"{step}: right is {right[step]!r}\n{_readable(told.get(step))}" for step in wrong
    )
    assert not wrong, f"{len(wrong)} of {len(right)} steps\n{shown}"
    assert sorted(told) == sorted(right)


def _readable(saw: Any) -> str:
    return str(saw["failed"]) if isinstance(saw, dict) and "failed" in saw else f"it told {saw!r}"
