"""The three lists of dependencies say the same. No network: only the files are compared."""

import re
import tomllib

import pytest

LINE = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; .*)?")


@pytest.fixture(scope="module")
def lock(pytestconfig):
    packages = tomllib.loads((pytestconfig.rootpath / "uv.lock").read_text())["package"]
    return {package["name"]: package for package in packages}


@pytest.fixture(scope="module")
def project(pytestconfig):
    return tomllib.loads((pytestconfig.rootpath / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def requirements(pytestconfig):
    """requirements(file): package name -> (version, hashes)."""

    def requirements(file):
        text = (pytestconfig.rootpath / file).read_text().replace("\\\n", " ")
        found = {}
        for line in text.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                head, *hashes = re.split(r"\s+--hash=", line.strip())
                match = LINE.fullmatch(head.strip())
                assert match, line
                found[match["name"]] = (match["version"], frozenset(hashes))
        return found

    return requirements


def normal(requirement):
    """(name, extras, specifier) of a dependency as both files write it."""
    name, extras, rest = re.fullmatch(
        r"([A-Za-z0-9._-]+)(?:\[([^\]]*)\])?(.*)", requirement.replace(" ", "")
    ).groups()
    name = re.sub(r"[-_.]+", "-", name).lower()
    return name, frozenset(filter(None, (extras or "").split(","))), frozenset(rest.split(","))


def locked(entries):
    return {
        (e["name"], frozenset(e.get("extras", ())), frozenset(e.get("specifier", "").split(",")))
        for e in entries
    }


def test_the_lock_is_of_these_dependencies(lock, project):
    asked = lock["chat2api"]["metadata"]
    assert locked(asked["requires-dist"]) == set(map(normal, project["project"]["dependencies"]))
    assert locked(asked["requires-dev"]["dev"]) == set(
        map(normal, project["dependency-groups"]["dev"])
    )


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_the_exports_are_of_this_lock(lock, requirements, file):
    for name, (version, hashes) in requirements(file).items():
        package = lock[name]
        files = [*package.get("wheels", ()), *filter(None, [package.get("sdist")])]
        assert version == package["version"], name
        assert hashes, f"{name} has no hash"
        assert hashes == {one["hash"] for one in files}, name


def test_the_exports_are_complete(lock, project, requirements):
    run, dev = requirements("requirements.txt"), requirements("requirements-dev.txt")
    assert run.items() <= dev.items()
    assert {normal(line)[0] for line in project["project"]["dependencies"]} <= set(run)
    assert {normal(line)[0] for line in project["dependency-groups"]["dev"]} <= set(dev)
    assert set(dev) | {"chat2api"} == set(lock)
