import os
import stat
import threading

import pytest

from chat2api.settings import config_file as module
from chat2api.settings.config_file import (
    ConfigFileError,
    config_lock,
    parse_document,
    read_document,
    remove_backup,
    write_document,
)
from chat2api.settings.yaml_file import revision_of


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "app.dev.yaml"
    path.write_text("port: 1\n")
    return path


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    "text",
    [
        "# top\nport: 1  # why\nhost: 'a'\n\n# end\n",
        "a:\n  - x\n  - y: 1\n    z: 2\n",
        "a:\n- x\n- y: 1\n  z: 2\n",
        "a:  # list\n  # of\n    - x\n    - y\n",
        "# head\n---\na: 1\n",
        'a: |\n  two\n  lines\nb: "x"\n',
        "a: &x {b: 1}\nc: *x\n",
        f'a: "{"long words " * 60}"\n',
        "t: 2025-12-09T03:08:11Z\nn: 0x1F\nf: 1e3\n",
        "",
    ],
)
def test_what_is_not_changed_is_written_as_it_was(text):
    assert parse_document(text, "r", "x").dump() in (text, text + "{}\n")


def test_comments_alone_are_not_lost():
    document = parse_document("# only\n\n# comments", "r", "x")
    document.data["a"] = 1
    assert document.dump() == "# only\n\n# comments\na: 1\n"


def test_a_document_knows_its_revision(path):
    document = read_document(path)
    assert (document.data["port"], document.revision) == (1, revision_of(b"port: 1\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [planted", "app.dev.yaml is not valid YAML; mend it by hand."),
        (b"- planted\n", "app.dev.yaml does not hold `name: value` lines; mend it by hand."),
        (b"planted", "app.dev.yaml does not hold `name: value` lines; mend it by hand."),
        (b"\xff", "app.dev.yaml cannot be read as UTF-8 text."),
        (None, "app.dev.yaml cannot be read as UTF-8 text."),
    ],
)
def test_what_is_no_document(path, content, message):
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigFileError) as caught:
        read_document(path)
    assert str(caught.value) == message


def test_writing_keeps_one_backup_and_shows_nothing_to_others(path):
    path.chmod(0o644)
    write_document(path, "port: 2\n")
    write_document(path, "port: 3\n")
    backup = path.with_name("app.dev.yaml.bak")
    assert (path.read_text(), backup.read_text()) == ("port: 3\n", "port: 2\n")
    assert (mode(path), mode(backup)) == (0o600, 0o600)
    assert sorted(os.listdir(path.parent)) == ["app.dev.yaml", "app.dev.yaml.bak"]


def test_the_backup_goes_on_request(path):
    write_document(path, "port: 2\n")
    assert (remove_backup(path), remove_backup(path)) == (True, False)
    assert os.listdir(path.parent) == ["app.dev.yaml"]
    path.with_name("app.dev.yaml.bak").mkdir()
    with pytest.raises(ConfigFileError, match=r"^app.dev.yaml.bak cannot be deleted: "):
        remove_backup(path)


@pytest.mark.parametrize("step", [1, 2])
def test_a_failure_leaves_the_old_file(path, monkeypatch, step):
    real, calls = os.replace, []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == step:
            raise OSError(28, "No space left on device")
        real(*arguments)

    monkeypatch.setattr(module.os, "replace", failing)
    with pytest.raises(ConfigFileError, match=r"^app.dev.yaml cannot be written: No space left"):
        write_document(path, "port: 2\n")
    assert path.read_text() == "port: 1\n"
    assert [name for name in os.listdir(path.parent) if name.startswith(".")] == []


def test_what_a_killed_writer_left_goes_with_the_next_change(path):
    left = [path.with_name(f".{name}.abc.new") for name in (path.name, f"{path.name}.bak")]
    others = [path.with_name(name) for name in (".app.dev.yaml.swp", ".app.prod.yaml.abc.new")]
    for one in (*left, *others):
        one.write_text("x")
    write_document(path, "port: 2\n")
    assert sorted(path.parent.iterdir()) == sorted(
        [path, path.with_name("app.dev.yaml.bak"), *others]
    )


def test_the_target_of_a_link_is_replaced(path, tmp_path):
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    write_document(link, "port: 2\n")
    assert link.is_symlink()
    assert path.read_text() == "port: 2\n"


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(ConfigFileError):
        write_document(tmp_path / "no.yaml", "port: 2\n")
    assert os.listdir(tmp_path) == []


def test_one_writer_at_a_time(path, monkeypatch):
    monkeypatch.setattr(module, "_LOCK_SECONDS", 0.0)
    with config_lock(path), pytest.raises(ConfigFileError, match="being written by another"):
        with config_lock(path):
            pass
    with config_lock(path):
        assert path.read_text() == "port: 1\n"


def test_writers_wait_for_each_other(path):
    def add_one():
        with config_lock(path):
            document = read_document(path)
            document.data["port"] += 1
            write_document(path, document.dump())

    threads = [threading.Thread(target=add_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert path.read_text() == "port: 9\n"


def test_a_directory_that_is_not_there(tmp_path):
    with pytest.raises(ConfigFileError, match=r"directory of a\.yaml"):
        with config_lock(tmp_path / "no" / "a.yaml"):
            pass
