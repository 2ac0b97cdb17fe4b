"""What the operator's pages take of a server's time, with 5,000 accounts and a million requests on SQLite."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from benchmarks.desk_data import CODES, MODELS, Filled, filled_desk
from benchmarks.figures import Figure
from chat2api.factory.app import create_app
from chat2api.secret import Secret
from chat2api.settings.model import Settings

ACCOUNTS = 5_000
REQUESTS = 1_000_000
MOST_MS = 300.0
_LOOKS = 5
_BROWSER = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
_PASSWORD = "the password of the benchmark"


def desk() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        filled = filled_desk(Path(folder), ACCOUNTS, REQUESTS)
        filled.store.close()
        return looks(Path(folder), paths(filled))


def paths(filled: Filled) -> list[str]:
    """Every page that shows what there is much of, in the ways that people ask for it."""
    requests, usage = "/admin/requests", "/admin/usage"
    now = time.time()
    deep = REQUESTS // 2
    return [
        "/admin",
        "/admin/accounts",
        "/admin/accounts?state=ready",
        "/admin/accounts?q=1234",
        f"/admin/accounts/{filled.account_id}",
        "/admin/add",
        "/admin/export",
        "/admin/keys",
        f"/admin/keys/{filled.key_id}",
        requests,
        f"{requests}?before={deep}",
        f"{requests}?state=failed",
        f"{requests}?range=7d",
        f"{requests}?since={now - 9 * 86_400:.0f}&until={now - 8 * 86_400:.0f}",
        f"{requests}?code={CODES[0]}",
        f"{requests}?model={MODELS[-1]}",
        f"{requests}?key={filled.key_id}",
        f"{requests}?account={filled.account_id}",
        f"{requests}?state=failed&model={MODELS[0]}&key={filled.key_id}&range=7d",
        f"{requests}/{filled.request_id}",
        f"{requests}/{filled.failed_request_id}",
        *(
            f"{usage}?range={span}&by={dimension}"
            for span in ("24h", "7d", "30d")
            for dimension in ("model", "key", "account")
        ),
        "/admin/audit",
        "/admin/jobs",
        "/admin/log",
        "/admin/sessions",
        "/admin/settings",
    ]


def looks(folder: Path, asked: Sequence[str]) -> list[Figure]:
    """Server time of each path, in the application itself; its status stands before it."""
    logging.disable(logging.INFO)
    settings = Settings(
        data_dir=folder,
        admin_password=Secret(_PASSWORD),
        authorization=(Secret("sk-of-the-benchmark"),),
        chatgpt_base_url=("http://127.0.0.1:1",),
        compute_processes=1,
    )
    app = create_app(settings, jobs=False)
    try:
        with closing(app.extensions["chat2api"]):
            client = _signed_in(app)
            return [_figure(client, path) for path in asked]
    finally:
        logging.disable(logging.NOTSET)


def _signed_in(app: Flask) -> FlaskClient:
    """As a browser is: scripts are given data instead of pages."""
    client = app.test_client()
    response = client.post(
        "/admin/sign-in",
        data={"password": _PASSWORD},
        headers=_BROWSER | {"Origin": "http://localhost"},
    )
    assert response.status_code == 303, response.get_data(as_text=True)[:500]
    return client


def _figure(client: FlaskClient, path: str) -> Figure:
    statuses = set()
    samples = []
    for _ in range(_LOOKS):
        began = time.perf_counter()
        response = client.get(path, headers=_BROWSER)
        response.get_data()
        samples.append((time.perf_counter() - began) * 1000)
        statuses.add(response.status_code)
    told = "/".join(map(str, sorted(statuses)))
    return Figure(f"{told} {path}", "ms", samples, highest=MOST_MS)
