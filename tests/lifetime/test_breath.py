"""What a pause is good for, on the very library that serves."""

from __future__ import annotations

import subprocess
import sys

from chat2api.lifetime.breath import BREATH_SECONDS, WORK_SECONDS, Breath

_LOOK = """
from gevent import monkey; monkey.patch_all()
import sys, threading, time
rang = []
def ring():
    for _ in range(20):
        time.sleep(0.01)
        rang.append(time.monotonic())
bell = threading.Thread(target=ring); bell.start()
time.sleep(0.001)
end = time.monotonic() + 0.5
while time.monotonic() < end:
    for _ in range(10_000): pass
    time.sleep(float(sys.argv[1]))
print(sum(1 for one in rang if one < end))
"""


def rings(pause: float) -> int:
    """How often another thread had its turn while one was busy for half a second."""
    run = subprocess.run(
        [sys.executable, "-c", _LOOK, str(pause)], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def test_others_have_their_turn_during_long_work() -> None:
    assert rings(BREATH_SECONDS) >= 10


def test_a_pause_comes_once_enough_was_done() -> None:
    now, pauses = [100.0], [0.0]

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += 1

    breathe = Breath(sleep, lambda: now[0])
    for _ in range(10):
        breathe()
    assert pauses == [0.0]
    now[0] += 1.01 * WORK_SECONDS
    breathe()
    breathe()
    assert pauses == [0.0, BREATH_SECONDS]
    now[0] += 2 * WORK_SECONDS
    breathe()
    assert len(pauses) == 3
