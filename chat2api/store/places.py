"""Where a file lies: on a disk of this machine, or on one that several machines share."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")
_SHARED = (
    "afs",
    "cifs",
    "ceph",
    "fuse.ceph",
    "fuse.glusterfs",
    "fuse.sshfs",
    "glusterfs",
    "lustre",
)
_SHARED_FAMILIES = ("nfs", "smb", "9p")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def is_shared(path: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether it lies on a network file system. False where the system does not tell."""
    kind = file_system(path, mounts)
    return kind in _SHARED or kind.startswith(_SHARED_FAMILIES)


def file_system(path: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the file system that holds a path, as the system names it; empty if it does not."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    place, best, kind = path.resolve(), -1, ""
    for fields in (line.split(" ") for line in lines):
        if len(fields) < 3:
            continue
        point = Path(_unescaped(fields[1]))
        # Later lines lie over earlier ones.
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind


def _unescaped(text: str) -> str:
    """Blanks in paths are written in octal."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)
