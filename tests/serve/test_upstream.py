import os
import stat
import sys
import textwrap
import urllib.request
from pathlib import Path

import psutil
import pytest

from chat2api.serve import upstream
from chat2api.serve.start import ExitCode, StartError
from chat2api.serve.upstream import simulator_process


def children():
    return psutil.Process().children()


def test_it_runs_for_the_time_of_the_block(tmp_path):
    before = children()
    with simulator_process(dict(os.environ), tmp_path / "token.txt") as url:
        assert len(children()) == len(before) + 1
        with urllib.request.urlopen(f"{url}/_sim/accounts", timeout=5) as response:
            assert response.status == 200
        tokens = (tmp_path / "token.txt").read_text().splitlines()
        assert len(tokens) >= 1
        assert all(token.startswith("eyJ") for token in tokens)
        assert stat.S_IMODE((tmp_path / "token.txt").stat().st_mode) == 0o600
    assert children() == before


def test_a_forked_copy_does_not_end_it(tmp_path):
    """Workers leave through the same block; only who started the simulator may stop it."""
    with simulator_process(dict(os.environ), tmp_path / "token.txt") as url:
        script = f"import urllib.request; urllib.request.urlopen({url!r} + '/_sim/accounts')"
        pid = os.posix_spawn(sys.executable, [sys.executable, "-c", script], os.environ)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """A package in whose place of the simulator stands something else."""

    def broken(body):
        package = tmp_path / "tree" / "chat2api" / "simulator"
        package.mkdir(parents=True)
        (package.parent / "__init__.py").touch()
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(textwrap.dedent(body))
        monkeypatch.setattr(upstream, "_SOURCE_TREE", tmp_path / "tree")
        monkeypatch.setattr(upstream, "_START_SECONDS", 1.5)
        monkeypatch.setattr(upstream, "_STOP_SECONDS", 0.3)
        # The installed package must not be found first.
        return {"PATH": os.environ["PATH"], "PYTHONSAFEPATH": "1"}

    return broken


@pytest.mark.parametrize(
    "body",
    [
        "raise SystemExit(3)",
        "print('something else')",
        "import sys, time; print('dots', end=''); sys.stdout.flush(); time.sleep(60)",
        # Ends neither by itself nor by its standard input.
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
    ],
)
def test_one_that_does_not_start_is_told_and_ended(broken, tmp_path, body):
    environ = broken(body)
    before = children()
    with pytest.raises(StartError, match="the demo's upstream did not start") as caught:
        with simulator_process(environ, Path(tmp_path / "t")):
            pass
    assert caught.value.exit_code is ExitCode.UNAVAILABLE
    assert children() == before
