"""The effective settings in words: version, every value, where it came from, secrets masked."""

from __future__ import annotations

from chat2api.secret import Secret
from chat2api.settings.compatible_entry import OPENAI_COMPATIBLE
from chat2api.settings.load import LoadedSettings
from chat2api.settings.mask import HIDDEN, mask_text, mask_userinfo
from chat2api.settings.version import version

_PROXIES = ("proxy_url", "openai_compatible_proxy")


def describe(loaded: LoadedSettings) -> list[str]:
    """One line per setting after a line with the version; safe to print and to log."""
    rows = [(name, shown(loaded, name), loaded.sources[name]) for name in loaded.sources]
    name_width = max(len(name) for name, _, _ in rows)
    return [
        f"chat2api {version()}",
        *(f"  {name:<{name_width}}  {value}  ({source})" for name, value, source in rows),
    ]


def shown(loaded: LoadedSettings, name: str) -> str:
    """One value as people may see it; "-" when it is empty."""
    value = getattr(loaded.settings, name)
    match value:
        case tuple() if name == "chatgpts":
            return f"{len(value)} account{'' if len(value) == 1 else 's'}" if value else "-"
        case tuple() if name == OPENAI_COMPATIBLE:
            return (
                mask_text(name, ", ".join(f"{one.name} ({one.base_url})" for one in value)) or "-"
            )
        case Secret():
            return _secret(name, value)
        case tuple():
            items = [_secret(name, v) if isinstance(v, Secret) else str(v) for v in value]
            return mask_text(name, ", ".join(items)) or "-"
        case dict():
            # Keys tell enough: header values may be cookies.
            return ", ".join(sorted(value)) or "-"
        case None | "":
            return "-"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case _:
            return mask_text(name, str(value))


def _secret(name: str, secret: Secret) -> str:
    if name not in _PROXIES:
        return HIDDEN
    # A proxy without its user and password is no secret, and the operator wants to see which it is.
    return mask_userinfo(secret.reveal())
