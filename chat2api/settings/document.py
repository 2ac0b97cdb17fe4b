"""The settings as a Markdown table, made from the settings themselves. README carries it; a test compares."""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo

from chat2api.secret import Secret
from chat2api.settings.model import Settings

YAML_ONLY = frozenset({"chatgpts", "openai_compatible"})


def settings_table() -> str:
    """One row per setting that a variable can set: name, default, meaning."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        if name in YAML_ONLY:
            continue
        meaning = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{name.upper()}` | {_default(field)} | {meaning} |")
    return "\n".join(rows)


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value == "" or value == () or value == {} or isinstance(value, Secret):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{','.join(map(str, value))}`"
    text = str(value)
    return f"`{text}`" if len(text) <= 40 else "a desktop browser"
