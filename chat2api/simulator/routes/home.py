"""The home page: scripts and a build id for the proof of work, cookies for the jar (sheet 1.2, 3.5)."""

from __future__ import annotations

import secrets

from chat2api.simulator.exchange import Exchange
from chat2api.simulator.refusals import HTML_TYPE, Reply
from chat2api.simulator.turn import new_id

BUILD = "prod-5d1f0a7c3b9e48261c0d9f7e6a5b4c3d2e1f0a9b"
SEQUENCE = "6549031"
_HASH = "k3jv8wq2n5x7"

_PAGE = f"""<!DOCTYPE html>
<html data-build="{BUILD}" data-seq="{SEQUENCE}" lang="en-US" dir="ltr" class="">
<head>
<meta charset="utf-8"/>
<title>ChatGPT</title>
<link rel="stylesheet" href="/cdn/assets/root-simulator.css"/>
<script nonce="" src="/cdn/assets/manifest-simulator.js"></script>
<script nonce="" src="https://cdn.oaistatic.com/_next/static/chunks/webpack-simulator.js"></script>
<script nonce="" src="https://cdn.oaistatic.com/c/{_HASH}/_buildManifest.js" async=""></script>
<script nonce="" src="https://chatgpt.com/backend-api/sentinel/sdk.js"></script>
<script nonce="">window.__simulator = true;</script>
</head>
<body><div id="root"></div></body>
</html>
"""


def home(exchange: Exchange) -> Reply:
    """GET /"""
    day = "Path=/; Max-Age=86400; SameSite=Lax"
    device = exchange.device or new_id()
    return Reply(
        200,
        _PAGE.encode(),
        (
            HTML_TYPE,
            ("Set-Cookie", f"__cf_bm={secrets.token_urlsafe(40)}; {day}; HttpOnly"),
            ("Set-Cookie", f"_cfuvid={secrets.token_urlsafe(30)}; Path=/; HttpOnly"),
            ("Set-Cookie", f"oai-did={device}; {day}"),
        ),
    )
