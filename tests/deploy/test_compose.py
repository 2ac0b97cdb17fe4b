"""docker-compose.yml and docker-compose-warp.yml: well formed, and safe by themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chat2api.serve.options import gunicorn_options
from chat2api.settings.fields import setting_fields
from chat2api.settings.load import load_settings
from chat2api.settings.model import Settings

from .documents import filled_in, load, seconds, validate
from .image import ROOT, Instruction, environment, parse_dockerfile

FILES = ["docker-compose.yml", "docker-compose-warp.yml"]
KEY = {"AUTHORIZATION": "sk-of-the-compose-test"}


@pytest.fixture(params=FILES)
def document(request: pytest.FixtureRequest) -> Any:
    return load(request.param)


@pytest.fixture
def ours(document: Any) -> Any:
    return document["services"]["chat2api"]


@pytest.fixture
def warp() -> Any:
    return load("docker-compose-warp.yml")["services"]["warp"]


@pytest.fixture(scope="module")
def image() -> list[Instruction]:
    return parse_dockerfile((ROOT / "Dockerfile").read_text("utf-8"))


def of_image(image: list[Instruction], name: str) -> Instruction:
    return next(step for step in image if step.name == name)


def test_it_is_a_compose_file(document: Any) -> None:
    validate(document, "compose")


def test_the_plain_file_holds_our_server_alone() -> None:
    assert list(load("docker-compose.yml")["services"]) == ["chat2api"]
    assert list(load("docker-compose-warp.yml")["services"]) == ["warp", "chat2api"]


def test_our_server_is_the_same_in_both() -> None:
    plain, behind = (load(name)["services"]["chat2api"] for name in FILES)
    assert behind.pop("depends_on") == {"warp": {"condition": "service_healthy"}}
    assert behind["environment"].pop("PROXY_URL") == "socks5://warp:1080"
    assert behind == plain


def test_it_builds_the_image_of_this_checkout(ours: Any) -> None:
    """And pulls none: a name without owner in a public registry may be anybody's."""
    assert ours["build"] == "."
    assert "image" not in ours


def test_only_our_port_is_published(document: Any, image: list[Instruction]) -> None:
    published = {name: one.get("ports", []) for name, one in document["services"].items()}
    port = of_image(image, "EXPOSE").rest
    assert published.pop("chat2api") == [f"{port}:{port}"]
    assert not any(published.values())


def test_nobody_gets_the_docker_socket(document: Any) -> None:
    mounts = [mount for one in document["services"].values() for mount in one.get("volumes", ())]
    assert mounts
    assert not [mount for mount in mounts if "docker.sock" in str(mount)]
    assert not [mount for mount in mounts if not source(mount).startswith("./")]


def source(mount: Any) -> str:
    return str(mount["source"] if isinstance(mount, dict) else mount.partition(":")[0])


def test_state_is_kept_on_the_host(ours: Any, image: list[Instruction]) -> None:
    volumes = of_image(image, "VOLUME").exec_form
    assert [mount["target"] for mount in ours["volumes"]] == volumes
    assert [mount["source"] for mount in ours["volumes"]] == ["./data", "./conf", "./logs"]
    # Otherwise Docker makes it for root, and our user cannot write there.
    assert all(mount["bind"] == {"create_host_path": False} for mount in ours["volumes"])


def test_the_grace_period_is_longer_than_the_drain(ours: Any) -> None:
    drain = gunicorn_options(Settings())["graceful_timeout"]
    assert seconds(ours["stop_grace_period"]) >= drain + 5


# --- secrets and settings


def test_no_secret_is_written_down(ours: Any) -> None:
    names = {field.variable for field in setting_fields().values() if field.secret}
    names |= {"ADMIN_PASSWORD", "SECRET_KEY", "SITE_PASSWORD"}
    written = {name: text for name, text in ours["environment"].items() if name in names}
    proxy = written.pop("PROXY_URL", "socks5://warp:1080")
    assert urlsplit(proxy).password is None
    assert all(text.startswith("${" + name + ":") for name, text in written.items())


def test_it_does_not_start_without_a_key(ours: Any) -> None:
    with pytest.raises(LookupError, match="put AUTHORIZATION=sk-"):
        filled_in(ours["environment"]["AUTHORIZATION"], {})


