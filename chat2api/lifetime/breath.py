"""The pause that long work makes now and then, so that the other requests of its process go on."""

from __future__ import annotations

BREATH_SECONDS = 0.0001
"""To be slept, not nothing: a sleep of 0 lets gevent go round among those who are ready, and as long as
that is only the sleeper itself, neither sockets nor timers are looked at."""
