"""Planted secrets, all over a server's life, and where they must not turn up (G09 to G13)."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from chat2api.store.audit import Audit

from .part2 import full_disk, kill, start_again
from .pools import family_of, pool_at
from .processes import KEY, ROOT, Server

pytestmark = pytest.mark.timeout(180)

ADMIN = "planted-admin-password"
YAML_KEY = "sk-planted-in-yaml"
PROXY = "http://planted-user:planted-proxy-password@127.0.0.1:9"
YAML = f"""\
auth:
  access_tokens: [{YAML_KEY}]
proxy: ""
"""


@dataclass
class Site:
    """A server that is talked to in all sorts of ways; what it answered is kept."""

    server: Server
    said: list[str] = field(default_factory=list)
    cookies: set[str] = field(default_factory=set)

    def send(self, method: str, path: str, key: str | None = ADMIN, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers.update(more.pop("headers", {}))
        response = requests.request(
            method,
            f"{self.server.url}{path}",
            headers=headers,
            timeout=30,
            allow_redirects=False,
            **more,
        )
        self.cookies.update(value for value in response.cookies.values() if len(value) > 15)
        self.said.append(f"{dict(response.headers) | {'Set-Cookie': ''}}\n{response.text}")
        return response


class CommandLines:
    """Every command line of the server's processes that could be seen meanwhile."""

    def __init__(self, server: Server) -> None:
        self.seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, args=(server,))
        self._thread.start()

    def _look(self, server: Server) -> None:
        while not self._over.wait(0.05):
            for process in family_of(server):
                try:
                    self.seen.add(Path(f"/proc/{process.pid}/cmdline").read_bytes().decode())
                except OSError:  # it has just ended
                    continue

    def stop(self) -> set[str]:
        self._over.set()
        self._thread.join()
        return self.seen


@pytest.fixture
def site(brief_server: Any, own_upstream: Any) -> Any:
    server = brief_server(
        tokens=[],
        upstream=own_upstream.url,
        wait=False,
        LOG_LEVEL="debug",
        WORKERS="2",
        ADMIN_PASSWORD=ADMIN,
        RETRY_TIMES="1",
        QUEUE_SECONDS="2",
        AUTHORIZATION="",
        OPENAI_AUTH_TOKEN_URL=f"{own_upstream.url}/oauth/token",
    )
    (server.directory / "conf").mkdir()
    (server.directory / "conf" / "app.dev.yaml").write_text(YAML)
    return Site(server.start())


def tokens_of(upstream: Any) -> set[str]:
    accounts = upstream.control("accounts")["accounts"]
    kinds = ("access_token", "refresh_token")
    return {one[kind] for one in accounts for kind in kinds if one.get(kind)}


def administer(site: Site, lines: list[str]) -> None:
    site.send("POST", "/tokens/upload", data={"text": "\n".join(lines)})
    site.send("POST", "/tokens/upload", data={"text": f"{lines[0]}<script>\n{lines[1]} junk"})
    site.send("GET", f"/tokens/add/{lines[0]}")
    site.send("POST", "/tokens/upload", key=lines[0], data={"text": lines[1]})
    page = {"Accept": "text/html"}
    site.send("POST", "/admin/sign-in", key=None, headers=page, data={"password": f"{ADMIN}x"})
    signed = site.send("POST", "/admin/sign-in", key=None, headers=page, data={"password": ADMIN})
    assert signed.status_code == 303
    for path in ("/tokens", "/tokens/clear"):
        shown = site.send("GET", path, key=None, headers=page, cookies=signed.cookies)
        assert shown.status_code == 200
    site.send("POST", "/tokens/error")
    config = site.send("GET", "/admin/api/config").json()
    config["chatgpts"] = [{"index": -1, "proxy": PROXY, "access_token": {"value": lines[2]}}]
    changed = site.send("PUT", "/admin/api/config", json=config)
    assert changed.status_code == 200, changed.text
    config["chatgpts"][0]["proxy"] = "nonsense://planted-user:planted-proxy-password@x"
    assert site.send("PUT", "/admin/api/config", json=config).status_code in (400, 409)


