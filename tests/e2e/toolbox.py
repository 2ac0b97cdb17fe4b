"""Tools to call, and scripts for the simulator's model that calls them."""

from __future__ import annotations

import json
from typing import Any

MODEL = "gpt-5-5"


def function(name: str, about: str, *required: str, **properties: Any) -> Any:
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    described = {"name": name, "description": about, "parameters": parameters}
    return {"type": "function", "function": described}


STRING = {"type": "string"}
WEATHER = function(
    *("get_weather", "The current weather in a city.", "location"),
    location=STRING,
    unit={"type": "string", "enum": ["c", "f"]},
)
TIME = function("get_time", "What time it is in a zone.", "zone", zone=STRING)
SQL: Any = {"type": "custom", "custom": {"name": "run_sql", "description": "Runs SQL."}}
TOOLS = [WEATHER, TIME, SQL]
OSLO = '{"location": "Oslo"}'


def script(*lines: str, style: str = "") -> list[Any]:
    first = f"/sim agent style={style}" if style else "/sim agent"
    return [{"role": "user", "content": "\n".join((first, *lines))}]


CALL_OSLO = script(f"call get_weather {OSLO}")
TWO_CALLS = script(f"call get_weather {OSLO}", 'call get_time {"zone": "Europe/Oslo"}')


def made(choice: Any) -> list[tuple[str, Any]]:
    """Name and arguments of each call."""
    return [
        (call.function.name, json.loads(call.function.arguments))
        for call in choice.message.tool_calls or ()
    ]
