"""`python -m benchmarks`: measure the server beside a bare pass-through and print a table.

Everything runs on this machine over loopback; figures are for ratios, not promises.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks import measures
from benchmarks.accounts import accounts
from benchmarks.desk import desk
from benchmarks.figures import Figure, table
from benchmarks.processes import Upstream, upstream
from benchmarks.starts import starts

_GROUPS = ("proofs", "accounts", "desk", "starts", "cpu", "memory", "stalls", "hang_ups")
_RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds to take medians of")
    parser.add_argument("groups", nargs="*", choices=[[], *_GROUPS], help="only these")
    options = parser.parse_args()
    _allow_many_files()
    figures: list[Figure] = []
    begun = time.monotonic()
    with upstream() as source:
        for group in options.groups or _GROUPS:
            print(f"measuring {group} ...", file=sys.stderr, flush=True)
            figures += _measure(group, source, options.rounds)
    print(
        f"\nPython {platform.python_version()}, {os.cpu_count()} cores, one worker; "
        f"{time.monotonic() - begun:.0f} s; medians (least-greatest of the rounds)\n"
    )
    print(table(figures))
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))


def _measure(group: str, source: Upstream, rounds: int) -> list[Figure]:
    match group:
        case "proofs":
            return measures.proofs(rounds)
        case "accounts":
            return accounts(rounds)
        case "desk":
            return desk()
        case "starts":
            return starts(source, rounds)
        case "cpu":
            return measures.cpu(source, rounds)
        case "memory":
            return measures.memory(source)
        case "stalls":
            return measures.stalls(source)
        case _:
            return measures.hang_ups(source, rounds)


def _allow_many_files() -> None:
    """A thousand streams need two thousand connections in the server; children inherit this."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
