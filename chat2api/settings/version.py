"""The version of this program, from its single source: `version.txt`."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

# Beside app.py in a checkout; absent from an installed package, whose metadata was made from it.
_VERSION_FILE = Path(__file__).resolve().parents[2] / "version.txt"


def version() -> str:
    """The version, e.g. "0.1.0"; "unknown" when neither the file nor package metadata exists."""
    try:
        return _VERSION_FILE.read_text(encoding="ascii").strip()
    except OSError:
        pass
    try:
        return metadata.version("chat2api")
    except metadata.PackageNotFoundError:
        return "unknown"
