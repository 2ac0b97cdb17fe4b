"""The command line tool llm: a prompt, tools, a schema, and a conversation that goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from steps import API, EVENT, KEY, MODEL, TWO_CALLS, step, tell

HOME = Path(os.environ["LLM_USER_PATH"])
FUNCTIONS = """
def get_weather(city: str) -> str:
    "Weather of a city"
    return {"Oslo": "cold", "Lima": "warm"}[city]
"""


def llm(*arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("llm")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def settle() -> None:
    """What a person would put into llm's folder."""
    HOME.mkdir(parents=True, exist_ok=True)
    (HOME / "extra-openai-models.yaml").write_text(
        f"- model_id: ours\n  model_name: {MODEL}\n  api_base: {API}\n  api_key_name: ours\n"
        "  supports_tools: true\n  supports_schema: true\n"
    )
    (HOME / "keys.json").write_text(json.dumps({"ours": KEY}))


@step
def prompted() -> Any:
    settle()
    return llm("-m", "ours", "/sim agent\nsay Hello there.")


@step
def continued() -> Any:
    return llm("-m", "ours", "-c", "/sim agent\nsay And again.")


@step
def tools() -> Any:
    return [
        llm("-m", "ours", "--functions", FUNCTIONS, *more, TWO_CALLS)
        for more in ((), ("--no-stream",))
    ]


@step
def schema() -> Any:
    shape = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "day": {"type": "integer"},
            "people": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name", "day", "people"],
    }
    return json.loads(llm("-m", "ours", "--schema", json.dumps(shape), EVENT))


tell()
