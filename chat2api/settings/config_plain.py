"""Settings of one plain value that the administration may change in the file: shown as text, set as text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pydantic import ValidationError
from ruamel.yaml.comments import CommentedMap

from chat2api.settings.config_body import as_object, as_text, bad
from chat2api.settings.convert import convert
from chat2api.settings.fields import SettingField, setting_fields
from chat2api.settings.mask import clip
from chat2api.settings.model import Settings
from chat2api.settings.yaml_comments import quoted, set_value

PLAIN = "settings"
NAMES = (
    "direct_tokens",
    "allow_anonymous",
    "random_token",
    "enable_limit",
    "account_concurrency",
    "queue_seconds",
    "retry_times",
    "history_disabled",
    "scheduled_refresh",
    "tz",
    "log_level",
    "log_content",
    "requests_kept_days",
    "usage_kept_days",
)
"""None of them is secret, and each takes effect without a restart."""


@cache
def plain_fields() -> Mapping[str, SettingField]:
    known = setting_fields()
    return {name: known[name] for name in NAMES}


def shown_plain(data: CommentedMap) -> dict[str, str]:
    """What the file says of each, as text; "" where it says nothing."""
    return {name: _text(data.get(name)) for name in NAMES}


def merge_plain(data: CommentedMap, value: object) -> dict[str, str]:
    """Work names with texts into the file; "" takes a setting out, so that its default holds.

    The changes in words, by name. Raises RequestError.
    """
    wanted = as_object(value, PLAIN, NAMES)
    changes: dict[str, str] = {}
    before = shown_plain(data)
    for name in wanted:
        param = f"{PLAIN}.{name}"
        text = as_text(wanted[name], param)
        if text == before[name]:
            continue
        # An empty key and no lost key: the comment lines after it hang onto it.
        set_value(data, name, _value(plain_fields()[name], text, param) if text else None)
        changes[name] = f"{name}: {before[name] or 'default'} -> {clip(text) or 'default'}"
    return changes


def _value(field: SettingField, text: str, param: str) -> object:
    """As YAML spells it: numbers and switches bare, everything else quoted."""
    try:
        value = convert(field, text)
        Settings.model_validate({field.name: value})
    except ValidationError as refusal:
        detail = refusal.errors()[0]
        is_ours = detail["type"] == "value_error"  # a check of the model, in plain words
        raise bad(
            param, str(detail["ctx"]["error"]) if is_ours else f"must be {field.allowed}"
        ) from None
    except ValueError as error:
        raise bad(param, str(error)) from None
    return value if isinstance(value, bool | int | float) else quoted(str(value))


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else clip(str(value).strip())
