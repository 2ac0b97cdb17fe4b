"""The store's options from the settings."""

from __future__ import annotations

from chat2api.settings.model import Settings
from chat2api.store.engine import database_url
from chat2api.store.opening import StoreOptions


def store_options(settings: Settings) -> StoreOptions:
    url = database_url(settings.database_url, settings.data_dir)
    return StoreOptions(url, settings.data_dir, settings.secret_key)
