"""Which file system a path lies on (D05)."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat2api.store.places import file_system, is_shared

MOUNTS = r"""/dev/vda / ext4 rw 0 0
proc /proc proc rw 0 0
server:/export /srv/data nfs4 rw 0 0
//server/share /srv/my\040share cifs rw 0 0
you@host: /srv/data/sshfs fuse.sshfs rw 0 0
tmpfs /srv/data/local tmpfs rw 0 0
drvfs /mnt/c 9p rw 0 0
/dev/vdb /mnt/c ext4 rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "kind", "shared"),
    [
        ("/", "ext4", False),
        ("/home/a/data", "ext4", False),
        ("/srv/data", "nfs4", True),
        ("/srv/data/a/b.db", "nfs4", True),
        ("/srv/database/b.db", "ext4", False),
        ("/srv/my share/b.db", "cifs", True),
        ("/srv/data/sshfs/b.db", "fuse.sshfs", True),
        ("/srv/data/local/b.db", "tmpfs", False),
        ("/srv/data/local/../b.db", "nfs4", True),
        ("/mnt/c/b.db", "ext4", False),  # mounted over the other
    ],
)
def test_the_deepest_mount_counts(tmp_path: Path, path: str, kind: str, shared: bool) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert (file_system(Path(path), mounts), is_shared(Path(path), mounts)) == (kind, shared)


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert file_system(Path("/srv"), tmp_path / "none") == ""
    assert is_shared(Path("/srv"), tmp_path / "none") is False


def test_tests_run_on_a_local_disk(tmp_path: Path) -> None:
    assert is_shared(tmp_path) is False
