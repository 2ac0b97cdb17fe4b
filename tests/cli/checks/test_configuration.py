"""Checks of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat2api.cli.checks.configuration import check_password, read_settings
from chat2api.cli.checks.finding import Finding, ok, warn
from chat2api.secret import Secret
from chat2api.settings.model import Settings

PASSWORD = {"ADMIN_PASSWORD": "a long admin password"}


def findings(tmp_path: Path, **environ: str) -> list[Finding]:
    return read_settings(None, {**PASSWORD, **environ}, tmp_path)[1]


def test_all_is_well(tmp_path: Path) -> None:
    assert findings(tmp_path) == [
        ok("configuration", "defaults; 1 settings are not at their default"),
        ok("admin password", "is set"),
    ]


def test_mistakes_are_failures(tmp_path: Path) -> None:
    """D14."""
    loaded, found = read_settings(None, {"PORT": "x", "CHAT2API_PROT": "sk-planted"}, tmp_path)
    assert loaded is None
    assert [(one.grade, one.text) for one in found] == [
        ("fail", "CHAT2API_PROT (environment): is not a setting; did you mean CHAT2API_PORT?"),
        ("fail", "PORT=x: must be a whole number from 0 to 65535"),
    ]
    assert "planted" not in repr(found)


def test_a_misspelt_name_in_dotenv(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("AUTHORISATION=sk-planted\nCOMPOSE_PROJECT_NAME=x\nPORT=1\n")
    dotenv.chmod(0o600)
    found = findings(tmp_path)
    assert found[1] == warn(
        "configuration", "AUTHORISATION in .env is not a setting", "Did you mean AUTHORIZATION?"
    )
    assert len(found) == 3


@pytest.mark.parametrize("name", [".env", "conf/app.dev.yaml"])
@pytest.mark.parametrize(("mode", "is_told"), [(0o644, True), (0o640, False), (0o600, False)])
def test_files_that_everybody_can_read(tmp_path: Path, name: str, mode: int, is_told: bool) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    path.chmod(mode)
    text = f"{path} may hold secrets and is open to every user"
    expected = [warn("configuration", text, f"chmod 600 {path}")] if is_told else []
    assert [one for one in findings(tmp_path) if one.grade == "warn"] == expected


@pytest.mark.parametrize(
    ("password", "grade"), [(None, "warn"), ("short", "warn"), ("long enough 12", "ok")]
)
def test_the_admin_password(password: str | None, grade: str) -> None:
    secret = None if password is None else Secret(password)
    assert check_password(Settings(admin_password=secret)).grade == grade
