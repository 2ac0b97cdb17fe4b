"""What the log must not tell, whatever happens, at its most talkative (G09)."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

KEY = "sk-test-key-of-the-suite"
PROMPT = "a-planted-prompt-nobody-may-read"
ANSWER = "computed twice"  # of the scenario `text`
FIELD = "planted-field-value"
FAULTS = (
    "expired, unusual, challenge, rate, status form=html, page, redirect, wss, model, policy, empty, "
    "not_http, reset at=headers, reset after=2, inband, malformed count=3, midway after=2, short_body, "
    "giant_header, odd_encoding, strange, scrambled, double_end, end drop=done, bomb mib=64"
)


def misbehave(server: Any, upstream: Any, ask: Any, token: str) -> None:
    """All sorts of requests, each with something in it that is nobody's business."""
    for number, fault in enumerate(FAULTS.split(", ")):
        ask(server, f"/sim text fault={fault}\n{PROMPT}", stream=bool(number % 2))
    for scenario in ("text", "reasoning", "search", "code", "picture", "handoff"):
        ask(server, f"/sim {scenario}\n{PROMPT}", history_disabled=False, stream=True)
    for key in (token, f"{token},no-such-workspace", f"{KEY},no-such-workspace", f"{KEY}x"):
        ask(server, f"/sim text\n{PROMPT}", key=key)
    ask(
        server,
        PROMPT,
        headers={"Authorization": "Basic " + base64.b64encode(KEY.encode()).decode()},
    )
    for body in (
        {"messages": PROMPT},
        {"messages": [{"role": PROMPT, "content": PROMPT}]},
        {"messages": [{"role": "user", "content": PROMPT}], "model": f"{FIELD}\n"},
        {"messages": [{"role": "user", "content": PROMPT}], "user": FIELD, "n": 99},
        {"messages": [{"role": "user", "content": PROMPT}], "conversation_id": f"../{FIELD}"},
    ):
        assert server.post(body).status_code == 400
    for bad in (f'{{"{FIELD}": "{PROMPT}', f'["{PROMPT}"]', PROMPT):
        assert server.post(None, data=bad.encode()).status_code == 400
    quoting = {"status": 400, "text": f"You said {PROMPT} with Bearer {token}"}
    upstream.control("next", {"fault": "status", "params": quoting})
    ask(server, f"/sim text\n{PROMPT}")


@pytest.mark.parametrize(("form", "retries"), [("text", "1"), ("json", "0")])
def test_the_log_keeps_secrets(
    brief_server: Any,
    new_tokens: Any,
    upstream: Any,
    ask: Any,
    keeps_secrets: Any,
    dial: Any,
    form: str,
    retries: str,
) -> None:
    *pool, direct = new_tokens(81)
    server = brief_server(
        tokens=pool,
        RETRY_TIMES=retries,
        LOG_LEVEL="debug",
        LOG_FORMAT=form,
        AUTH_KEY="planted-relay-key",
        UPSTREAM_HEADERS=json.dumps({"X-Relay-Password": "planted-relay-password"}),
    )
    misbehave(server, upstream, ask, direct)
    wire = dial(server)
    wire.send(f"GET /v1/models?key={KEY}&access_token={direct} HTTP/1.1\r\n\r\n".encode())
    assert wire.head() == 401
    wire = dial(server)
    wire.send(f"GET /v1/models HTTP/1.1\r\nX: {KEY}\0{direct}\r\n\r\n".encode())
    assert wire.head() == 400
    seen = upstream.control("requests?endpoint=conversation")["requests"]
    assert seen[0]["headers"]["authkey"] == "planted-relay-key"
    sentinels = {
        value
        for turn in seen
        for name, value in turn["headers"].items()
        if name.startswith("openai-sentinel") or name == "x-conduit-token"
    }
    cookies = {turn["headers"]["cookie"].split("=")[1][:16] for turn in seen}
    assert len(sentinels) > 50

    server.stop()
    keeps_secrets(server)
    log = server.log
    for secret in (direct, PROMPT, ANSWER, FIELD, "planted-relay", *sentinels, *cookies):
        assert secret not in log
        assert secret[-20:] not in log
    assert "Traceback" not in log
    assert len(re.findall(r"\bstatus\W", log)) > 40  # there is something in it
