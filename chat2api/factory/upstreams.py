"""From the settings to the other upstreams."""

from __future__ import annotations

from chat2api.providers.openai_compatible.provider import CompatibleOptions, CompatibleProvider
from chat2api.service.egress import Egress
from chat2api.service.entries import Entries, Entry
from chat2api.service.entry_backend import EntryBackend
from chat2api.settings.compatible_entry import CompatibleEntry
from chat2api.settings.model import Settings
from chat2api.settings.version import version


def make_entries(settings: Settings, egress: Egress) -> Entries:
    return Entries([_entry(one, settings, egress) for one in settings.upstreams])


def _entry(entry: CompatibleEntry, settings: Settings, egress: Egress) -> Entry:
    options = CompatibleOptions(
        name=entry.name,
        base_url=entry.base_url,
        api_key=entry.api_key,
        user_agent=f"chat2api/{version()}",
        first_byte_seconds=settings.first_byte_seconds,
        slow_first_byte_seconds=settings.slow_first_byte_seconds,
        idle_seconds=settings.idle_seconds,
        slow_idle_seconds=settings.slow_idle_seconds,
        event_limit_bytes=settings.event_limit_bytes,
    )
    provider = CompatibleProvider(options)
    return Entry(EntryBackend(entry, provider, egress, settings.retry_times))
