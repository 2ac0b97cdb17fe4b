"""The seam to CPU work: a named pure function runs in another process while this one serves."""

from __future__ import annotations

from typing import Any, Protocol

from chat2api.lifetime.call import Call


class Compute(Protocol):
    def run(self, task: str, *args: Any, call: Call, timeout_seconds: float) -> Any:
        """Run `task` (a name in `chat2api.compute.tasks`) and return its result.

        Arguments and result are plain values (str, int, float, bytes, None, lists, tuples, dicts).
        Raises ComputeTimeout when it takes longer, ComputeFailed when the task raised or its process
        died, or what the call was cancelled with. Only the calling thread waits.
        """


class ComputeFailed(RuntimeError):
    """The task raised, or its process died twice."""


class ComputeTimeout(ComputeFailed):
    """The task was stopped at its time limit."""
