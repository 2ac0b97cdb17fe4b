import tomllib
from pathlib import Path

from chat2api.settings import version as module
from chat2api.settings.version import version

ROOT = Path(__file__).parents[2]


def test_it_is_what_version_txt_says():
    assert version() == (ROOT / "version.txt").read_text().strip()


def test_the_package_takes_it_from_the_same_file():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"file": "version.txt"}


def test_an_installed_package_asks_its_metadata(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_VERSION_FILE", tmp_path / "absent")
    monkeypatch.setattr(module.metadata, "version", lambda name: f"{name} 9")
    assert version() == "chat2api 9"


def test_without_file_and_metadata_it_is_unknown(monkeypatch, tmp_path):
    def absent(name):
        raise module.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(module, "_VERSION_FILE", tmp_path / "absent")
    monkeypatch.setattr(module.metadata, "version", absent)
    assert version() == "unknown"
