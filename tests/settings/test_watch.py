import os

import pytest

from chat2api.settings.watch import FileWatch
from chat2api.settings.yaml_file import revision_of

HOUR_NS = 3_600_000_000_000


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"one")
    return path


def make(path, *, hours_later=1):
    """A watch that knows the content "one" and looks that long after the file's own time."""
    return FileWatch(
        path, revision_of(b"one"), clock=lambda: os.stat(path).st_mtime_ns + hours_later * HOUR_NS
    )


def test_nothing_happens(path):
    watch = make(path)
    assert [watch.changed() for _ in range(3)] == [False, False, False]
    assert (watch.is_there, watch.revision) == (True, revision_of(b"one"))


def test_another_content_is_told_once(path):
    watch = make(path)
    path.write_bytes(b"other")
    assert (watch.changed(), watch.changed()) == (True, False)
    assert watch.revision == revision_of(b"other")


def test_a_change_before_the_first_look_counts(path):
    path.write_bytes(b"other")
    assert make(path).changed()


def test_the_same_content_written_anew_is_no_change(path):
    watch = make(path)
    watch.changed()
    path.write_bytes(b"one")
    os.utime(path, ns=(0, 0))
    assert not watch.changed()


def test_a_settled_file_is_not_read(path, monkeypatch):
    watch = make(path)
    watch.changed()
    monkeypatch.setattr(type(path), "read_bytes", lambda _: pytest.fail("it was read"))
    assert not watch.changed()


def test_a_change_within_the_clocks_step_is_seen(path):
    watch = make(path, hours_later=0)
    assert not watch.changed()
    times = os.stat(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert watch.changed()


def test_a_file_that_goes_and_comes(path):
    watch = FileWatch(path, revision_of(b"one"))
    path.unlink()
    assert (watch.changed(), watch.is_there, watch.changed()) == (True, False, False)
    path.write_bytes(b"one")
    assert (watch.changed(), watch.is_there) == (True, True)


def test_an_emptied_file(path):
    watch = make(path)
    path.write_bytes(b"")
    assert (watch.changed(), watch.is_there, watch.is_empty) == (True, True, True)


def test_what_is_forgotten_is_seen_again(path):
    watch = make(path)
    watch.changed()
    watch.forget()
    assert watch.changed()
