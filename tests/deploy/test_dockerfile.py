"""The Dockerfile, read; and its steps done here without Docker, up to a server that ends as it should."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from chat2api.settings.fields import setting_fields

from .image import (
    ROOT,
    WORKDIR,
    Instruction,
    copies,
    environment,
    lay_out,
    parse_dockerfile,
    parse_ignore,
)

STATE = ["/app/data", "/app/conf", "/app/logs"]


@pytest.fixture(scope="module")
def steps() -> list[Instruction]:
    return parse_dockerfile((ROOT / "Dockerfile").read_text("utf-8"))


@pytest.fixture(scope="module")
def only(steps: list[Instruction]) -> Callable[[str], Instruction]:
    """only(name): the one instruction of that name."""

    def one(name: str) -> Instruction:
        (found,) = [step for step in steps if step.name == name]
        return found

    return one


@pytest.fixture(scope="module")
def ignore():
    return parse_ignore((ROOT / ".dockerignore").read_text("utf-8"))


# --- read


def test_it_starts_from_a_slim_python(only) -> None:
    assert re.fullmatch(r"python:3\.1[1-9]-slim", only("FROM").rest)


def test_packages_are_installed_by_hash_and_never_built(steps) -> None:
    (install,) = [one.rest for one in steps if one.name == "RUN" and "pip " in one.rest]
    words = shlex.split(install)
    assert words[:2] == ["pip", "install"]
    assert {"--require-hashes", "--only-binary", "--no-cache-dir"} <= set(words)
    assert words[-2:] == ["-r", "requirements.txt"]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_package_has_a_wheel_for_the_image(only, machine) -> None:
    found = re.search(r"python:(\d+)\.(\d+)-slim", only("FROM").rest)
    assert found is not None
    version = (int(found[1]), int(found[2]))
    # The images are of Debian 12 or newer: glibc 2.36.
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(36, 16, -1)]
    platforms.append(f"manylinux2014_{machine}")
    tags = {
        *cpython_tags(version, platforms=platforms),
        *compatible_tags(version, f"cp{found[1]}{found[2]}", platforms),
    }
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    wheels = {
        package["name"]: [
            parse_wheel_filename(wheel["url"].rpartition("/")[2])[3]
            for wheel in package.get("wheels", ())
        ]
        for package in lock["package"]
    }
    named = {"python_version": f"{found[1]}.{found[2]}", "platform_machine": machine}
    wanted = re.findall(
        r"^([a-z0-9._-]+)(?:\[[^]]*])?==\S+ *(?:; *(.*?))? *\\?$",
        (ROOT / "requirements.txt").read_text("utf-8"),
        re.MULTILINE,
    )
    assert len(wanted) > 20
    needed = [name for name, marker in wanted if not marker or Marker(marker).evaluate(named)]
    assert [name for name in needed if not any(tags & fits for fits in wheels[name])] == []


def test_it_runs_as_nobody_special(steps) -> None:
    names = [step.name for step in steps]
    (user,) = [step.rest for step in steps if step.name == "USER"]
    assert names.index("USER") < names.index("CMD")
    # A number, so that a platform can see that it is not root.
    owner, group = map(int, user.split(":"))
    assert owner > 0
    assert group > 0
    assert "COPY" not in names[names.index("USER") :], "the code is not the user's to change"


def test_the_users_directories_are_its_own_before_they_become_volumes(steps, only) -> None:
    assert only("VOLUME").exec_form == STATE
    (make,) = [one.rest for one in steps if one.name == "RUN" and "useradd" in one.rest]
    user, group = steps[[step.name for step in steps].index("USER")].rest.split(":")
    assert f"--uid {user} " in make
    assert f"--gid {group} " in make
    assert "install -d -m 700 -o chat2api -g chat2api data conf logs" in make
    names = [step.name for step in steps]
    # What a RUN changes in a volume after VOLUME is lost.
    assert steps.index(only("VOLUME")) > max(at for at, name in enumerate(names) if name == "RUN")


def test_the_command_gets_the_signals_itself(only) -> None:
    assert only("CMD").exec_form == ["python", "app.py"]
    assert only("STOPSIGNAL").rest == "SIGTERM"
    assert only("WORKDIR").rest == str(WORKDIR)


def test_the_port_is_one_and_the_same(steps, only) -> None:
    assert only("EXPOSE").rest == environment(steps)["PORT"] == "5005"
    assert environment(steps)["HOST"] == "0.0.0.0"
    assert environment(steps)["DATA_DIR"] == STATE[0]


def test_no_secret_is_in_a_layer(steps) -> None:
    secret = {field.variable for field in setting_fields().values() if field.secret}
    assert secret & set(environment(steps)) == set()
    assert not [step for step in steps if step.name in {"ARG", "ADD"}]
    assert not re.search(r"sk-|eyJ|password", " ".join(step.rest for step in steps), re.IGNORECASE)


def test_every_source_of_a_copy_is_in_the_repository(steps, ignore) -> None:
    sources = [source.rstrip("/") for group, _ in copies(steps) for source in group]
    assert sorted(sources) == [
        "app.py",
        "chat2api",
        "conf/app.demo.yaml",
        "gateway_static",
        "gunicorn.conf.py",
        "requirements.txt",
        "version.txt",
    ]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [source for source in sources if ignore.hides(source)] == []


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        ".venv/bin/python",
        "conf/app.dev.yaml",
        "data/secret.key",
        "data/token.txt",
        "logs/chat2api.log",
        "tests/conftest.py",
        "warpdata/reg.json",
        "docker-compose.yml",
        "chat2api/__pycache__/logs.cpython-312.pyc",
        "chat2api/.env",
        "gateway_static/.env",
    ],
)
def test_a_build_is_not_given_what_it_does_not_need(ignore, path) -> None:
    assert ignore.hides(path)


@pytest.mark.parametrize(
    "path", ["chat2api/py.typed", "chat2api/web/auth.py", "gateway_static/index.html"]
)
def test_a_build_is_given_what_it_copies(ignore, path) -> None:
    assert not ignore.hides(path)


# --- done


@pytest.fixture(scope="module")
def app(steps, ignore, tmp_path_factory) -> Path:
    """/app of the image as the COPY and chmod steps leave it, from a checkout with a strict umask."""
    path = tmp_path_factory.mktemp("image") / "app"
    path.mkdir()
    lay_out(steps, ROOT, ignore, path)
    for file in path.rglob("*"):
        file.chmod(0o700 if file.is_dir() else 0o600)
    (path / "version.txt").write_text("7.7.7\n")  # tells this copy from an installed package
    (prepare,) = [one.rest for one in steps if one.name == "RUN" and "chmod" in one.rest]
    subprocess.run(
        f'python() {{ "{sys.executable}" "$@"; }}; {prepare}',
        shell=True,
        check=True,
        cwd=path,
        timeout=100,
    )
    for name in STATE:
        (path / PurePosixPath(name).name).mkdir(mode=0o700, exist_ok=True)
    return path


def code_files(app: Path) -> dict[str, int]:
    """What is not the user's to write: name and time of change in ns."""
    own = {PurePosixPath(name).name for name in STATE}
    return {
        path.relative_to(app).as_posix(): path.stat().st_mtime_ns
        for path in sorted(app.rglob("*"))
        if path.relative_to(app).parts[0] not in own and path.is_file()
        # The output of the process, written by the test.
        if not re.match(r"(out|err)-[0-9a-f]{32}", path.name)
    }


