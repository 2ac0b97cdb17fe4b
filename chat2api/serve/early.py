"""What a serving process does before it imports anything else, and once it has imported everything."""

from __future__ import annotations

import gc


def go_green() -> None:
    """Make sockets, locks and sleeps cooperative, and let the garbage collector rest until `settle`."""
    # Imports make a million objects and hardly any garbage: looking for it takes a quarter of the start.
    gc.disable()
    from gevent import events, monkey

    # For each module it patches gevent reads what every installed package offers, in search of plugins
    # for itself: a quarter of a second, and nothing of ours is one.
    events.notify_and_call_entry_points = events.notify
    monkey.patch_all()


def settle() -> None:
    """What is there now stays: the collector works from here on, and leaves it alone."""
    gc.freeze()
    gc.enable()
