"""What a pause is good for, on the very library that serves."""

from __future__ import annotations

import subprocess
import sys

from chat2api.lifetime.breath import BREATH_SECONDS

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
