"""docs/deployment.md says what the files and the settings say."""

from __future__ import annotations

import re

import pytest

from chat2api.serve.start import ExitCode
from chat2api.settings.model import Settings

from .documents import load, seconds
from .image import ROOT, parse_dockerfile


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "deployment.md").read_text("utf-8")


@pytest.fixture(scope="module")
def nginx(page: str) -> dict[str, str]:
    """The directives of the nginx example, the last of each name."""
    (block,) = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    return dict(re.findall(r"^\s*([a-z_]+)\s+([^;{]+);", block, re.MULTILINE))


def test_nginx_lets_through_what_the_server_takes(nginx: dict[str, str]) -> None:
    megabytes = int(nginx["client_max_body_size"].removesuffix("m"))
    assert megabytes * 1024 * 1024 == Settings().body_limit_bytes


def test_nginx_waits_as_long_as_the_server_may_take(nginx: dict[str, str]) -> None:
    assert seconds(nginx["proxy_read_timeout"]) >= Settings().slow_request_seconds
    assert nginx["proxy_buffering"] == "off"


def test_the_paths_to_keep_are_the_volumes(page: str) -> None:
    (volume,) = [
        step
        for step in parse_dockerfile((ROOT / "Dockerfile").read_text())
        if step.name == "VOLUME"
    ]
    assert re.findall(r"^\| .* \| `(/app/\w+)` \|", page, re.MULTILINE) == volume.exec_form


def test_the_exit_codes_are_those_of_the_server(page: str) -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert told == {0, *map(int, ExitCode)}


def test_patience_is_the_same_everywhere(page: str) -> None:
    grace = seconds(load("docker-compose.yml")["services"]["chat2api"]["stop_grace_period"])
    assert f"--stop-timeout {grace} " in page
    assert f"wait {grace} s before it kills" in page
    assert f"`DRAIN_SECONDS` ({Settings().drain_seconds:g})" in page


def test_the_settings_it_names_exist(page: str) -> None:
    named = {name for name, _ in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)` \(([0-9]+)\)", page)}
    assert named == {
        "DRAIN_SECONDS",
        "KEEPALIVE_SECONDS",
        "REQUEST_SECONDS",
        "SLOW_REQUEST_SECONDS",
    }
    for name, value in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)` \(([0-9]+)\)", page):
        assert getattr(Settings(), name.lower()) == float(value), name


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose-warp.yml"])
def test_the_first_steps_are_the_same_in_the_files(page: str, name: str) -> None:
    head = [
        line for line in (ROOT / name).read_text("utf-8").splitlines() if line.startswith("#  ")
    ]
    for step in head[:2]:
        assert step.removeprefix("#").strip() in page
