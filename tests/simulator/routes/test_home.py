"""The home page has what a proof of work is made of."""

from __future__ import annotations

import re
from typing import Any


def test_the_page_has_scripts_a_build_and_cookies(caller: Any, app: Any) -> None:
    response = app.test_client().get("/", headers={"Oai-Device-Id": "my-device"})
    page = response.get_data(as_text=True)
    scripts = re.findall(r'<script[^>]* src="([^"]+)"', page)
    assert len(scripts) >= 3
    assert [re.search(r"c/[^/]*/_", one) is not None for one in scripts].count(True) == 1
    assert re.search(r'<html data-build="prod-[0-9a-f]{40}" data-seq="\d+"', page)
    cookies = {one.split("=")[0]: one for one in response.headers.getlist("Set-Cookie")}
    assert set(cookies) == {"__cf_bm", "_cfuvid", "oai-did"}
    assert cookies["oai-did"].startswith("oai-did=my-device;")