def use(site: Site, upstream: Any, ask: Any, key: str) -> None:
    server = site.server
    faults = (
        "expired, unusual, challenge, rate, status form=html, inband, reset after=2, empty, page"
    )
    for fault in faults.split(", "):
        ask(server, f"/sim text fault={fault}\nplanted-prompt", key=key, stream=True)
    for fault in ("invalid_grant", "page", "rotate_then_cut", "not_jwt", "rate"):
        upstream.control(
            "next", [{"fault": "expired"}, {"endpoint": "oauth_token", "fault": fault}]
        )
        ask(server, key=key)
    for path in ("/v1/models", "/v1/accTokens", "/v1/usage", "/api/usage/token", "/v1/nothing"):
        for bearer in (key, f"{key}x", None):
            site.send("GET", f"{path}?key={key}", key=bearer)
    direct = next(iter(tokens_of(upstream)))
    for bearer in (direct, f"{direct},workspace", "rt_" + "planted" * 6):
        ask(server, "/sim text\nplanted-prompt", key=bearer)
    with full_disk(server):
        ask(server, "/sim text\nplanted-prompt", key=key)
        site.send("POST", "/tokens/upload", data={"text": direct})


def command(site: Site, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "chat2api", *arguments],
        cwd=site.server.directory,
        env={**site.server.process.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    site.said.append(done.stderr)
    return done.stdout


def test_planted_secrets_turn_up_nowhere(site: Site, own_upstream: Any, ask: Any) -> None:
    wishes = [{"name": f"one-{n}", "refresh": "rt"} for n in range(8)]
    made = own_upstream.control("accounts", wishes)
    before = tokens_of(own_upstream)
    lines = CommandLines(site.server)
    administer(site, [one["refresh_token"] for one in made] + [made[0]["access_token"]])
    named = command(site, "keys", "create", "--label", "planted", "--rpm", "1000").strip()
    for arguments in (("accounts", "list"), ("keys", "list"), ("doctor",), ("config", "check")):
        if arguments != ("doctor",):
            site.said.append(command(site, *arguments))
    use(site, own_upstream, ask, named)
    kill(site.server)
    start_again(site.server)
    assert ask(site.server, key=named).status != 401
    archive = site.server.directory / "backup.tar.gz"
    command(site, "backup", str(archive))
    seen = lines.stop()

    secrets = {
        *(before | tokens_of(own_upstream)),
        *site.cookies,
        *(ADMIN, YAML_KEY, KEY, named),
        *("planted-proxy-password", "planted-prompt", "planted" * 6),
    }
    assert len(secrets) > 25
    stored = [path for path in site.server.data_dir.rglob("*") if path.is_file()]
    assert {"chat2api.db"} <= {path.name for path in stored}
    places = {
        "log": site.server.log,
        "answers": "\n".join(site.said),
        "command lines": "\n".join(seen),
        **{str(path): path.read_bytes().decode("latin-1") for path in [*stored, archive]},
    }
    for name, text in places.items():
        found = [secret for secret in secrets if secret in text or secret[-24:] in text]
        # `token.txt` is what the operator put there.
        assert found == [], f"{len(found)} secrets in {name}: {[one[:6] for one in found]}"
    for path in stored:
        if path.name != "token.txt":  # the suite's
            assert path.stat().st_mode & 0o077 == 0, path.name
    assert len(re.findall("audit: ", site.server.log)) >= 3


def test_strangers_learn_nothing_about_accounts(site: Site) -> None:
    """G12: probes and error pages are the same with accounts and without."""
    paths = (
        "/healthz",
        "/readyz",
        "/ping",
        "/",
        "/metrics",
        "/nothing",
        "/tokens",
        "/admin/sign-in",
    )

    def seen() -> list[tuple[int, str]]:
        answers = [site.send("GET", path, key=None) for path in paths]
        ids = re.compile(r"req_[0-9a-f]+")
        return [(answer.status_code, ids.sub("", answer.text)) for answer in answers]

    before = seen()
    site.send("POST", "/tokens/upload", data={"text": "fk-one-account\nfk-another-account"})
    assert site.send("GET", "/v1/accTokens", key=YAML_KEY).json()["count"] == 2
    assert seen() == before


def test_every_change_leaves_an_entry(site: Site) -> None:
    """G13: who, when, from where, what; and no route or command takes one away."""
    administer(site, ["fk-first-of-all", "fk-second-of-all", "fk-third-of-all"])
    command(site, "keys", "create", "--label", "noted")
    site.send("POST", "/tokens/clear")
    with pool_at(site.server.data_dir) as pool:
        entries = Audit(pool.store).recent(100)
    actions = [entry.action for entry in reversed(entries)]
    for action in ("sign in", "change configuration", "create key"):
        assert action in actions
    by_people = [entry for entry in entries if entry.actor != "system"]
    assert all(entry.at > 0 and entry.actor for entry in by_people)
    assert {"127.0.0.1"} <= {entry.address for entry in by_people}