@pytest.fixture(scope="module")
def image_environment(steps, app) -> Callable[..., dict[str, str]]:
    """image_environment(**more): the ENV of the image with /app at its place here, on a free port."""

    def make(**more: str) -> dict[str, str]:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        moved = {
            name: value.replace(f"{WORKDIR}/", f"{app}/")
            for name, value in environment(steps).items()
        }
        here = {"HOST": "127.0.0.1", "PORT": str(port), "PYTHONPATH": str(app)}
        return {**moved, **here, "AUTHORIZATION": "sk-of-the-image-test", **more}

    return make


def command(instruction: Instruction) -> list[str]:
    """An exec-form command, without its `python`."""
    words = instruction.exec_form
    assert words is not None
    assert words[0] == "python"
    return words[1:]


def check_health(step: Instruction, env: dict[str, str]) -> int:
    """The exit code of the HEALTHCHECK's command, as Docker runs it beside the server."""
    kind, _, rest = step.rest.partition(" ")
    assert kind == "CMD"
    words = [sys.executable, *command(Instruction(kind, {}, rest))]
    run = subprocess.run(
        words, env={**os.environ, **env}, stderr=subprocess.DEVNULL, timeout=30, check=False
    )
    return run.returncode


@pytest.fixture(scope="module")
def served(start_server, only, app, image_environment) -> tuple[Any, dict[str, str]]:
    env = image_environment()
    server = start_server(*command(only("CMD")), cwd=app, **env)
    assert server.port == int(env["PORT"])
    return server, env


def test_what_was_copied_serves(served) -> None:
    server, _ = served
    status, headers, body = server.get("/healthz")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == {"status": "ok"}
    assert server.get("/v1/models")[0] == 401
    assert "7.7.7" in server.out


def test_the_health_check_sees_it(served, only) -> None:
    assert check_health(only("HEALTHCHECK"), served[1]) == 0


def test_the_health_check_takes_no_proxy(served, only) -> None:
    """An `http_proxy` for the upstream is often set on a container; nobody answers at this one."""
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy"), "http://127.0.0.1:9")
    assert check_health(only("HEALTHCHECK"), {**served[1], **proxies}) == 0


def test_the_health_check_sees_a_dead_server(only, image_environment) -> None:
    assert check_health(only("HEALTHCHECK"), image_environment()) == 1


def test_the_health_check_is_patient_but_not_for_ever(only) -> None:
    flags = only("HEALTHCHECK").flags
    assert set(flags) == {"interval", "timeout", "start-period", "retries"}
    assert int(flags["timeout"].removesuffix("s")) < int(flags["interval"].removesuffix("s"))


def test_sigterm_ends_it_with_zero_and_the_code_is_untouched(
    start_server, only, app, image_environment
) -> None:
    before = code_files(app)
    env = image_environment()
    server = start_server(*command(only("CMD")), cwd=app, **env)
    assert server.port == int(env["PORT"])
    assert server.get("/healthz")[0] == 200
    server.popen.send_signal(signal.SIGTERM)
    assert server.exit_code() == 0
    assert any((app / "data").iterdir()), "state went into DATA_DIR"
    assert code_files(app) == before


def test_everybody_may_read_the_code_and_only_its_owner_may_write(app) -> None:
    modes = {name: (app / name).stat().st_mode & 0o777 for name in code_files(app)}
    assert [name for name, mode in modes.items() if mode & 0o044 != 0o044] == []
    assert [name for name, mode in modes.items() if mode & 0o022] == []
    folders = {path.parent for name in modes if (path := app / name).parent != app}
    assert [path for path in folders if path.stat().st_mode & 0o055 != 0o055] == []


def test_it_is_compiled_already(app) -> None:
    missing = [
        path
        for path in (app / "chat2api").rglob("*.py")
        if not list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))
    ]
    assert missing == []
