"""The YAML file under running servers: the first key, edits, mistakes (D14, D17, decisions 3 and 11)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chat2api.store.audit import Audit

from .pools import pool_at
from .processes import ROOT, Server, clean_environment

pytestmark = pytest.mark.timeout(120)

TEMPLATE = """\
# of the operator, for the operator
auth:
  # who may call
  access_tokens: [{keys}]
chatgpts:
{accounts}# the last word
"""


@pytest.fixture
def configured(brief_server: Any) -> Any:
    """configured(text, **settings): a server of two workers on a YAML file, without keys of its own."""

    def start(text: str, **settings: str) -> tuple[Server, Path]:
        server = brief_server(tokens=[], wait=False, WORKERS="2", AUTHORIZATION="", **settings)
        path = server.directory / "conf" / "app.dev.yaml"
        path.parent.mkdir()
        path.write_text(text)
        return server.start(), path

    return start


def yaml_of(keys: list[str], tokens: list[str]) -> str:
    accounts = "".join(f"  - access_token: {token}\n" for token in tokens)
    return TEMPLATE.format(keys=", ".join(keys), accounts=accounts)


def test_the_first_key_is_written_into_the_file(configured: Any, upstream: Any, ask: Any) -> None:
    """Decision 3: one, although two workers start; told once; what people wrote stays."""
    before = yaml_of([], [])
    server, path = configured(before)
    (key,) = set(re.findall(r"sk-[0-9a-f]{48}", path.read_text()))
    assert path.stat().st_mode & 0o777 == 0o600
    for line in ("# of the operator, for the operator", "  # who may call", "# the last word"):
        assert line in path.read_text()
    assert server.log.count(key) == 1
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: ask(server, key=key), range(16)))
    assert {(one.status, one.code) for one in answers} == {(503, "no_account_available")}


def test_edits_reach_every_worker(
    configured: Any, upstream: Any, ask: Any, new_tokens: Any, eventually: Any
) -> None:
    """Within five seconds: keys come and go, accounts too; those that stay keep their limits."""
    first, second = new_tokens(2)
    old, new = "sk-of-the-first-version", "sk-of-the-second-version"
    server, path = configured(yaml_of([old], [first]))
    assert ask(server, "/sim text fault=rate seconds=300", key=old).status == 429

    path.write_text(yaml_of([new], [first, second]))
    time.sleep(5)
    with ThreadPoolExecutor(10) as crowd:
        for key, seen in ((old, (401, "invalid_api_key")), (new, (200, None))):
            answers = list(crowd.map(lambda _, k=key: ask(server, key=k), range(20)))
            assert Counter((one.status, one.code) for one in answers) == {seen: 20}
    with pool_at(server.data_dir) as pool:
        assert pool.book.counts().total == 2

    path.write_text(yaml_of([new], [first]))
    eventually(lambda: ask(server, key=new).code == "account_pool_exhausted", 6)
    with pool_at(server.data_dir) as pool:
        assert pool.book.counts().total == 1


def test_a_broken_edit_changes_nothing(
    configured: Any, upstream: Any, ask: Any, new_tokens: Any, eventually: Any
) -> None:
    """D17: said in the log and in the audit log, without the file's content; the next edit counts."""
    key = "sk-of-the-only-version"
    tokens = new_tokens(1)
    server, path = configured(yaml_of([key], tokens))
    good = path.read_text()
    for broken in ("auth: [unclosed\n", good + "no_such_setting: sk-planted-in-the-file\n", ""):
        said = server.log.count("reload refused")
        path.write_text(broken)
        eventually(lambda said=said: server.log.count("reload refused") >= said + 2, 6)
        assert Counter(ask(server, key=key).status for _ in range(10)) == {200: 10}
    with pool_at(server.data_dir) as pool:
        assert pool.book.counts().total == 1
        refused = [e for e in Audit(pool.store).recent(100) if e.action == "config_refused"]
    assert len(refused) >= 2
    assert "sk-planted-in-the-file" not in server.log + str(refused)
    path.write_text(yaml_of([key, "sk-one-more"], tokens))
    eventually(lambda: ask(server, key="sk-one-more").status == 200, 6)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CHAT2API_AUTHORISATION", "sk-misspelt-secret", "CHAT2API_AUTHORISATION"),
        ("PORT", "70000", "65535"),
        ("ALLOW_ANONYMOUS", "maybe", "ALLOW_ANONYMOUS"),
        ("CHATGPT_BASE_URL", "chatgpt.com:443", "CHATGPT_BASE_URL"),
        ("PROXY_URL", "ftp://user:planted-password@proxy:1", "PROXY_URL"),
        ("DATABASE_URL", "mysql://user:planted-password@db/x", "DATABASE_URL"),
    ],
)
def test_a_mistake_stops_the_start(tmp_path: Path, name: str, value: str, told: str) -> None:
    """D14: exit 78, the variable and what it may be, and no secret."""
    done = subprocess.run(
        [sys.executable, ROOT / "app.py"],
        cwd=tmp_path,
        env={**clean_environment(), "DATA_DIR": str(tmp_path / "data"), name: value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 78
    assert told in done.stderr + done.stdout
    assert "planted-password" not in done.stderr + done.stdout
    assert "sk-misspelt-secret" not in done.stderr + done.stdout


def test_files_of_other_programs_are_taken_in_once(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any
) -> None:
    """Decision 11: found in DATA_DIR at the start; a second start changes nothing."""
    listed, mapped = new_tokens(2)
    server = brief_server(tokens=[], wait=False)
    folder = server.data_dir
    (folder / "token.txt").write_text(f"# a list\n{listed}  # ours\n\n{listed}\n")
    entry = {"token": mapped, "timestamp": int(time.time())}
    (folder / "refresh_map.json").write_text(json.dumps({"rt_" + "x" * 40: entry}))
    server.start()
    assert ask(server).status == 200
    with pool_at(folder) as pool:
        before = pool.book.export()
        assert len(before) == 2
    server.stop()
    server.start()
    with pool_at(folder) as pool:
        assert pool.book.export() == before
