"""gunicorn's loggers, handed to our handler so that its lines are redacted and formatted like ours."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.glogging import Logger


class GunicornLog(Logger):  # type: ignore[misc]
    """Keeps gunicorn's interface and gives up its handlers."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in list(log.handlers):
                log.removeHandler(handler)
            log.propagate = True
            # Below that it repeats each request's address as it came, with what may be secret in it.
            log.setLevel(max(log.level, logging.INFO))
