"""Going on with logins that wait for their person: one question each when it is due."""

from __future__ import annotations

from collections.abc import Callable

from chat2api.service.logins import Logins

EVERY_SECONDS = 1.0
_MOST_PER_RUN = 50


def go_on_with_logins(logins: Logins, is_over: Callable[[], bool] = lambda: False) -> int:
    """Returns how many were gone on with. Stops between two of them when `is_over`."""
    done = 0
    while done < _MOST_PER_RUN and not is_over() and logins.go_on():
        done += 1
    return done
