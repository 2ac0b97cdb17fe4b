"""The options for `gunicorn -c gunicorn.conf.py app:app`.

gunicorn reads its configuration file before any patching, and again on SIGHUP; nothing that opens
connections is imported here.
"""

from __future__ import annotations

from typing import Any

from chat2api.logs import log_uncaught_errors
from chat2api.serve.console import leaving_plainly, set_up_logs, show
from chat2api.serve.keeper import process_keeper
from chat2api.serve.options import gunicorn_options
from chat2api.serve.prepare import prepare_state_apart
from chat2api.serve.start import make_room


def conf_options() -> dict[str, Any]:
    """Options from the environment, `.env` and the YAML file. Leaves by SystemExit on a mistake."""
    keeper = process_keeper()
    first = not keeper.is_loaded
    with leaving_plainly():
        loaded = keeper.reload()
    settings = loaded.settings
    set_up_logs(settings)
    if first:
        log_uncaught_errors()
        show(loaded)
        prepare_state_apart(settings)
        make_room(settings.worker_connections)
    return gunicorn_options(settings)
