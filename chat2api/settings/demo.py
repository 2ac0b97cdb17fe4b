"""What `--demo` changes: loopback only, no key needed, the simulator as upstream, state apart."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from chat2api.secret import Secret
from chat2api.settings.compatible_entry import CompatibleEntry
from chat2api.settings.load import LoadedSettings
from chat2api.settings.problems import Problem, SettingsError

DEMO_SOURCE = "--demo"
DEMO_KEY = "sk-demo"
"""Selects the demo's accounts. No secret: the demo listens on this machine only and holds nothing."""
_LOOPBACK = "127.0.0.1"
# What the simulator's other API takes and offers.
_COMPAT_KEY = "sk-compat"
_COMPAT_MODELS = ("compat-large", "compat-mini", "compat-image", "compat-tts")


def refuse_public_host(host: str | None) -> None:
    """Raises SettingsError when `--host` asks for more than loopback: the demo has no key (decision 2)."""
    if host is not None and not is_loopback(host):
        message = (
            "--demo serves without a key and so listens on this machine only; leave one of them out"
        )
        raise SettingsError([Problem("--host", message, host)])


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def apply_demo(loaded: LoadedSettings) -> LoadedSettings:
    """The same settings for the demo, all but the upstream's address."""
    settings = loaded.settings
    changes: dict[str, object] = {
        "allow_anonymous": True,
        "data_dir": settings.data_dir / "demo",
        # The simulator is on this machine; a proxy could not reach it.
        "proxy_url": (),
    }
    if not settings.authorization:
        changes["authorization"] = (Secret(DEMO_KEY),)
    if not is_loopback(settings.host):
        changes["host"] = _LOOPBACK
    # Real accounts, upstreams and the real database have no part in it.
    if settings.chatgpts:
        changes["chatgpts"] = ()
    if settings.openai_compatible:
        changes["openai_compatible"] = ()
    for name in ("openai_compatible_base_url", "openai_compatible_api_key", "database_url"):
        if getattr(settings, name) is not None:
            changes[name] = None
    return _changed(loaded, changes)


def with_upstream(loaded: LoadedSettings, simulator_url: str) -> LoadedSettings:
    """The same settings with the simulator as upstream, as the server to log in at, and, by its other
    API, as a second upstream."""
    login: dict[str, object] = {"openai_auth_issuer": simulator_url}
    for name in ("openai_auth_token_url", "openai_auth_authorize_url"):
        if getattr(loaded.settings, name) is not None:
            login[name] = None
    compat = CompatibleEntry(
        "compat", f"{simulator_url}/compat/v1", Secret(_COMPAT_KEY), _COMPAT_MODELS
    )
    upstreams = {"chatgpt_base_url": (simulator_url,), "openai_compatible": (compat,)}
    return _changed(loaded, {**upstreams, **login})


def _changed(loaded: LoadedSettings, changes: dict[str, object]) -> LoadedSettings:
    return replace(
        loaded,
        settings=loaded.settings.model_copy(update=changes),
        sources={**loaded.sources, **dict.fromkeys(changes, DEMO_SOURCE)},
    )
