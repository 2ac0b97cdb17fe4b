import errno
import os
import resource
import socket
import stat

import pytest

from chat2api.serve.start import (
    ExitCode,
    StartError,
    check_address,
    make_room,
    prepare_data_dir,
    raise_file_limit,
)


def test_a_missing_data_directory_is_made_for_us_alone(tmp_path):
    path = tmp_path / "a" / "b"
    prepare_data_dir(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert list(path.iterdir()) == []


def test_an_existing_one_is_left_as_it_is(tmp_path):
    (tmp_path / "x").write_text("kept")
    prepare_data_dir(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_a_path_that_cannot_be_one(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        StartError, match=r"file/x cannot be written: Not a directory; set DATA_DIR"
    ) as e:
        prepare_data_dir(tmp_path / "file" / "x")
    assert e.value.exit_code is ExitCode.CANNOT_CREATE == 73


def test_a_directory_without_the_right_to_write(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(StartError, match="cannot be written: Permission denied"):
        prepare_data_dir(tmp_path)


def test_a_free_address():
    check_address("127.0.0.1", 0)
    check_address("localhost", 0)


def test_a_taken_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} on 127.0.0.1 is in use") as caught:
            check_address("127.0.0.1", port)
    assert caught.value.exit_code is ExitCode.UNAVAILABLE == 69
    check_address("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("192.0.2.1", "HOST=192.0.2.1 is no address of this machine"),
        ("no such host", "HOST=no such host cannot be resolved"),
    ],
)
def test_a_host_that_is_not_ours(host, message):
    with pytest.raises(StartError, match=message) as caught:
        check_address(host, 0)
    assert caught.value.exit_code is ExitCode.CONFIG == 78


def test_a_port_we_may_not_take(monkeypatch):
    def refuse(self, address):
        raise PermissionError(errno.EACCES, "x")

    monkeypatch.setattr(socket.socket, "bind", refuse, raising=False)
    with pytest.raises(
        StartError, match=r"cannot listen on 127\.0\.0\.1 port 80: Permission denied"
    ):
        check_address("127.0.0.1", 80)


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "raised"),
    [
        (1024, 4096, 2000, (2000, 4096)),
        (1024, 1500, 1500, (1500, 1500)),
        (1024, resource.RLIM_INFINITY, 2000, (2000, resource.RLIM_INFINITY)),
        (8192, 8192, 8192, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 2000, None),
    ],
)
def test_the_limit_on_open_files_is_raised_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch,
    soft: int,
    hard: int,
    allowed: int,
    raised: tuple[int, int] | None,
) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: calls.append(limits))
    assert raise_file_limit(2000) == allowed
    assert calls == ([] if raised is None else [raised])


def test_too_few_files_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (264, 264))
    make_room(4096)
    assert "enough for about 100 streams" in caplog.text