def container_environment(
    ours: Any, image: list[Instruction], env_file: dict[str, str]
) -> dict[str, str]:
    """What the server sees: the image's ENV, then `.env`, then `environment`."""
    named = {name: filled_in(text, env_file) for name, text in ours["environment"].items()}
    return {**environment(image), **env_file, **named}


def test_the_server_takes_these_settings(
    ours: Any, image: list[Instruction], tmp_path: Path
) -> None:
    # As a `.env` for a start without Docker may be.
    env_file = {**KEY, "HOST": "127.0.0.1", "PORT": "8080", "DATA_DIR": "mine", "RETRY_TIMES": "7"}
    given = container_environment(ours, image, env_file)
    settings = load_settings(cli={}, environ=given, config_path=None, cwd=tmp_path).settings
    assert [key.reveal() for key in settings.authorization] == [KEY["AUTHORIZATION"]]
    assert (settings.host, settings.port, settings.retry_times) == ("0.0.0.0", 5005, 7)
    assert str(settings.data_dir) == ours["volumes"][0]["target"]
    proxies = [proxy.reveal() for proxy in settings.proxy_url]
    assert proxies == (["socks5://warp:1080"] if "depends_on" in ours else [])


def test_settings_of_env_reach_the_container(ours: Any) -> None:
    assert ours["env_file"] == [{"path": ".env", "required": False}]


# --- the proxy


def test_the_proxy_is_the_one_beside_us_and_healthy_first() -> None:
    services = load("docker-compose-warp.yml")["services"]
    proxy = urlsplit(services["chat2api"]["environment"]["PROXY_URL"])
    assert (proxy.scheme, proxy.hostname, proxy.port) == ("socks5", "warp", 1080)
    assert services["chat2api"]["depends_on"][proxy.hostname]["condition"] == "service_healthy"
    assert "healthcheck" in services[proxy.hostname]


def test_the_proxy_has_what_it_needs_and_no_more(warp: Any) -> None:
    assert warp["cap_add"] == ["MKNOD", "AUDIT_WRITE", "NET_ADMIN"]
    assert warp["device_cgroup_rules"] == ["c 10:200 rwm"]
    assert warp["sysctls"] == {
        "net.ipv6.conf.all.disable_ipv6": "0",
        "net.ipv4.conf.all.src_valid_mark": "1",
    }
    assert warp["environment"] == {"WARP_SLEEP": "5"}


CURL = """#!/bin/sh
echo "$@" > "$0.arguments"
printf '%b' "{trace}"
exit {code}
"""


@pytest.mark.parametrize(
    ("trace", "code", "healthy"),
    [
        ("ip=1.2.3.4\\nwarp=on\\ngateway=off\\n", 0, True),
        ("ip=1.2.3.4\\nwarp=plus\\ngateway=off\\n", 0, True),
        ("ip=1.2.3.4\\nwarp=off\\ngateway=on\\n", 0, False),
        ("ip=1.2.3.4\\nxwarp=on\\nwarp=only\\n", 0, False),
        ("", 7, False),
    ],
)
def test_the_proxy_is_healthy_only_when_its_tunnel_is(
    warp: Any, tmp_path: Path, trace: str, code: int, healthy: bool
) -> None:
    """Its check is run here, with a curl that answers what we say."""
    kind, line = warp["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    curl = tmp_path / "curl"
    curl.write_text(CURL.format(trace=trace, code=code))
    curl.chmod(0o755)
    run = subprocess.run(
        ["/bin/sh", "-c", filled_in(line, {})],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        timeout=10,
        check=False,
    )
    assert (run.returncode == 0) is healthy
    arguments = (tmp_path / "curl.arguments").read_text().split()
    assert arguments[arguments.index("--proxy") + 1] == "socks5h://127.0.0.1:1080"
    assert arguments[-1] == "https://cloudflare.com/cdn-cgi/trace"


def test_the_check_ends_before_docker_ends_it(warp: Any) -> None:
    words = warp["healthcheck"]["test"][1].split()
    longest = int(words[words.index("--max-time") + 1])
    assert (
        longest < seconds(warp["healthcheck"]["timeout"]) < seconds(warp["healthcheck"]["interval"])
    )
