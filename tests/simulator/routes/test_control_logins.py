"""What control does to codes is tested with the codes, in `test_signing_in`; here: that it is for this machine."""

from __future__ import annotations

from typing import Any


def test_codes_are_shown_to_this_machine_only(app: Any) -> None:
    client = app.test_client()
    assert client.get("/_sim/device").get_json() == {"codes": []}
    elsewhere = client.get("/_sim/device", environ_base={"REMOTE_ADDR": "203.0.113.9"})
    assert elsewhere.status_code == 403
