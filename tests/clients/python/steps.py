"""What every script of a client shares: where the server is, and how it tells what it saw.

`run.py` runs a script in the virtual environment of the clients. It registers steps and
calls `tell()`, which prints one JSON object: what each step returned, or the trace of its error.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

ROOT = os.environ["CLIENT_ROOT"]
API = f"{ROOT}/v1"
KEY = os.environ["CLIENT_KEY"]
MODEL = os.environ["CLIENT_MODEL"]

_STEPS: dict[str, Callable[[], Any]] = {}

TWO_CALLS = """/sim agent
call get_weather {"city": "Oslo"}
call get_weather {"city": "Lima"}
---
say In Oslo it is {result:1}, in Lima {result:2}."""
ONE_CALL = """/sim agent
call get_weather {"city": "Oslo"}
---
say In Oslo it is {result}."""
EVENT = """/sim agent
json {"name": "Science fair", "day": 5, "people": ["Alice", "Bob"]}"""


def weather(city: str) -> str:
    """The answer of the tool in every script."""
    return {"Oslo": "cold", "Lima": "warm"}.get(city, "unknown")


def step(function: Callable[[], Any]) -> Callable[[], Any]:
    """Register a step; plain and async functions alike."""
    _STEPS[function.__name__] = function
    return function


def tell() -> None:
    told: dict[str, Any] = {}
    for name, function in _STEPS.items():
        try:
            value = function()
            told[name] = asyncio.run(value) if inspect.iscoroutine(value) else value
        except Exception:
            told[name] = {"failed": traceback.format_exc()[-3000:]}
    json.dump(told, sys.stdout)
